// @ts-check
/** The routes of API keys and of the caller (bentos/gateway/keys.py). */

import { access } from "./access.js";
import { AnalysisProblem, problemOf } from "./api.js";

/**
 * @typedef {"analyse" | "history" | "annotate" | "admin"} Scope
 * @typedef {{kind: string, scopes: Scope[]}} Caller
 * @typedef {{name: string, scopes: Scope[], expires_days: number | null, requests_per_minute: number | null}} Wanted
 *
 * @typedef {object} Key
 * @property {string} id
 * @property {string} name
 * @property {Scope[]} scopes
 * @property {number | null} requests_per_minute images, null for the service's default
 * @property {string} created_at
 * @property {string | null} expires_at
 * @property {string | null} previous_secret_until
 *
 * @typedef {Key & {key: string}} Issued a key with its secret, which is told only once
 */

const KEYS = "v1/keys";
const LONGEST_WAIT_MS = 20_000;

/** @returns {Promise<Caller>} */
export const caller = () => ask("v1/caller");
/** @param {string | null} cursor `next` of the page before @returns {Promise<{keys: Key[], next: string | null}>} newest first */
export const keys = (cursor) => ask(cursor ? `${KEYS}?cursor=${encodeURIComponent(cursor)}` : KEYS);
/** @param {Wanted} wanted @returns {Promise<Issued>} */
export const createKey = (wanted) => ask(KEYS, "POST", wanted);
/** @param {string} id @returns {Promise<Issued>} */
export const rotateKey = (id) => ask(`${KEYS}/${id}/rotate`, "POST");
/** @param {string} id @returns {Promise<void>} */
export const revokeKey = (id) => ask(`${KEYS}/${id}`, "DELETE");

/**
 * Rejects with AnalysisProblem.
 * @param {string} path
 * @param {string} [method]
 * @param {object} [sent] as JSON
 * @returns {Promise<any>}
 */
async function ask(path, method = "GET", sent) {
  const headers = { ...access.headers, ...(sent && { "Content-Type": "application/json" }) };
  const body = sent && JSON.stringify(sent);
  try {
    const answer = await fetch(path, { method, headers, body, signal: AbortSignal.timeout(LONGEST_WAIT_MS) });
    const told = answer.status === 204 ? null : await answer.json().catch(() => null);
    if (answer.ok) return told;
    throw problemOf(answer.status, told, answer.headers.get("Retry-After"));
  } catch (error) {
    if (error instanceof AnalysisProblem) throw error;
    throw new AnalysisProblem({ code: "network", detail: "", status: 0 });
  }
}
