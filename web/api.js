// @ts-check
/** The gateway's HTTP interface, and its wire types (chestxray/results.py). */

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
 * @property {Record<Finding, Heatmap>} heatmaps
 * @property {[number, number, number]} projection
 * @property {Record<string, string>} models
 * @property {string} [software] name and version; missing in responses of older services
 * @property {{decode: number, filter: number, classify: number, total: number}} timing_ms
 * @property {string} disclaimer
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
 * @typedef {{max_image_bytes: number, max_image_pixels: number, max_webp_pixels: number, media_types: string[]}} Limits
 * @typedef {{name: string, url: string, thumbnail: string, synthetic: boolean}} Example
 * @typedef {{variance: number[], labels: Finding[], points: [number, number, number][], model: string}} Projection
 */

/** @type {Finding[]} In the order of every response. */
export const FINDINGS = ["no_finding", "lung_opacity", "covid19"];

const ROUTE = "v1/analyses?heatmap=all";
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
 * @param {{signal: AbortSignal, onSent: (share: number) => void}} how
 * @returns {Promise<Analysis>}
 */
export function analyse(file, { signal, onSent }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch has no upload progress
    request.open("POST", ROUTE);
    request.responseType = "json";
    request.timeout = LONGEST_WAIT_MS;
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    request.upload.onprogress = ({ loaded, total }) => onSent(total ? loaded / total : 1);
    request.upload.onload = () => onSent(1);
    request.onload = () => settle(request, resolve, reject);
    request.onerror = () => reject(new AnalysisProblem({ code: "network", detail: "", status: 0 }));
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
  if (status === 200 && response) return resolve(response);
  const retryAfter = Number(request.getResponseHeader("Retry-After")) || undefined;
  const code = response?.code ?? "internal-error"; // a proxy's error page is not problem+json
  reject(new AnalysisProblem({ detail: "", ...response, code, status, retryAfter }));
}

/** @param {string} path @returns {Promise<any>} */
async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

/** @returns {Promise<Model[]>} filter and classifier */
export const models = async () => (await get("v1/models")).models;
/** @returns {Promise<Limits>} */
export const limits = () => get("v1/limits");
/** @returns {Promise<Example[]>} */
export const examples = async () => (await get("v1/examples")).examples;
/** @returns {Promise<Projection>} */
export const projection = () => get("v1/projection");
