// @ts-check
/** The name under which an image is listed. */

/**
 * Shipped examples, which are synthetic, have translated names; all others show their file names.
 * @param {{name: string, synthetic: boolean}} image
 * @param {import("./language.js").Language} language
 */
export function nameOf({ name, synthetic }, language) {
  const key = `examples.${name}`;
  return synthetic && language.has(key) ? language.text(key) : name;
}
