// @ts-check
/** Assembles the page; the only module that imports all parts. */

import { Analyses } from "./analyses.js";
import * as api from "./api.js";
import { mountControls } from "./controls.js";
import { element } from "./element.js";
import { mountHistory } from "./history.js";
import { mountIntake } from "./intake.js";
import { Language } from "./language.js";
import { mountPerformance } from "./performance.js";
import { mountProgress } from "./progress.js";
import { mountResult } from "./result.js";
import { mountSnippets } from "./snippets.js";
import { Store } from "./store.js";
import { mountSwitches } from "./switches.js";
import { Viewer } from "./viewer.js";

/** @param {string} id */
const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

async function main() {
  const limits = api.limits();
  const [language, models, examples, store] = await Promise.all([Language.open(), api.models(), api.examples(), Store.open()]);
  const analyses = new Analyses(store, limits);
  const viewer = new Viewer(language);
  const threshold = models[1].thresholds.indeterminate ?? 0;
  const pointing = models[1].metrics.map?.predicted?.pointing_game;

  mountSwitches(at("preferences"), { language });
  mountIntake(at("intake"), { language, analyses, examples, accepted: [...(await limits).media_types, ".dcm"].join() });
  const [progress, controls] = [element("div", { className: "progress" }), element("div")];
  at("viewer").replaceChildren(element("div", { className: "frame" }, viewer.stage, progress), controls);
  mountProgress(progress, { language, analyses });
  mountControls(controls, { language, viewer });
  mountResult(at("result"), { language, analyses, viewer, threshold, pointing, announce });
  mountHistory(at("history"), { language, analyses, threshold });
  mountPerformance(at("performance"), { language, models });
  mountSnippets(at("snippets"), { language });
  openProjectorLate(language, analyses);
  at("versions").textContent = models.map(({ name, version }) => `${name} ${version}`).join(" · ");

  language.addEventListener("change", () => announce("")); // the last announcement was in the old language
  analyses.addEventListener("change", () => show(viewer, analyses));
  await analyses.restore();
  document.documentElement.dataset.ready = "";
}

/** @param {Viewer} viewer @param {Analyses} analyses */
function show(viewer, analyses) {
  at("bench").toggleAttribute("data-empty", !analyses.current);
  viewer.show(analyses.current);
}

/** @param {string} text */
function announce(text) {
  at("announcer").textContent = text;
}

/** Loads the projector's code and points when it is opened, and disposes of them when it is closed. */
function openProjectorLate(/** @type {Language} */ language, /** @type {Analyses} */ analyses) {
  const details = /** @type {HTMLDetailsElement} */ (at("projector"));
  let dispose = () => {};
  details.addEventListener("toggle", async () => {
    dispose();
    dispose = () => {};
    if (!details.open) return;
    const { mountProjector } = await import("./projector.js");
    dispose = await mountProjector(at("projector-body"), { language, analyses });
  });
}

addEventListener("unhandledrejection", () => { at("unreachable").hidden = false; });
main();
