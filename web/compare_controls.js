// @ts-check
/** Chooses another film of this visit to show with the first, and how. */

import { button, slider } from "./buttons.js";
import { element } from "./element.js";

/**
 * @typedef {import("./analyses.js").Entry} Entry
 * @typedef {import("./controls.js").Parts} Parts
 * @typedef {import("./controls.js").Part} Part
 */

/** @param {Parts} parts @returns {Part} */
export function compareControls({ language, viewer, analyses }) {
  const choose = () => viewer.compare(analyses.entries.find(({ id }) => id === choice.value) ?? null);
  const choice = element("select", { on: { change: choose } });
  const over = button(language.text("viewer.over"), () => viewer.set({ arrangement: viewer.arrangement === "over" ? "beside" : "over" }), { title: "O" });
  const blend = slider(language.text("viewer.blend"), { min: 0, max: 1, step: 0.05 }, (value) => viewer.set({ blend: value }));
  const made = element("div", { className: "controls compare" },
    element("div", { className: "row" }, element("label", { className: "choice" }, language.text("viewer.compare"), choice), over), blend.label);
  let listed = "";
  const sync = () => {
    const others = comparable(analyses.entries, viewer.entry);
    made.hidden = !viewer.film || !others.length;
    const names = others.map((entry) => `${entry.id} ${entry.name}`).join("\n");
    if (names !== listed) choice.replaceChildren(element("option", { value: "" }, language.text("viewer.compareNone")), ...others.map((entry) => option(entry, language)));
    listed = names;
    choice.value = viewer.other?.entry.id ?? "";
    over.hidden = !viewer.other;
    over.setAttribute("aria-pressed", String(viewer.arrangement === "over"));
    blend.label.hidden = !viewer.other || viewer.arrangement !== "over";
    blend.tell(viewer.blend, language.text("viewer.blendIs", { share: language.percent(viewer.blend) }));
  };
  return { made, sync };
}

/** Other films of this visit. @param {Entry[]} entries @param {Entry | null} shown */
export function comparable(entries, shown) {
  return entries.filter((entry) => entry.id !== shown?.id && (entry.original ?? entry.shown));
}

/** @param {Entry} entry @param {import("./language.js").Language} language */
function option({ id, name, created }, language) {
  return element("option", { value: id }, `${name} · ${language.time(created)}`);
}
