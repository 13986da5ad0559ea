// @ts-check
/** Pixels of the viewer: a film through a window, and the activation map in colour. */

/** Cividis (Nunez et al. 2018, doi 10.1371/journal.pone.0199239), safe for colour vision deficiency. */
const CIVIDIS = [[0, 34, 78], [53, 69, 108], [102, 105, 112], [148, 142, 119], [200, 184, 102], [254, 232, 56]];
const MAP_SIDE = 224; // side of the upsampled map in pixels, as of the networks' input
const MAX_ALPHA = 0.9;

/**
 * Draws a part of a film through a window.
 * @param {import("./film.js").Level} level
 * @param {Uint32Array} table an opaque grey for each code
 * @param {{x: number, y: number, width: number, height: number}} part
 */
export function developed(level, table, { x, y, width, height }) {
  const context = canvasOf(width, height);
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let row = 0, to = 0; row < height; row++) {
    for (let from = (y + row) * level.width + x, end = from + width; from < end; from++, to++) pixels[to] = table[level.codes[from]];
  }
  context.putImageData(image, 0, 0);
  return context.canvas;
}

/**
 * Draws the positive evidence for a class; opacity grows with the evidence.
 * @param {import("./api.js").Analysis["heatmaps"]} heatmaps which share one scale
 * @param {import("./api.js").Finding} finding
 */
export function colouredMap(heatmaps, finding) {
  const strongest = Math.max(...Object.values(heatmaps).map(({ range }) => range[1]), Number.EPSILON);
  const context = canvasOf(MAP_SIDE, MAP_SIDE);
  const image = context.createImageData(MAP_SIDE, MAP_SIDE);
  const { grid } = /** @type {import("./api.js").Heatmap} */ (heatmaps[finding]);
  for (let i = 0; i < MAP_SIDE * MAP_SIDE; i++) {
    const value = interpolated(grid, (i % MAP_SIDE + 0.5) / MAP_SIDE, (Math.floor(i / MAP_SIDE) + 0.5) / MAP_SIDE);
    const strength = Math.min(1, Math.max(0, value / strongest));
    image.data.set([...colour(strength), 255 * MAX_ALPHA * Math.min(1, 1.5 * strength)], 4 * i);
  }
  context.putImageData(image, 0, 0);
  return context.canvas;
}

/** Upsamples bilinearly; cell centres stay in place. */
function interpolated(/** @type {number[][]} */ grid, /** @type {number} */ x, /** @type {number} */ y) {
  const [left, right, across] = neighbours(x * grid[0].length - 0.5, grid[0].length);
  const [top, bottom, down] = neighbours(y * grid.length - 0.5, grid.length);
  const upper = grid[top][left] * (1 - across) + grid[top][right] * across;
  const lower = grid[bottom][left] * (1 - across) + grid[bottom][right] * across;
  return upper * (1 - down) + lower * down;
}

/** @returns {[number, number, number]} the two neighbouring cells, and the weight of the second */
function neighbours(/** @type {number} */ place, /** @type {number} */ count) {
  const inside = Math.min(count - 1, Math.max(0, place));
  const first = Math.floor(inside);
  return [first, Math.min(count - 1, first + 1), inside - first];
}

/** @param {number} strength in [0, 1] @returns {number[]} red, green, blue */
export function colour(strength) {
  const place = strength * (CIVIDIS.length - 1);
  const stop = Math.min(CIVIDIS.length - 2, Math.floor(place));
  return CIVIDIS[stop].map((low, channel) => low + (CIVIDIS[stop + 1][channel] - low) * (place - stop));
}

/** @param {number} width @param {number} height */
function canvasOf(width, height) {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  return /** @type {OffscreenCanvasRenderingContext2D} */ (context);
}
