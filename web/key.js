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

/** @param {HTMLElement} place @param {{language: Language, isOffered: boolean}} parts isOffered: whether the service has keys */
export function mountKeyNote(place, { language, isOffered }) {
  const render = () => {
    place.hidden = !access.hasKey && !isOffered;
    if (place.hidden) return place.replaceChildren();
    if (!access.hasKey) return place.replaceChildren(asking(language));
    const forget = element("button", { type: "button", on: { click: () => access.use("") } }, language.text("key.forget"));
    place.replaceChildren(element("span", {}, language.text("key.used")), forget);
  };
  access.addEventListener("change", () => keepingFocus(place, render));
  language.addEventListener("change", render);
  render();
}

/** A form for those who have a key, where none is demanded. @param {Language} language */
function asking(language) {
  const details = element("details", { className: "own-key" }, element("summary", {}, language.text("key.own")));
  const open = () => details.append(keyForm("own-key", language));
  details.addEventListener("toggle", open, { once: true });
  return details;
}
