// @ts-check
/**
 * Says to those who do not see the page what becomes of their images. Several are summed up on the way and at the
 * end: told one by one they would drown each other.
 */

import { isOpen } from "./analyses.js";
import { wording } from "./problem.js";
import { brightness } from "./regions.js";
import { outcomeOf } from "./result.js";

/**
 * @typedef {import("./analyses.js").Entry} Entry
 * @typedef {import("./language.js").Language} Language
 * @typedef {{language: Language, analyses: import("./analyses.js").Analyses, threshold: number, announce: (text: string) => void}} Parts
 */

const PAUSE_MS = 5000; // between two words about the same images

/** @param {Parts} parts */
export function mountAnnouncements(parts) {
  const { language, analyses, announce } = parts;
  /** Images added since there was none to be analysed. @type {Set<Entry>} */
  let batch = new Set();
  let [known, done, saidAt] = [0, 0, 0];

  const say = (/** @type {string} */ text) => {
    saidAt = Date.now();
    announce(text);
  };
  analyses.addEventListener("change", () => {
    const left = analyses.entries.filter(isOpen);
    for (const entry of left) batch.add(entry);
    if (!batch.size) return;
    const listed = new Set(analyses.entries);
    const here = [...batch].filter((entry) => listed.has(entry)); // others were cancelled or deleted
    if (!left.length) {
      [batch, known, done] = [new Set(), 0, 0];
      return say(ending(here, parts));
    }
    const ended = here.length - left.length;
    if (batch.size > known) say(beginning(left.length, language));
    else if (ended > done && Date.now() - saidAt >= PAUSE_MS) say(language.text("said.share", { done: language.number(ended), count: language.number(here.length) }));
    else return;
    [known, done] = [batch.size, ended];
  });
}

/** @param {number} count of images to be analysed @param {Language} language */
function beginning(count, language) {
  if (count === 1) return language.text("progress.reading");
  return `${language.text("progress.reading")} ${language.text("progress.waiting", { count: language.number(count - 1) })}`;
}

/** @param {Entry[]} ended @param {Parts} parts */
function ending(ended, { language, threshold }) {
  if (!ended.length) return "";
  if (ended.length === 1) return answerOf(ended[0], threshold, language);
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { result } of ended) {
    const key = result ? `finding.${outcomeOf(result.prediction, threshold)}` : "jobs.outcome.refused";
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const parts = [...counts].map(([key, count]) => `${language.text(key)}: ${language.number(count)}`);
  return language.text("said.all", { count: language.number(ended.length), outcomes: parts.join(", ") });
}

/** @param {Entry} entry @param {number} threshold @param {Language} language */
function answerOf({ result, problem }, threshold, language) {
  if (!result) {
    const { title, advice } = wording(/** @type {import("./api.js").Problem} */ (problem), language);
    return `${title}. ${advice}`;
  }
  const { label, probabilities } = result.prediction;
  return language.text("said.result", {
    title: language.text(`outcome.${outcomeOf(result.prediction, threshold)}.title`),
    finding: language.text(`finding.${label}`),
    share: language.percent(probabilities[label]),
    where: brightness(result.heatmaps, label, language),
  });
}
