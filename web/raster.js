// @ts-check
/** Pixels of the viewer: windowed grey levels, and the activation map in colour. */

/** Cividis (Nunez et al. 2018, doi 10.1371/journal.pone.0199239), safe for colour vision deficiency. */
const CIVIDIS = [[0, 34, 78], [53, 69, 108], [102, 105, 112], [148, 142, 119], [200, 184, 102], [254, 232, 56]];
const MAP_SIDE = 224; // side of the upsampled map in pixels, as of the networks' input
const MAX_ALPHA = 0.9;

/** @typedef {{brightness: number, contrast: number, inverted: boolean}} Window brightness -1 to 1, contrast factor */

/**
 * Converts an image to grey levels.
 * @param {ImageBitmap} picture
 * @returns {{width: number, height: number, levels: Uint8Array}}
 */
export function greyLevels(picture) {
  const { width, height } = picture;
  const context = canvasOf(width, height);
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const levels = new Uint8Array(width * height);
  for (let i = 0; i < levels.length; i++) {
    levels[i] = 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2];
  }
  return { width, height, levels };
}

/**
 * Draws grey levels with a window applied.
 * @param {{width: number, height: number, levels: Uint8Array}} film
 * @param {Window} window
 */
export function developed({ width, height, levels }, window) {
  const context = canvasOf(width, height);
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const table = greyTable(window);
  for (let i = 0; i < levels.length; i++) pixels[i] = table[levels[i]];
  context.putImageData(image, 0, 0);
  return context.canvas;
}

/** @param {Window} window @returns {Uint32Array} 256 opaque greys in the canvas's byte order */
function greyTable({ brightness, contrast, inverted }) {
  const greys = new Uint32Array(256);
  const bytes = new Uint8ClampedArray(greys.buffer);
  for (let level = 0; level < 256; level++) {
    const value = ((level / 255 - 0.5) * contrast + 0.5 + brightness) * 255;
    bytes.fill(inverted ? 255 - value : value, 4 * level, 4 * level + 3);
    bytes[4 * level + 3] = 255;
  }
  return greys;
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
