// @ts-check
/** The images of this visit, analysed one after another; fires "change" with the entry that changed. */

import { AnalysisProblem, analyse } from "./api.js";
import { fit, preview } from "./pictures.js";

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
 * @property {Blob} [file] the original file; lost on reload
 * @property {AbortController} [abort]
 */

export class Analyses extends EventTarget {
  #working = false;

  /** @param {import("./store.js").Store} store @param {Promise<import("./api.js").Limits>} limits */
  constructor(store, limits) {
    super();
    this.store = store;
    this.limits = limits;
    /** @type {Entry[]} newest first */
    this.entries = [];
    /** @type {Entry | null} the selected entry */
    this.current = null;
  }

  /** Restores the entries that were stored before a reload. */
  async restore() {
    this.entries = await this.store.list();
    this.select(this.entries[0] ?? null);
  }

  /** @param {{file: Blob, name: string, synthetic?: boolean}[]} files */
  async add(files) {
    const added = files.map(({ file, name, synthetic = false }) => newEntry(file, name, synthetic));
    this.entries.unshift(...added.toReversed());
    await Promise.all(added.map(async (entry) => Object.assign(entry, (await preview(/** @type {Blob} */ (entry.file))) ?? {})));
    if (added.length) this.select(added[0]);
    await this.#work();
  }

  /** @param {Entry | null} entry */
  select(entry) {
    this.current = entry;
    this.#tell(entry);
  }

  /** Retries an entry; after a reload only its preview is left to send. @param {Entry} entry */
  async retry(entry) {
    Object.assign(entry, { state: "waiting", problem: null, sent: 0 });
    this.#tell(entry);
    await this.#work();
  }

  /** @param {Entry} entry */
  async remove(entry) {
    entry.abort?.abort();
    this.entries = this.entries.filter((other) => other !== entry);
    await this.store.delete(entry.id);
    this.select(this.current === entry ? (this.entries[0] ?? null) : this.current);
  }

  async removeAll() {
    for (const entry of [...this.entries]) await this.remove(entry);
  }

  /** Analyses one image at a time, oldest first, to leave capacity for other clients. */
  async #work() {
    if (this.#working) return;
    this.#working = true;
    let next;
    while ((next = this.entries.findLast(({ state }) => state === "waiting"))) await this.#analyse(next);
    this.#working = false;
  }

  /** @param {Entry} entry */
  async #analyse(entry) {
    entry.abort = new AbortController();
    this.#update(entry, { state: "sending" });
    try {
      entry.result = await this.#send(entry, entry.abort.signal);
      this.#update(entry, { state: "done" });
      await this.store.put(entry);
    } catch (error) {
      if (error instanceof AnalysisProblem) await this.#refuse(entry, error.problem);
      else if (error instanceof DOMException && error.name === "AbortError") await this.remove(entry);
      else throw error;
    }
  }

  /** @param {Entry} entry @param {AbortSignal} signal */
  async #send(entry, signal) {
    const file = /** @type {Blob} */ (entry.file ?? entry.shown);
    const fitted = await fit(file, await this.limits);
    signal.throwIfAborted();
    const onSent = (/** @type {number} */ sent) => this.#update(entry, { sent, state: sent < 1 ? "sending" : "reading" });
    return analyse(fitted, { signal, onSent });
  }

  /** @param {Entry} entry @param {Problem} problem */
  async #refuse(entry, problem) {
    this.#update(entry, { state: "refused", problem });
    if (entry.shown) await this.store.put(entry);
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

/** @param {Blob} file @param {string} name @param {boolean} synthetic @returns {Entry} */
function newEntry(file, name, synthetic) {
  const id = String(crypto.getRandomValues(new Uint32Array(2)));
  const facts = { id, name, synthetic, file, created: Date.now(), sent: 0 };
  return { ...facts, state: "waiting", result: null, problem: null, shown: null, thumbnail: null };
}
