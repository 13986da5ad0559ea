// @ts-check
/** A button that does something after a question. */

import { element } from "./element.js";

/**
 * @param {string} id
 * @param {{button: string, question: string, yes: string, no: string}} texts
 * @param {() => void} act
 */
export function askingButton(id, { button, question, yes, no }, act) {
  const dialog = element("dialog", { "aria-labelledby": `${id}-question` },
    element("p", { id: `${id}-question` }, question),
    element("form", { method: "dialog", className: "row" },
      element("button", { value: "yes", className: "primary" }, yes),
      element("button", { value: "no", autofocus: true }, no))); // Enter, pressed too often, deletes nothing
  dialog.addEventListener("close", () => { if (dialog.returnValue === "yes") act(); });
  const ask = () => { dialog.returnValue = "no"; dialog.showModal(); };
  return element("div", {}, element("button", { type: "button", id, on: { click: ask } }, button), dialog);
}
