// @ts-check
/** Where a class's activation map is bright, in words: which ninths of the radiograph hold most of the evidence. */

/**
 * @typedef {import("./api.js").Analysis["heatmaps"]} Heatmaps
 * @typedef {import("./api.js").Finding} Finding
 * @typedef {import("./language.js").Language} Language
 */

const ROWS = ["upper", "middle", "lower"];
const COLUMNS = ["left", "centre", "right"];
const BRIGHT = 0.5; // of the strongest evidence in any map of the image, as the colours have it
const MOST = 0.6; // of the bright evidence: what is named holds so much, or the map is called spread out

/**
 * The brightest ninths of a map, brightest first.
 * @param {Heatmaps} heatmaps which share one scale
 * @param {Finding} finding
 * @returns {{names: string[], isSpread: boolean}} at most two names, such as lower.left; none without bright evidence
 */
export function brightRegions(heatmaps, finding) {
  const strongest = Math.max(...Object.values(heatmaps).map(({ range }) => range[1]), Number.EPSILON);
  const { grid } = /** @type {import("./api.js").Heatmap} */ (heatmaps[finding]);
  /** @type {Map<string, number>} */
  const sums = new Map();
  grid.forEach((row, y) => row.forEach((value, x) => {
    if (value / strongest < BRIGHT) return;
    const name = `${third(ROWS, y, grid.length)}.${third(COLUMNS, x, row.length)}`;
    sums.set(name, (sums.get(name) ?? 0) + value);
  }));
  const all = [...sums.values()].reduce((sum, each) => sum + each, 0);
  const ordered = [...sums].sort((one, other) => other[1] - one[1]);
  const [first = 0, second = 0] = ordered.map(([, sum]) => sum);
  const named = first >= MOST * all ? 1 : first + second >= MOST * all ? 2 : 1;
  const isSpread = named === 1 && first < MOST * all;
  return { names: ordered.slice(0, named).map(([name]) => name), isSpread };
}

/** @param {string[]} names @param {number} at @param {number} count */
const third = (names, at, count) => names[Math.floor((names.length * (at + 0.5)) / count)];

/** @param {Heatmaps} heatmaps @param {Finding} finding @param {Language} language */
export function brightness(heatmaps, finding, language) {
  if (!heatmaps[finding]) return "";
  const { names, isSpread } = brightRegions(heatmaps, finding);
  const [place = "", other = ""] = names.map((name) => language.text(`where.${name}`));
  const key = isSpread ? "where.spread" : ["where.none", "where.one", "where.two"][names.length];
  return language.text(key, { finding: language.text(`finding.${finding}`), place, other });
}
