// @ts-check
/**
 * The images of this visit, analysed one after another; fires "change" with the entry that changed, and
 * "kept" with an analysis that the service has kept.
 */

import { AnalysisProblem, analyse } from "./api.js";
import { sha256 } from "./digest.js";
import { isDeep, preview } from "./pictures.js";
import { checkReadable, checkSize } from "./precheck.js";
import { upload } from "./upload.js";

/**
 * @typedef {import("./api.js").Analysis} Analysis
 * @typedef {import("./api.js").Problem} Problem
 * @typedef {"waiting" | "sending" | "reading" | "done" | "refused"} State
 *
 * @typedef {object} Entry
 * @property {string} id
 * @property {number} created milliseconds since 1970
 * @property {string} name of the file; it stays in the browser
 * @property {boolean} synthetic
 * @property {State} state
 * @property {number} sent share of the bytes, 0 to 1
 * @property {Analysis | null} result
 * @property {Problem | null} problem
 * @property {Blob | null} shown the image to display; null if the browser cannot decode the file
 * @property {Blob | null} thumbnail
 * @property {[number, number, number, number]} [film] where the film lies in `shown`, if not where the result says
 * @property {Blob} [original] the file as it was added, for the viewer; it stays in the browser
 * @property {string | null} [digest] of the file as it was added, SHA-256; null if the browser computes none
 * @property {Blob} [file] as it was added; stored until there is a result
 * @property {Blob} [upload] what is sent of it: the file, or a smaller copy; lost on reload
 * @property {Promise<void>} [previewed] when `shown` and `thumbnail` are made
 * @property {boolean} [keep] whether the visitor had it kept when adding or retrying it; lost on reload
 * @property {string} [keepAs] names the request, for all tries with the same file; lost on reload
 * @property {AbortController} [abort]
 */

export class Analyses extends EventTarget {
  #working = false;
  /** @type {Record<"plain" | "deep", Promise<void>>} until the previews that were asked for are made */
  #previews = { plain: Promise.resolve(), deep: Promise.resolve() };

  /** @param {import("./store.js").Store} store @param {import("./api.js").Limits} limits @param {import("./consent.js").Consent} consent */
  constructor(store, limits, consent) {
    super();
    this.store = store;
    this.limits = limits;
    this.consent = consent;
    /** @type {Entry[]} newest first */
    this.entries = [];
    /** @type {Entry | null} the selected entry */
    this.current = null;
    /** Whether files are sent as they are, however large. */
    this.sendsOriginals = false;
  }

  /** Restores the entries that were stored before a reload, and goes on with those that were not analysed. */
  async restore() {
    this.entries = (await this.store.list()).map((entry) => ({ ...entry, file: entry.file ?? entry.original, sent: 0, state: isOpen(entry) ? "waiting" : entry.state }));
    this.select(this.entries[0] ?? null);
    this.#work();
  }

  /** Whether an image has not been answered. */
  get isBusy() {
    return this.entries.some(isOpen);
  }

  /** @param {{file: Blob, name: string, synthetic?: boolean}[]} files */
  async add(files) {
    const added = files.map(({ file, name, synthetic = false }) => ({ ...newEntry(file, name, synthetic), keep: this.consent.isGiven }));
    this.entries.unshift(...added.slice().reverse());
    if (added.length) this.select(added[0]);
    for (const entry of added) this.store.put(entry);
    const working = this.#work();
    for (const entry of added) await this.#preview(entry);
    await working;
  }

  /** Adds what is no image that could be sent, with the reason. @param {string} name @param {string} code */
  refuse(name, code) {
    const problem = { code, detail: "", status: 0 };
    const entry = { ...newEntry(null, name, false), state: /** @type {const} */ ("refused"), problem };
    this.entries.unshift(entry);
    this.select(entry);
    return this.store.put(entry);
  }

  /** The number of an analysed image within this visit, oldest first; 0 for others. @param {Entry} entry */
  numberOf(entry) {
    const analysed = this.entries.filter(({ result }) => result);
    return entry.result ? analysed.length - analysed.indexOf(entry) : 0;
  }

  /** @param {Entry | null} entry */
  select(entry) {
    this.current = entry;
    this.#tell(entry);
  }

  /** Retries an entry; after a reload only its preview is left to send. @param {Entry} entry */
  async retry(entry) {
    Object.assign(entry, { state: "waiting", problem: null, sent: 0, keep: this.consent.isGiven });
    this.#tell(entry);
    await this.#work();
  }

  /** Retries all entries with one of these problems. @param {string[]} codes */
  retryAll(codes) {
    const refused = this.entries.filter(({ problem }) => problem && codes.includes(problem.code));
    return Promise.all(refused.map((entry) => this.retry(entry)));
  }

  /** @param {Entry} entry */
  remove(entry) {
    return this.#remove([entry]);
  }

  removeAll() {
    return this.#remove([...this.entries]);
  }

