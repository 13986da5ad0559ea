// @ts-check
/** Draws the reference embeddings in 3-D, with the images of this visit among them. */

import { FINDINGS, projection } from "./api.js";
import { followPointers } from "./camera.js";
import { element, say } from "./element.js";
import { Points, hit, place, placed } from "./points.js";

/**
 * @typedef {import("./language.js").Language} Language
 * @typedef {import("./analyses.js").Analyses} Analyses
 */

const START = { yaw: 0.6, pitch: 0.35, zoom: 1 };
const HIT_REACH = 9; // pixels
const TURN = 0.12; // radians per key press
const AXES = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];

/** @param {HTMLElement} root @param {{language: Language, analyses: Analyses}} parts @returns {Promise<() => void>} dispose function */
export async function mountProjector(root, { language, analyses }) {
  const points = new Points(await projection());
  const projector = new Projector(points, language, analyses);
  const redraw = () => projector.draw();
  const relabel = () => projector.render();
  const watch = new ResizeObserver(redraw);
  watch.observe(projector.space);
  analyses.addEventListener("change", redraw);
  language.addEventListener("change", relabel);
  root.replaceChildren(projector.note, projector.space, projector.filters);
  relabel();
  return () => {
    watch.disconnect();
    analyses.removeEventListener("change", redraw);
    language.removeEventListener("change", relabel);
    root.replaceChildren();
  };
}

class Projector {
  /** @param {Points} points @param {Language} language @param {Analyses} analyses */
  constructor(points, language, analyses) {
    this.points = points;
    this.language = language;
    this.analyses = analyses;
    this.scaled = points.points.map((point) => points.scaled(point));
    this.orbit = { ...START };
    this.hidden = new Set();
    this.note = element("p", { className: "muted" });
    this.canvas = element("canvas", { tabIndex: 0, role: "img" });
    this.tip = element("span", { className: "tip", hidden: true });
    const swatches = FINDINGS.map((finding) => element("span", { className: "dot", "data-finding": finding, hidden: true }));
    this.space = element("div", { className: "space on-stage" }, this.canvas, this.tip, ...swatches);
    this.filters = element("fieldset", { className: "filters" });
    this.#listen();
  }

