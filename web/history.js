// @ts-check
/** The list of this visit's analyses, to reopen or delete. */

import { element, keepingFocus } from "./element.js";
import { nameOf } from "./image_name.js";
import { wording } from "./problem.js";
import { askingButton } from "./question.js";
import { named } from "./result.js";

/**
 * @typedef {import("./analyses.js").Entry} Entry
 * @typedef {import("./analyses.js").Analyses} Analyses
 * @typedef {import("./language.js").Language} Language
 * @typedef {{language: Language, analyses: Analyses, threshold: number, open: (entry: Entry) => void}} Parts
 * @typedef {{facts: string, item: HTMLElement}} Row facts: with others it is made anew
 */

/** @param {HTMLElement} place @param {Parts} parts */
export function mountHistory(place, parts) {
  const { language, analyses } = parts;
  const list = element("ul", { className: "visits" });
  const head = element("div", { className: "row" });
  /** Object URLs of thumbnails, by entry. @type {Map<string, string>} */
  const urls = new Map();
  /** By entry. @type {Map<string, Row>} */
  const rows = new Map();
  const note = element("p", { className: "muted" });
  place.replaceChildren(head, note, list);

  const fill = () => {
    const { entries } = analyses;
    place.hidden = !entries.length;
    place.toggleAttribute("data-single", entries.length === 1);
    forget(urls, entries);
    note.textContent = language.text(noteOf(analyses));
    arrange(list, rows, entries, (entry) => visit(entry, urls, parts), parts);
  };
  const render = () => {
    const focused = [...list.children].findIndex((item) => item.contains(document.activeElement));
    keepingFocus(place, fill, () => (list.children[focused] ?? list.lastElementChild)?.querySelector("button"));
  };
  const relabel = () => {
    head.replaceChildren(element("h2", {}, language.text("history.title")), removeAll(language, analyses));
    render();
  };
  analyses.addEventListener("change", render);
  analyses.store.addEventListener("change", render);
  language.addEventListener("change", relabel);
  relabel();
}

/**
 * Makes the rows anew that show something else than before, and no others: each step of an upload comes here.
 * @param {HTMLElement} list
 * @param {Map<string, Row>} rows
 * @param {Entry[]} entries
 * @param {(entry: Entry) => HTMLElement} make
 * @param {Parts} parts
 */
function arrange(list, rows, entries, make, parts) {
  const ids = new Set(entries.map(({ id }) => id));
  for (const [id, { item }] of rows) {
    if (ids.has(id)) continue;
    item.remove();
    rows.delete(id);
  }
  entries.forEach((entry, index) => {
    const [row, facts] = [rows.get(entry.id), factsOf(entry, parts)];
    const item = row?.facts === facts ? row.item : make(entry);
    if (item !== row?.item) rows.set(entry.id, { facts, item });
    if (row && item !== row.item) row.item.replaceWith(item);
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
}

/** @param {Entry} entry @param {Parts} parts */
function factsOf(entry, { language, analyses }) {
  const { state, problem, thumbnail } = entry;
  return [language.code, state, problem?.code, Boolean(thumbnail), entry === analyses.current, analyses.numberOf(entry)].join();
}

/** What is said about where this visit is kept. @param {Analyses} analyses */
function noteOf({ entries, store }) {
  if (!store.works) return "history.noteNotStored";
  return entries.some(({ result }) => result?.kept) ? "history.noteKept" : "history.note";
}

/** @param {Map<string, string>} urls @param {Entry[]} entries */
function forget(urls, entries) {
  for (const [id, url] of urls) {
    if (entries.some((entry) => entry.id === id)) continue;
    URL.revokeObjectURL(url);
    urls.delete(id);
  }
}

/** @param {Entry} entry @param {Map<string, string>} urls @param {Parts} parts */
function visit(entry, urls, { language, analyses, threshold, open }) {
  const [name, number] = [nameOf(entry, language), analyses.numberOf(entry)];
  if (entry.thumbnail && !urls.has(entry.id)) urls.set(entry.id, URL.createObjectURL(entry.thumbnail));
  const url = urls.get(entry.id);
  const picture = url ? element("img", { src: url, alt: "" }) : element("span", { className: "blank" });
  const text = element("span", {},
    element("strong", {}, verdict(entry, language, threshold)),
    element("span", { className: "muted" }, ...(number ? [element("span", { className: "number" }, language.text("history.number", { number })), " · "] : []),
      `${name} · ${language.time(entry.created)}`));
  const shown = element("button", { type: "button", className: "open", id: `open-${entry.id}`, on: { click: () => open(entry) } }, picture, text);
  const label = language.text("history.remove", { name });
  const remove = element("button", { type: "button", className: "remove", id: `remove-${entry.id}`, ariaLabel: label, title: label, on: { click: () => analyses.remove(entry) } }, "×");
  return element("li", { className: "visit", "aria-current": entry === analyses.current ? "true" : null }, shown, remove);
}

/** @param {Entry} entry @param {Language} language @param {number} threshold */
function verdict(entry, language, threshold) {
  if (entry.problem) return wording(entry.problem, language).title;
  if (!entry.result) return language.text(`history.${entry.state}`);
  return named(entry.result.prediction, threshold, language);
}

/** @param {Language} language @param {Analyses} analyses */
function removeAll(language, analyses) {
  const [button, question, yes, no] = ["history.removeAll", "history.question", "history.yes", "history.no"].map((key) => language.text(key));
  return askingButton("remove-all", { button, question, yes, no }, () => analyses.removeAll());
}
