// @ts-check
/** What the service has for the current caller; fires "change". Another caller starts with nothing. */

import { access } from "./access.js";
import { AnalysisProblem } from "./api.js";

/** @typedef {import("./api.js").Problem} Problem */

/** @template {{problem: Problem | null, isBusy: boolean}} State */
export class CallerState extends EventTarget {
  /** Counts callers, so that an answer to an earlier one is not shown to the next. */
  #caller = 0;
  #last = Promise.resolve();

  /** @param {State} unknown the state before anything is loaded */
  constructor(unknown) {
    super();
    this.state = unknown;
    access.addEventListener("change", () => {
      this.#caller++;
      this.set(unknown);
    });
  }

  /**
   * Does one thing after another.
   * @param {(isCurrent: () => boolean) => Promise<Partial<State>>} work
   * @param {{isQuiet?: boolean}} [how] isQuiet: nobody asked for it, so that only its outcome is shown
   */
  run(work, { isQuiet = false } = {}) {
    const caller = this.#caller;
    const done = this.#last.then(() => this.#do(work, () => caller === this.#caller, isQuiet));
    this.#last = done.catch(() => {});
    return done;
  }

  /** @param {(isCurrent: () => boolean) => Promise<Partial<State>>} work @param {() => boolean} isCurrent @param {boolean} isQuiet */
  async #do(work, isCurrent, isQuiet) {
    if (!isCurrent()) return;
    const before = this.state.problem;
    if (!isQuiet) this.set({ isBusy: true, problem: null });
    let changes;
    try {
      changes = { problem: null, ...(await work(isCurrent)) };
    } catch (error) {
      if (!(error instanceof AnalysisProblem)) throw error;
      const isSame = isQuiet && before?.code === error.problem.code; // an alert is said once
      changes = { problem: isSame ? before : error.problem };
    }
    if (isCurrent()) this.set({ ...changes, isBusy: false });
  }

  /** @param {Partial<State> | {problem?: Problem | null, isBusy?: boolean}} changes */
  set(changes) {
    this.state = { ...this.state, ...changes };
    this.dispatchEvent(new Event("change"));
  }
}
