// @ts-check
/** Decodes a film in full depth. What a browser shows in eight bits or not at all is decoded by bundled libraries. */

import { filmOf } from "./film_making.js";
import { formatOf, HEAD_BYTES } from "./film_formats.js";

const BAND_ROWS = 512; // converted at a time, to bound the memory for colours

/** Throws if the file cannot be decoded. @param {Blob} file @returns {Promise<import("./film.js").Film>} */
export async function decodeFilm(file) {
  const format = formatOf(new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer()));
  if (format === "other") return filmOf(await decodedByBrowser(file));
  const data = await file.arrayBuffer();
  if (format === "dicom") return filmOf(await (await import("./dicom_film.js")).decodeDicom(new Uint8Array(data)));
  if (format === "tiff") return filmOf(await (await import("./tiff_film.js")).decodeTiff(data));
  return filmOf(decodedPng((await import("./vendor/png.js")).decode(data)));
}

/** Eight bits, with the EXIF orientation applied. @param {Blob} file */
export async function decodedByBrowser(file) {
  const picture = await createImageBitmap(file);
  const { width, height } = picture;
  const values = new Uint8Array(width * height);
  const canvas = new OffscreenCanvas(width, Math.min(BAND_ROWS, height));
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  for (let top = 0; top < height; top += BAND_ROWS) {
    const rows = Math.min(BAND_ROWS, height - top);
    context.clearRect(0, 0, width, rows);
    context.drawImage(picture, 0, -top);
    values.set(luma(context.getImageData(0, 0, width, rows).data, 4), top * width);
  }
  picture.close();
  return { width, height, values };
}

/** @param {{width: number, height: number, data: Uint8Array | Uint8ClampedArray | Uint16Array, channels?: number}} png */
function decodedPng({ width, height, data, channels = 1 }) {
  return { width, height, values: channels < 3 ? first(data, channels) : luma(data, channels) };
}

/** @template {Uint8Array | Uint8ClampedArray | Uint16Array} T @param {T} data @param {number} channels @returns {T} */
function first(data, channels) {
  return channels === 1 ? data : /** @type {T} */ (data.filter((_, i) => i % channels === 0));
}

/**
 * Grey of colours, at their own depth.
 * @template {Uint8Array | Uint8ClampedArray | Uint16Array} T
 * @param {T} colours red, green, blue and others @param {number} channels @returns {T}
 */
export function luma(colours, channels) {
  const greys = /** @type {T} */ (new /** @type {any} */ (colours.constructor)(colours.length / channels));
  for (let i = 0, at = 0; i < greys.length; i++, at += channels) {
    greys[i] = Math.round(0.299 * colours[at] + 0.587 * colours[at + 1] + 0.114 * colours[at + 2]);
  }
  return greys;
}
