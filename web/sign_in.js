// @ts-check
/** Offers a sign-in where the service has one, says that somebody has signed in, and signs out. */

import { access } from "./access.js";
import * as api from "./api.js";
import { element, keepingFocus } from "./element.js";

/** @typedef {import("./language.js").Language} Language */

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** @param {Language} language */
export const signInLink = (language) => element("a", { className: "button", href: "sign-in" }, language.text("signIn.start"));

/** @param {HTMLElement} place @param {{language: Language, announce: (text: string) => void, ended: string | null}} parts ended: when the session will be */
export function mountSignIn(place, { language, announce, ended }) {
  place.hidden = !access.canSignIn;
  if (place.hidden) return;
  const leave = async (/** @type {any} */ { target }) => {
    target.disabled = true;
    try {
      const elsewhere = await api.signOut();
      if (elsewhere) return location.assign(elsewhere);
      access.learn({ kind: "none", sign_in: true });
      announce(language.text("signIn.ended"));
    } catch {
      target.disabled = false;
      announce(language.text("signIn.failed"));
    }
  };
  const render = () => {
    if (!access.isSignedIn) return place.replaceChildren(signInLink(language));
    const button = element("button", { type: "button", id: "sign-out", on: { click: leave } }, language.text("signIn.end"));
    place.replaceChildren(element("span", { className: "muted" }, language.text("signIn.is")), button);
  };
  access.addEventListener("change", () => keepingFocus(place, render));
  language.addEventListener("change", () => keepingFocus(place, render));
  addEventListener("pageshow", async ({ persisted }) => {
    if (persisted) access.learn(await api.session()); // the way back from the provider
  });
  render();
  if (ended) setTimeout(async () => access.learn(await api.session()), Math.min(LONGEST_TIMER_MS, Date.parse(ended) - Date.now() + 1000));
}
