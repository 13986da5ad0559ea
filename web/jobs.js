// @ts-check
/** The jobs that the service has for this caller, and those that are being sent; fires "change". */

import { access } from "./access.js";
import { AnalysisProblem } from "./api.js";
import { CallerState } from "./caller_state.js";
import * as api from "./job_api.js";
import { Results } from "./job_results.js";
import { Uploads } from "./job_upload.js";
import { KEY_PROBLEMS } from "./key.js";
import { Poller } from "./poller.js";

/**
 * @typedef {import("./job_api.js").Job} Job
 * @typedef {import("./api.js").Problem} Problem
 * @typedef {{list: Job[] | null, problem: Problem | null, isBusy: boolean}} State list: newest first, null until it is loaded
 */

const HOUR_MS = 3_600_000;
/** @type {State} */
const UNKNOWN = { list: null, problem: null, isBusy: false };

/** @extends {CallerState<State>} */
export class Jobs extends CallerState {
  uploads = new Uploads();
  /** Results of jobs that were opened, by their ids. @type {Map<string, Results>} */
  #results = new Map();
  #poller = new Poller(() => this.#poll());

  /** @param {import("./job_names.js").Names} names @param {number} hours that results last */
  constructor(names, hours) {
    super(UNKNOWN);
    this.names = names;
    this.hours = hours;
    this.uploads.addEventListener("sent", (/** @type {any} */ { detail: job }) => this.#add(job));
    this.addEventListener("change", () => this.#poller.turn(this.#list.some(({ state }) => state === "queued")));
    access.addEventListener("change", () => {
      this.#results.clear();
      if (access.hasKey) this.uploads.retryAll(KEY_PROBLEMS);
    });
  }

  load() {
    return this.run(async () => ({ list: await api.jobs() }));
  }

  /** @param {import("./job_files.js").Bundle[]} bundles */
  submit(bundles) {
    for (const { id, bundle: { label, names } } of this.uploads.add(bundles)) {
      this.names.put({ id, label, names, expires: Date.now() + this.hours * HOUR_MS });
    }
  }

  /** Gives up a job that was not sent as a whole. @param {import("./job_upload.js").Upload} upload */
  drop(upload) {
    this.uploads.drop(upload);
    this.names.delete(upload.id);
  }

  /** @param {string} id */
  cancel(id) {
    return this.run(async () => {
      const changed = await api.cancel(id);
      this.#results.get(id)?.refresh();
      return { list: this.#list.map((job) => (job.id === id ? changed : job)) };
    });
  }

  /** @param {string} id */
  remove(id) {
    return this.run(async () => {
      await api.remove(id).catch((error) => { if (!isGone(error)) throw error; });
      this.#forget(id);
      this.dispatchEvent(new Event("gone"));
      return { list: this.#list.filter((job) => job.id !== id) };
    });
  }

  /** Removes what the service has deleted by now. @param {number} now in milliseconds since 1970 */
  expire(now) {
    const hasEnded = (/** @type {Job} */ { expires_at: end }) => Date.parse(end) <= now;
    const ended = this.#list.filter(hasEnded);
    for (const { id } of ended) this.#forget(id);
    if (this.state.list) this.set({ list: this.#list.filter((job) => !hasEnded(job)) });
  }

  /** The results of a job, which are loaded once they are asked for. @param {string} id */
  resultsOf(id) {
    const found = this.#results.get(id) ?? new Results(id);
    this.#results.set(id, found);
    return found;
  }

  get #list() {
    return this.state.list ?? [];
  }

  async #poll() {
    const before = this.#list;
    let moved = false;
    await this.run(async () => {
      const list = await api.jobs();
      const changed = list.filter(({ id, done, state }) => !before.some((job) => job.id === id && job.done === done && job.state === state));
      for (const { id } of changed) this.#results.get(id)?.refresh();
      moved = changed.length > 0;
      return { list };
    }, { isQuiet: true });
    return { moved, retryAfter: this.state.problem?.retryAfter };
  }

  /** @param {Job} job that was sent just now */
  #add(job) {
    this.dispatchEvent(new CustomEvent("sent", { detail: job }));
    if (this.state.list) this.set({ list: [job, ...this.#list.filter(({ id }) => id !== job.id)] });
    else this.load();
  }

  /** @param {string} id */
  #forget(id) {
    this.#results.delete(id);
    this.names.delete(id);
  }
}

/** @param {unknown} error */
const isGone = (error) => error instanceof AnalysisProblem && error.problem.code === "no-such-job";
