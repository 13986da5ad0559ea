// @ts-check
/** Viewer controls: map, brightness and contrast, zoom; all are keyboard-accessible. */

import { FINDINGS } from "./api.js";
import { zoomed } from "./camera.js";
import { element } from "./element.js";
import { colour } from "./raster.js";

/**
 * @typedef {import("./language.js").Language} Language
 * @typedef {import("./viewer.js").Viewer} Viewer
 */

const ZOOM_STEP = 1.5;
const LEGEND_WIDTH = 256;

/** @param {HTMLElement} place @param {{language: Language, viewer: Viewer}} parts */
export function mountControls(place, { language, viewer }) {
  let sync = () => {};
  const build = () => {
    const parts = [mapControls(language, viewer), windowControls(language, viewer), viewControls(language, viewer)];
    place.replaceChildren(...parts.map(({ made }) => made));
    sync = () => {
      place.hidden = !viewer.entry;
      for (const part of parts) part.sync();
    };
    sync();
  };
  viewer.addEventListener("change", () => sync());
  language.addEventListener("change", build);
  build();
}

/** @param {Language} language @param {Viewer} viewer */
function mapControls(language, viewer) {
  const choices = FINDINGS.map((finding) => {
    const click = () => viewer.choose(finding);
    return element("button", { type: "button", on: { click } }, language.text(`finding.${finding}`));
  });
  const opacity = slider(language.text("viewer.opacity"), { min: 0, max: 1, step: 0.05 }, (value) => viewer.setOpacity(value));
  const made = element("div", { className: "controls" },
    element("fieldset", {}, element("legend", {}, language.text("viewer.evidence")), element("div", { className: "row" }, ...choices)),
    element("div", { className: "sliders" }, opacity.label, scale(language)));
  const sync = () => {
    made.hidden = !viewer.map;
    opacity.input.value = String(viewer.opacity);
    choices.forEach((choice, i) => {
      choice.hidden = !viewer.entry?.result?.heatmaps[FINDINGS[i]];
      choice.setAttribute("aria-pressed", String(FINDINGS[i] === viewer.finding));
    });
  };
  return { made, sync };
}

/** The legend of the map. @param {Language} language */
export function scale(language) {
  const bar = element("canvas", { width: LEGEND_WIDTH, height: 1, "aria-hidden": "true" });
  const context = bar.getContext("2d");
  for (let x = 0; x < LEGEND_WIDTH; x++) {
    context.fillStyle = `rgb(${colour(x / (LEGEND_WIDTH - 1)).map(Math.round)})`;
    context.fillRect(x, 0, 1, 1);
  }
  const ends = ["viewer.none", "viewer.strongest"].map((key) => element("span", {}, language.text(key)));
  return element("div", { className: "legend" }, bar, element("div", { className: "row" }, ...ends));
}

/** @param {Language} language @param {Viewer} viewer */
function windowControls(language, viewer) {
  const set = (/** @type {Partial<import("./raster.js").Window>} */ changes) => viewer.setWindow({ ...viewer.window, ...changes });
  const brightness = slider(language.text("viewer.brightness"), { min: -1, max: 1, step: 0.01 }, (value) => set({ brightness: value }));
  const contrast = slider(language.text("viewer.contrast"), { min: -2, max: 2, step: 0.05 }, (value) => set({ contrast: 2 ** value }));
  const invert = button(language.text("viewer.invert"), () => set({ inverted: !viewer.window.inverted }));
  const drag = button(language.text("viewer.drag"), () => viewer.setDrag(!viewer.dragsWindow));
  const reset = button(language.text("viewer.reset"), () => viewer.setWindow());
  const made = element("div", { className: "controls" },
    element("div", { className: "sliders" }, brightness.label, contrast.label),
    element("div", { className: "row" }, invert, drag, reset));
  const sync = () => {
    made.hidden = !viewer.film;
    brightness.input.value = String(viewer.window.brightness);
    contrast.input.value = String(Math.log2(viewer.window.contrast));
    invert.setAttribute("aria-pressed", String(viewer.window.inverted));
    drag.setAttribute("aria-pressed", String(viewer.dragsWindow));
  };
  return { made, sync };
}

/** @param {Language} language @param {Viewer} viewer */
function viewControls(language, viewer) {
  const out = button("−", () => viewer.look(zoomed(viewer.view, 1 / ZOOM_STEP)), language.text("viewer.out"));
  const nearer = button("+", () => viewer.look(zoomed(viewer.view, ZOOM_STEP)), language.text("viewer.in"));
  const all = button(language.text("viewer.whole"), () => viewer.look());
  const zoom = element("span", { className: "muted" });
  const made = element("div", { className: "row" }, out, nearer, all, zoom);
  const sync = () => {
    zoom.textContent = language.percent(viewer.view.zoom);
    made.hidden = !viewer.film;
  };
  return { made, sync };
}

/** @param {string} text @param {() => void} click @param {string} [label] accessible name, if the text is only a symbol */
function button(text, click, label) {
  return element("button", { type: "button", on: { click }, ...(label ? { ariaLabel: label, title: label } : {}) }, text);
}

/** @param {string} text @param {{min: number, max: number, step: number}} range @param {(value: number) => void} onInput */
function slider(text, range, onInput) {
  const input = element("input", { type: "range", ...range, on: { input: () => onInput(Number(input.value)) } });
  return { input, label: element("label", {}, text, input) };
}
