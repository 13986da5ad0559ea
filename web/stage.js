// @ts-check
/** How films share the viewer's canvas, and what is drawn over them. */

/**
 * @typedef {import("./camera.js").Area} Area
 * @typedef {import("./viewer.js").Viewer} Viewer
 */

const GAP = 2; // pixels between two films

/**
 * The areas of films on the canvas: beside each other along its longer side, or all of it.
 * @param {number} count @param {{width: number, height: number}} canvas @param {import("./viewer.js").Arrangement} arrangement
 * @returns {Area[]}
 */
export function shares(count, { width, height }, arrangement) {
  if (count < 2 || arrangement === "over") return Array.from({ length: count }, () => ({ x: 0, y: 0, width, height }));
  if (width >= height) {
    const half = (width - GAP) / 2;
    return [{ x: 0, y: 0, width: half, height }, { x: half + GAP, y: 0, width: half, height }];
  }
  const half = (height - GAP) / 2;
  return [{ x: 0, y: 0, width, height: half }, { x: 0, y: half + GAP, width, height: half }];
}

/** @param {Viewer} viewer @param {CanvasRenderingContext2D} context */
export function paintFilms(viewer, context) {
  const { panes, arrangement, blend, window } = viewer;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, viewer.canvas.width, viewer.canvas.height);
  const look = { window, opacity: viewer.isMapHidden ? 0 : viewer.opacity };
  panes.forEach((pane, i) => {
    const placement = viewer.placementOf(pane);
    context.globalAlpha = i && arrangement === "over" ? blend : 1;
    pane.paint(context, placement, viewer.areaOf(pane), { ...look, window: { ...window, preset: pane.film?.presets[window.preset] ? window.preset : 0 } });
    context.globalAlpha = 1;
    viewer.measuring.paint(context, pane, placement);
  });
}

/**
 * The film at a point of the stage, and the point in its pixels; the first film where two overlap.
 * @param {Viewer} viewer @param {{x: number, y: number}} at as fractions of the stage
 */
export function located(viewer, at) {
  const [x, y] = [at.x * viewer.canvas.width, at.y * viewer.canvas.height];
  const pane = viewer.panes.find((each) => {
    const area = viewer.areaOf(each);
    return x >= area.x && y >= area.y && x < area.x + area.width && y < area.y + area.height;
  });
  return pane ? { pane, point: viewer.placementOf(pane).inverse().transformPoint({ x, y }) } : null;
}
