// @ts-check
/** The gateway's routes of jobs, and their wire types (chestxray/results.py). */

import { access } from "./access.js";
import { AnalysisProblem, ask, problemOf } from "./api.js";

/**
 * @typedef {import("./api.js").Analysis} Analysis
 * @typedef {import("./api.js").Problem} Problem
 *
 * @typedef {object} Job
 * @property {string} id
 * @property {"queued" | "finished" | "cancelled"} state
 * @property {string} created_at
 * @property {string} expires_at when it is deleted with its results
 * @property {number} total
 * @property {number} done
 *
 * @typedef {object} Item
 * @property {number} position
 * @property {"queued" | "running" | "done" | "cancelled"} state
 * @property {string} digest
 * @property {Analysis | Problem | null} result
 */

const JOBS = "v1/jobs";
const SILENCE_MS = 600_000; // without any progress; the service unpacks a zip file after all of it was sent

/** @returns {Promise<Job[]>} newest first */
export const jobs = () => ask(JOBS, async (answer) => (await answer.json()).jobs);
/** @param {string} id @param {number} begin position @returns {Promise<{items: Item[], next: number | null}>} */
export const results = (id, begin) => ask(`${JOBS}/${id}/results?begin=${begin}`, (answer) => answer.json());
/** @param {string} id @returns {Promise<Job>} */
export const cancel = (id) => ask(`${JOBS}/${id}/cancel`, (answer) => answer.json(), "POST");
/** @param {string} id @returns {Promise<void>} */
export const remove = (id) => ask(`${JOBS}/${id}`, async () => {}, "DELETE");

/** Lets the service know this browser by a cookie, before it is asked to store anything. @returns {Promise<void>} */
export const introduce = () => ask("v1/visitors", async () => {}, "POST");

/**
 * Posts the files of a job. Rejects with AnalysisProblem, or with AbortError if aborted.
 * @param {string} id the job's own, so that a repeated request returns the same job
 * @param {Blob | FormData} body a zip file or a form
 * @param {{signal: AbortSignal, onSent: (share: number) => void}} how
 * @returns {Promise<Job>}
 */
export function submit(id, body, { signal, onSent }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch has no upload progress
    request.open("POST", `${JOBS}?id=${id}&heatmap=none`);
    request.responseType = "json";
    const headers = { ...(body instanceof Blob && { "Content-Type": "application/zip" }), ...access.headers };
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    const fail = (/** @type {string} */ code) => reject(new AnalysisProblem({ code, detail: "", status: 0 }));
    const stopClock = watch(request, () => fail("deadline-exceeded"));
    request.upload.onprogress = ({ loaded, total }) => onSent(total ? loaded / total : 1);
    request.upload.onload = () => onSent(1);
    request.onload = () => {
      const { status, response } = request;
      if (status === 202 && response) return resolve(response);
      reject(problemOf(status, response, request.getResponseHeader("Retry-After")));
    };
    request.onerror = () => fail("network");
    request.onabort = () => reject(new DOMException("", "AbortError"));
    request.onloadend = stopClock;
    signal.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}

/** Gives up a request that is silent; a timeout would end long uploads. @param {XMLHttpRequest} request @param {() => void} late */
function watch(request, late) {
  let clock = 0;
  const restart = () => {
    clearTimeout(clock);
    clock = setTimeout(() => { late(); request.abort(); }, SILENCE_MS);
  };
  request.upload.addEventListener("progress", restart);
  restart();
  return () => clearTimeout(clock);
}
