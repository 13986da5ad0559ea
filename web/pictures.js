// @ts-check
/** Decodes, downscales, rotates and re-encodes images in the browser. */

import { greyTable } from "./film.js";
import { formatOf, HEAD_BYTES } from "./film_formats.js";
import { readFilm } from "./film_reading.js";
import { developed } from "./raster.js";

/** @typedef {import("./api.js").Limits} Limits */

const SHOWN_SIDE = 1024; // of the displayed image, in pixels; the networks use 224
const THUMBNAIL_SIDE = 112;
const JPEG_QUALITY = 0.95;
/** @typedef {{degrees?: number, negative?: boolean}} Repair degrees clockwise, a multiple of 90 */
/** How to correct an image, by the filter's verdict. @type {Record<string, Repair>} */
export const REPAIRS = {
  rotated_90: { degrees: 270 },
  rotated_180: { degrees: 180 },
  rotated_270: { degrees: 90 },
  inverted: { negative: true },
};

/**
 * Decodes with EXIF orientation; null if the browser does not support the format (usually TIFF).
 * @param {Blob} file
 */
export async function decode(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    return null;
  }
}

/** Whether the page decodes a file itself. @param {Blob} file */
export async function isDeep(file) {
  const head = await file.slice(0, HEAD_BYTES).arrayBuffer().catch(() => new ArrayBuffer(0)); // the file may be gone
  return formatOf(new Uint8Array(head)) !== "other";
}

/**
 * Decodes what the viewer shows as well; DICOM, TIFF and PNG of 16 bits through their own window.
 * @param {Blob} file @returns {Promise<ImageBitmap | OffscreenCanvas | null>}
 */
async function picture(file) {
  if (!(await isDeep(file))) return decode(file);
  const film = await readFilm(file);
  if (!film) return null;
  const level = film.levels.findLast(({ width, height }) => Math.max(width, height) >= 2 * SHOWN_SIDE) ?? film.levels[0];
  return developed(level, greyTable(film, { preset: 0, brightness: 0, contrast: 1, inverted: false }), { x: 0, y: 0, ...level });
}

/** @param {ImageBitmap | OffscreenCanvas} picture */
function close(picture) {
  if (picture instanceof ImageBitmap) picture.close();
}

/** @param {Blob} file @returns {Promise<{shown: Blob, thumbnail: Blob} | null>} */
export async function preview(file) {
  const decoded = await picture(file);
  if (!decoded) return null;
  const [shown, thumbnail] = await Promise.all([SHOWN_SIDE, THUMBNAIL_SIDE].map((side) => encode(draw(decoded, { side }))));
  close(decoded);
  return { shown, thumbnail };
}

/**
 * Returns the file, or a downscaled copy if the service would reject its size.
 * @param {Blob} file
 * @param {Limits} limits
 */
export async function fit(file, limits) {
  const picture = await decode(file);
  if (!picture) return file; // the service reports the problem
  const pixels = picture.width * picture.height;
  const allowed = file.type === "image/webp" ? limits.max_webp_pixels : limits.max_image_pixels;
  const fits = file.size <= limits.max_image_bytes && pixels <= allowed;
  const sent = fits ? file : await shrink(picture, limits);
  picture.close();
  return sent;
}

/** @param {ImageBitmap} picture @param {Limits} limits */
async function shrink(picture, limits) {
  const longest = Math.max(picture.width, picture.height);
  let side = Math.min(longest, Math.floor(longest * Math.sqrt(limits.max_image_pixels / (picture.width * picture.height))));
  let smaller = await encode(draw(picture, { side }));
  while (smaller.size > limits.max_image_bytes && side > SHOWN_SIDE / 2) {
    side = Math.floor(side * 0.7);
    smaller = await encode(draw(picture, { side }));
  }
  return smaller;
}

/** @param {Blob} file @param {Repair} how @returns {Promise<Blob>} */
export async function repair(file, how) {
  const decoded = await picture(file);
  if (!decoded) throw new Error("the image cannot be decoded here");
  const repaired = await encode(draw(decoded, { side: 2 * SHOWN_SIDE, ...how }));
  close(decoded);
  return repaired;
}

/**
 * Draws the image with its longest side at most `side` pixels.
 * @param {ImageBitmap | OffscreenCanvas} picture
 * @param {{side: number} & Repair} how
 */
function draw(picture, { side, degrees = 0, negative = false }) {
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  const lying = degrees % 180 !== 0;
  const canvas = new OffscreenCanvas(lying ? height : width, lying ? width : height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "high";
  context.translate(canvas.width / 2, canvas.height / 2);
  context.rotate((degrees * Math.PI) / 180);
  context.drawImage(picture, -width / 2, -height / 2, width, height);
  if (negative) {
    context.globalCompositeOperation = "difference"; // against white: inverts
    context.fillStyle = "white";
    context.fillRect(-width / 2, -height / 2, width, height);
  }
  return canvas;
}

/** @param {OffscreenCanvas} canvas */
function encode(canvas) {
  return canvas.convertToBlob({ type: "image/jpeg", quality: JPEG_QUALITY });
}
