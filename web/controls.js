// @ts-check
/** Viewer controls: map, window, view, tools, comparison; all are keyboard-accessible. */

import { FINDINGS } from "./api.js";
import { button, slider } from "./buttons.js";
import { flipped, turned, zoomed } from "./camera.js";
import { compareControls } from "./compare_controls.js";
import { element, keepingFocus } from "./element.js";
import { rangeOf } from "./film.js";
import { colour } from "./raster.js";
import { mountShortcuts, toolKeys } from "./shortcuts.js";

/**
 * @typedef {import("./language.js").Language} Language
 * @typedef {import("./viewer.js").Viewer} Viewer
 * @typedef {import("./analyses.js").Analyses} Analyses
 * @typedef {{made: HTMLElement, sync: () => void}} Part
 * @typedef {{language: Language, viewer: Viewer, analyses: Analyses, openRoom: () => void}} Parts
 */

const ZOOM_STEP = 1.5;
const LEGEND_WIDTH = 256;

/** @param {HTMLElement} place @param {Parts} parts */
export function mountControls(place, parts) {
  const { language, viewer } = parts;
  let sync = () => {};
  const build = () => {
    const made = [roomControls, mapControls, toolControls, viewControls, windowControls, compareControls].map((make) => make(parts));
    keepingFocus(place, () => place.replaceChildren(...made.map((part) => part.made)));
    sync = () => {
      place.hidden = !viewer.entry;
      for (const part of made) part.sync();
    };
    sync();
  };
  viewer.addEventListener("change", () => sync());
  language.addEventListener("change", build);
  build();
  mountShortcuts(place, parts);
}

/** @param {Parts} parts @returns {Part} */
function mapControls({ language, viewer }) {
  const choices = FINDINGS.map((finding) => button(language.text(`finding.${finding}`), () => viewer.choose(finding)));
  const opacity = slider(language.text("viewer.opacity"), { min: 0, max: 1, step: 0.05 }, (value) => viewer.set({ opacity: value, isMapHidden: false }));
  const made = element("div", { className: "controls" },
    element("fieldset", {}, element("legend", {}, language.text("viewer.evidence")), element("div", { className: "row" }, ...choices)),
    element("div", { className: "sliders" }, opacity.label, scale(language)));
  const sync = () => {
    made.hidden = !viewer.map;
    const shown = viewer.isMapHidden ? 0 : viewer.opacity;
    opacity.tell(shown, language.text("viewer.opacityIs", { share: language.percent(shown) }));
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

/** What a drag does. @param {Parts} parts @returns {Part} */
function toolControls({ language, viewer }) {
  const tools = toolKeys.map(({ tool, key }) => ({ tool, made: button(language.text(`viewer.tool.${tool}`), () => viewer.set({ tool }), { title: key.toUpperCase() }) }));
  const remove = button(language.text("viewer.removeLast"), () => viewer.measuring.removeLast());
  const made = element("div", { className: "row", role: "group", ariaLabel: language.text("viewer.tools") }, ...tools.map((each) => each.made), remove);
  const sync = () => {
    made.hidden = !viewer.film;
    for (const { tool, made: choice } of tools) choice.setAttribute("aria-pressed", String(tool === viewer.tool));
    remove.hidden = viewer.measuring.isEmpty;
  };
  return { made, sync };
}

/** @param {Parts} parts @returns {Part} */
function windowControls({ language, viewer }) {
  const brightness = slider(language.text("viewer.brightness"), { min: -1, max: 1, step: 0.01 }, (value) => viewer.setWindow({ brightness: value }));
  const contrast = slider(language.text("viewer.contrast"), { min: -2, max: 2, step: 0.05 }, (value) => viewer.setWindow({ contrast: 2 ** value }));
  const preset = element("select", { ariaLabel: language.text("viewer.preset"), on: { change: () => viewer.setWindow({ preset: Number(preset.value), brightness: 0, contrast: 1 }) } });
  const invert = button(language.text("viewer.invert"), () => viewer.setWindow({ inverted: !viewer.window.inverted }), { title: "I" });
  const reset = button(language.text("viewer.reset"), () => viewer.setWindow());
  const level = element("span", { className: "muted window" });
  const made = element("div", { className: "controls" },
    element("div", { className: "sliders pair" }, brightness.label, contrast.label),
    element("div", { className: "row" }, preset, invert, reset, level));
  let listed = "";
  const sync = () => {
    const { film, window } = viewer;
    made.hidden = !film;
    if (!film) return;
    const names = film.presets.map(({ name }, i) => `${i + 1} ${language.text(`viewer.preset.${name}`)}`);
    if (names.join() !== listed) preset.replaceChildren(...names.map((name, i) => element("option", { value: String(i) }, name)));
    listed = names.join();
    preset.value = String(window.preset);
    const { low, high } = rangeOf(film, window);
    const [centre, width] = [(low + high) / 2, high - low].map((value) => language.number(value, film.digits));
    level.textContent = language.text("viewer.window", { centre, width });
    brightness.tell(window.brightness, language.text("viewer.brightnessIs", { centre }));
    contrast.tell(Math.log2(window.contrast), language.text("viewer.contrastIs", { width }));
    invert.setAttribute("aria-pressed", String(window.inverted));
  };
  return { made, sync };
}

/** @param {Parts} parts @returns {Part} */
function viewControls({ language, viewer }) {
  const named = (/** @type {string} */ key, /** @type {string} */ sign, /** @type {() => void} */ click) => button(sign, click, { label: language.text(key) });
  const buttons = [
    named("viewer.out", "−", () => viewer.look(zoomed(viewer.view, 1 / ZOOM_STEP))),
    named("viewer.in", "+", () => viewer.look(zoomed(viewer.view, ZOOM_STEP))),
    button(language.text("viewer.whole"), () => viewer.look(), { title: "0" }),
    button(language.text("viewer.pixels"), () => viewer.showPixels(), { title: "Z" }),
    button(language.text("viewer.flip"), () => viewer.look(flipped(viewer.view)), { title: "H" }),
    button(language.text("viewer.turn"), () => viewer.look(turned(viewer.view)), { title: "R" }),
  ];
  const zoom = element("span", { className: "muted zoom" });
  const made = element("div", { className: "row" }, ...buttons, zoom);
  const sync = () => {
    made.hidden = !viewer.film;
    zoom.textContent = language.percent(viewer.scale);
    zoom.title = language.text("viewer.zoomOf");
    buttons[4].setAttribute("aria-pressed", String(viewer.view.mirrored));
  };
  return { made, sync };
}

/** @param {Parts} parts @returns {Part} */
function roomControls({ language, viewer, openRoom }) {
  const full = button(language.text("viewer.full"), openRoom, { title: "F" });
  const keys = button(language.text("viewer.keys"), () => viewer.dispatchEvent(new Event("help")), { title: "?" });
  const made = element("div", { className: "row" }, full, keys);
  const sync = () => {
    full.textContent = language.text(viewer.isFull ? "viewer.leaveFull" : "viewer.full");
  };
  return { made, sync };
}
