// @ts-check
/** Keys of the viewer: they work while the focus is on the film or its controls, so that no other key of the page changes. */

import { FINDINGS } from "./api.js";
import { byKey, flipped, turned } from "./camera.js";
import { comparable } from "./compare_controls.js";

/**
 * @typedef {import("./controls.js").Parts} Parts
 * @typedef {import("./viewer.js").Viewer} Viewer
 * @typedef {{keys: string[], text: string, act: (parts: Parts, key: string) => void}} Shortcut text: the key of what it does, in words
 */

const OPACITY_STEP = 0.1;

/** @type {{tool: import("./viewer.js").Tool, key: string}[]} */
export const toolKeys = [
  { tool: "move", key: "m" },
  { tool: "window", key: "w" },
  { tool: "probe", key: "p" },
  { tool: "length", key: "l" },
  { tool: "angle", key: "a" },
];

/** @type {Shortcut[]} */
export const SHORTCUTS = [
  ...toolKeys.map(({ tool, key }) => ({ keys: [key], text: `viewer.tool.${tool}`, act: (/** @type {Parts} */ { viewer }) => viewer.set({ tool }) })),
  { keys: ["Backspace", "Delete"], text: "viewer.removeLast", act: ({ viewer }) => viewer.measuring.removeLast() },
  { keys: ["1", "…", "9"], text: "viewer.preset", act: ({ viewer }, key) => usePreset(viewer, Number(key) - 1) },
  { keys: ["i"], text: "viewer.invert", act: ({ viewer }) => viewer.setWindow({ inverted: !viewer.window.inverted }) },
  { keys: ["z"], text: "viewer.pixels", act: ({ viewer }) => viewer.showPixels() },
  { keys: ["h"], text: "viewer.flip", act: ({ viewer }) => viewer.look(flipped(viewer.view)) },
  { keys: ["r"], text: "viewer.turn", act: ({ viewer }) => viewer.look(turned(viewer.view)) },
  { keys: ["R"], text: "viewer.turnBack", act: ({ viewer }) => viewer.look(turned(viewer.view, false)) },
  { keys: ["x"], text: "viewer.resetAll", act: ({ viewer }) => viewer.reset() },
  { keys: ["e"], text: "viewer.nextMap", act: ({ viewer }) => chooseNext(viewer) },
  { keys: ["s"], text: "viewer.toggleMap", act: ({ viewer }) => viewer.set({ isMapHidden: !viewer.isMapHidden }) },
  { keys: [",", "."], text: "viewer.opacity", act: ({ viewer }, key) => changeOpacity(viewer, key === "." ? OPACITY_STEP : -OPACITY_STEP) },
  { keys: ["n", "b"], text: "viewer.step", act: ({ viewer }, key) => viewer.dispatchEvent(new CustomEvent("step", { detail: key === "n" ? 1 : -1 })) },
  { keys: ["c"], text: "viewer.compareNext", act: (parts) => compareNext(parts) },
  { keys: ["o"], text: "viewer.over", act: ({ viewer }) => viewer.set({ arrangement: viewer.arrangement === "over" ? "beside" : "over" }) },
  { keys: ["f"], text: "viewer.full", act: ({ openRoom }) => openRoom() },
  { keys: ["?"], text: "viewer.keys", act: ({ viewer }) => viewer.dispatchEvent(new Event("help")) },
];

/** Keys of the film itself, for the list. @type {{keys: string[], text: string}[]} */
export const FILM_KEYS = [
  { keys: ["Enter"], text: "viewer.enter" },
  { keys: ["Esc"], text: "viewer.leave" },
  { keys: ["+", "−"], text: "viewer.zoom" },
  { keys: ["0"], text: "viewer.whole" },
  { keys: ["←", "↑", "→", "↓"], text: "viewer.arrows" },
];

/** @param {HTMLElement} controls @param {Parts} parts */
export function mountShortcuts(controls, parts) {
  const { viewer } = parts;
  viewer.canvas.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (isOther(event) || !viewer.entry) return;
    if (onFilm(event, viewer) || act(event, parts)) event.preventDefault();
  });
  controls.addEventListener("keydown", (event) => {
    const isTyping = event.target instanceof HTMLSelectElement;
    if (!isOther(event) && !isTyping && act(event, parts)) event.preventDefault();
  });
  viewer.addEventListener("help", async () => (await import("./shortcuts_dialog.js")).showShortcuts(parts.language));
}

/** @param {KeyboardEvent} event */
const isOther = ({ ctrlKey, metaKey, altKey }) => ctrlKey || metaKey || altKey;

/** @param {KeyboardEvent} event @param {Viewer} viewer @returns {boolean} whether the key was meant */
function onFilm(event, viewer) {
  if (event.key === "Escape") {
    if (viewer.measuring.abandon()) viewer.changed();
    else if (viewer.isEntered && !viewer.isFull) viewer.set({ isEntered: false });
    else return false;
    return true;
  }
  if (viewer.measuring.isUsed && viewer.measuring.key(event)) return true;
  if (event.key === "Enter") {
    viewer.set({ isEntered: true });
    return true;
  }
  const view = byKey(event.key, viewer.view);
  if (view) viewer.look(view);
  return Boolean(view);
}

/** @param {KeyboardEvent} event @param {Parts} parts @returns {boolean} whether the key was meant */
function act({ key }, parts) {
  const found = SHORTCUTS.find(({ keys }) => keys.includes(key) || (keys.includes("…") && /^[1-9]$/.test(key)));
  found?.act(parts, key);
  return Boolean(found);
}

/** @param {Viewer} viewer @param {number} preset */
function usePreset(viewer, preset) {
  if (viewer.film?.presets[preset]) viewer.setWindow({ preset, brightness: 0, contrast: 1 });
}

/** @param {Viewer} viewer */
function chooseNext(viewer) {
  const there = FINDINGS.filter((finding) => viewer.entry?.result?.heatmaps[finding]);
  if (there.length) viewer.choose(there[(there.indexOf(viewer.finding) + 1) % there.length]);
}

/** @param {Viewer} viewer @param {number} by */
function changeOpacity(viewer, by) {
  const opacity = Math.round(20 * Math.min(1, Math.max(0, viewer.opacity + by))) / 20;
  viewer.set({ opacity, isMapHidden: false });
}

/** The next film of this visit beside the first; after the last one, none. @param {Parts} parts */
function compareNext({ viewer, analyses }) {
  const others = comparable(analyses.entries, viewer.entry);
  const next = others.findIndex(({ id }) => id === viewer.other?.entry.id) + 1;
  viewer.compare(others[next] ?? null);
}
