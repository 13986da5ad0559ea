// @ts-check
/**
 * The API key that the visitor gave, in memory alone, so that a reload forgets it; and whether somebody has
 * signed in, which a cookie says that only the service reads. Fires "change".
 */

class Access extends EventTarget {
  #key = "";
  #signedIn = false;
  /** Whether people can sign in. */
  canSignIn = false;

  /** Whether there is a key. */
  get hasKey() {
    return this.#key !== "";
  }

  /** Whether a person has signed in, with or without a key. */
  get isSignedIn() {
    return this.#signedIn;
  }

  /** How the service knows who asks, as the names of texts have it. @returns {"Key" | "Person" | "Cookie"} */
  get by() {
    if (this.hasKey) return "Key";
    return this.isSignedIn ? "Person" : "Cookie";
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

  /** Takes what the service says of the session. @param {{kind: string, sign_in: boolean}} caller */
  learn({ kind, sign_in: canSignIn }) {
    const signedIn = kind === "person";
    const isNew = signedIn !== this.#signedIn;
    [this.#signedIn, this.canSignIn] = [signedIn, canSignIn];
    if (isNew) this.dispatchEvent(new Event("change"));
  }
}

export const access = new Access();
