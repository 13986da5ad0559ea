// @ts-check
/**
 * Makes what is sent of a film. The networks see 224 pixels a side; over a slow line a smaller copy
 * answers nearly alike in a tenth of the time (results/trials/upload.md). The file itself is sent if the
 * visitor says so, if it is small, and if the browser would not decode it as the service does.
 */

import { FRAME_BYTES, isDecodedAlike } from "./film_formats.js";
import { draw, encode, fit, withPicture } from "./pictures.js";

/** @typedef {import("./api.js").Limits} Limits */

const COPY_SIDE = 1024; // the longest side, in pixels
const COPY_QUALITY = 0.9;
const SMALL_BYTES = 200_000; // 4 s at 400 kbit/s

/**
 * @param {Blob} file
 * @param {Limits} limits
 * @param {boolean} original whether the visitor wants the file itself sent
 * @returns {Promise<Blob>} the file, or a copy of it that is smaller
 */
export async function upload(file, limits, original) {
  const copy = original || file.size <= SMALL_BYTES ? null : await reduced(file);
  return copy && copy.size < file.size ? copy : fit(file, limits);
}

/** @param {Blob} file @returns {Promise<Blob | null>} null if a copy might be answered otherwise */
async function reduced(file) {
  const header = new Uint8Array(await file.slice(0, FRAME_BYTES).arrayBuffer());
  if (!isDecodedAlike(header)) return null;
  // The service ignores colour profiles, so that no conversion may change the grey levels.
  const copied = (/** @type {ImageBitmap} */ picture) => encode(draw(picture, { side: COPY_SIDE }), COPY_QUALITY);
  return withPicture(file, copied, { colorSpaceConversion: "none" });
}
