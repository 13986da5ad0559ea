// @ts-check
/** Why there is no answer, and what to do about it. */

import { element, facts } from "./element.js";
import { UPRIGHT, turn } from "./pictures.js";

/**
 * @typedef {import("./analyses.js").Entry} Entry
 * @typedef {import("./api.js").Problem} Problem
 * @typedef {import("./language.js").Language} Language
 */

/** Where the same image may pass at another time. */
const PASSING = [
  "network",
  "overloaded",
  "draining",
  "too-many-connections",
  "not-ready",
  "model-unavailable",
  "deadline-exceeded",
  "body-timeout",
  "header-timeout",
  "internal-error",
];

/** @param {Entry} entry @param {{language: Language, analyses: import("./analyses.js").Analyses}} parts */
export function explain(entry, { language, analyses }) {
  const problem = /** @type {Problem} */ (entry.problem);
  const { title, advice } = wording(problem, language);
  const filter = problem.filter;
  const retry = () => analyses.retry(entry);
  return [element("div", { className: "problem" },
    element("h2", {}, title),
    element("p", {}, advice),
    ...(filter && filter.verdict in UPRIGHT ? [upright(entry, filter.verdict, language, analyses)] : []),
    ...(PASSING.includes(problem.code) ? [element("button", { type: "button", className: "primary", on: { click: retry } }, language.text("problem.retry"))] : []),
    details(problem, language))];
}

/**
 * Texts are by code, and by verdict where the filter refused; a code newer than this page has the
 * service's own words.
 * @param {Problem} problem
 * @param {Language} language
 */
export function wording(problem, language) {
  const key = problem.filter ? `verdict.${problem.filter.verdict}` : `problem.${problem.code}`;
  if (!language.has(`${key}.title`)) return { title: language.text("problem.unknown"), advice: problem.detail };
  const values = { seconds: problem.retryAfter ?? 1, bytes: language.megabytes(problem.limit ?? 0) };
  return { title: language.text(`${key}.title`), advice: language.text(`${key}.advice`, values) };
}

/** @param {Entry} entry @param {string} verdict @param {Language} language @param {import("./analyses.js").Analyses} analyses */
function upright(entry, verdict, language, analyses) {
  const picture = element("img", { alt: language.text("problem.upright.picture") });
  const button = element("button", { type: "button", className: "primary", disabled: true }, language.text("problem.upright"));
  const file = entry.file ?? entry.shown;
  if (file) {
    turn(file, UPRIGHT[/** @type {keyof typeof UPRIGHT} */ (verdict)]).then((turned) => {
      picture.src = URL.createObjectURL(turned);
      picture.onload = () => URL.revokeObjectURL(picture.src);
      button.disabled = false;
      button.onclick = () => analyses.add([{ file: turned, name: entry.name, synthetic: entry.synthetic }]);
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
