// @ts-check
/** The list of the viewer's keys. */

import { element } from "./element.js";
import { FILM_KEYS, SHORTCUTS } from "./shortcuts.js";

/** @param {import("./language.js").Language} language */
export function showShortcuts(language) {
  const rows = [...FILM_KEYS, ...SHORTCUTS].map(({ keys, text }) => element("div", {},
    element("dt", {}, ...keys.flatMap((key, i) => [i ? " " : "", element("kbd", {}, key)])),
    element("dd", {}, language.text(text))));
  const dialog = element("dialog", { className: "shortcuts", "aria-labelledby": "shortcuts-title" },
    element("h2", { id: "shortcuts-title" }, language.text("viewer.keys")),
    element("p", { className: "muted" }, language.text("viewer.keysNote")),
    element("dl", {}, ...rows),
    element("form", { method: "dialog" }, element("button", { className: "primary" }, language.text("viewer.close"))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
