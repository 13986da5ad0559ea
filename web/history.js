// @ts-check
/** The list of this visit's analyses, to reopen or delete. */

import { element, keepingFocus } from "./element.js";
import { wording } from "./problem.js";
import { outcomeOf } from "./result.js";

/**
 * @typedef {import("./analyses.js").Entry} Entry
 * @typedef {import("./analyses.js").Analyses} Analyses
 * @typedef {import("./language.js").Language} Language
 */

/** @param {HTMLElement} place @param {{language: Language, analyses: Analyses, threshold: number}} parts */
export function mountHistory(place, { language, analyses, threshold }) {
  const list = element("ul", { className: "visits" });
  const head = element("div", { className: "row" });
  /** Object URLs of thumbnails, by entry. @type {Map<string, string>} */
  const urls = new Map();
  place.replaceChildren(head, element("p", { className: "muted", id: "history-note" }), list);

  const fill = () => {
    const { entries, current } = analyses;
    place.hidden = !entries.length;
    forget(urls, entries);
    list.replaceChildren(...entries.map((entry) => visit(entry, entry === current, urls, { language, analyses, threshold })));
  };
  const render = () => {
    const focused = [...list.children].findIndex((item) => item.contains(document.activeElement));
    keepingFocus(place, fill, () => (list.children[focused] ?? list.lastElementChild)?.querySelector("button"));
  };
  const relabel = () => {
    head.replaceChildren(element("h2", {}, language.text("history.title")), removeAll(language, analyses));
    /** @type {HTMLElement} */ (place.querySelector("#history-note")).textContent = language.text("history.note");
    render();
  };
  analyses.addEventListener("change", render);
  language.addEventListener("change", relabel);
  relabel();
}

/** @param {Map<string, string>} urls @param {Entry[]} entries */
function forget(urls, entries) {
  for (const [id, url] of urls) {
    if (entries.some((entry) => entry.id === id)) continue;
    URL.revokeObjectURL(url);
    urls.delete(id);
  }
}

/**
 * @param {Entry} entry @param {boolean} current @param {Map<string, string>} urls
 * @param {{language: Language, analyses: Analyses, threshold: number}} parts
 */
function visit(entry, current, urls, { language, analyses, threshold }) {
  if (entry.thumbnail && !urls.has(entry.id)) urls.set(entry.id, URL.createObjectURL(entry.thumbnail));
  const url = urls.get(entry.id);
  const picture = url ? element("img", { src: url, alt: "" }) : element("span", { className: "blank" });
  const text = element("span", {},
    element("strong", {}, verdict(entry, language, threshold)),
    element("span", { className: "muted" }, `${entry.name} · ${language.time(entry.created)}`));
  const open = element("button", { type: "button", className: "open", id: `open-${entry.id}`, on: { click: () => analyses.select(entry) } }, picture, text);
  const label = language.text("history.remove", { name: entry.name });
  const remove = element("button", { type: "button", className: "remove", id: `remove-${entry.id}`, ariaLabel: label, title: label, on: { click: () => analyses.remove(entry) } }, "×");
  return element("li", { className: "visit", "aria-current": current ? "true" : null }, open, remove);
}

/** @param {Entry} entry @param {Language} language @param {number} threshold */
function verdict(entry, language, threshold) {
  if (entry.problem) return wording(entry.problem, language).title;
  const outcome = outcomeOf(entry, threshold);
  if (!outcome || !entry.result) return language.text(`history.${entry.state}`);
  const { label, probabilities } = entry.result.prediction;
  const name = language.text(outcome === label ? `finding.${label}` : "finding.indeterminate");
  return `${name} · ${language.percent(probabilities[label])}`;
}

/** @param {Language} language @param {Analyses} analyses */
function removeAll(language, analyses) {
  const dialog = element("dialog", { "aria-labelledby": "remove-all-question" },
    element("p", { id: "remove-all-question" }, language.text("history.question")),
    element("form", { method: "dialog", className: "row" },
      element("button", { value: "yes", className: "primary" }, language.text("history.yes")),
      element("button", { value: "no" }, language.text("history.no"))));
  dialog.addEventListener("close", () => { if (dialog.returnValue === "yes") analyses.removeAll(); });
  const ask = () => { dialog.returnValue = "no"; dialog.showModal(); };
  return element("div", {}, element("button", { type: "button", on: { click: ask } }, language.text("history.removeAll")), dialog);
}
