// @ts-check
/** The list of what the service keeps for this visitor, to open or delete; it is loaded whenever it is opened. */

import { access } from "./access.js";
import { element, keepingFocus } from "./element.js";
import { explained, whileOpen } from "./list_section.js";
import { askingButton } from "./question.js";
import { named } from "./result.js";

/**
 * @typedef {import("./api.js").Summary} Summary
 * @typedef {import("./kept.js").Kept} Kept
 * @typedef {import("./analyses.js").Analyses} Analyses
 * @typedef {import("./analyses.js").Entry} Entry
 * @typedef {import("./language.js").Language} Language
 * @typedef {{language: Language, kept: Kept, analyses: Analyses, threshold: number, show: (entry: Entry) => void, announce: (text: string) => void}} Parts
 */


/** @param {HTMLDetailsElement} details @param {HTMLElement} place @param {Parts} parts */
export function mountKeptList(details, place, parts) {
  const { language, kept, analyses } = parts;
  const [head, trouble, list, foot] = [element("div"), element("div"), element("ul", { className: "visits" }), element("div", { className: "row" })];
  place.replaceChildren(head, trouble, list, foot);
  /** @type {import("./api.js").Problem | null} */
  let told = null;
  let [headed, marked] = ["", ""];

  const fill = () => {
    const { state } = kept;
    const facts = [language.code, access.by, state.list?.length === 0, Boolean(state.list), state.isBusy && !state.list].join();
    if (facts !== headed) head.replaceChildren(...heading(parts)); // a question that is open stays
    headed = facts;
    if (state.problem !== told) trouble.replaceChildren(...explained(state.problem, "kept", "problem.retry", () => kept.load(), language)); // an alert is said once
    told = state.problem;
    list.setAttribute("aria-busy", String(state.isBusy));
    list.replaceChildren(...(state.list ?? []).map((each) => item(each, parts)));
    foot.replaceChildren(...(state.next ? [button("kept-more", language.text("kept.more"), () => kept.more())] : []));
  };
  const render = () => {
    const focused = [...list.children].findIndex((each) => each.contains(document.activeElement));
    const neighbour = () => (list.children[focused] ?? list.lastElementChild)?.querySelector("button") ?? details.querySelector("summary");
    keepingFocus(place, fill, neighbour);
  };
  const load = () => { if (details.open) kept.load(); };
  access.addEventListener("change", load);
  kept.addEventListener("change", render);
  kept.addEventListener("gone", () => parts.announce(language.text("kept.deleted")));
  analyses.addEventListener("change", () => {
    const shown = analyses.current?.result?.id ?? "";
    if (shown !== marked) render(); // not with every step of an upload
    marked = shown;
  });
  language.addEventListener("change", () => { told = null; render(); });
  fill();
  whileOpen(details, kept);
}

/** @param {Parts} parts */
function heading({ language, kept }) {
  const { list, isBusy } = kept.state;
  const { by } = access;
  const texts = {
    button: language.text("kept.removeAll"),
    question: language.text(`kept.question${by}`),
    yes: language.text("history.yes"),
    no: language.text("history.no"),
  };
  const said = list?.length === 0 ? "kept.empty" : !list && isBusy ? "kept.loading" : null;
  return [
    element("p", { className: "muted" }, language.text(`kept.note${by}`)),
    ...(said ? [element("p", {}, language.text(said))] : []),
    ...(list?.length ? [askingButton("kept-remove-all", texts, () => kept.removeAll())] : []),
  ];
}

/** @param {Summary} summary @param {Parts} parts */
function item(summary, { language, kept, analyses, threshold, show }) {
  const { id, created_at: created, expires_at: end } = summary;
  const [name, when] = [named(summary.prediction, threshold, language), language.time(Date.parse(created))];
  const left = language.text("kept.left", { time: language.duration(Math.max(0, Date.parse(end) - Date.now())) });
  const text = element("span", {},
    element("strong", {}, name),
    element("span", { className: "muted" }, when),
    element("span", { className: "muted" }, left));
  const open = element("button", { type: "button", className: "open", id: `kept-open-${id}`, on: { click: () => kept.open(id, show) } }, text);
  const label = language.text("kept.remove", { name: `${name}, ${when}` });
  const remove = element("button", { type: "button", className: "remove", id: `kept-remove-${id}`, ariaLabel: label, title: label, on: { click: () => kept.remove(id) } }, "×");
  const isShown = analyses.current?.result?.id === id;
  return element("li", { className: "keeping", "aria-current": isShown ? "true" : null }, open, remove);
}

/** @param {string} id @param {string} text @param {() => void} click */
const button = (id, text, click) => element("button", { type: "button", id, on: { click } }, text);
