// @ts-check
/** Shows the section of API keys to callers with the scope admin; its code is loaded when it is opened. */

import { access } from "./access.js";
import { caller } from "./key_api.js";

/**
 * @typedef {import("./key_api.js").Scope} Scope
 * @typedef {{language: import("./language.js").Language, announce: (text: string) => void}} Parts
 */

/** @param {HTMLDetailsElement} details @param {HTMLElement} place @param {Parts} parts */
export function followCaller(details, place, parts) {
  /** @type {Scope[]} */
  let scopes = [];
  let asked = 0;
  const follow = async () => {
    const turn = ++asked;
    details.hidden = true;
    details.open = false; // what it shows is another caller's
    const isKnown = access.hasKey || access.isSignedIn; // nobody else manages keys
    const known = isKnown ? await caller().catch(() => null) : null; // no answer, or no valid key: nothing to offer
    if (turn !== asked) return;
    scopes = known?.scopes ?? [];
    details.hidden = !scopes.includes("admin");
  };
  const mount = async () => {
    const [{ Keys }, { mountKeyList }] = await Promise.all([import("./keys.js"), import("./key_list.js")]);
    mountKeyList(details, place, { ...parts, keys: new Keys(), scopes: () => scopes });
  };
  details.addEventListener("toggle", mount, { once: true });
  access.addEventListener("change", follow);
  follow();
}
