// @ts-check
/** The tick with which a visitor has files sent as they are, instead of smaller copies. */

import { element, keepingFocus } from "./element.js";

/** @param {HTMLElement} place @param {{language: import("./language.js").Language, analyses: import("./analyses.js").Analyses}} parts */
export function mountOriginal(place, { language, analyses }) {
  const change = (/** @type {any} */ { target }) => { analyses.sendsOriginals = target.checked; };
  const fill = () => {
    const box = element("input", { type: "checkbox", id: "original", checked: analyses.sendsOriginals, autocomplete: "off", "aria-describedby": "original-meaning", on: { change } });
    place.replaceChildren(
      element("label", { className: "tick" }, box, language.text("original.tick")),
      element("p", { className: "muted", id: "original-meaning" }, language.text("original.meaning")),
    );
  };
  language.addEventListener("change", () => keepingFocus(place, fill));
  fill();
}
