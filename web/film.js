// @ts-check
/** A decoded film: its values in full depth, and the windows through which it is seen. */

/**
 * @typedef {Uint8Array | Uint16Array} Codes row by row
 * @typedef {{width: number, height: number, codes: Codes}} Level
 * @typedef {{low: number, high: number, sigmoid?: boolean}} Range the values that become black and white
 * @typedef {{name: string, range: Range}} Preset
 * @typedef {{across: number, down: number, atDetector: boolean}} Spacing millimetres from pixel to pixel
 *
 * @typedef {object} Film
 * @property {number} width
 * @property {number} height
 * @property {Level[]} levels the film itself, then copies of half the size each
 * @property {number} slope a pixel's value is slope * code + intercept
 * @property {number} intercept
 * @property {number} digits of a value after the point
 * @property {boolean} negative whether larger values are darker
 * @property {Float32Array | null} curve what is windowed instead of the value, by code: DICOM's VOI LUT
 * @property {[number, number] | null} padding codes from and to which are no image
 * @property {Preset[]} presets the first is the film's own, or the best guess
 * @property {Spacing | null} spacing null if the file does not say it
 *
 * @typedef {object} Window
 * @property {number} preset its place in the film's list
 * @property {number} brightness -1 to 1, of the preset's range
 * @property {number} contrast factor
 * @property {boolean} inverted
 */

const BLACK = 0xff000000; // opaque, in the byte order of a canvas

/** The value of a pixel; undefined outside of the film. @param {Film} film @param {{x: number, y: number}} at in pixels */
export function valueAt({ width, height, levels, slope, intercept }, { x, y }) {
  const [column, row] = [Math.floor(x), Math.floor(y)];
  if (column < 0 || row < 0 || column >= width || row >= height) return undefined;
  return slope * levels[0].codes[row * width + column] + intercept;
}

/** The values that a window shows as black and white. @param {Film} film @param {Window} window @returns {Range} */
export function rangeOf({ presets, negative }, { preset, brightness, contrast }) {
  const { low, high, sigmoid } = (presets[preset] ?? presets[0]).range;
  const width = (high - low) / contrast;
  const centre = (low + high) / 2 - (negative ? -1 : 1) * brightness * width;
  return { low: centre - width / 2, high: centre + width / 2, sigmoid };
}

/** @param {Film} film @param {Window} window @returns {Uint32Array} an opaque grey for each code, in the byte order of a canvas */
export function greyTable(film, window) {
  const range = rangeOf(film, window);
  const greys = new Uint32Array(film.levels[0].codes instanceof Uint8Array ? 256 : 65536);
  const isDark = film.negative !== window.inverted;
  for (let code = 0; code < greys.length; code++) {
    const share = shareOf(film.curve ? film.curve[code] : film.slope * code + film.intercept, range);
    const grey = Math.round(255 * (isDark ? 1 - share : share));
    greys[code] = BLACK | (grey * 0x010101);
  }
  if (film.padding) greys.fill(BLACK, film.padding[0], film.padding[1] + 1);
  return greys;
}

/** @param {number} value @param {Range} range @returns {number} 0 to 1 */
function shareOf(value, { low, high, sigmoid }) {
  if (sigmoid) return 1 / (1 + Math.exp((-4 * (value - (low + high) / 2)) / (high - low)));
  if (high <= low) return value > low ? 1 : 0;
  return Math.min(1, Math.max(0, (value - low) / (high - low)));
}
