// @ts-check
/** Explains why an image has no analysis, and what to do. */

import { access } from "./access.js";
import { element, facts } from "./element.js";
import { KEY_PROBLEMS, keyForm } from "./key.js";
import { REPAIRS, repair } from "./pictures.js";

/**
 * @typedef {import("./analyses.js").Entry} Entry
 * @typedef {import("./api.js").Problem} Problem
 * @typedef {import("./language.js").Language} Language
 */

/** Codes for which a retry with the same image may succeed. */
const PASSING = [
  "network",
  "page-failed",
  "overloaded",
  "quota-exceeded",
  "draining",
  "too-many-connections",
  "not-ready",
  "model-unavailable",
  "deadline-exceeded",
  "body-timeout",
  "header-timeout",
  "internal-error",
  "request-in-progress",
  "storage-unavailable", // these may pass without the tick, too
  "too-many-kept",
  "history-disabled",
  "scope-missing",
];

/** @param {Entry} entry @param {{language: Language, analyses: import("./analyses.js").Analyses}} parts */
export function explain(entry, { language, analyses }) {
  const problem = /** @type {Problem} */ (entry.problem);
  const { title, advice } = wording(problem, language);
  const verdict = problem.filter && view(problem.filter);
  const retry = () => analyses.retry(entry);
  return [element("div", { className: "problem" },
    element("h2", {}, title),
    element("p", {}, advice),
    ...(verdict && verdict in REPAIRS ? [repaired(entry, verdict, language, analyses)] : []),
    ...(PASSING.includes(problem.code) ? [element("button", { type: "button", className: "primary", on: { click: retry } }, language.text("problem.retry"))] : []),
    ...(KEY_PROBLEMS.includes(problem.code) ? [keyForm("problem-key", language)] : []),
    details(problem, language))];
}

/**
 * Looks texts up by code, by `found` if it has its own advice, and by verdict if the filter rejected
 * the image; for unknown codes it shows the service's detail.
 * @param {Problem} problem
 * @param {Language} language
 */
export function wording(problem, language) {
  const code = problem.filter ? `verdict.${view(problem.filter)}` : `problem.${problem.code}`;
  const key = access.canSignIn && language.has(`${code}.signIn.title`) ? `${code}.signIn` : code;
  if (!language.has(`${key}.title`)) return { title: language.text("problem.unknown"), advice: problem.detail };
  const values = { seconds: problem.retryAfter ?? 1, bytes: language.megabytes(problem.limit ?? 0), found: problem.found ?? "" };
  const advised = language.has(`${key}.${problem.found}.advice`) ? `${key}.${problem.found}` : key;
  return { title: language.text(`${key}.title`), advice: language.text(`${advised}.advice`, values) };
}

/**
 * Returns frontal_chest if it has the highest score but is below the threshold; else the verdict.
 * @param {import("./api.js").FilterResult} filter
 */
export function view({ verdict, score, threshold, scores }) {
  const { frontal_chest: frontal = 0, ...others } = scores;
  return frontal > Math.max(0, ...Object.values(others)) && score < threshold ? "frontal_chest" : verdict;
}

/** @param {Entry} entry @param {string} verdict @param {Language} language @param {import("./analyses.js").Analyses} analyses */
function repaired(entry, verdict, language, analyses) {
  const key = REPAIRS[verdict].negative ? "problem.positive" : "problem.upright";
  const picture = element("img", { alt: language.text(`${key}.picture`) });
  const button = element("button", { type: "button", className: "primary", disabled: true }, language.text(key));
  const file = entry.file ?? entry.shown;
  if (file) {
    repair(file, REPAIRS[verdict]).then((better) => {
      picture.src = URL.createObjectURL(better);
      picture.onload = () => URL.revokeObjectURL(picture.src);
      button.disabled = false;
      button.onclick = () => analyses.add([{ file: better, name: entry.name, synthetic: entry.synthetic }]);
    });
  }
  return element("div", { className: "upright" }, picture, button);
}

/** @param {Problem} problem @param {Language} language */
function details({ code, detail, request_id: id }, language) {
  const said = { "problem.code": code, "problem.detail": detail, "problem.request": id ?? "" };
  const rows = Object.entries(said).filter(([, value]) => value).map(([key, value]) => [language.text(key), value]);
  return element("details", {}, element("summary", {}, language.text("problem.details")), facts(rows));
}
