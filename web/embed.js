// @ts-check
/**
 * Tells the page around the frame how high this one is, and what an image was answered. Only the origins
 * that the service names hear it, so that no other site learns a result.
 */

import { outcomeOf } from "./result.js";

const SOURCE = "chestxray";

/** @param {string[]} origins @param {{analyses: import("./analyses.js").Analyses, threshold: number}} parts */
export function mountEmbed(origins, { analyses, threshold }) {
  const { ancestorOrigins } = location;
  // Where the browser says who is around us, the others are left out, of which it would complain.
  const listeners = origins.filter((origin) => !ancestorOrigins || ancestorOrigins[0] === origin);
  const tell = (/** @type {Record<string, any>} */ message) => {
    for (const origin of listeners) parent.postMessage({ source: SOURCE, ...message }, origin);
  };
  new ResizeObserver(() => tell({ type: "height", height: Math.ceil(document.body.getBoundingClientRect().height) })).observe(document.body);

  /** @type {Set<string>} */
  const told = new Set();
  analyses.addEventListener("change", () => {
    for (const { id, result } of analyses.entries) {
      if (!result || told.has(id)) continue;
      told.add(id);
      const { label, probabilities } = result.prediction;
      tell({ type: "result", label, probabilities, outcome: outcomeOf(result.prediction, threshold), disclaimer: result.disclaimer });
    }
  });
}
