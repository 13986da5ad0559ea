// @ts-check
/** A button that copies a text which the page shows. */

import { element } from "./element.js";

/** @param {string} text @param {HTMLElement} shown @param {import("./language.js").Language} language */
export function copyButton(text, shown, language) {
  const button = element("button", { type: "button" }, language.text("api.copy"));
  button.onclick = async () => {
    await copyText(text, shown);
    button.textContent = language.text("api.copied");
  };
  return button;
}

/** The clipboard API needs https or localhost; otherwise selects the text for copying by keyboard. */
async function copyText(/** @type {string} */ text, /** @type {HTMLElement} */ shown) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  getSelection()?.selectAllChildren(shown);
}
