// @ts-check
/**
 * Makes what is sent of a film. The networks see 224 pixels a side; over a slow line a smaller copy
 * answers nearly alike in a tenth of the time (results/trials/upload.md). The file itself is sent if the
 * visitor says so, if it is small, and if the browser would not decode it as the service does.
 */

import { decode, draw, encode, fit } from "./pictures.js";

/** @typedef {import("./api.js").Limits} Limits */

const COPY_SIDE = 1024; // the longest side, in pixels
const COPY_QUALITY = 0.9;
const SMALL_BYTES = 200_000; // 4 s at 400 kbit/s
const HEADER_BYTES = 65_536;

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
  const header = new Uint8Array(await file.slice(0, HEADER_BYTES).arrayBuffer());
  if (!isPlain(header)) return null;
  // The service ignores colour profiles, so that no conversion may change the grey levels.
  const picture = await decode(file, { colorSpaceConversion: "none" });
  if (!picture) return null;
  const copy = await encode(draw(picture, { side: COPY_SIDE }), COPY_QUALITY);
  picture.close();
  return copy;
}

/** Whether it is 8 bits of grey or RGB without transparency: of others a browser shows something else. @param {Uint8Array} header */
function isPlain(header) {
  const text = String.fromCharCode(...header.slice(0, 4096));
  if (text.startsWith("\xff\xd8")) return componentsOfJpeg(header) !== 4;
  if (!text.startsWith("\x89PNG")) return false;
  const [bits, colours] = [header[24], header[25]];
  return bits === 8 && (colours === 0 || colours === 2) && !text.includes("tRNS");
}

/** The number of colour components, from the frame header; 0 if that comes later. @param {Uint8Array} header */
function componentsOfJpeg(header) {
  const view = new DataView(header.buffer);
  for (let at = 2; at + 10 < header.length && header[at] === 0xff; at += 2 + view.getUint16(at + 2)) {
    const isFrame = (header[at + 1] & 0xf0) === 0xc0 && ![0xc4, 0xc8, 0xcc].includes(header[at + 1]);
    if (isFrame) return header[at + 9];
  }
  return 0;
}
