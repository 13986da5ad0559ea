// @ts-check
/** The gateway's HTTP interface, and its wire types (chestxray/results.py). */

import { access } from "./access.js";

/**
 * @typedef {"no_finding" | "lung_opacity" | "covid19"} Finding
 * @typedef {{label: Finding, grid: number[][], range: [number, number]}} Heatmap
 * @typedef {{verdict: string, valid: boolean, score: number, threshold: number, scores: Record<string, number>}} FilterResult
 * @typedef {object} Analysis
 * @property {string} id
 * @property {string} created_at
 * @property {{film: [number, number, number, number] | null}} [input] film: the crop, as fractions of the image
 * @property {FilterResult} filter
 * @property {{label: Finding, probabilities: Record<Finding, number>, abnormal?: number}} prediction abnormal is missing in responses of older services
 * @property {Partial<Record<Finding, Heatmap>>} heatmaps of all classes, or of one in a kept analysis of another program
 * @property {[number, number, number]} projection
 * @property {Record<string, string>} models
 * @property {string} [software] name and version; missing in responses of older services
 * @property {{decode: number, filter: number, classify: number, total: number}} timing_ms
 * @property {boolean} [kept] whether the service keeps it; missing in responses of older services
 * @property {string | null} [expires_at] when a kept one is deleted
 * @property {string} disclaimer
 *
 * @typedef {{id: string, created_at: string, expires_at: string, prediction: Analysis["prediction"]}} Summary of a kept analysis
 *
 * @typedef {object} Problem
 * @property {string} code
 * @property {string} detail
 * @property {number} status
 * @property {string} [request_id]
 * @property {FilterResult} [filter]
 * @property {number} [limit]
 * @property {string} [found] the format of the file
 * @property {number} [retryAfter] seconds
 *
 * @typedef {{name: string, version: string, digest: string, labels: string[], thresholds: Record<string, number>, metrics: Record<string, any>}} Model
 * @typedef {{max_image_bytes: number, max_image_pixels: number, max_webp_pixels: number, max_images_per_batch: number, media_types: string[], keeps: boolean, retention_hours: number | null, max_job_images: number | null, max_job_bytes: number | null}} Limits
 * @typedef {{name: string, url: string, thumbnail: string, synthetic: boolean}} Example
 * @typedef {{variance: number[], labels: Finding[], points: [number, number, number][], model: string}} Projection
 */

/** @type {Finding[]} In the order of every response. */
export const FINDINGS = ["no_finding", "lung_opacity", "covid19"];

const ANALYSES = "v1/analyses";
const ROUTE = `${ANALYSES}?heatmap=all`;
const PAGE = 20; // analyses in one answer
const PICTURE = /^image\/(?!svg)/; // other files are described by what is in them, not by what the browser takes them for
const NO_NETWORK = { code: "network", detail: "", status: 0 };
const LONGEST_WAIT_MS = 65_000; // a little longer than the gateway's longest deadline

/** Why there is no analysis: the gateway's problem, or a connection error. */
export class AnalysisProblem extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/**
 * Posts one image. Rejects with AnalysisProblem, or with AbortError if aborted.
 * @param {Blob} file
 * @param {{signal: AbortSignal, onSent: (share: number) => void, keepAs: string | null}} how keepAs: name of
 *   a request whose analysis is to be kept, the same for a retry, so that it is kept once; else null
 * @returns {Promise<Analysis>}
 */
