// @ts-check
/** Asks for an API key where the service demands one, and says that one is in use. */

import { access } from "./access.js";
import { element, keepingFocus } from "./element.js";
import { signInLink } from "./sign_in.js";

/** @typedef {import("./language.js").Language} Language */

/** Codes of problems that another key may remedy. */
export const KEY_PROBLEMS = ["key-required", "invalid-key", "scope-missing"];

const VISIBLE_ASCII = "[!-~]+"; // what a header can carry

/** @param {string} id of the field @param {Language} language */
export function keyForm(id, language) {
  // Not a password field: browsers offer to store what is typed into one.
  const field = element("input", {
    id, className: "secret", autocomplete: "off", autocapitalize: "off", spellcheck: false, required: true, pattern: VISIBLE_ASCII,
    "aria-describedby": `${id}-note`,
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    access.use(field.value);
  };
  return element("form", { className: "key", on: { submit } },
    access.canSignIn && !access.isSignedIn ? element("p", {}, signInLink(language)) : null,
    element("label", { htmlFor: id }, language.text("key.label")),
    element("div", { className: "row" }, field, element("button", { className: "primary" }, language.text("key.use"))),
    element("div", { className: "muted", id: `${id}-note` }, language.text("key.note")));
}

/** @param {HTMLElement} place @param {{language: Language}} parts */
export function mountKeyNote(place, { language }) {
  const render = () => {
    place.hidden = !access.hasKey;
    if (place.hidden) return place.replaceChildren();
    const forget = element("button", { type: "button", on: { click: () => access.use("") } }, language.text("key.forget"));
    place.replaceChildren(element("span", {}, language.text("key.used")), forget);
  };
  access.addEventListener("change", () => keepingFocus(place, render));
  language.addEventListener("change", render);
  render();
}
