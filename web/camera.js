// @ts-check
/** Zoom, pan, turn and mirroring of an image on its stage, by pointer, wheel and keyboard. */

const MAX_ZOOM = 40;
const STEP = 1.25;
const KEY_MOVE = 0.08; // of the stage
const CLICK_REACH = 4; // pixels that a pointer may move in a click

/**
 * @typedef {object} View
 * @property {number} zoom 1 if the whole image just fits
 * @property {number} x the image's centre, as a fraction of the stage
 * @property {number} y
 * @property {number} turn degrees clockwise: 0, 90, 180 or 270
 * @property {boolean} mirrored left and right exchanged, before the turn
 *
 * @typedef {{x: number, y: number}} Point
 * @typedef {{width: number, height: number}} Size
 * @typedef {Point & Size} Area
 */

/** @returns {View} the whole image, centred and upright */
export const whole = () => ({ zoom: 1, x: 0.5, y: 0.5, turn: 0, mirrored: false });

/** The whole image, turned and mirrored as before. @param {View} view @returns {View} */
export const uncovered = (view) => ({ ...view, zoom: 1, x: 0.5, y: 0.5 });

/** Zooms around a point of the stage, given as fractions of it. @returns {View} */
export function zoomed(/** @type {View} */ view, /** @type {number} */ factor, at = { x: 0.5, y: 0.5 }) {
  const zoom = Math.min(MAX_ZOOM, Math.max(1, view.zoom * factor));
  const grown = zoom / view.zoom;
  return kept({ ...view, zoom, x: at.x + (view.x - at.x) * grown, y: at.y + (view.y - at.y) * grown });
}

/** @returns {View} */
export function moved(/** @type {View} */ view, /** @type {number} */ dx, /** @type {number} */ dy) {
  return kept({ ...view, x: view.x + dx, y: view.y + dy });
}

/** Turns what is seen by 90 degrees, clockwise or not. @param {View} view @param {boolean} [clockwise] @returns {View} */
export function turned({ x, y, ...view }, clockwise = true) {
  const side = clockwise ? 1 : -1;
  return kept({ ...view, x: 0.5 - side * (y - 0.5), y: 0.5 + side * (x - 0.5), turn: (view.turn + 360 + side * 90) % 360 });
}

/** Exchanges left and right of what is seen. @param {View} view @returns {View} */
export function flipped({ x, turn, mirrored, ...view }) {
  return { ...view, x: 1 - x, turn: (360 - turn) % 360, mirrored: !mirrored };
}

/** Clamps a view so that the image covers the stage. @returns {View} */
function kept(/** @type {View} */ { x, y, ...view }) {
  const slack = (view.zoom - 1) / 2;
  const within = (/** @type {number} */ place) => Math.min(0.5 + slack, Math.max(0.5 - slack, place));
  return { ...view, x: within(x), y: within(y) };
}

/** Pixels of the stage for each pixel of an image that just fits. @param {number} turn @param {Size} image @param {Size} stage */
export function fittedScale(turn, image, stage) {
  const [width, height] = turn % 180 ? [image.height, image.width] : [image.width, image.height];
  return Math.min(stage.width / width, stage.height / height);
}

/** From pixels of the image to those of the stage. @param {View} view @param {Size} image @param {Area} area of the stage */
export function placement({ zoom, x, y, turn, mirrored }, image, area) {
  const scale = fittedScale(turn, image, area) * zoom;
  return new DOMMatrix()
    .translate(area.x + x * area.width, area.y + y * area.height)
    .rotate(turn)
    .scale(mirrored ? -scale : scale, scale)
    .translate(-image.width / 2, -image.height / 2);
}

/** Returns the view after a key press; undefined for other keys. @returns {View | undefined} */
export function byKey(/** @type {string} */ key, /** @type {View} */ view) {
  switch (key) {
    case "+": case "=": return zoomed(view, STEP);
    case "-": return zoomed(view, 1 / STEP);
    case "0": return uncovered(view);
    case "ArrowLeft": return moved(view, KEY_MOVE, 0);
    case "ArrowRight": return moved(view, -KEY_MOVE, 0);
    case "ArrowUp": return moved(view, 0, KEY_MOVE);
    case "ArrowDown": return moved(view, 0, -KEY_MOVE);
  }
}

/**
 * @typedef {object} Listeners points are fractions of the stage
 * @property {(dx: number, dy: number, button: number) => void} onDrag
 * @property {(factor: number, at: Point) => void} onPinch
 * @property {(at: Point, button: number) => void} [onPress]
 * @property {(at: Point, isClick: boolean) => void} [onRelease]
 * @property {(at: Point) => void} [onMove] with or without a pressed button
 * @property {() => boolean} [isFree] whether wheel and touch belong to the page
 */

/**
 * Handles pointers on an element: one drags, two pinch.
 * @param {HTMLElement} stage
 * @param {Listeners} listeners
 */
export function followPointers(stage, { onDrag, onPinch, onPress, onRelease, onMove, isFree = () => false }) {
  /** @type {Map<number, Point & {button: number, moved: number}>} */
  const down = new Map();
  const place = (/** @type {MouseEvent} */ event) => {
    const box = stage.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch" && isFree()) return; // it may scroll the page
    stage.setPointerCapture(event.pointerId);
    down.set(event.pointerId, { ...place(event), button: event.button, moved: 0 });
    if (down.size === 1) onPress?.(place(event), event.button);
  });
  stage.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    const now = place(event);
    onMove?.(now);
    if (!before) return;
    const other = [...down.entries()].find(([id]) => id !== event.pointerId)?.[1];
    const way = Math.hypot((now.x - before.x) * stage.clientWidth, (now.y - before.y) * stage.clientHeight);
    down.set(event.pointerId, { ...before, ...now, moved: before.moved + way });
    if (other) onPinch(distance(now, other) / Math.max(0.01, distance(before, other)), other);
    else onDrag(now.x - before.x, now.y - before.y, before.button);
  });
  stage.addEventListener("pointerup", (event) => {
    const before = down.get(event.pointerId);
    down.delete(event.pointerId);
    if (before && !down.size) onRelease?.(place(event), before.moved <= CLICK_REACH);
  });
  stage.addEventListener("pointercancel", (event) => down.delete(event.pointerId));
  stage.addEventListener("contextmenu", (event) => event.preventDefault());
  stage.addEventListener("wheel", (event) => {
    if (isFree()) return;
    event.preventDefault();
    onPinch(Math.exp(-event.deltaY / 400), place(event));
  }, { passive: false });
}

/** @returns {number} */
function distance(/** @type {Point} */ a, /** @type {Point} */ b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
