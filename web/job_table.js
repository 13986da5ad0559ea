// @ts-check
/** The films of a job as a table: totals, filter, order, pages, download. */

import { FINDINGS } from "./api.js";
import { download } from "./download.js";
import { element, keepingFocus } from "./element.js";
import { csvOf, jsonOf } from "./job_export.js";
import { ORDERS, OUTCOMES, arranged, counted, nameOf, outcomeText, problemText, rowsOf } from "./job_rows.js";

/**
 * @typedef {import("./job_rows.js").Row} Row
 * @typedef {import("./job_api.js").Job} Job
 * @typedef {import("./language.js").Language} Language
 * @typedef {{language: Language, jobs: import("./jobs.js").Jobs, threshold: number}} Parts
 * @typedef {{outcome: string, order: string, page: number}} View
 */

const PAGE = 50; // rows in the document, however many films a job has
const WITHOUT_SHARES = FINDINGS.length;

/**
 * Shows the films of a job; returns what updates them.
 * @param {HTMLElement} place @param {Job} job @param {View} view what was chosen; changed here @param {Parts} parts
 */
export function mountTable(place, job, view, parts) {
  const results = parts.jobs.resultsOf(job.id);
  const [totals, trouble, tools, body, pager] = [element("div"), element("div"), element("div", { className: "row" }), element("div"), element("div", { className: "row pager" })];
  place.replaceChildren(totals, tools, trouble, body, pager);
  let now = job;
  let awaited = 0;

  const rows = () => rowsOf(results.items, { job: now, names: parts.jobs.names.get(now.id)?.names ?? null, threshold: parts.threshold });
  const choose = (/** @type {Partial<View>} */ changes) => {
    Object.assign(view, { page: 0 }, changes);
    keepingFocus(place, render, () => place.querySelector("button[aria-pressed=true]"));
  };
  const render = () => {
    awaited = 0;
    const all = rows();
    const chosen = arranged(all, view, parts.language.code);
    view.page = Math.max(0, Math.min(view.page, Math.ceil(chosen.length / PAGE) - 1));
    totals.replaceChildren(filter(all, now.id, view, choose, parts.language));
    trouble.replaceChildren(...problemOf(results, parts.language));
    body.replaceChildren(table(chosen.slice(view.page * PAGE, (view.page + 1) * PAGE), parts.language));
    pager.replaceChildren(...pages(chosen.length, now.id, view, choose, parts.language));
  };
  const soon = () => { awaited ||= requestAnimationFrame(() => { if (place.isConnected) keepingFocus(place, render); }); };
  tools.replaceChildren(order(now.id, view, choose, parts.language), ...downloads(() => now, rows, results, parts.language));
  results.addEventListener("change", soon);
  render();
  results.refresh();
  return {
    update: (/** @type {Job} */ job) => { now = job; soon(); },
    dispose: () => results.removeEventListener("change", soon),
  };
}

/** @param {Row[]} rows @param {string} id @param {View} view @param {(changes: Partial<View>) => void} choose @param {Language} language */
function filter(rows, id, view, choose, language) {
  const counts = counted(rows);
  const button = (/** @type {string} */ outcome, /** @type {string} */ text, /** @type {number} */ count) => {
    const dot = FINDINGS.some((finding) => finding === outcome) ? [element("span", { className: "dot", "data-finding": outcome })] : [];
    return element("button", { type: "button", id: `job-${outcome}-${id}`, "aria-pressed": String(view.outcome === outcome), on: { click: () => choose({ outcome }) } },
      ...dot, `${text} `, element("span", { className: "count" }, language.number(count)));
  };
  const shown = OUTCOMES.filter((outcome) => counts.get(outcome) || outcome === view.outcome);
  return element("fieldset", {},
    element("legend", {}, language.text("jobs.filter")),
    element("div", { className: "row" },
      button("all", language.text("jobs.all"), rows.length),
      ...shown.map((outcome) => button(outcome, outcomeText(outcome, language), counts.get(outcome) ?? 0))));
}

