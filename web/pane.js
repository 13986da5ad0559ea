// @ts-check
/** One film of the viewer: what is decoded of an entry, its map, and how both are drawn. */

import { greyTable } from "./film.js";
import { readFilm } from "./film_reading.js";
import { colouredMap, developed } from "./raster.js";

/**
 * @typedef {import("./analyses.js").Entry} Entry
 * @typedef {import("./film.js").Film} Film
 * @typedef {import("./film.js").Window} Window
 * @typedef {{x: number, y: number, width: number, height: number}} Area
 * @typedef {{window: Window, opacity: number}} Look opacity of the map
 */

const WHOLE_PICTURE = [0, 0, 1, 1]; // left, top, right, bottom as fractions
const BLACK = { width: 512, height: 512 }; // where there is no film, the map is drawn on this

export class Pane {
  /** @param {Entry} entry */
  constructor(entry) {
    this.entry = entry;
    /** @type {Film | null} */
    this.film = null;
    /** @type {OffscreenCanvas | null} */
    this.map = null;
    this.isReading = false;
    /** @type {Blob[]} */
    this.tried = [];
    /** @type {{key: string, canvas: OffscreenCanvas} | null} the part that was drawn last */
    this.drawn = null;
    /** @type {{key: string, table: Uint32Array} | null} */
    this.greys = null;
  }

  get size() {
    return this.film ?? BLACK;
  }

  /** Whether all that could be shown was tried. */
  get isUndecodable() {
    return !this.film && !this.isReading;
  }

  /** Decodes the original file, or else what is left of it; each once. @returns {Promise<boolean>} whether there is a new film */
  async load() {
    if (this.film || this.isReading) return false;
    this.isReading = true;
    for (const name of /** @type {const} */ (["original", "shown"])) {
      const file = this.entry[name];
      if (!file || this.tried.includes(file)) continue;
      this.tried.push(file);
      this.film = await readFilm(file);
      if (this.film) break;
    }
    this.isReading = false;
    return this.film !== null;
  }

  /** @param {import("./api.js").Finding} finding whose map is shown */
  choose(finding) {
    const maps = this.entry.result?.heatmaps;
    this.map = maps?.[finding] ? colouredMap(maps, finding) : null;
  }

  /** The part of the picture that the map covers, in pixels of the film. @returns {[number, number, number, number]} left, top, width, height */
  get filmed() {
    const [left, top, right, bottom] = this.entry.film ?? this.entry.result?.input?.film ?? WHOLE_PICTURE;
    const { width, height } = this.size;
    return [left * width, top * height, (right - left) * width, (bottom - top) * height];
  }

  /**
   * Draws the film and its map.
   * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context
   * @param {DOMMatrix} placement from pixels of the film to those of the context
   * @param {Area} area of the context that is drawn to
   * @param {Look} look
   */
  paint(context, placement, area, { window, opacity }) {
    context.save();
    context.beginPath();
    context.rect(area.x, area.y, area.width, area.height);
    context.clip();
    context.setTransform(placement);
    context.beginPath();
    context.rect(0, 0, this.size.width, this.size.height);
    context.clip();
    context.imageSmoothingQuality = "high";
    const before = context.globalAlpha;
    if (this.film) this.#paintFilm(context, this.film, placement, area, window);
    context.globalAlpha = before * opacity;
    if (this.map && opacity) context.drawImage(this.map, ...this.filmed);
    context.restore();
  }

  /** Draws only what is seen, out of a copy of about the size at which it is seen. */
  #paintFilm(/** @type {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} */ context, /** @type {Film} */ film, /** @type {DOMMatrix} */ placement, /** @type {Area} */ area, /** @type {Window} */ window) {
    const scale = Math.hypot(placement.a, placement.b);
    const depth = Math.min(film.levels.length - 1, Math.max(0, Math.floor(Math.log2(1 / scale))));
    const part = seen(film.levels[depth], 2 ** depth, placement, area);
    if (!part.width || !part.height) return;
    const key = JSON.stringify([depth, part, window]);
    if (this.drawn?.key !== key) this.drawn = { key, canvas: developed(film.levels[depth], this.#table(film, window), part) };
    const [x, y, width, height] = [part.x, part.y, part.width, part.height].map((side) => side * 2 ** depth);
    context.drawImage(this.drawn.canvas, x, y, width, height);
  }

  #table(/** @type {Film} */ film, /** @type {Window} */ window) {
    const key = JSON.stringify(window);
    if (this.greys?.key !== key) this.greys = { key, table: greyTable(film, window) };
    return this.greys.table;
  }
}

/**
 * The part of a copy of the film that is in an area, with a margin for smoothing.
 * @param {import("./film.js").Level} level @param {number} factor pixels of the film in one of the copy
 * @param {DOMMatrix} placement @param {Area} area
 */
function seen(level, factor, placement, area) {
  const back = placement.inverse();
  const corners = [[0, 0], [area.width, 0], [0, area.height], [area.width, area.height]].map(([x, y]) => back.transformPoint({ x: area.x + x, y: area.y + y }));
  const ends = (/** @type {number[]} */ places, /** @type {number} */ length) => {
    const first = Math.max(0, Math.floor(Math.min(...places) / factor) - 2);
    return [first, Math.max(0, Math.min(length, Math.ceil(Math.max(...places) / factor) + 2) - first)];
  };
  const [x, width] = ends(corners.map((corner) => corner.x), level.width);
  const [y, height] = ends(corners.map((corner) => corner.y), level.height);
  return { x, y, width, height };
}
