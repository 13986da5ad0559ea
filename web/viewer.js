// @ts-check
/**
 * Shows radiographs on a black stage in their full resolution and depth, with the activation map over them;
 * fires "change" on redraw, and "step" when the reader asks for the next entry or the one before.
 *
 * Drawn on a canvas by code of this page, with libraries for decoding alone (tools/viewer_bundle). Cornerstone3D
 * 5.14 was tried first: core, tools and loader are 1.25 MB after gzip, and 0.2 MB more with the two WebAssembly
 * codecs that radiographs need; they need 'wasm-unsafe-eval', compile functions from text, add style elements,
 * and start workers from plain strings, all of which the page's policy forbids.
 */

import { fittedScale, placement, uncovered, whole, zoomed } from "./camera.js";
import { element } from "./element.js";
import { Measuring } from "./measuring.js";
import { Pane } from "./pane.js";
import { paintFilms, shares } from "./stage.js";
import { handlePointers } from "./viewer_pointers.js";

/**
 * @typedef {import("./analyses.js").Entry} Entry
 * @typedef {import("./api.js").Finding} Finding
 * @typedef {import("./film.js").Window} Window
 * @typedef {import("./language.js").Language} Language
 * @typedef {"move" | "window" | "probe" | "length" | "angle"} Tool
 * @typedef {"beside" | "over"} Arrangement of two films
 */

/** @type {Window} */
const PLAIN = { preset: 0, brightness: 0, contrast: 1, inverted: false };
const START_OPACITY = 0.6;

export class Viewer extends EventTarget {
  /** @param {Language} language */
  constructor(language) {
    super();
    this.language = language;
    this.canvas = element("canvas", { tabIndex: 0, role: "img" });
    this.stage = element("div", { className: "stage" });
    /** @type {Pane | null} */
    this.pane = null;
    /** @type {Pane | null} the film that is compared */
    this.other = null;
    /** @type {Arrangement} */
    this.arrangement = "beside";
    this.blend = 0.5; // of the other film, if it lies over the first
    this.view = whole();
    /** @type {Window} */
    this.window = { ...PLAIN };
    this.opacity = START_OPACITY;
    this.isMapHidden = false;
    /** @type {Tool} */
    this.tool = "move";
    /** Whether wheel, touch and arrows belong to the film and not to the page. */
    this.isEntered = false;
    this.isFull = false;
    /** @type {Finding} */
    this.finding = "no_finding";
    /** @type {Finding | null} what the reader chose to see; null for what is predicted */
    this.chosen = null;
    this.measuring = new Measuring(this);
    this.isDrawing = false;
    handlePointers(this);
    this.render();
    language.addEventListener("change", () => this.render());
    new ResizeObserver(() => this.#draw()).observe(this.stage);
  }

  get entry() {
    return this.pane?.entry ?? null;
  }

  get film() {
    return this.pane?.film ?? null;
  }

  get map() {
    return this.pane?.map ?? null;
  }

  /** @returns {Pane[]} */
  get panes() {
    return [this.pane, this.other].filter((pane) => pane !== null);
  }

  /** Shows an entry in its current state; what the reader set stays, where it is not of one film. @param {Entry | null} entry */
  async show(entry) {
    if (!entry) Object.assign(this, { pane: null, other: null });
    else if (entry.id !== this.entry?.id) this.#open(entry);
    else if (this.pane) this.pane.entry = entry;
    if (entry?.result && !this.map) this.#choose();
    const loading = this.#load(this.pane);
    this.render();
    await loading;
  }

  /** @param {Entry} entry */
  #open(entry) {
    this.pane = new Pane(entry);
    if (this.other?.entry.id === entry.id) this.other = null;
    this.view = whole(); // a film of which only a part is seen is misread
    this.window = { ...this.window, brightness: 0, contrast: 1 };
    this.measuring.abandon();
  }