/** @param {string} id @param {View} view @param {(changes: Partial<View>) => void} choose @param {Language} language */
function order(id, view, choose, language) {
  const text = (/** @type {string} */ by) => (language.has(`finding.${by}`) ? language.text("jobs.sort.share", { finding: language.text(`finding.${by}`) }) : language.text(`jobs.sort.${by}`));
  const options = ORDERS.map((by) => element("option", { value: by, selected: by === view.order }, text(by)));
  const change = (/** @type {any} */ { target }) => choose({ order: target.value });
  return element("label", { className: "order" }, language.text("jobs.sort"),
    element("select", { id: `job-order-${id}`, on: { change } }, ...options));
}

/** @param {() => Job} job @param {() => Row[]} rows @param {import("./job_results.js").Results} results @param {Language} language */
function downloads(job, rows, results, language) {
  const save = async (/** @type {(rows: Row[]) => Blob} */ write, /** @type {string} */ ending) => {
    await results.refresh();
    if (!results.problem) download(write(rows()), `chestxray-${job().created_at.slice(0, 10)}.${ending}`);
  };
  const button = (/** @type {string} */ key, /** @type {() => void} */ click) => element("button", { type: "button", on: { click } }, language.text(key));
  return [
    button("jobs.csv", () => save(csvOf, "csv")),
    button("jobs.json", () => save((all) => jsonOf(job(), all), "json")),
  ];
}

/** @param {import("./job_results.js").Results} results @param {Language} language */
function problemOf(results, language) {
  if (!results.problem) return [];
  const { title, advice } = problemText(results.problem, language);
  const retry = element("button", { type: "button", on: { click: () => results.refresh() } }, language.text("problem.retry"));
  return [element("div", { className: "problem" }, element("div", { role: "alert" }, element("strong", {}, title), element("p", {}, results.problem.code === "network" ? language.text("kept.network") : advice)), retry)];
}

/** Roles are given, since the styles for small screens take those of a table away. @param {Row[]} rows @param {Language} language */
function table(rows, language) {
  if (!rows.length) return element("p", { className: "muted" }, language.text("jobs.none"));
  const columns = ["jobs.file", "jobs.result", ...FINDINGS.map((finding) => `finding.${finding}`)].map((key) => language.text(key));
  const head = element("tr", { role: "row" }, ...columns.map((text) => element("th", { role: "columnheader", scope: "col" }, text)));
  return element("table", { className: "films", role: "table" },
    element("thead", { role: "rowgroup" }, head),
    element("tbody", { role: "rowgroup" }, ...rows.map((row) => film(row, columns.slice(-WITHOUT_SHARES), language))));
}

/** @param {Row} row @param {string[]} findings their names @param {Language} language */
function film(row, findings, language) {
  const { probabilities, problem, outcome, position } = row;
  const number = element("span", { className: "muted number" }, `${language.number(position + 1)} `);
  const named = row.name === null ? nameOf(row, language) : element("span", {}, number, row.name);
  const cells = probabilities
    ? FINDINGS.map((finding, i) => element("td", { role: "cell", "data-name": findings[i] }, language.percent(probabilities[finding], 1)))
    : [element("td", { role: "cell", colSpan: WITHOUT_SHARES, className: "muted" }, problem ? problemText(problem, language).advice : "")];
  const text = problem ? problemText(problem, language).title : outcomeText(outcome, language);
  const dot = probabilities && outcome !== "indeterminate" ? [element("span", { className: "dot", "data-finding": outcome })] : [];
  return element("tr", { role: "row", "data-outcome": outcome },
    element("th", { role: "rowheader", scope: "row" }, named),
    element("td", { role: "cell", className: "outcome" }, ...dot, text),
    ...cells);
}

/** @param {number} count @param {string} id @param {View} view @param {(changes: Partial<View>) => void} choose @param {Language} language */
function pages(count, id, view, choose, language) {
  if (count <= PAGE) return [];
  const last = Math.ceil(count / PAGE) - 1;
  const [first, until] = [view.page * PAGE + 1, Math.min(count, (view.page + 1) * PAGE)].map((number) => language.number(number));
  const turn = (/** @type {string} */ key, /** @type {number} */ page) =>
    element("button", { type: "button", id: `${key}-${id}`.replace(".", "-"), disabled: page < 0 || page > last, on: { click: () => choose({ page }) } }, language.text(key));
  return [
    turn("jobs.before", view.page - 1),
    element("span", {}, language.text("jobs.range", { first, last: until, count: language.number(count) })),
    turn("jobs.after", view.page + 1),
  ];
}
