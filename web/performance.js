// @ts-check
/** The models' evaluation metrics, as served by the API. */

import { element } from "./element.js";

/**
 * @typedef {import("./api.js").Model} Model
 * @typedef {import("./language.js").Language} Language
 * @typedef {{value: number, low: number, high: number, n: number}} Rate
 */

const CLASSIFIER_PARTS = ["test_without_siim", "test_siim", "external"];
const FILTER_PARTS = ["test", "external"];
const FILTER_RATES = ["accepted_of_upright", "rejected_of_turned", "rejected_of_other_pictures"];

/** @param {HTMLElement} place @param {{language: Language, models: Model[]}} parts */
export function mountPerformance(place, { language, models: [filter, classifier] }) {
  const render = () => place.replaceChildren(
    element("p", {}, language.text("performance.text")),
    ...answersOf(classifier, language),
    folded("performance.largest", language,
      balanced(classifier, language),
      ...CLASSIFIER_PARTS.filter((part) => part in classifier.metrics).map((part) => byClass(classifier, part, language))),
    ofFilter(filter, language),
    element("p", { className: "muted" }, language.text("performance.interval")),
  );
  language.addEventListener("change", render);
  render();
}

/** What the page says of test images at the threshold that it uses. @param {Model} model @param {Language} language */
function answersOf({ metrics, thresholds }, language) {
  const { answered, answered_by_source: bySource } = metrics;
  if (!answered) return []; // a checkpoint of the operator
  const threshold = language.percent(thresholds.indeterminate, 1);
  return [
    element("p", {}, language.text("performance.threshold", { threshold })),
    ...CLASSIFIER_PARTS.filter((part) => part in answered).map((part) =>
      answers(`${language.text("performance.answers")}: ${language.text(`performance.${part}`)}`, answered[part], language)),
    folded("performance.bySource", language,
      ...Object.entries(bySource).map(([name, found]) => answers(name, found, language))),
  ];
}

/** @param {string} caption @param {any} found share, right, and both for each class @param {Language} language */
function answers(caption, found, language) {
  const given = [...Object.keys(Object.values(found.classes)[0].answers)];
  const head = ["performance.class", "performance.answered", "performance.right"].map((key) => language.text(key));
  const cells = (/** @type {any} */ { share, right }) => [rate(share, language), right ? rate(right, language) : "–"];
  const rows = Object.entries(found.classes).map(([label, each]) => [
    language.text(`finding.${label}`), ...cells(each), ...given.map((answer) => language.number(each.answers[answer])),
  ]);
  const all = [language.text("performance.all"), ...cells(found), ...given.map((answer) => language.number(sum(found, answer)))];
  return table(caption, [...head, ...given.map((answer) => `“${language.text(`finding.${answer}`)}”`)], [...rows, all]);
}

/** @param {any} found @param {string} answer */
function sum({ classes }, answer) {
  return Object.values(classes).reduce((total, { answers: given }) => total + given[answer], 0);
}

/** @param {string} title @param {Language} language @param {HTMLElement[]} children */
function folded(title, language, ...children) {
  return element("details", {}, element("summary", {}, language.text(title)), ...children);
}

/** @param {Model} model @param {Language} language */
function balanced(model, language) {
  const parts = CLASSIFIER_PARTS.filter((part) => part in model.metrics);
  const rows = parts.map((part) => [language.text(`performance.${part}`), rate(model.metrics[part].balanced_accuracy, language)]);
  return table(language.text("performance.balanced"), [language.text("performance.images"), language.text("performance.balancedAccuracy")], rows);
}

/** @param {Model} model @param {string} part @param {Language} language */
function byClass(model, part, language) {
  const names = ["sensitivity", "specificity", "auc"];
  const rows = model.labels.map((label, i) => [
    language.text(`finding.${label}`),
    ...names.map((name) => rate(model.metrics[part][name][i], language)),
  ]);
  const head = ["performance.class", ...names.map((name) => `performance.${name}`)].map((key) => language.text(key));
  return table(language.text(`performance.${part}`), head, rows);
}

/** @param {Model} model @param {Language} language */
function ofFilter(model, language) {
  const parts = FILTER_PARTS.filter((part) => part in model.metrics);
  const rows = FILTER_RATES.map((name) => [
    language.text(`performance.${name}`),
    ...parts.map((part) => rate(model.metrics[part][name], language)),
  ]);
  const head = ["performance.filter", ...parts.map((part) => `performance.filter.${part}`)].map((key) => language.text(key));
  return table(language.text("performance.filterTitle"), head, rows);
}

/** @param {Rate} found @param {Language} language */
function rate({ value, low, high, n }, language) {
  const interval = `${language.percent(low, 1)} – ${language.percent(high, 1)}, n = ${language.number(n)}`;
  return element("span", {}, language.percent(value, 1), element("span", { className: "interval" }, interval));
}

/** @param {string} caption @param {string[]} head @param {(string | Node)[][]} rows */
function table(caption, head, rows) {
  const made = element("table", {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...rows.map(([first, ...others]) => element("tr", {},
      element("th", { scope: "row" }, first), ...others.map((cell) => element("td", {}, cell))))));
  return element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: caption }, made);
}
