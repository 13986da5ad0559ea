// @ts-check
/** Makes a film of decoded values: codes of at most 16 bits, windows, smaller copies. */

import { automatic, whole } from "./film_levels.js";

/**
 * @typedef {import("./film.js").Film} Film
 * @typedef {import("./film.js").Level} Level
 * @typedef {import("./film.js").Range} Range
 * @typedef {Uint8Array | Uint8ClampedArray | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array} Values
 *
 * @typedef {object} Decoded
 * @property {number} width
 * @property {number} height
 * @property {Values} values row by row
 * @property {boolean} [negative] whether larger values are darker
 * @property {{slope: number, intercept: number}} [rescale] from the values to those that are meant
 * @property {Range[]} [ranges] the file's own windows
 * @property {((value: number) => number) | null} [curve] of a meant value
 * @property {[number, number] | null} [padding] values from and to which are no image
 * @property {import("./film.js").Spacing | null} [spacing]
 * @property {number} [orientation] as EXIF has it
 */

const MOST_CODES = 65536;
const SMALLEST_SIDE = 256;
/** Shares of the pixels, from the darkest on, that presets show as black and white. @type {[string, number, number][]} */
const PRESETS = [["lungs", 0.05, 0.65], ["bones", 0.35, 0.999], ["steep", 0.15, 0.85]];
const SOFTER = 0.35; // of the range, added at both ends

/** @param {Decoded} decoded @returns {Film} */
export function filmOf({ negative = false, ranges = [], curve = null, padding = null, spacing = null, ...decoded }) {
  const { width, height, values } = upright(decoded);
  const { codes, slope: step, intercept: first } = encoded(values);
  const { slope, intercept } = decoded.rescale ?? { slope: 1, intercept: 0 };
  const meaning = { slope: step * slope, intercept: first * slope + intercept };
  const hidden = padding && hiddenCodes(padding, step, first);
  const curved = curve && Float32Array.from({ length: codes instanceof Uint8Array ? 256 : MOST_CODES }, (_, code) => curve(meaning.slope * code + meaning.intercept));
  const valueOf = (/** @type {number} */ code) => (curved ? curved[code] : meaning.slope * code + meaning.intercept);
  const digits = Number.isInteger(meaning.slope) && Number.isInteger(meaning.intercept) ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(meaning.slope) || 1)));
  return {
    width, height, ...meaning, negative, spacing, curve: curved, padding: hidden, digits: Math.min(6, digits),
    levels: smaller({ width, height, codes }),
    presets: presetsOf(countsOf(codes, hidden), valueOf, { ranges, negative: negative !== slope < 0, isByte: codes instanceof Uint8Array && !curve }),
  };
}

/**
 * Codes of at most 16 bits, exact for integers of at most 16 bits.
 * @param {Values} values @returns {{codes: import("./film.js").Codes, slope: number, intercept: number}}
 */
function encoded(values) {
  if (values instanceof Uint8Array || values instanceof Uint16Array) return { codes: values, slope: 1, intercept: 0 };
  if (values instanceof Uint8ClampedArray) return { codes: new Uint8Array(values.buffer, values.byteOffset, values.length), slope: 1, intercept: 0 };
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low && value > -Infinity) low = value;
    if (value > high && value < Infinity) high = value;
  }
  if (!(high >= low)) [low, high] = [0, 0];
  const isExact = high - low < MOST_CODES && values.every((/** @type {number} */ value) => Number.isInteger(value));
  const slope = isExact ? 1 : (high - low) / (MOST_CODES - 1) || 1;
  const codes = new Uint16Array(values.length);
  for (let i = 0; i < codes.length; i++) codes[i] = Math.min(MOST_CODES - 1, Math.max(0, Math.round((values[i] - low) / slope)));
  return { codes, slope, intercept: low };
}

