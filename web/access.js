// @ts-check
/** The API key that the visitor gave; it is in memory alone, so a reload forgets it. Fires "change". */

class Access extends EventTarget {
  #key = "";

  /** Whether there is a key. */
  get hasKey() {
    return this.#key !== "";
  }

  /** Headers that every request has. @returns {Record<string, string>} */
  get headers() {
    return this.#key ? { Authorization: `Bearer ${this.#key}` } : {};
  }

  /** @param {string} key the empty text for none */
  use(key) {
    this.#key = key;
    this.dispatchEvent(new Event("change"));
  }
}

export const access = new Access();
