// @ts-check
/** TIFF in full depth. Its resolution is not taken for the size of a pixel: scanners and editors write any. */

import { luma } from "./film_decoding.js";
import { fromArrayBuffer } from "./vendor/tiff.js";

const WHITE_IS_ZERO = 0;
const BLACK_IS_ZERO = 1;
const RGB = 2;

/** @param {ArrayBuffer} data @returns {Promise<import("./film_making.js").Decoded>} */
export async function decodeTiff(data) {
  const image = await largest(await fromArrayBuffer(data));
  const facts = image.fileDirectory;
  const photometric = await facts.loadValue("PhotometricInterpretation");
  const orientation = (await facts.loadValue("Orientation")) ?? 1;
  const [width, height] = [image.getWidth(), image.getHeight()];
  return { width, height, orientation, values: await greysOf(image, photometric), negative: photometric === WHITE_IS_ZERO };
}

/** The radiograph beside its thumbnails. @param {any} file */
async function largest(file) {
  const images = await Promise.all(Array.from({ length: await file.getImageCount() }, (_, i) => file.getImage(i)));
  return images.reduce((best, each) => (each.getWidth() * each.getHeight() > best.getWidth() * best.getHeight() ? each : best));
}

/** @param {any} image @param {number} photometric */
async function greysOf(image, photometric) {
  if (photometric === WHITE_IS_ZERO || photometric === BLACK_IS_ZERO) {
    const [values] = await image.readRasters({ samples: [0] });
    const [bits] = await image.fileDirectory.loadValue("BitsPerSample");
    // geotiff unpacks these to the machine's order of bytes, and then reads them in the file's.
    return !image.littleEndian && bits > 8 && bits < 16 ? values.map((/** @type {number} */ value) => (value >> 8) | ((value & 255) << 8)) : values;
  }
  if (photometric === RGB) return luma(await image.readRasters({ samples: [0, 1, 2], interleave: true }), 3);
  return luma(await image.readRGB({ interleave: true }), 3);
}
