// @ts-check
/** Which values of a film become black and white, by the rule of chestxray/windowing.py. */

/** Values outside of these shares are clipped: dead pixels, small labels. */
const SHARES = [0.001, 0.999];
// A label, or the padding around a field, has a constant extreme value.
const FILL_SHARE = 0.0005; // of the pixels, at least
const FILL_GAP = 0.1; // to the other values, of their range
const MOST_FILLS = 4; // at each end

/** The least and the largest code that occurs. @param {Uint32Array} counts of each code @returns {[number, number]} */
export function whole(counts) {
  const first = counts.findIndex((count) => count > 0);
  return first < 0 ? [0, 0] : [first, counts.findLastIndex((count) => count > 0)];
}

/**
 * Percentiles of the codes, without the fill of labels and padding.
 * @param {Uint32Array} counts of each code
 * @returns {{ends: [number, number], at: (share: number) => number}}
 */
export function automatic(counts) {
  const codes = withoutFills([...counts.keys()].filter((code) => counts[code]), counts);
  let total = 0;
  const sums = codes.map((code) => (total += counts[code]));
  const at = (/** @type {number} */ share) => codes[Math.max(0, sums.findIndex((sum) => sum >= share * total))] ?? 0;
  return { ends: [at(SHARES[0]), at(SHARES[1])], at };
}

/** @param {number[]} codes those that occur, ascending @param {Uint32Array} counts */
function withoutFills(codes, counts) {
  const least = FILL_SHARE * codes.reduce((sum, code) => sum + counts[code], 0);
  let left = codes;
  for (let i = 0; i < 2; i++) { // a fill at one end widens the range, which may hide one at the other
    left = left.slice(0, left.length - fills(left, counts, least));
    const mirrored = left.map((code) => -code).reverse();
    left = left.slice(fills(mirrored, counts, least));
  }
  return left;
}

/** How many of the last codes are fills. @param {number[]} codes ascending @param {Uint32Array} counts @param {number} least */
function fills(codes, counts, least) {
  for (let number = Math.min(MOST_FILLS, codes.length - 2); number > 0; number--) {
    const last = codes.slice(-number);
    const before = codes[codes.length - number - 1];
    const share = last.reduce((sum, code) => sum + counts[Math.abs(code)], 0);
    if (share >= least && last[0] - before > FILL_GAP * (before - codes[0])) return number;
  }
  return 0;
}
