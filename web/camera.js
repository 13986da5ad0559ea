// @ts-check
/** Zoom and pan of an image on its stage, by pointer, wheel and keyboard. */

const MAX_ZOOM = 12;
const STEP = 1.25;
const KEY_MOVE = 0.08; // of the stage

/** @typedef {{zoom: number, x: number, y: number}} View x, y: the image's centre, as fractions of the stage */

/** @returns {View} the whole image, centred */
export const whole = () => ({ zoom: 1, x: 0.5, y: 0.5 });

/** Zooms around a point of the stage, given as fractions of it. @returns {View} */
export function zoomed(/** @type {View} */ view, /** @type {number} */ factor, at = { x: 0.5, y: 0.5 }) {
  const zoom = Math.min(MAX_ZOOM, Math.max(1, view.zoom * factor));
  const grown = zoom / view.zoom;
  return kept({ zoom, x: at.x + (view.x - at.x) * grown, y: at.y + (view.y - at.y) * grown });
}

/** @returns {View} */
export function moved(/** @type {View} */ view, /** @type {number} */ dx, /** @type {number} */ dy) {
  return kept({ zoom: view.zoom, x: view.x + dx, y: view.y + dy });
}

/** Clamps a view so that the image covers the stage. @returns {View} */
function kept(/** @type {View} */ { zoom, x, y }) {
  const slack = (zoom - 1) / 2;
  const within = (/** @type {number} */ place) => Math.min(0.5 + slack, Math.max(0.5 - slack, place));
  return { zoom, x: within(x), y: within(y) };
}

/** Returns the view after a key press; undefined for other keys. @returns {View | undefined} */
export function byKey(/** @type {string} */ key, /** @type {View} */ view) {
  switch (key) {
    case "+": case "=": return zoomed(view, STEP);
    case "-": return zoomed(view, 1 / STEP);
    case "0": return whole();
    case "ArrowLeft": return moved(view, KEY_MOVE, 0);
    case "ArrowRight": return moved(view, -KEY_MOVE, 0);
    case "ArrowUp": return moved(view, 0, KEY_MOVE);
    case "ArrowDown": return moved(view, 0, -KEY_MOVE);
  }
}

/**
 * Handles pointers on an element: one drags, two pinch; `second` is true with the secondary button.
 * @param {HTMLElement} stage
 * @param {{onDrag: (dx: number, dy: number, second: boolean) => void, onPinch: (factor: number, at: {x: number, y: number}) => void}} listeners dx, dy and at are fractions of the stage
 */
export function followPointers(stage, { onDrag, onPinch }) {
  /** @type {Map<number, {x: number, y: number}>} */
  const down = new Map();
  const place = (/** @type {MouseEvent} */ event) => {
    const box = stage.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(event));
  });
  stage.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    if (!before) return;
    const now = place(event);
    const other = [...down.entries()].find(([id]) => id !== event.pointerId)?.[1];
    down.set(event.pointerId, now);
    if (other) onPinch(distance(now, other) / Math.max(0.01, distance(before, other)), other);
    else onDrag(now.x - before.x, now.y - before.y, (event.buttons & 2) !== 0);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, (event) => down.delete(/** @type {PointerEvent} */ (event).pointerId));
  }
  stage.addEventListener("contextmenu", (event) => event.preventDefault());
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    onPinch(Math.exp(-event.deltaY / 400), place(event));
  }, { passive: false });
}

/** @returns {number} */
function distance(/** @type {{x: number, y: number}} */ a, /** @type {{x: number, y: number}} */ b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
