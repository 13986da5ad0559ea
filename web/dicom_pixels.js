// @ts-check
/** The stored values of a DICOM file's one frame, in whatever way they are encoded (PS3.5, section 8). */

import { decodedByBrowser, luma } from "./film_decoding.js";
import { decodeRle, ExtendedJpeg, LosslessJpeg, readEncapsulatedPixelDataFromFragments } from "./vendor/dicom.js";

/**
 * @typedef {Uint8Array | Uint16Array} Raw
 * @typedef {{rows: number, columns: number, samples: number, allocated: number, stored: number, high: number, signed: boolean, planar: boolean, photometric: string, syntax: string}} Layout
 */

const PIXEL_DATA = "x7fe00010";
const BIG_ENDIAN = "1.2.840.10008.1.2.2";
const RLE = "1.2.840.10008.1.2.5";
const QUIET = { print() {}, printErr() {} }; // the codecs log each step
/** Decoders by transfer syntax. @type {Record<string, (frame: Uint8Array, layout: Layout) => Promise<Raw> | Raw>} */
const DECODERS = {
  "1.2.840.10008.1.2.4.50": (frame, layout) => jpeg(frame, layout),
  "1.2.840.10008.1.2.4.51": (frame, layout) => (layout.allocated === 8 ? jpeg(frame, layout) : extendedJpeg(frame, layout)),
  "1.2.840.10008.1.2.4.57": (frame, layout) => losslessJpeg(frame, layout),
  "1.2.840.10008.1.2.4.70": (frame, layout) => losslessJpeg(frame, layout),
  "1.2.840.10008.1.2.4.80": (frame) => jpegLs(frame),
  "1.2.840.10008.1.2.4.81": (frame) => jpegLs(frame),
  "1.2.840.10008.1.2.4.90": (frame) => jpeg2000(frame),
  "1.2.840.10008.1.2.4.91": (frame) => jpeg2000(frame),
  "1.2.840.10008.1.2.4.201": (frame) => jpeg2000(frame),
  "1.2.840.10008.1.2.4.202": (frame) => jpeg2000(frame),
  "1.2.840.10008.1.2.4.203": (frame) => jpeg2000(frame),
  [RLE]: (frame, layout) => rle(frame, layout),
};

/**
 * Throws if they cannot be decoded here.
 * @param {any} header
 * @returns {Promise<{values: import("./film_making.js").Values, isColour: boolean}>}
 */
export async function storedPixels(header) {
  const layout = layoutOf(header);
  const element = header.elements[PIXEL_DATA];
  const count = layout.rows * layout.columns;
  const isCompressed = Boolean(element?.encapsulatedPixelData);
  const decode = DECODERS[layout.syntax];
  if (!count || !element || layout.photometric === "PALETTE COLOR" || (isCompressed && !decode)) throw new Error(`not shown here: ${layout.syntax} ${layout.photometric}`);
  const raw = isCompressed ? await decode(readEncapsulatedPixelDataFromFragments(header, element, 0, element.fragments.length), layout) : native(header.byteArray, element, layout);
  if (raw.length === count) return { values: meant(raw, isCompressed && layout.syntax !== RLE ? { ...layout, high: layout.stored - 1 } : layout), isColour: layout.samples > 1 };
  if (raw.length < 3 * count) throw new Error("the picture is shorter than the header says");
  return { values: greys(raw, layout, isCompressed), isColour: true };
}

/** @param {any} header @returns {Layout} */
function layoutOf(header) {
  const [allocated, stored] = [header.uint16("x00280100") ?? 8, header.uint16("x00280101") ?? 8];
  return {
    rows: header.uint16("x00280010"), columns: header.uint16("x00280011"), samples: header.uint16("x00280002") ?? 1, allocated, stored,
    high: header.uint16("x00280102") ?? stored - 1, signed: header.uint16("x00280103") === 1, planar: header.uint16("x00280006") === 1,
    photometric: (header.string("x00280004") ?? "").trim(), syntax: header.string("x00020010") ?? "",
  };
}

