// @ts-check
/** Buttons and sliders of the viewer's controls. */

import { element } from "./element.js";

/** @param {string} text @param {() => void} click @param {{label?: string, title?: string}} [more] label: accessible name, if the text is only a symbol; title: its key */
export function button(text, click, { label, title } = {}) {
  return element("button", { type: "button", on: { click }, title: label ?? title ?? "", ...(label ? { ariaLabel: label } : {}) }, text);
}

/** @param {string} text @param {{min: number, max: number, step: number}} range @param {(value: number) => void} onInput */
export function slider(text, range, onInput) {
  const input = element("input", { type: "range", ...range, on: { input: () => onInput(Number(input.value)) } });
  const tell = (/** @type {number} */ value, /** @type {string} */ words) => {
    input.value = String(value);
    input.setAttribute("aria-valuetext", words);
  };
  return { input, tell, label: element("label", {}, text, input) };
}
