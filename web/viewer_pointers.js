// @ts-check
/** Mouse and touch on the viewer's stage: what a drag does, and when the wheel belongs to the page. */

import { followPointers, moved, zoomed } from "./camera.js";

/** @typedef {import("./viewer.js").Viewer} Viewer */

const MIDDLE = 1;
const SECOND = 2;
const CONTRAST_SPEED = 2;

/** @param {Viewer} viewer */
export function handlePointers(viewer) {
  const { canvas } = viewer;
  const isFree = () => !viewer.isEntered && !viewer.isFull;
  followPointers(canvas, {
    isFree,
    onDrag: (dx, dy, button) => {
      if (button === SECOND || (button !== MIDDLE && viewer.tool === "window")) dragWindow(viewer, dx, dy);
      else if (button === MIDDLE || viewer.tool === "move") viewer.look(moved(viewer.view, dx * spread(viewer).x, dy * spread(viewer).y));
    },
    onPinch: (factor, at) => viewer.look(zoomed(viewer.view, factor, within(viewer, at))),
    onPress: (at, button) => {
      enter(viewer);
      if (!button) viewer.measuring.press(at);
    },
    onRelease: (at, isClick) => viewer.measuring.release(at, isClick),
    onMove: (at) => viewer.measuring.hover(at),
  });
  canvas.addEventListener("click", () => enter(viewer)); // a tap, which has scrolled nothing
  document.addEventListener("pointerdown", ({ target }) => {
    const isOutside = target instanceof Node && !viewer.stage.closest(".bed")?.contains(target);
    if (viewer.isEntered && isOutside) viewer.set({ isEntered: false });
  });
}

/** @param {Viewer} viewer */
function enter(viewer) {
  if (viewer.entry && !viewer.isEntered) viewer.set({ isEntered: true });
}

/** How much of its area a film moves for a part of the stage. @param {Viewer} viewer */
function spread(viewer) {
  const area = viewer.pane ? viewer.areaOf(viewer.pane) : viewer.canvas;
  return { x: viewer.canvas.width / area.width, y: viewer.canvas.height / area.height };
}

/** A point of the stage as a fraction of the area that it is in. @param {Viewer} viewer @param {{x: number, y: number}} at */
function within(viewer, at) {
  const [x, y] = [at.x * viewer.canvas.width, at.y * viewer.canvas.height];
  const areas = viewer.panes.map((pane) => viewer.areaOf(pane));
  const area = areas.find((each) => x <= each.x + each.width && y <= each.y + each.height) ?? areas[0];
  return area ? { x: (x - area.x) / area.width, y: (y - area.y) / area.height } : at;
}

/** Horizontal drags change the contrast, vertical ones the brightness; up is brighter. */
function dragWindow(/** @type {Viewer} */ viewer, /** @type {number} */ dx, /** @type {number} */ dy) {
  const contrast = Math.min(4, Math.max(0.25, viewer.window.contrast * Math.exp(CONTRAST_SPEED * dx)));
  const brightness = Math.min(1, Math.max(-1, viewer.window.brightness - dy));
  viewer.setWindow({ contrast, brightness });
}