/** @param {Uint8Array} bytes @param {{dataOffset: number, length: number}} element @param {Layout} layout @returns {Raw} */
function native(bytes, { dataOffset }, { rows, columns, samples, allocated, syntax }) {
  if (allocated !== 8 && allocated !== 16) throw new Error(`${allocated} bits`);
  const data = bytes.slice(dataOffset, dataOffset + (rows * columns * samples * allocated) / 8);
  if (allocated === 8) return data;
  if (syntax === BIG_ENDIAN) for (let i = 0; i + 1 < data.length; i += 2) [data[i], data[i + 1]] = [data[i + 1], data[i]];
  return new Uint16Array(data.buffer);
}

/** Values without the bits that are not part of them, and with their sign. @param {Raw} raw @param {Layout} layout */
function meant(raw, { stored, high, signed }) {
  const up = 31 - high;
  if (!signed) return stored >= 8 * raw.BYTES_PER_ELEMENT ? raw : raw.map((value) => (value << up) >>> (32 - stored));
  const values = raw.BYTES_PER_ELEMENT === 1 ? new Int8Array(raw.length) : new Int16Array(raw.length);
  for (let i = 0; i < raw.length; i++) values[i] = (raw[i] << up) >> (32 - stored);
  return values;
}

/** @param {Raw} raw @param {Layout} layout @param {boolean} isCompressed what is compressed is decoded to red, green and blue but for RLE */
function greys(raw, { rows, columns, planar, photometric, syntax }, isCompressed) {
  const isLuma = photometric.startsWith("YBR_FULL") && (!isCompressed || syntax === RLE);
  const count = rows * columns;
  if (planar) return isLuma ? raw.slice(0, count) : luma(raw.map((_, i) => raw[(i % 3) * count + Math.floor(i / 3)]), 3);
  return isLuma ? raw.filter((_, i) => i % 3 === 0) : luma(raw, 3);
}

/** @param {Uint8Array} frame @param {Layout} layout @returns {Promise<Raw>} greys */
async function jpeg(frame, { rows, columns }) {
  const { width, height, values } = await decodedByBrowser(new Blob([/** @type {any} */ (frame)], { type: "image/jpeg" }));
  if (width !== columns || height !== rows) throw new Error("the picture has another size than the header says");
  return values;
}

/** @param {Uint8Array} frame @param {Layout} layout @returns {Raw} */
function extendedJpeg(frame, { rows, columns }) {
  const picture = new ExtendedJpeg();
  picture.parse(frame);
  picture.colorTransform = false;
  return picture.getData16(columns, rows);
}

/** @param {Uint8Array} frame @param {Layout} layout @returns {Raw} */
function losslessJpeg(frame, { allocated }) {
  const { buffer } = new LosslessJpeg().decode(frame.buffer, frame.byteOffset, frame.length, allocated / 8);
  return allocated === 8 ? new Uint8Array(buffer) : new Uint16Array(buffer);
}

/** @param {Uint8Array} frame @returns {Promise<Raw>} */
async function jpegLs(frame) {
  const { charLs } = await import("./vendor/jpeg_ls.js");
  return decodedBy(new (await charLs(QUIET)).JpegLSDecoder(), frame);
}

/** @param {Uint8Array} frame @returns {Promise<Raw>} */
async function jpeg2000(frame) {
  const { openJpeg } = await import("./vendor/jpeg_2000.js");
  return decodedBy(new (await openJpeg(QUIET)).J2KDecoder(), frame);
}

/** @param {any} decoder @param {Uint8Array} frame @returns {Raw} */
function decodedBy(decoder, frame) {
  decoder.getEncodedBuffer(frame.length).set(frame);
  decoder.decode();
  const { bitsPerSample } = decoder.getFrameInfo();
  const data = decoder.getDecodedBuffer().slice();
  return bitsPerSample <= 8 ? data : new Uint16Array(data.buffer);
}

/** @param {Uint8Array} frame @param {Layout} layout @returns {Promise<Raw>} */
async function rle(frame, { rows, columns, samples, allocated, planar }) {
  const { pixelData } = await decodeRle({ rows, columns, samplesPerPixel: samples, bitsAllocated: allocated, planarConfiguration: planar ? 1 : 0, pixelRepresentation: 0 }, frame);
  return pixelData;
}