  /** @param {Pane | null} pane */
  async #load(pane) {
    if (!pane) return;
    const isNew = await pane.load();
    if (!this.panes.includes(pane)) return;
    if (isNew && pane === this.pane && !pane.film?.presets[this.window.preset]) this.window.preset = 0;
    this.render();
  }

  /** Shows another film with this one; both follow the same view and window. @param {Entry | null} entry */
  async compare(entry) {
    this.other = entry && entry.id !== this.entry?.id ? new Pane(entry) : null;
    this.other?.choose(this.finding);
    const loading = this.#load(this.other);
    this.render();
    await loading;
  }

  /** @param {Partial<{arrangement: Arrangement, blend: number, opacity: number, isMapHidden: boolean, tool: Tool, isEntered: boolean, isFull: boolean}>} changes */
  set(changes) {
    if (changes.tool && changes.tool !== this.tool) this.measuring.abandon();
    Object.assign(this, changes);
    this.changed();
  }

  /** @param {Partial<Window>} [changes] none: back to the film's own window */
  setWindow(changes = PLAIN) {
    this.window = { ...this.window, ...changes };
    this.changed();
  }

  /** @param {Finding} finding */
  choose(finding) {
    const isPredicted = finding === this.entry?.result?.prediction.label;
    this.chosen = isPredicted ? null : finding;
    this.#choose();
    this.set({ isMapHidden: false });
  }

  #choose() {
    const result = this.entry?.result;
    if (!result) return;
    this.finding = this.chosen && result.heatmaps[this.chosen] ? this.chosen : result.prediction.label;
    for (const pane of this.panes) pane.choose(this.finding);
  }

  /** @param {import("./camera.js").View} view */
  look(view = uncovered(this.view)) {
    this.view = view;
    this.changed();
  }

  /** Pixels of the screen for each pixel of the film. */
  get scale() {
    return this.pane && this.canvas.width ? this.view.zoom * fittedScale(this.view.turn, this.pane.size, this.areaOf(this.pane)) : 1;
  }

  /** Shows each pixel of the film as one of the screen, or as more where the whole film has more. */
  showPixels() {
    this.look(zoomed(this.view, 1 / this.scale));
  }

  /** Undoes all that the reader set for this film. */
  reset() {
    this.measuring.clear();
    this.view = whole();
    this.setWindow();
  }

  /** Where a pane is drawn. @param {Pane} pane */
  areaOf(pane) {
    const all = shares(this.panes.length, this.canvas, this.arrangement);
    return all[this.panes.indexOf(pane)];
  }

  /** From pixels of a pane's film to those of the canvas. @param {Pane} pane */
  placementOf(pane) {
    return placement(this.view, pane.size, this.areaOf(pane));
  }

  changed() {
    this.canvas.setAttribute("aria-label", this.#description());
    this.stage.toggleAttribute("data-entered", this.isEntered || this.isFull);
    this.stage.dataset.tool = this.tool;
    this.draw();
    this.dispatchEvent(new Event("change"));
  }

  /** Draws with the next frame, however often it is asked. */
  draw() {
    if (this.isDrawing) return;
    this.isDrawing = true;
    requestAnimationFrame(() => {
      this.isDrawing = false;
      this.#draw();
    });
  }

  /** Draws in device pixels. */
  #draw() {
    const { clientWidth, clientHeight } = this.stage;
    if (!clientWidth) return;
    const size = { width: Math.round(clientWidth * devicePixelRatio), height: Math.round(clientHeight * devicePixelRatio) };
    const isSame = this.canvas.width === size.width && this.canvas.height === size.height;
    if (!isSame) Object.assign(this.canvas, size);
    paintFilms(this, this.canvas.getContext("2d"));
    if (!isSame) this.dispatchEvent(new Event("change")); // the zoom in percent is another
  }

  /**
   * Exports the whole film as it was taken, through the window that is set, with or without the map over it.
   * @param {boolean} mapped
   * @param {number} [side] longest side; without it, the film's own resolution
   * @returns {Promise<Blob>}
   */
  export(mapped, side = Infinity) {
    const pane = /** @type {Pane} */ (this.pane);
    const scale = Math.min(1, side / Math.max(pane.size.width, pane.size.height));
    const canvas = new OffscreenCanvas(Math.round(pane.size.width * scale), Math.round(pane.size.height * scale));
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.fillRect(0, 0, canvas.width, canvas.height);
    const look = { window: this.window, opacity: mapped ? this.opacity : 0 };
    pane.paint(context, placement(whole(), pane.size, { x: 0, y: 0, width: canvas.width, height: canvas.height }), { x: 0, y: 0, width: canvas.width, height: canvas.height }, look);
    return canvas.convertToBlob({ type: "image/png" });
  }

  render() {
    const { language, pane } = this;
    const hint = pane ? (pane.film ? null : pane.isUndecodable ? "viewer.undecodable" : "viewer.loading") : "viewer.empty";
    this.stage.querySelector(".empty")?.remove();
    if (!this.canvas.isConnected) this.stage.prepend(this.canvas); // moved once more, it would lose the focus
    if (hint) this.stage.append(element("p", { className: "empty" }, language.text(hint)));
    this.changed();
  }

  #description() {
    const { language, entry } = this;
    if (!entry?.result) return language.text("viewer.picture");
    return language.text("viewer.described", { finding: language.text(`finding.${this.finding}`) });
  }
}
