// @ts-check
/** The films of a job as rows: counted, filtered and sorted. */

import { FINDINGS } from "./api.js";
import { view, wording } from "./problem.js";
import { outcomeOf } from "./result.js";

/**
 * @typedef {import("./api.js").Finding} Finding
 * @typedef {import("./api.js").Problem} Problem
 * @typedef {import("./api.js").Analysis} Analysis
 * @typedef {import("./job_api.js").Item} Item
 * @typedef {import("./language.js").Language} Language
 * @typedef {Finding | "indeterminate" | "refused" | "waiting" | "cancelled"} Outcome
 * @typedef {{position: number, name: string | null, outcome: Outcome, item: Item | null, probabilities: Record<Finding, number> | null, problem: Problem | null}} Row
 *   name: null if this browser does not know it
 */

/** In the order in which they are shown. @type {Outcome[]} */
export const OUTCOMES = [...FINDINGS, "indeterminate", "refused", "waiting", "cancelled"];
export const ORDERS = ["position", "name", "outcome", ...FINDINGS];

/**
 * @param {Item[]} items as far as they are known
 * @param {{job: import("./job_api.js").Job, names: string[] | null, threshold: number}} facts
 * @returns {Row[]}
 */
export function rowsOf(items, { job, names, threshold }) {
  const known = names?.length === job.total ? names : null; // otherwise they belong to other films
  const rest = job.state === "cancelled" ? "cancelled" : "waiting";
  return Array.from({ length: job.total }, (_, position) => {
    const item = items[position] ?? null;
    const result = item?.result ?? null;
    const analysis = result && "prediction" in result ? result : null;
    const problem = result && "code" in result ? /** @type {Problem} */ (result) : null;
    const pending = item?.state === "cancelled" ? "cancelled" : rest;
    const outcome = analysis ? outcomeOf(analysis.prediction, threshold) : problem ? "refused" : pending;
    return { position, name: known?.[position] ?? null, outcome, item, probabilities: analysis?.prediction.probabilities ?? null, problem };
  });
}

/** @param {Row[]} rows @returns {Map<Outcome, number>} */
export function counted(rows) {
  const counts = new Map(OUTCOMES.map((outcome) => [outcome, 0]));
  for (const { outcome } of rows) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return counts;
}

/** @param {Row[]} rows @param {{outcome: string, order: string}} wanted outcome: "all" or one @param {string} language */
export function arranged(rows, { outcome, order }, language) {
  const { compare } = new Intl.Collator(language, { numeric: true });
  /** @type {Record<string, (one: Row, other: Row) => number>} */
  const orders = {
    position: () => 0,
    name: (one, other) => compare(one.name ?? "", other.name ?? ""),
    outcome: (one, other) => OUTCOMES.indexOf(one.outcome) - OUTCOMES.indexOf(other.outcome),
  };
  const share = (/** @type {Row} */ { probabilities }) => probabilities?.[/** @type {Finding} */ (order)] ?? -1;
  const wanted = outcome === "all" ? rows : rows.filter((row) => row.outcome === outcome);
  return wanted.toSorted(orders[order] ?? ((one, other) => share(other) - share(one)));
}

/** @param {Outcome} outcome @param {Language} language */
export function outcomeText(outcome, language) {
  return language.text(language.has(`finding.${outcome}`) ? `finding.${outcome}` : `jobs.outcome.${outcome}`);
}

/** Why a film has no result, in words. @param {Problem} problem @param {Language} language */
export function problemText(problem, language) {
  const { title, advice } = wording(problem, language);
  const fitting = `jobs.advice.${problem.filter ? view(problem.filter) : problem.code}`; // some advice is only right for a single image
  return { title, advice: language.has(fitting) ? language.text(fitting) : advice };
}

/** @param {Row} row @param {Language} language */
export const nameOf = ({ name, position }, language) => name ?? language.text("jobs.film", { number: language.number(position + 1) });
