// @ts-check
/** The API keys of the service, for callers with the scope admin; fires "change", and "done" with what was done. */

import { access } from "./access.js";
import { AnalysisProblem } from "./api.js";
import * as api from "./key_api.js";

/**
 * @typedef {import("./key_api.js").Key} Key
 * @typedef {{list: Key[] | null, next: string | null, issued: api.Issued | null, problem: import("./api.js").Problem | null, isBusy: boolean}} State
 */

/** @type {State} */
const UNKNOWN = { list: null, next: null, issued: null, problem: null, isBusy: false };

export class Keys extends EventTarget {
  #last = Promise.resolve();
  /** Counts callers, so that an answer to an earlier one is not shown to the next. */
  #caller = 0;

  constructor() {
    super();
    /** @type {State} list: newest first, null until it is loaded; issued: whose secret is shown */
    this.state = UNKNOWN;
    access.addEventListener("change", () => {
      this.#caller++;
      this.#set(UNKNOWN);
    });
  }

  load() {
    return this.#run(firstPage);
  }

  more() {
    return this.#run(async () => {
      const { keys, next } = await api.keys(this.state.next);
      return { list: [...(this.state.list ?? []), ...keys], next };
    });
  }

  /** @param {api.Wanted} wanted */
  create(wanted) {
    return this.#run(async () => this.#shown(await api.createKey(wanted)));
  }

  /** @param {string} id */
  rotate(id) {
    return this.#run(async () => this.#shown(await api.rotateKey(id)));
  }

  /** @param {string} id */
  revoke(id) {
    return this.#run(async () => {
      await api.revokeKey(id);
      this.dispatchEvent(new CustomEvent("done", { detail: "revoked" }));
      const issued = this.state.issued?.id === id ? null : this.state.issued;
      return { ...(await firstPage()), issued };
    });
  }

  /** Forgets the secret that is shown. */
  hide() {
    this.#set({ issued: null });
  }

  /** @param {api.Issued} issued @returns {Promise<Partial<State>>} */
  async #shown(issued) {
    this.#set({ issued }); // whatever becomes of the list: it is told only once
    this.dispatchEvent(new CustomEvent("done", { detail: "issued" }));
    return firstPage();
  }

  /** Does one thing after another. @param {() => Promise<Partial<State>>} work */
  #run(work) {
    const caller = this.#caller;
    const done = this.#last.then(() => this.#do(work, () => caller === this.#caller));
    this.#last = done.catch(() => {});
    return done;
  }

  /** @param {() => Promise<Partial<State>>} work @param {() => boolean} isCurrent */
  async #do(work, isCurrent) {
    if (!isCurrent()) return;
    this.#set({ isBusy: true, problem: null });
    let changes;
    try {
      changes = await work();
    } catch (error) {
      if (!(error instanceof AnalysisProblem)) throw error;
      changes = { problem: error.problem };
    }
    if (isCurrent()) this.#set({ ...changes, isBusy: false });
  }

  /** @param {Partial<State>} changes */
  #set(changes) {
    this.state = { ...this.state, ...changes };
    this.dispatchEvent(new Event("change"));
  }
}

/** @returns {Promise<Partial<State>>} */
async function firstPage() {
  const { keys, next } = await api.keys(null);
  return { list: keys, next };
}