  #listen() {
    followPointers(this.canvas, {
      onDrag: (dx, dy) => this.#turn(dx * 4, dy * 4),
      onPinch: (factor) => this.#zoom(factor),
    });
    this.canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => this.#hover(event));
    this.canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    this.canvas.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const actions = {
        ArrowLeft: () => this.#turn(-TURN, 0), ArrowRight: () => this.#turn(TURN, 0),
        ArrowUp: () => this.#turn(0, -TURN), ArrowDown: () => this.#turn(0, TURN),
        "+": () => this.#zoom(1.2), "-": () => this.#zoom(1 / 1.2), 0: () => { this.orbit = { ...START }; this.draw(); },
      };
      const action = actions[/** @type {keyof typeof actions} */ (event.key)];
      if (!action || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      action();
    });
  }

  #turn(/** @type {number} */ yaw, /** @type {number} */ pitch) {
    this.orbit.yaw -= yaw;
    this.orbit.pitch = Math.min(1.5, Math.max(-1.5, this.orbit.pitch + pitch));
    this.draw();
  }

  #zoom(/** @type {number} */ factor) {
    this.orbit.zoom = Math.min(8, Math.max(0.5, this.orbit.zoom * factor));
    this.draw();
  }

  render() {
    const { language, points } = this;
    const shares = points.variance.map((share) => language.percent(share));
    const values = { count: points.points.length, x: shares[0] ?? "", y: shares[1] ?? "", z: shares[2] ?? "" };
    this.note.textContent = language.text("projector.note", values);
    this.canvas.setAttribute("aria-label", language.text("projector.canvas", values));
    const boxes = FINDINGS.map((finding) => this.#filter(finding));
    this.filters.replaceChildren(element("legend", {}, language.text("projector.show")), element("div", { className: "row" }, ...boxes));
    this.draw();
  }

  #filter(/** @type {import("./api.js").Finding} */ finding) {
    const change = ({ target }) => {
      if (target.checked) this.hidden.delete(finding);
      else this.hidden.add(finding);
      this.draw();
    };
    const box = element("input", { type: "checkbox", checked: !this.hidden.has(finding), on: { change } });
    const dot = element("span", { className: "dot on-stage", "data-finding": finding }); // in the colour of its points
    const count = this.points.labels.filter((label) => label === finding).length;
    return element("label", {}, box, element("span", {}, dot, `${this.language.text(`finding.${finding}`)} (${count})`));
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.space;
    if (!width) return;
    Object.assign(this.canvas, { width: width * devicePixelRatio, height: height * devicePixelRatio });
    const context = this.canvas.getContext("2d");
    context.scale(devicePixelRatio, devicePixelRatio);
    this.#drawAxes(context, { width, height });
    this.placed = placed(this.scaled, this.orbit, { width, height }).filter(({ index }) => !this.hidden.has(this.points.labels[index]));
    const colours = stageColours(this.space);
    for (const { x, y, depth, index } of this.placed) {
      context.globalAlpha = 0.35 + 0.6 * depth;
      context.fillStyle = colours[this.points.labels[index]];
      disc(context, x, y, 1.8 + 2.4 * depth);
      context.fill();
    }
    context.globalAlpha = 1;
    this.#drawVisit(context, { width, height });
  }

  #drawAxes(/** @type {CanvasRenderingContext2D} */ context, /** @type {{width: number, height: number}} */ size) {
    const from = place([0, 0, 0], this.orbit, size);
    context.strokeStyle = context.fillStyle = "#8fa3b2";
    context.font = "13px system-ui, sans-serif";
    AXES.forEach((axis, i) => {
      const to = place(axis, this.orbit, size);
      context.beginPath();
      context.moveTo(from.x, from.y);
      context.lineTo(to.x, to.y);
      context.stroke();
      context.fillText(`${i + 1} · ${this.language.percent(this.points.variance[i] ?? 0)}`, to.x + 4, to.y - 4);
    });
  }

  /** Draws a ring with the number from the history for each image of this visit. */
  #drawVisit(/** @type {CanvasRenderingContext2D} */ context, /** @type {{width: number, height: number}} */ size) {
    const visits = this.analyses.entries.filter(({ result }) => result);
    context.font = "bold 13px system-ui, sans-serif";
    visits.forEach((entry) => {
      const point = this.points.scaled(/** @type {any} */ (entry.result).projection);
      const { x, y } = place(point, this.orbit, size);
      context.strokeStyle = context.fillStyle = "#ffffff";
      context.lineWidth = entry === this.analyses.current ? 3 : 1.5;
      disc(context, x, y, 8);
      context.stroke();
      context.fillText(String(this.analyses.numberOf(entry)), x + 11, y + 5);
    });
    context.lineWidth = 1;
  }

  #hover(/** @type {PointerEvent} */ event) {
    const box = this.canvas.getBoundingClientRect();
    const at = { x: event.clientX - box.left, y: event.clientY - box.top };
    const found = hit(this.placed ?? [], at, HIT_REACH);
    this.tip.hidden = !found;
    if (!found) return;
    say(this.tip, this.language.text(`finding.${this.points.labels[found.index]}`));
    Object.assign(this.tip.style, { left: `${at.x + 12}px`, top: `${at.y + 12}px` });
  }
}

function disc(/** @type {CanvasRenderingContext2D} */ context, /** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
}

/** Reads the class colours for dark backgrounds from the stylesheet. @returns {Record<string, string>} */
function stageColours(/** @type {HTMLElement} */ space) {
  const swatches = [.../** @type {NodeListOf<HTMLElement>} */ (space.querySelectorAll("[data-finding]"))];
  return Object.fromEntries(swatches.map((swatch) => [swatch.dataset.finding, getComputedStyle(swatch).backgroundColor]));
}
