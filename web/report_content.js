// @ts-check
/** What a report says, for print (report.js) and as a picture (report_picture.js). */

import { FINDINGS } from "./api.js";
import { nameOf } from "./image_name.js";

/**
 * @typedef {import("./analyses.js").Entry} Entry
 * @typedef {import("./language.js").Language} Language
 * @typedef {import("./viewer.js").Viewer} Viewer
 * @typedef {{language: Language, viewer: Viewer, threshold: number}} Parts
 *
 * @typedef {object} Content
 * @property {string} title
 * @property {string} disclaimer
 * @property {string[]} captions of the film, and of the film with the map
 * @property {{none: string, strongest: string}} legend of the map's colours
 * @property {string} verdict
 * @property {string} explanation
 * @property {{name: string, share: number, percent: string}[]} shares
 * @property {string} meaning of the shares
 * @property {string[][]} facts names and values
 * @property {string} limit
 * @property {string} signature beside the line to sign
 */

const DIGEST_LENGTH = 16;

/** @param {Entry} entry @param {string} outcome @param {Parts} parts @returns {Content} */
export function contentOf(entry, outcome, { language, viewer, threshold }) {
  const result = /** @type {import("./api.js").Analysis} */ (entry.result);
  const text = (/** @type {string} */ key, /** @type {Record<string, any>} */ values = {}) => language.text(key, values);
  const { probabilities } = result.prediction;
  return {
    title: text("report.title"),
    disclaimer: text("disclaimer.short"),
    captions: [text("report.film"), text("report.map", { finding: text(`finding.${viewer.finding}`) })],
    legend: { none: text("viewer.none"), strongest: text("viewer.strongest") },
    verdict: text(`outcome.${outcome}.title`),
    explanation: text(`outcome.${outcome}.text`),
    shares: FINDINGS.map((finding) => ({ name: text(`finding.${finding}`), share: probabilities[finding], percent: language.percent(probabilities[finding], 1) })),
    meaning: text("result.meaning"),
    facts: [
      [text("report.threshold"), language.percent(threshold, 1)],
      [text("result.when"), language.time(Date.parse(result.created_at))],
      [text("report.file"), nameOf(entry, language)],
      ...(entry.digest ? [[text("report.digest"), entry.digest]] : []),
      [text("report.software"), result.software ?? "chestxray"],
      ...Object.entries(result.models).map(([name, digest]) => [name, digest.slice(0, "sha256:".length + DIGEST_LENGTH)]),
      [text("report.id"), result.id],
    ],
    limit: text("limits.scope"),
    signature: text("report.signature"),
  };
}
