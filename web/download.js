// @ts-check
/** Saves a file to disk. */

import { element } from "./element.js";

/** @param {Blob} file @param {string} name */
export function download(file, name) {
  const href = URL.createObjectURL(file);
  element("a", { href, download: name }).click();
  URL.revokeObjectURL(href);
}