  /** @param {Entry[]} removed */
  async #remove(removed) {
    for (const { abort } of removed) abort?.abort();
    this.entries = this.entries.filter((entry) => !removed.includes(entry));
    const isGone = this.current && removed.includes(this.current);
    this.select(isGone ? (this.entries[0] ?? null) : this.current);
    await this.store.delete(...removed.map(({ id }) => id));
  }

  /** Notes that the service no longer keeps analyses, and closes one that it alone had. @param {string[] | null} ids null for all */
  async forgetKept(ids) {
    const isGone = (/** @type {Analysis | null | undefined} */ result) => Boolean(result && (!ids || ids.includes(result.id)));
    const entries = this.entries.filter(({ result }) => result?.kept && isGone(result));
    for (const entry of entries) this.#update(entry, { result: { .../** @type {Analysis} */ (entry.result), kept: false, expires_at: null } });
    if (isGone(this.current?.result)) this.closeKept();
    await Promise.all(entries.map((entry) => this.store.put(entry)));
  }

  /** Closes an entry that is none of this visit. */
  closeKept() {
    if (this.current && !this.entries.includes(this.current)) this.select(this.entries[0] ?? null);
  }

  /** Analyses one image at a time, oldest first, to leave capacity for other clients. */
  async #work() {
    if (this.#working) return;
    this.#working = true;
    let next;
    try {
      while ((next = this.entries.slice().reverse().find(({ state }) => state === "waiting"))) await this.#analyse(next);
    } finally {
      this.#working = false;
    }
  }

  /** @param {Entry} entry */
  async #analyse(entry) {
    entry.abort = new AbortController();
    this.#update(entry, { state: "sending" });
    try {
      await this.#preview(entry);
      entry.result = await this.#send(entry, entry.abort.signal);
      this.#update(entry, { state: "done" });
      if (entry.result.kept) this.dispatchEvent(new CustomEvent("kept", { detail: entry.result }));
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return void this.remove(entry);
      this.#update(entry, { state: "refused", problem: problemOf(error) });
    }
    if (this.entries.includes(entry)) await this.store.put(entry);
  }

  /**
   * Makes what is shown of a file, one after another: a decoded photo takes 50 MB. What the page decodes
   * itself may take seconds, for which no analysis waits.
   * @param {Entry} entry
   */
  async #preview(entry) {
    const kind = entry.file && (await isDeep(entry.file)) ? "deep" : "plain";
    entry.previewed ??= this.#previews[kind] = this.#previews[kind].then(() => this.#makePreview(entry));
    if (kind === "plain") await entry.previewed;
  }

  /** @param {Entry} entry */
  async #makePreview(entry) {
    if (!entry.file || entry.shown || !this.entries.includes(entry)) return;
    const made = await preview(entry.file).catch(() => null);
    if (!made || !this.entries.includes(entry)) return;
    this.#update(entry, made);
    if (!isOpen(entry)) await this.store.put(entry);
  }

  /** @param {Entry} entry @param {AbortSignal} signal */
  async #send(entry, signal) {
    const file = /** @type {Blob} */ (entry.file ?? entry.shown);
    await checkReadable(file);
    // A retry sends the same bytes: the service refuses others under the same name.
    entry.digest ??= entry.file ? await sha256(entry.file) : null;
    entry.upload ??= await upload(file, this.limits, this.sendsOriginals);
    checkSize(entry.upload, this.limits);
    signal.throwIfAborted();
    entry.keepAs ??= String(crypto.getRandomValues(new Uint32Array(4))); // randomUUID needs https or localhost
    const keepAs = entry.keep && this.consent.isGiven ? entry.keepAs : null;
    const onSent = (/** @type {number} */ sent) => this.#update(entry, { sent, state: sent < 1 ? "sending" : "reading" });
    return analyse(entry.upload, { signal, onSent, keepAs });
  }

  /** @param {Entry} entry @param {Partial<Entry>} changes */
  #update(entry, changes) {
    Object.assign(entry, changes);
    this.#tell(entry);
  }

  /** @param {Entry | null} entry */
  #tell(entry) {
    this.dispatchEvent(new CustomEvent("change", { detail: entry }));
  }
}

/** @param {Blob | null} file @param {string} name @param {boolean} synthetic @returns {Entry} */
function newEntry(file, name, synthetic) {
  const id = String(crypto.getRandomValues(new Uint32Array(2)));
  const facts = { id, name, synthetic, file: file ?? undefined, original: file ?? undefined, created: Date.now(), sent: 0 };
  return { ...facts, state: "waiting", result: null, problem: null, shown: null, thumbnail: null };
}

/** Whether an image waits for its answer. @param {{state: State}} entry */
export function isOpen({ state }) {
  return state === "waiting" || state === "sending" || state === "reading";
}

/** Only what failed on the way is a problem of the network. @param {unknown} error @returns {Problem} */
function problemOf(error) {
  if (error instanceof AnalysisProblem) return error.problem;
  return { code: "page-failed", detail: String(error), status: 0 };
}
