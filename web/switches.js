// @ts-check
/** Switches for language and colour scheme; the choices persist. */

import { element, keepingFocus } from "./element.js";
import { recall, remember } from "./preferences.js";

/** @typedef {import("./language.js").Language} Language */

const PREFERENCE = "scheme";
const SCHEMES = ["auto", "light", "dark"];

/** @param {HTMLElement} place @param {{language: Language}} parts */
export function mountSwitches(place, { language }) {
  useScheme(recall(PREFERENCE) ?? SCHEMES[0]);
  const render = () => place.replaceChildren(languages(language), schemes(language));
  language.addEventListener("change", () => keepingFocus(place, render));
  render();
}

/** @param {Language} language */
function languages(language) {
  const options = language.available.map(({ code, name }) => element("option", { value: code, lang: code, selected: code === language.code }, name));
  const change = ({ target }) => language.choose(target.value);
  return element("select", { id: "language", ariaLabel: language.text("page.language"), on: { change } }, ...options);
}

/** @param {Language} language */
function schemes(language) {
  const chosen = recall(PREFERENCE) ?? SCHEMES[0];
  const options = SCHEMES.map((scheme) => element("option", { value: scheme, selected: scheme === chosen }, language.text(`scheme.${scheme}`)));
  const change = ({ target }) => {
    remember(PREFERENCE, target.value);
    useScheme(target.value);
  };
  return element("select", { id: "scheme", ariaLabel: language.text("page.scheme"), on: { change } }, ...options);
}

/** @param {string} scheme */
function useScheme(scheme) {
  document.documentElement.dataset.scheme = scheme;
}