export function analyse(file, { signal, onSent, keepAs }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch has no upload progress
    request.open("POST", keepAs ? `${ROUTE}&keep=true` : ROUTE);
    request.responseType = "json";
    request.timeout = LONGEST_WAIT_MS;
    const headers = { "Content-Type": PICTURE.test(file.type) ? file.type : "application/octet-stream", ...(keepAs && { "Idempotency-Key": keepAs }), ...access.headers };
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onSent(total ? loaded / total : 1);
    request.upload.onload = () => onSent(1);
    request.onload = () => settle(request, resolve, reject);
    request.onerror = async () => reject(await failure(file));
    request.ontimeout = () => reject(new AnalysisProblem({ code: "deadline-exceeded", detail: "", status: 0 }));
    request.onabort = () => reject(new DOMException("", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

/**
 * @param {XMLHttpRequest} request
 * @param {(analysis: Analysis) => void} resolve
 * @param {(reason: AnalysisProblem) => void} reject
 */
function settle(request, resolve, reject) {
  const { status, response } = request;
  if ((status === 200 || status === 201) && response) return resolve(response);
  reject(problemOf(status, response, request.getResponseHeader("Retry-After")));
}

/** @param {number} status @param {Problem | null} body @param {string | null} retryAfter */
export function problemOf(status, body, retryAfter) {
  const code = body?.code ?? "internal-error"; // a proxy's error page is not problem+json
  return new AnalysisProblem({ detail: "", ...body, code, status, retryAfter: Number(retryAfter) || undefined });
}

/** Gets a file or an answer. Rejects with AnalysisProblem. @param {string} path @returns {Promise<Response>} */
export async function get(path) {
  const answer = await fetch(path, { headers: access.headers }).catch(() => null);
  if (answer?.ok) return answer;
  throw answer ? problemOf(answer.status, null, answer.headers.get("Retry-After")) : new AnalysisProblem(NO_NETWORK);
}

/** Whether the service could not be reached, not even for a script. @param {unknown} error */
export function isOfTheNetwork(error) {
  if (error instanceof AnalysisProblem) return error.problem.code === NO_NETWORK.code;
  return error instanceof TypeError && /import(ed|ing)/.test(error.message); // a module did not load
}

/** Tells a broken connection from a file that is gone, or a folder. @param {Blob} file */
async function failure(file) {
  const isReadable = await file.slice(0, 1).arrayBuffer().then(() => true, () => false);
  return new AnalysisProblem(isReadable ? NO_NETWORK : { code: "file-unreadable", detail: "", status: 0 });
}

/**
 * Asks for what the service keeps, or its deletion. Rejects with AnalysisProblem.
 * @template T
 * @param {string} path
 * @param {(answer: Response) => Promise<T>} read
 * @param {string} [method]
 * @returns {Promise<T>}
 */
export async function ask(path, read, method = "GET") {
  try {
    const answer = await fetch(path, { method, headers: access.headers, signal: AbortSignal.timeout(LONGEST_WAIT_MS) });
    if (answer.ok) return await read(answer);
    throw problemOf(answer.status, await answer.json().catch(() => null), answer.headers.get("Retry-After"));
  } catch (error) {
    if (error instanceof AnalysisProblem) throw error;
    const isLate = error instanceof DOMException && error.name === "TimeoutError";
    throw new AnalysisProblem(isLate ? { code: "deadline-exceeded", detail: "", status: 0 } : NO_NETWORK);
  }
}

/** @param {string | null} cursor `next` of the page before @returns {Promise<{analyses: Summary[], next: string | null}>} newest first */
export const keptAnalyses = (cursor) => ask(`${ANALYSES}?limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`, (answer) => answer.json());
/** @param {string} id @returns {Promise<Analysis>} */
export const keptAnalysis = (id) => ask(`${ANALYSES}/${id}`, async (answer) => withMaps(await answer.json()));
/** @param {string} id @returns {Promise<Blob>} the film alone, without borders */
export const keptImage = (id) => ask(`${ANALYSES}/${id}/image`, (answer) => answer.blob());
/** @param {string} id @returns {Promise<void>} */
export const deleteKept = (id) => ask(`${ANALYSES}/${id}`, async () => {}, "DELETE");
/** @returns {Promise<void>} */
export const deleteAllKept = () => ask(ANALYSES, async () => {}, "DELETE");

/** Other programs may have asked for the map of one class only. @param {any} analysis @returns {Analysis} */
const withMaps = (analysis) => ({ ...analysis, heatmaps: analysis.heatmaps ?? { [analysis.heatmap.label]: analysis.heatmap } });

/** @typedef {{kind: string, sign_in: boolean, signed_in_until: string | null}} Session */

/** @type {Session} */
export const NOBODY = { kind: "none", sign_in: false, signed_in_until: null };

/** What the service knows of the session, whatever the key. @returns {Promise<Session>} */
export async function session() {
  try {
    const answer = await fetch("v1/caller");
    return answer.ok ? await answer.json() : NOBODY;
  } catch {
    return NOBODY; // the page works without a session
  }
}
/** Ends the session. Rejects with AnalysisProblem. @returns {Promise<string | null>} where to end that at the provider */
export async function signOut() {
  const answer = await fetch("sign-out", { method: "POST" });
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw problemOf(answer.status, body, answer.headers.get("Retry-After"));
  return body.end_session_url;
}
/** @returns {Promise<Projection>} */
export const projection = async () => (await get("v1/projection")).json();
