// @ts-check
/** Asks again and again, seldom where nothing changes, and not while nobody sees the page. */

const FIRST_MS = 1000;
const LONGEST_MS = 15_000;
const FACTOR = 1.5;

export class Poller {
  #clock = 0;
  #wait = FIRST_MS;
  #isOn = false;
  #isAsking = false;

  /** @param {() => Promise<{moved: boolean, retryAfter?: number}>} ask moved: whether anything has changed; retryAfter: in seconds */
  constructor(ask) {
    this.ask = ask;
    document.addEventListener("visibilitychange", () => this.#schedule(0));
  }

  /** @param {boolean} isOn */
  turn(isOn) {
    if (isOn === this.#isOn) return;
    this.#isOn = isOn;
    this.#wait = FIRST_MS;
    this.#schedule(this.#wait);
  }

  /** @param {number} milliseconds */
  #schedule(milliseconds) {
    clearTimeout(this.#clock);
    if (this.#isOn && !document.hidden && !this.#isAsking) this.#clock = setTimeout(() => this.#run(), milliseconds);
  }

  async #run() {
    this.#isAsking = true;
    try {
      const { moved, retryAfter = 0 } = await this.ask();
      this.#wait = moved ? FIRST_MS : Math.min(LONGEST_MS, this.#wait * FACTOR);
      this.#wait = Math.max(this.#wait, 1000 * retryAfter);
    } finally {
      this.#isAsking = false;
      this.#schedule(this.#wait);
    }
  }
}
