// @ts-check
/** Shows the radiograph on a black stage with the activation map over it; fires "change" on redraw. */

import { byKey, followPointers, moved, whole, zoomed } from "./camera.js";
import { element } from "./element.js";
import { decode } from "./pictures.js";
import { colouredMap, developed, greyLevels } from "./raster.js";

/**
 * @typedef {import("./analyses.js").Entry} Entry
 * @typedef {import("./language.js").Language} Language
 */

const PLAIN = { brightness: 0, contrast: 1, inverted: false };
const START_OPACITY = 0.6;
const WHOLE_PICTURE = [0, 0, 1, 1]; // left, top, right, bottom as fractions

export class Viewer extends EventTarget {
  /** @param {Language} language */
  constructor(language) {
    super();
    this.language = language;
    this.canvas = element("canvas", { tabIndex: 0, role: "img" });
    this.stage = element("div", { className: "stage" });
    /** @type {Entry | null} */
    this.entry = null;
    /** @type {ReturnType<typeof greyLevels> | null} */
    this.film = null;
    /** @type {Blob | null} what the film is, or is being, decoded from */
    this.loaded = null;
    /** @type {OffscreenCanvas | null} */
    this.picture = null;
    /** @type {OffscreenCanvas | null} */
    this.map = null;
    this.view = whole();
    this.window = { ...PLAIN };
    this.opacity = START_OPACITY;
    this.dragsWindow = false;
    /** @type {import("./api.js").Finding} */
    this.finding = "no_finding";
    this.#listen();
    this.render();
    language.addEventListener("change", () => this.render());
    new ResizeObserver(() => this.draw()).observe(this.stage);
  }

  /** Shows an entry in its current state. @param {Entry | null} entry */
  async show(entry) {
    const other = entry?.id !== this.entry?.id;
    const read = entry?.result && (other || !this.map);
    this.entry = entry;
    if (other) Object.assign(this, { view: whole(), window: { ...PLAIN }, film: null, loaded: null, picture: null, map: null });
    if (read && entry.result) this.choose(entry.result.prediction.label);
    if (!this.film && entry?.shown && entry.shown !== this.loaded) await this.#load(entry, entry.shown);
    this.render();
  }

  /** Decodes a picture once, however often it is shown meanwhile. @param {Entry} entry @param {Blob} shown */
  async #load(entry, shown) {
    this.loaded = shown;
    const picture = await decode(shown);
    if (!picture || this.entry !== entry) return;
    this.film = greyLevels(picture);
    this.develop();
  }

  develop() {
    this.picture = this.film && developed(this.film, this.window);
    this.#changed();
  }

  /** @param {import("./raster.js").Window} [window] */
  setWindow(window = { ...PLAIN }) {
    this.window = window;
    this.develop();
  }

  /** @param {number} opacity of the map, 0 to 1 */
  setOpacity(opacity) {
    this.opacity = opacity;
    this.#changed();
  }

  /** @param {boolean} window whether dragging adjusts brightness and contrast */
  setDrag(window) {
    this.dragsWindow = window;
    this.stage.dataset.drag = window ? "window" : "move";
    this.#changed();
  }

  /** @param {import("./api.js").Finding} finding */
  choose(finding) {
    this.finding = finding;
    const maps = this.entry?.result?.heatmaps;
    this.map = maps?.[finding] ? colouredMap(maps, finding) : null;
    this.#changed();
  }

  /** @param {import("./camera.js").View} view */
  look(view = whole()) {
    this.view = view;
    this.#changed();
  }

  #changed() {
    this.canvas.ariaLabel = this.#description();
    this.draw();
    this.dispatchEvent(new Event("change"));
  }

  #listen() {
    const onDrag = (/** @type {number} */ dx, /** @type {number} */ dy, /** @type {boolean} */ second) => {
      if (second || this.dragsWindow) this.#dragWindow(dx, dy);
      else this.look(moved(this.view, dx, dy));
    };
    followPointers(this.canvas, { onDrag, onPinch: (factor, at) => this.look(zoomed(this.view, factor, at)) });
    this.canvas.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const view = event.ctrlKey || event.metaKey ? undefined : byKey(event.key, this.view);
      if (!view) return;
      event.preventDefault();
      this.look(view);
    });
  }

  /** Horizontal drags change the contrast, vertical ones the brightness; up is brighter. */
  #dragWindow(/** @type {number} */ dx, /** @type {number} */ dy) {
    const contrast = Math.min(4, Math.max(0.25, this.window.contrast * Math.exp(2 * dx)));
    const brightness = Math.min(1, Math.max(-1, this.window.brightness - dy));
    this.setWindow({ ...this.window, contrast, brightness });
  }

  /** Draws image and map with the current view, in device pixels. */
  draw() {
    const { clientWidth, clientHeight } = this.stage;
    if (!clientWidth) return;
    Object.assign(this.canvas, { width: clientWidth * devicePixelRatio, height: clientHeight * devicePixelRatio });
    const context = this.canvas.getContext("2d");
    const size = fitted(this.film ?? { width: 1, height: 1 }, this.canvas);
    const { zoom, x, y } = this.view;
    context.translate(x * this.canvas.width, y * this.canvas.height);
    context.scale(zoom, zoom);
    this.#paint(context, { x: -size.width / 2, y: -size.height / 2, ...size });
  }

  /** Exports the whole image, with or without the map over it, at the image's resolution. @param {boolean} mapped @returns {Promise<Blob>} */
  export(mapped) {
    const { width, height } = this.film ?? { width: 512, height: 512 };
    const canvas = new OffscreenCanvas(width, height);
    this.#paint(/** @type {any} */ (canvas.getContext("2d")), { x: 0, y: 0, width, height }, mapped);
    return canvas.convertToBlob({ type: "image/png" });
  }

  #paint(/** @type {CanvasRenderingContext2D} */ context, /** @type {{x: number, y: number, width: number, height: number}} */ { x, y, width, height }, mapped = true) {
    context.imageSmoothingQuality = "high";
    if (this.picture) context.drawImage(this.picture, x, y, width, height);
    const [left, top, right, bottom] = this.entry?.film ?? this.entry?.result?.input?.film ?? WHOLE_PICTURE;
    const film = [x + left * width, y + top * height, (right - left) * width, (bottom - top) * height];
    context.globalAlpha = this.opacity;
    if (this.map && mapped) context.drawImage(this.map, ...film);
    context.globalAlpha = 1;
  }

  render() {
    const { language, entry } = this;
    const hint = entry ? (this.film ? null : "viewer.undecodable") : "viewer.empty";
    this.stage.replaceChildren(
      this.canvas,
      ...(hint ? [element("p", { className: "empty" }, language.text(hint))] : []),
    );
    this.#changed();
  }

  #description() {
    const { language, entry } = this;
    if (!entry?.result) return language.text("viewer.picture");
    return language.text("viewer.described", { finding: language.text(`finding.${this.finding}`) });
  }
}

/** The largest size at which an image fits into a stage. */
function fitted(/** @type {{width: number, height: number}} */ picture, /** @type {{width: number, height: number}} */ stage) {
  const scale = Math.min(stage.width / picture.width, stage.height / picture.height);
  return { width: picture.width * scale, height: picture.height * scale };
}
