// @ts-check
/** Decodes, downscales, rotates and re-encodes images in the browser. */

import { oneAtATime } from "./decode_queue.js";
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
 * Decodes with EXIF orientation, and frees the picture once it was used.
 * @template T
 * @param {Blob} file
 * @param {(picture: ImageBitmap) => Promise<T>} use
 * @param {ImageBitmapOptions} [how]
 * @returns {Promise<T | null>} null if the browser does not support the format (usually TIFF)
 */
export function withPicture(file, use, how) {
  return oneAtATime(async () => {
    const picture = await createImageBitmap(file, how).catch(() => null);
    if (!picture) return null;
    try {
      return await use(picture);
    } finally {
      picture.close();
    }
  });
}

/**
 * The size of an image with its EXIF orientation, from its header alone: a decoded photo of 12 megapixels takes
 * 48 MB. Null if the browser does not support the format.
 * @param {Blob} file
 * @returns {Promise<{width: number, height: number} | null>}
 */
async function sizeOf(file) {
  const image = new Image();
  const loaded = new Promise((resolve, reject) => Object.assign(image, { onload: resolve, onerror: reject }));
  image.src = URL.createObjectURL(file);
  try {
    await loaded;
    return { width: image.naturalWidth, height: image.naturalHeight };
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

/** Whether the page decodes a file itself. @param {Blob} file */
export async function isDeep(file) {
  const head = await file.slice(0, HEAD_BYTES).arrayBuffer().catch(() => new ArrayBuffer(0)); // the file may be gone
  return formatOf(new Uint8Array(head)) !== "other";
}

/**
 * Decodes what the viewer shows as well, at a size for previews; DICOM, TIFF and PNG of 16 bits through their own window.
 * @param {Blob} file @returns {Promise<ImageBitmap | OffscreenCanvas | null>}
 */
async function picture(file) {
  if (!(await isDeep(file))) {
    const size = await sizeOf(file);
    return size && decodeSmaller(file, size, SHOWN_SIDE);
  }
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
  const size = await sizeOf(file);
  if (!size) return file; // the service reports the problem
  const allowed = file.type === "image/webp" ? limits.max_webp_pixels : limits.max_image_pixels;
  const fits = file.size <= limits.max_image_bytes && size.width * size.height <= allowed;
  if (fits) return file;
  return (await withPicture(file, (picture) => shrink(picture, limits))) ?? file;
}

/** @param {Blob} file @param {{width: number, height: number}} size @param {number} side at most, of the decoded image */
function decodeSmaller(file, size, side) {
  const { width, height } = scaled(size, side);
  return oneAtATime(() => createImageBitmap(file, { resizeWidth: width, resizeHeight: height, resizeQuality: "high" }));
}

/** @param {{width: number, height: number}} size @param {number} side */
function scaled({ width, height }, side) {
  const scale = Math.min(1, side / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
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
export function draw(picture, { side, degrees = 0, negative = false }) {
  const { width, height } = scaled(picture, side);
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

/** @param {OffscreenCanvas} canvas @param {number} [quality] of the JPEG, 0 to 1 */
export function encode(canvas, quality = JPEG_QUALITY) {
  return canvas.convertToBlob({ type: "image/jpeg", quality });
}
