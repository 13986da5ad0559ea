// @ts-check
/** The result for an image: text, bars and numbers; or the problem. */

import { FINDINGS } from "./api.js";
import { chart } from "./chart.js";
import { download } from "./download.js";
import { element, facts, keepingFocus, say } from "./element.js";
import { explain } from "./problem.js";
import { brightness } from "./regions.js";

/**
 * @typedef {import("./analyses.js").Entry} Entry
 * @typedef {import("./analyses.js").Analyses} Analyses
 * @typedef {import("./language.js").Language} Language
 * @typedef {import("./performance.js").Rate} Rate
 * @typedef {{language: Language, analyses: Analyses, viewer: import("./viewer.js").Viewer, threshold: number, pointing: Rate | undefined}} Parts
 */

/** @param {HTMLElement} place @param {Parts} parts */
export function mountResult(place, parts) {
  const { language, analyses } = parts;
  /** Entries whose bars have been animated; they animate only once. @type {Set<string>} */
  const seen = new Set();
  let shown = "";

  const render = () => {
    const entry = analyses.current;
    const ended = entry && (entry.state === "done" || entry.state === "refused");
    const now = ended ? `${entry.id} ${entry.state} ${entry.result?.kept} ${language.code}` : "";
    if (now === shown) return;
    shown = now;
    place.hidden = !ended;
    if (!ended) return place.replaceChildren();
    const outcome = entry.result && outcomeOf(entry.result.prediction, parts.threshold);
    place.dataset.outcome = outcome ?? "problem";
    place.replaceChildren(...(outcome ? answer(entry, outcome, !seen.has(entry.id), parts) : explain(entry, parts)));
    Object.assign(/** @type {HTMLElement} */ (place.querySelector("h2")), { id: "result-title", tabIndex: -1 });
    seen.add(entry.id);
    sayWhere();
  };
  /** In words what the viewer shows in colours. */
  const sayWhere = () => {
    const [said, maps] = [place.querySelector(".where"), analyses.current?.result?.heatmaps];
    if (said && maps) say(said, [brightness(maps, parts.viewer.finding, language), language.text("where.sides")].join(" "));
  };
  parts.viewer.addEventListener("change", sayWhere);
  analyses.addEventListener("change", () => keepingFocus(place, render));
  language.addEventListener("change", render);
}

/** @param {import("./api.js").Analysis["prediction"]} prediction @param {number} threshold */
export function outcomeOf({ label, probabilities }, threshold) {
  return probabilities[label] < threshold ? "indeterminate" : label;
}

/** A prediction in a list. @param {import("./api.js").Analysis["prediction"]} prediction @param {number} threshold @param {Language} language */
export function named(prediction, threshold, language) {
  const share = language.percent(prediction.probabilities[prediction.label]);
  return `${language.text(`finding.${outcomeOf(prediction, threshold)}`)} · ${share}`;
}

/** @param {Entry} entry @param {string} outcome @param {boolean} fresh @param {Parts} parts */
function answer(entry, outcome, fresh, parts) {
  const { language } = parts;
  const result = /** @type {import("./api.js").Analysis} */ (entry.result);
  const synthetic = entry.synthetic ? [element("p", { className: "muted" }, language.text("result.synthetic"))] : [];
  return [
    element("h2", {}, language.text(`outcome.${outcome}.title`)),
    element("p", {}, language.text(`outcome.${outcome}.text`)),
    ...synthetic,
    ...(result.input?.film && !entry.film ? [element("p", { className: "muted" }, language.text("result.cropped"))] : []),
    bars(result.prediction.probabilities, fresh, language),
    anyFinding(result.prediction, language),
    element("p", { className: "where" }),
    element("p", { className: "muted" }, language.text("result.meaning")),
    ...pointed(parts),
    ...(result.kept && result.expires_at ? [element("p", {}, language.text("result.kept", { when: language.time(Date.parse(result.expires_at)) }))] : []),
    actions(entry, outcome, parts),
    chart(result, language),
    figures(result, language),
  ];
}

/** @param {Record<import("./api.js").Finding, number>} probabilities @param {boolean} fresh @param {Language} language */
function bars(probabilities, fresh, language) {
  const items = FINDINGS.map((finding) => {
    const share = probabilities[finding];
    const fill = element("div", { className: "fill", "data-new": fresh });
    fill.style.width = `${100 * share}%`;
    return element("li", { "data-finding": finding },
      element("div", { className: "name" },
        element("span", {}, language.text(`finding.${finding}`)),
        element("span", { className: "value" }, language.percent(share, 1))),
      element("div", { className: "track", "aria-hidden": "true" }, fill));
  });
  return element("ul", { className: "bars" }, ...items);
}

/** How often the maps pointed into an annotated region, shown next to the map. @param {Parts} parts */
function pointed({ pointing, language }) {
  if (!pointing) return [];
  const values = { n: language.number(pointing.n), share: language.percent(pointing.value) };
  return [element("p", { className: "muted" }, language.text("result.pointing", values))];
}

/** @param {import("./api.js").Analysis["prediction"]} prediction @param {Language} language */
function anyFinding({ probabilities, abnormal = 1 - probabilities.no_finding }, language) {
  return element("dl", { className: "abnormal" },
    element("dt", {}, language.text("result.abnormal")),
    element("dd", { className: "value" }, language.percent(abnormal, 1)));
}

/** @param {Entry} entry @param {string} outcome @param {Parts} parts */
function actions(entry, outcome, parts) {
  const { language, viewer } = parts;
  const name = `${entry.name.replace(/\.\w+$/, "")}-chestxray`;
  const picture = async () => download(await viewer.export(true), `${name}-map-${viewer.finding}.png`);
  const json = () => {
    const film = { name: entry.name, sha256: entry.digest ?? null };
    const text = JSON.stringify({ film, ...entry.result }, null, 2);
    download(new Blob([text], { type: "application/json" }), `${name}-${outcome}.json`);
  };
  const report = async () => (await import("./report.js")).print(entry, outcome, parts);
  const sheet = async () => download(await (await import("./report_picture.js")).picture(entry, outcome, parts), `${name}-report-${outcome}.png`);
  const button = (/** @type {string} */ key, /** @type {() => void} */ click) =>
    element("button", { type: "button", on: { click } }, language.text(key));
  return element("div", { className: "row" }, button("result.print", report), button("result.sheet", sheet), button("result.png", picture), button("result.json", json));
}

/** @param {import("./api.js").Analysis} result @param {Language} language */
function figures({ filter, timing_ms: timing, created_at: created }, language) {
  return facts([
    [language.text("result.time"), `${language.number(timing.total, 0)} ms`],
    [language.text("result.filter"), language.percent(filter.score, 1)],
    [language.text("result.when"), language.time(Date.parse(created))],
  ]);
}
