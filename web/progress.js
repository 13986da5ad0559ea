// @ts-check
/** Progress of the current image, and the number of queued ones. */

import { element, keepingFocus } from "./element.js";

/**
 * @typedef {import("./analyses.js").Entry} Entry
 * @typedef {import("./analyses.js").Analyses} Analyses
 * @typedef {import("./language.js").Language} Language
 */

/** @param {HTMLElement} place @param {{language: Language, analyses: Analyses}} parts */
export function mountProgress(place, { language, analyses }) {
  const text = element("span");
  const bar = element("progress", { max: 1 });
  const cancel = element("button", { type: "button" });
  place.replaceChildren(text, bar, element("div", { className: "row" }, cancel));

  const render = () => {
    const active = analyses.entries.find(({ state }) => state === "sending" || state === "reading");
    place.hidden = !active;
    if (!active) return;
    text.textContent = describe(language, active, analyses.entries);
    bar.setAttribute("aria-label", text.textContent);
    if (active.state === "sending") bar.value = active.sent;
    else bar.removeAttribute("value"); // indeterminate: the service reports no progress
    cancel.textContent = language.text("progress.cancel");
    cancel.onclick = () => active.abort?.abort();
  };
  render();
  analyses.addEventListener("change", () => keepingFocus(place, render));
  language.addEventListener("change", render);
}

/**
 * @param {Language} language
 * @param {Entry} active
 * @param {Entry[]} entries
 */
function describe(language, active, entries) {
  const left = entries.filter(({ state }) => state === "waiting").length;
  const doing = active.state === "sending"
    ? language.text("progress.sending", { share: language.percent(active.sent) })
    : language.text("progress.reading");
  return left ? `${doing} ${language.text("progress.waiting", { count: left })}` : doing;
}
