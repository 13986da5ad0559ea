// @ts-check
/** The items of one job, in the order of its films; fires "change". */

import { AnalysisProblem } from "./api.js";
import * as api from "./job_api.js";

/**
 * @typedef {import("./job_api.js").Item} Item
 * @typedef {import("./api.js").Problem} Problem
 */

export class Results extends EventTarget {
  /** @type {Item[]} by position; those at the end may not be known yet */
  items = [];
  /** @type {Problem | null} */
  problem = null;
  #last = Promise.resolve();

  /** @param {string} id of the job */
  constructor(id) {
    super();
    this.id = id;
  }

  /** Loads what has ended since the last time. */
  refresh() {
    this.#last = this.#last.then(() => this.#load());
    return this.#last;
  }

  async #load() {
    try {
      const open = this.items.findIndex((item) => !hasEnded(item));
      let begin = /** @type {number | null} */ (open < 0 ? this.items.length : open);
      while (begin !== null) {
        const page = await api.results(this.id, begin);
        for (const item of page.items) this.items[item.position] = item;
        this.#tell(null);
        begin = page.items.some(hasEnded) ? page.next : null; // the workers take films in their order
      }
    } catch (error) {
      if (!(error instanceof AnalysisProblem)) throw error;
      this.#tell(error.problem);
    }
  }

  /** @param {Problem | null} problem */
  #tell(problem) {
    this.problem = problem;
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {Item} item */
const hasEnded = ({ state }) => state === "done" || state === "cancelled";
