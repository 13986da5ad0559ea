// @ts-check
/** Sends jobs, one after another, and again where the connection is lost; fires "change", and "sent" with each job. */

import { AnalysisProblem } from "./api.js";
import * as api from "./job_api.js";

/**
 * @typedef {import("./api.js").Problem} Problem
 * @typedef {import("./job_files.js").Bundle} Bundle
 *
 * @typedef {object} Upload
 * @property {string} id of the job, for all tries: the service makes it once
 * @property {Bundle} bundle
 * @property {"waiting" | "sending" | "storing" | "pausing" | "failed"} state
 * @property {number} sent share of the bytes, 0 to 1
 * @property {Problem | null} problem
 * @property {AbortController} abort
 */

/** Codes after which the same request may succeed without anybody's doing. */
const PASSING = ["network", "overloaded", "quota-exceeded", "draining", "too-many-connections", "not-ready", "deadline-exceeded", "body-timeout", "header-timeout", "request-in-progress", "storage-unavailable"];
const PAUSES_MS = [1000, 4000, 15_000, 60_000];
const MAX_PAUSE_MS = 120_000;

export class Uploads extends EventTarget {
  #working = false;
  /** @type {Upload[]} */
  list = [];

  /** @param {Bundle[]} bundles @returns {Upload[]} */
  add(bundles) {
    const added = bundles.map((bundle) => newUpload(bundle));
    this.list.push(...added);
    this.#tell();
    this.#work();
    return added;
  }

  /** @param {Upload} upload */
  retry(upload) {
    Object.assign(upload, { state: "waiting", problem: null, sent: 0, abort: new AbortController() });
    this.#tell();
    return this.#work();
  }

  /** Retries what failed with one of these problems. @param {string[]} codes */
  retryAll(codes) {
    for (const upload of this.list.filter(({ problem }) => problem && codes.includes(problem.code))) this.retry(upload);
  }

  /** @param {Upload} upload */
  drop(upload) {
    upload.abort.abort();
    this.list = this.list.filter((other) => other !== upload);
    this.#tell();
  }

  /** Whether leaving the page would end an upload. */
  get isBusy() {
    return this.list.some(({ state }) => state !== "failed");
  }

  async #work() {
    if (this.#working) return;
    this.#working = true;
    let next;
    while ((next = this.list.find(({ state }) => state === "waiting"))) await this.#send(next);
    this.#working = false;
  }

  /** @param {Upload} upload */
  async #send(upload) {
    try {
      const job = await this.#insist(upload);
      this.list = this.list.filter((other) => other !== upload);
      this.dispatchEvent(new CustomEvent("sent", { detail: job }));
      this.#tell();
    } catch (error) {
      if (error instanceof AnalysisProblem) this.#update(upload, { state: "failed", problem: error.problem });
      else if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
    }
  }

  /** @param {Upload} upload @returns {Promise<import("./job_api.js").Job>} */
  async #insist(upload) {
    for (let tries = 0; ; tries++) {
      try {
        return await this.#try(upload);
      } catch (error) {
        const pause = error instanceof AnalysisProblem ? pauseAfter(error.problem, tries) : null;
        if (pause === null) throw error;
        this.#update(upload, { state: "pausing" });
        await passed(pause, upload.abort.signal);
      }
    }
  }

  /** Sends a job unless the service has it: of an earlier try perhaps only the response was lost. @param {Upload} upload */
  async #try(upload) {
    const { id, bundle, abort: { signal } } = upload;
    this.#update(upload, { state: "sending", sent: 0 });
    await api.introduce(); // else a job whose response is lost would be nobody's
    const known = (await api.jobs()).find((job) => job.id === id);
    signal.throwIfAborted();
    const onSent = (/** @type {number} */ sent) => this.#update(upload, { sent, state: sent < 1 ? "sending" : "storing" });
    return known ?? api.submit(id, bundle.body(), { signal, onSent });
  }

  /** @param {Upload} upload @param {Partial<Upload>} changes */
  #update(upload, changes) {
    Object.assign(upload, changes);
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {Bundle} bundle @returns {Upload} */
function newUpload(bundle) {
  const random = crypto.getRandomValues(new Uint8Array(16)); // randomUUID needs https or localhost
  const id = [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { id, bundle, state: "waiting", sent: 0, problem: null, abort: new AbortController() };
}

/** How long to wait before the next try; null for none. @param {Problem} problem @param {number} tries */
function pauseAfter({ code, retryAfter = 0 }, tries) {
  if (!PASSING.includes(code) || tries >= PAUSES_MS.length || 1000 * retryAfter > MAX_PAUSE_MS) return null;
  return Math.max(PAUSES_MS[tries], 1000 * retryAfter);
}

/** Resolves after this time, or when the connection is back; rejects with AbortError. @param {number} milliseconds @param {AbortSignal} signal */
function passed(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    addEventListener("online", resolve, { once: true });
    setTimeout(resolve, milliseconds);
  });
}
