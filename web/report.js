// @ts-check
/** One page to print: film and map side by side, what was answered and by what, and a line to sign. */

import { scale } from "./controls.js";
import { element, facts } from "./element.js";
import { nameOf } from "./image_name.js";
import { contentOf } from "./report_content.js";

/**
 * @typedef {import("./report_content.js").Content} Content
 * @typedef {import("./report_content.js").Parts} Parts
 */

const PICTURE_SIDE = 2048; // pixels; more is not printed

/** Prints the report of an entry that the viewer shows. @param {import("./analyses.js").Entry} entry @param {string} outcome @param {Parts} parts */
export async function print(entry, outcome, parts) {
  const pictures = await Promise.all([parts.viewer.export(false, PICTURE_SIDE), parts.viewer.export(true, PICTURE_SIDE)]);
  const addresses = pictures.map((picture) => URL.createObjectURL(picture));
  const report = reportOf(contentOf(entry, outcome, parts), addresses, parts.language);
  document.body.append(report);
  document.body.toggleAttribute("data-report", true);
  await Promise.all([...report.querySelectorAll("img")].map((/** @type {HTMLImageElement} */ image) => image.decode()));
  const title = document.title;
  document.title = `chestxray ${nameOf(entry, parts.language)}`; // the name that is proposed for a PDF file
  const end = () => {
    document.title = title;
    report.remove();
    document.body.removeAttribute("data-report");
    addresses.forEach(URL.revokeObjectURL);
  };
  addEventListener("afterprint", end, { once: true });
  window.print();
}

/** @param {Content} content @param {string[]} pictures addresses of the film, and of the film with the map @param {import("./language.js").Language} language */
function reportOf(content, pictures, language) {
  const { captions } = content;
  return element("section", { id: "report", lang: language.code },
    element("h1", {}, content.title),
    element("p", { className: "warning" }, content.disclaimer),
    element("div", { className: "pictures" }, ...pictures.map((src, i) =>
      element("figure", {}, element("img", { src, alt: captions[i] }), element("figcaption", {}, captions[i])))),
    scale(language),
    element("h2", {}, content.verdict),
    element("p", {}, content.explanation),
    shares(content),
    element("p", {}, content.meaning),
    facts(content.facts),
    element("p", {}, content.limit),
    element("p", { className: "signature" }, content.signature));
}

/** @param {Content} content */
function shares(content) {
  const rows = content.shares.map(({ name, share, percent }) => {
    const fill = element("span", { className: "fill" });
    fill.style.width = `${100 * share}%`;
    return element("tr", {},
      element("th", { scope: "row" }, name),
      element("td", {}, element("span", { className: "track" }, fill)),
      element("td", {}, percent));
  });
  return element("table", {}, element("tbody", {}, ...rows));
}