/** @param {[number, number]} padding @param {number} slope @param {number} intercept @returns {[number, number]} */
function hiddenCodes([first, last], slope, intercept) {
  const codeOf = (/** @type {number} */ value) => Math.round((value - intercept) / slope);
  return [Math.max(0, codeOf(Math.min(first, last))), Math.min(MOST_CODES - 1, codeOf(Math.max(first, last)))];
}

/** @param {import("./film.js").Codes} codes @param {[number, number] | null} hidden */
function countsOf(codes, hidden) {
  const counts = new Uint32Array(codes instanceof Uint8Array ? 256 : MOST_CODES);
  for (let i = 0; i < codes.length; i++) counts[codes[i]] += 1;
  if (hidden) counts.fill(0, hidden[0], hidden[1] + 1);
  return counts;
}

/**
 * @param {Uint32Array} counts of each code @param {(code: number) => number} valueOf
 * @param {{ranges: Range[], negative: boolean, isByte: boolean}} how
 * @returns {import("./film.js").Preset[]}
 */
function presetsOf(counts, valueOf, { ranges, negative, isByte }) {
  const ordered = ([/** @type {number} */ a, /** @type {number} */ b]) => ({ low: Math.min(valueOf(a), valueOf(b)), high: Math.max(valueOf(a), valueOf(b)) });
  const model = automatic(counts);
  const all = ordered(isByte ? [0, 255] : whole(counts));
  const soft = ordered(model.ends);
  const margin = SOFTER * (soft.high - soft.low);
  const shown = (/** @type {number} */ from, /** @type {number} */ to) => ordered(negative ? [model.at(1 - to), model.at(1 - from)] : [model.at(from), model.at(to)]);
  return [
    { name: ranges.length ? "file" : "automatic", range: ranges[0] ?? (isByte ? all : ordered(model.ends)) },
    { name: "whole", range: all },
    { name: "model", range: ordered(model.ends) },
    ...PRESETS.map(([name, from, to]) => ({ name, range: shown(from, to) })),
    { name: "soft", range: { low: soft.low - margin, high: soft.high + margin } },
    ...ranges.slice(1, 3).map((range) => ({ name: "other", range })),
  ];
}

/** @param {Level} film @returns {Level[]} */
function smaller(film) {
  const levels = [film];
  for (let last = film; Math.min(last.width, last.height) > SMALLEST_SIDE; levels.push(last)) last = halved(last);
  return levels;
}

/** Means of four pixels each. @param {Level} level @returns {Level} */
function halved({ width, height, codes }) {
  const [across, down] = [(width + 1) >> 1, (height + 1) >> 1];
  const made = codes instanceof Uint8Array ? new Uint8Array(across * down) : new Uint16Array(across * down);
  for (let y = 0; y < down; y++) {
    const [upper, lower] = [2 * y * width, Math.min(2 * y + 1, height - 1) * width];
    for (let x = 0; x < across; x++) {
      const [left, right] = [2 * x, Math.min(2 * x + 1, width - 1)];
      made[y * across + x] = (codes[upper + left] + codes[upper + right] + codes[lower + left] + codes[lower + right] + 2) >> 2;
    }
  }
  return { width: across, height: down, codes: made };
}

/**
 * Turns and mirrors a film as its EXIF orientation says.
 * @param {{width: number, height: number, values: Values, orientation?: number}} decoded
 */
function upright({ width, height, values, orientation = 1 }) {
  if (orientation < 2 || orientation > 8) return { width, height, values };
  const isTurned = orientation > 4;
  const [across, down] = isTurned ? [height, width] : [width, height];
  const made = /** @type {Values} */ (new /** @type {any} */ (values.constructor)(values.length));
  const fromRight = [2, 3, 7, 8].includes(orientation);
  const fromBelow = [3, 4, 6, 7].includes(orientation);
  for (let y = 0; y < down; y++) {
    for (let x = 0; x < across; x++) {
      const [column, row] = isTurned ? [y, x] : [x, y];
      made[y * across + x] = values[(fromBelow ? height - 1 - row : row) * width + (fromRight ? width - 1 - column : column)];
    }
  }
  return { width: across, height: down, values: made };
}
