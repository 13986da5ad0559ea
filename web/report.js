// @ts-check
/** One page to print: film and map side by side, what was answered and by what, and a line to sign. */

import { FINDINGS } from "./api.js";
import { scale } from "./controls.js";
import { element, facts } from "./element.js";

/**
 * @typedef {import("./analyses.js").Entry} Entry
 * @typedef {import("./language.js").Language} Language
 * @typedef {import("./viewer.js").Viewer} Viewer
 * @typedef {{language: Language, viewer: Viewer, threshold: number}} Parts
 */

const DIGEST_LENGTH = 16;
const PICTURE_SIDE = 2048; // pixels; more is not printed

/** Prints the report of an entry that the viewer shows. @param {Entry} entry @param {string} outcome @param {Parts} parts */
export async function print(entry, outcome, parts) {
  const pictures = await Promise.all([parts.viewer.export(false, PICTURE_SIDE), parts.viewer.export(true, PICTURE_SIDE)]);
  const addresses = pictures.map((picture) => URL.createObjectURL(picture));
  const report = reportOf(entry, outcome, addresses, parts);
  document.body.append(report);
  await Promise.all([...report.querySelectorAll("img")].map((/** @type {HTMLImageElement} */ image) => image.decode()));
  const title = document.title;
  document.title = `chestxray ${entry.name}`; // the name that is proposed for a PDF file
  const end = () => {
    document.title = title;
    report.remove();
    addresses.forEach(URL.revokeObjectURL);
  };
  addEventListener("afterprint", end, { once: true });
  window.print();
}

/** @param {Entry} entry @param {string} outcome @param {string[]} pictures addresses of the film, and of the film with the map @param {Parts} parts */
function reportOf(entry, outcome, pictures, { language, viewer, threshold }) {
  const result = /** @type {import("./api.js").Analysis} */ (entry.result);
  const text = (/** @type {string} */ key, /** @type {Record<string, any>} */ values = {}) => language.text(key, values);
  const captions = [text("report.film"), text("viewer.described", { finding: text(`finding.${viewer.finding}`) })];
  return element("section", { id: "report", lang: language.code },
    element("h1", {}, text("report.title")),
    element("p", { className: "warning" }, text("disclaimer.short")),
    element("div", { className: "pictures" }, ...pictures.map((src, i) =>
      element("figure", {}, element("img", { src, alt: captions[i] }), element("figcaption", {}, captions[i])))),
    scale(language),
    element("h2", {}, text(`outcome.${outcome}.title`)),
    element("p", {}, text(`outcome.${outcome}.text`)),
    shares(result.prediction.probabilities, language),
    element("p", {}, text("result.meaning")),
    facts([
      [text("report.threshold"), language.percent(threshold, 1)],
      [text("result.when"), language.time(Date.parse(result.created_at))],
      [text("report.file"), entry.name],
      ...(entry.digest ? [[text("report.digest"), entry.digest]] : []),
      [text("report.software"), result.software ?? "chestxray"],
      ...Object.entries(result.models).map(([name, digest]) => [name, digest.slice(0, "sha256:".length + DIGEST_LENGTH)]),
      [text("report.id"), result.id],
    ]),
    element("p", {}, text("limits.scope")),
    element("p", { className: "signature" }, text("report.signature")));
}

/** @param {Record<import("./api.js").Finding, number>} probabilities @param {Language} language */
function shares(probabilities, language) {
  const rows = FINDINGS.map((finding) => {
    const fill = element("span", { className: "fill" });
    fill.style.width = `${100 * probabilities[finding]}%`;
    return element("tr", {},
      element("th", { scope: "row" }, language.text(`finding.${finding}`)),
      element("td", {}, element("span", { className: "track" }, fill)),
      element("td", {}, language.percent(probabilities[finding], 1)));
  });
  return element("table", {}, element("tbody", {}, ...rows));
}
