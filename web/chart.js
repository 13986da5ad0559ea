// @ts-check
/** The text for the patient's chart, to be copied; chestxray/chart.py writes the same one. */

import { copyButton } from "./clipboard.js";
import { element } from "./element.js";

/**
 * @typedef {import("./api.js").Analysis} Analysis
 * @typedef {import("./language.js").Language} Language
 */

const DIGEST_LENGTH = "sha256:".length + 12;
const MINUTES_LENGTH = "2026-01-31T12:00".length;

/** @param {Analysis} result @param {Language} language */
export function chart(result, language) {
  const text = textFor(result, language);
  const shown = element("p", {}, text);
  return element("details", { className: "chart" },
    element("summary", {}, language.text("chart.title")),
    shown,
    copyButton(text, shown, language));
}

/** @param {Analysis} result @param {Language} language */
function textFor({ software = "chestxray", created_at: created, models, prediction }, language) {
  const { probabilities, abnormal = 1 - probabilities.no_finding } = prediction;
  const shares = Object.entries({ ...probabilities, abnormal }).map(([name, share]) => [name, language.number(share, 2)]);
  return language.text("chart.text", {
    software,
    when: `${created.slice(0, MINUTES_LENGTH).replace("T", " ")} UTC`,
    models: Object.entries(models).map(([name, digest]) => `${name} ${digest.slice(0, DIGEST_LENGTH)}`).join(", "),
    ...Object.fromEntries(shares),
  });
}
