// @ts-check
/** The analyses that the service keeps for this visitor; fires "change", and "gone" with the ids of deleted ones. */

import * as api from "./api.js";
import { CallerState } from "./caller_state.js";

/**
 * @typedef {import("./api.js").Summary} Summary
 * @typedef {import("./api.js").Analysis} Analysis
 * @typedef {import("./api.js").Problem} Problem
 * @typedef {import("./analyses.js").Entry} Entry
 * @typedef {{list: Summary[] | null, next: string | null, problem: Problem | null, isBusy: boolean}} State
 */

/** @type {State} */
const UNKNOWN = { list: null, next: null, problem: null, isBusy: false };

/** @extends {CallerState<State>} state.list: newest first, null until it is loaded */
export class Kept extends CallerState {
  constructor() {
    super(UNKNOWN);
  }

  load() {
    return this.run(() => firstPage());
  }

  more() {
    return this.run(async () => {
      const { analyses, next } = await api.keptAnalyses(this.state.next);
      const known = new Set(this.#list.map(({ id }) => id));
      return { list: [...this.#list, ...analyses.filter(({ id }) => !known.has(id))], next };
    });
  }

  /** Adds what was kept just now. @param {Analysis} analysis */
  add(analysis) {
    const { list } = this.state;
    if (!list || list.some(({ id }) => id === analysis.id)) return;
    this.set({ list: [/** @type {Summary} */ (analysis), ...list] });
  }

  /** @param {string} id @param {(entry: Entry) => void} show */
  open(id, show) {
    return this.run(async (isCurrent) => {
      try {
        const [result, shown] = await Promise.all([api.keptAnalysis(id), api.keptImage(id)]);
        if (isCurrent()) show(entryOf(result, shown));
        return {};
      } catch (error) {
        if (!isGone(error)) throw error;
        this.#tellGone([id]);
        return { list: without(this.#list, id), problem: error.problem };
      }
    });
  }

  /** @param {string} id */
  remove(id) {
    return this.run(async () => {
      await api.deleteKept(id).catch((error) => { if (!isGone(error)) throw error; });
      this.#tellGone([id]);
      const list = without(this.#list, id);
      return list.length || !this.state.next ? { list } : firstPage();
    });
  }

  removeAll() {
    return this.run(async () => {
      await api.deleteAllKept();
      this.#tellGone(null);
      return { list: [], next: null };
    });
  }

  /** Removes from the list what the service has deleted by now. @param {number} now in milliseconds since 1970 */
  expire(now) {
    const left = this.#list.filter(({ expires_at: end }) => Date.parse(end) > now);
    this.set(this.state.list ? { list: left } : {});
  }

  get #list() {
    return this.state.list ?? [];
  }

  /** @param {string[] | null} ids null for all */
  #tellGone(ids) {
    this.dispatchEvent(new CustomEvent("gone", { detail: ids }));
  }
}

/** @returns {Promise<Partial<State>>} */
async function firstPage() {
  const { analyses, next } = await api.keptAnalyses(null);
  return { list: analyses, next };
}

/** @param {Summary[]} list @param {string} id */
const without = (list, id) => list.filter((other) => other.id !== id);

/** @param {unknown} error @returns {error is api.AnalysisProblem} */
const isGone = (error) => error instanceof api.AnalysisProblem && error.problem.code === "no-such-analysis";

/** @param {Analysis} result @param {Blob} shown @returns {Entry} as that of a new analysis */
function entryOf(result, shown) {
  const facts = { id: `kept-${result.id}`, created: Date.parse(result.created_at), name: "", synthetic: false, sent: 1 };
  // What is kept is the film alone, so the map covers all of it.
  return { ...facts, state: "done", result, problem: null, shown, thumbnail: null, film: [0, 0, 1, 1] };
}
