// @ts-check
/** Values, lengths and angles in a film, by pointer or by a cross that keys move. */

import { valueAt } from "./film.js";
import { located } from "./stage.js";

/**
 * @typedef {import("./camera.js").Point} Point
 * @typedef {import("./pane.js").Pane} Pane
 * @typedef {import("./viewer.js").Viewer} Viewer
 * @typedef {"length" | "angle"} Kind
 * @typedef {{kind: Kind, points: Point[]}} Mark in pixels of the film
 */

/** Points of a mark. @type {Record<Kind, number>} */
const POINTS = { length: 2, angle: 3 };
const STEP = 10; // pixels of the screen that a key moves the cross; with shift, one
const COLOUR = "#ffd84d";

export class Measuring {
  /** @type {Map<string, Mark[]>} by entry, as long as the page is open */
  marks = new Map();
  /** @type {{pane: Pane, mark: Mark} | null} a mark that lacks points; its last one follows the pointer */
  begun = null;
  /** @type {Point | null} the cross that keys move, as fractions of the stage */
  cross = null;
  /** What was measured or probed last. */
  told = "";

  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
  }

  get isUsed() {
    return this.#kind !== null || this.viewer.tool === "probe";
  }

  /** @returns {Kind | null} */
  get #kind() {
    const { tool } = this.viewer;
    return tool === "length" || tool === "angle" ? tool : null;
  }

  /** @param {Point} at as a fraction of the stage */
  press(at) {
    const kind = this.#kind;
    const place = located(this.viewer, at);
    if (!kind || !place?.pane.film) return;
    const { pane, point } = place;
    if (kind === "length" && !pane.film?.spacing) return this.#tell(this.viewer.language.text("viewer.noSpacing"));
    const last = { x: point.x, y: point.y };
    if (this.begun?.pane !== pane) this.begun = { pane, mark: { kind, points: [last, { ...last }] } };
    else this.#place(last);
    this.viewer.draw();
  }

  /** The point where a drag ends is the next one. @param {Point} at @param {boolean} isClick */
  release(at, isClick) {
    const place = located(this.viewer, at);
    if (isClick || !this.begun || place?.pane !== this.begun.pane) return;
    this.#place(place.point);
  }

  /** @param {Point} at */
  hover(at) {
    const place = located(this.viewer, at);
    const value = place?.pane.film && valueAt(place.pane.film, place.point);
    if (this.begun && place?.pane === this.begun.pane) this.begun.mark.points.splice(-1, 1, { x: place.point.x, y: place.point.y });
    if (this.begun) this.viewer.draw();
    else if (this.viewer.tool === "probe") this.#tell(value === undefined || !place?.pane.film ? "" : this.#probed(place.pane.film, place.point, Number(value)));
  }

  /** Fixes the point that follows the pointer, and begins the next. @param {Point} point */
  #place({ x, y }) {
    const { pane, mark } = /** @type {{pane: Pane, mark: Mark}} */ (this.begun);
    mark.points.splice(-1, 1, { x, y });
    if (mark.points.length < POINTS[mark.kind]) return void mark.points.push({ x, y });
    this.begun = null;
    this.marks.set(pane.entry.id, [...this.#of(pane), mark]);
    this.#tell(this.#measured(pane, mark));
    this.viewer.changed();
  }

  /** Moves the cross, or sets a point at it. @param {KeyboardEvent} event @returns {boolean} whether the key was meant */
  key({ key, shiftKey }) {
    const { clientWidth, clientHeight } = this.viewer.stage;
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key] ?? [0, 0];
    if (!dx && !dy && !((key === "Enter" || key === " ") && this.cross)) return false;
    const { x, y } = this.cross ?? { x: 0.5, y: 0.5 };
    const step = shiftKey ? 1 : STEP;
    const within = (/** @type {number} */ place) => Math.min(0.999, Math.max(0, place));
    this.cross = { x: within(x + (dx * step) / clientWidth), y: within(y + (dy * step) / clientHeight) };
    if (!dx && !dy) this.press(this.cross);
    else this.hover(this.cross);
    this.viewer.draw();
    return true;
  }

  /** Forgets a mark that lacks points. @returns {boolean} whether there was one */
  abandon() {
    const had = Boolean(this.begun);
    Object.assign(this, { begun: null, cross: null, told: "" });
    return had;
  }

  removeLast() {
    for (const pane of this.viewer.panes) this.marks.set(pane.entry.id, this.#of(pane).slice(0, -1));
    this.abandon();
    this.viewer.changed();
  }

  clear() {
    for (const { entry } of this.viewer.panes) this.marks.delete(entry.id);
    this.abandon();
  }

  /** Whether there is something to remove. */
  get isEmpty() {
    return !this.viewer.panes.some((pane) => this.#of(pane).length);
  }

  #of(/** @type {Pane} */ { entry }) {
    return this.marks.get(entry.id) ?? [];
  }

  #tell(/** @type {string} */ text) {
    this.told = text;
    this.viewer.dispatchEvent(new Event("told"));
  }

  #probed(/** @type {import("./film.js").Film} */ film, /** @type {Point} */ { x, y }, /** @type {number} */ value) {
    const { language } = this.viewer;
    return language.text("viewer.probed", { x: Math.floor(x), y: Math.floor(y), value: language.number(value, film.digits) });
  }

  #measured(/** @type {Pane} */ { film }, /** @type {Mark} */ { kind, points }) {
    const { language } = this.viewer;
    const { across, down, atDetector } = film?.spacing ?? { across: 1, down: 1, atDetector: false };
    const sides = points.slice(1).map(({ x, y }, i) => ({ x: (x - points[i].x) * across, y: (y - points[i].y) * down }));
    if (kind === "length") return language.text(atDetector ? "viewer.mmDetector" : "viewer.mm", { length: language.number(Math.hypot(sides[0].x, sides[0].y), 1) });
    const [first, second] = [Math.atan2(-sides[0].y, -sides[0].x), Math.atan2(sides[1].y, sides[1].x)];
    const degrees = Math.abs(((first - second) * 180) / Math.PI) % 360;
    return `${language.number(Math.min(degrees, 360 - degrees), 1)}°`;
  }

  /** @param {CanvasRenderingContext2D} context @param {Pane} pane @param {DOMMatrix} placement */
  paint(context, pane, placement) {
    const marks = [...this.#of(pane), ...(this.begun?.pane === pane ? [this.begun.mark] : [])];
    for (const mark of marks) {
      const points = mark.points.map((point) => placement.transformPoint(point));
      line(context, points);
      const isWhole = mark.points.length === POINTS[mark.kind];
      if (isWhole) label(context, this.#measured(pane, mark), points[mark.kind === "angle" ? 1 : 0]);
    }
    if (this.cross && this.isUsed) cross(context, { x: this.cross.x * context.canvas.width, y: this.cross.y * context.canvas.height });
  }
}

/** @param {CanvasRenderingContext2D} context @param {Point[]} points */
function line(context, points) {
  for (const [colour, width] of /** @type {[string, number][]} */ ([["#000", 4], [COLOUR, 1.5]])) {
    context.beginPath();
    points.forEach(({ x, y }, i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    for (const { x, y } of points) context.rect(x - 2 * devicePixelRatio, y - 2 * devicePixelRatio, 4 * devicePixelRatio, 4 * devicePixelRatio);
    Object.assign(context, { strokeStyle: colour, lineWidth: width * devicePixelRatio });
    context.stroke();
  }
}

/** @param {CanvasRenderingContext2D} context @param {string} text @param {Point} at */
function label(context, text, { x, y }) {
  Object.assign(context, { font: `600 ${15 * devicePixelRatio}px system-ui, sans-serif`, lineWidth: 4 * devicePixelRatio, strokeStyle: "#000", fillStyle: COLOUR, lineJoin: "round" });
  const { width } = context.measureText(text);
  const place = [Math.min(x + 8 * devicePixelRatio, context.canvas.width - width - 4), Math.max(y - 8 * devicePixelRatio, 16 * devicePixelRatio)];
  context.strokeText(text, place[0], place[1]);
  context.fillText(text, place[0], place[1]);
}

/** @param {CanvasRenderingContext2D} context @param {Point} at */
function cross(context, { x, y }) {
  const reach = 12 * devicePixelRatio;
  line(context, [{ x: x - reach, y }, { x: x + reach, y }]);
  line(context, [{ x, y: y - reach }, { x, y: y + reach }]);
}
