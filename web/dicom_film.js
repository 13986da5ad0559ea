// @ts-check
/** DICOM as a viewer shows it: modality LUT, VOI LUT or window, polarity (PS3.4, N.2). Reads nothing that names a patient. */

import { storedPixels } from "./dicom_pixels.js";
import { isBareExplicit } from "./film_formats.js";
import { inflateRaw, parseDicom } from "./vendor/dicom.js";

/**
 * @typedef {any} Header a data set of dicom-parser
 * @typedef {import("./film.js").Range} Range
 */

const IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2";
const EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1";
const PREAMBLE_BYTES = 128;

/** Throws if there is no picture that can be decoded. @param {Uint8Array} bytes @returns {Promise<import("./film_making.js").Decoded>} */
export async function decodeDicom(bytes) {
  const header = parse(bytes);
  const { values, isColour } = await storedPixels(header);
  const size = { width: header.uint16("x00280011"), height: header.uint16("x00280010"), spacing: spacingOf(header) };
  if (isColour) return { ...size, values };
  const table = lutOf(header, "x00283000");
  const meant = table ? Int32Array.from(values, table) : values;
  return {
    ...size, values: meant,
    rescale: table ? undefined : { slope: number(header, "x00281053") ?? 1, intercept: number(header, "x00281052") ?? 0 },
    negative: word(header, "x00280004") === "MONOCHROME1" || word(header, "x20500020") === "INVERSE",
    padding: table ? null : paddingOf(header),
    ...voiOf(header),
  };
}

/** @param {Uint8Array} bytes @returns {Header} */
function parse(bytes) {
  const hasPreamble = String.fromCharCode(...bytes.subarray(PREAMBLE_BYTES, PREAMBLE_BYTES + 4)) === "DICM";
  if (hasPreamble) return parseDicom(bytes, { inflater });
  if (bytes[0] === 2) { // the header of a file without the preamble
    const whole = new Uint8Array(PREAMBLE_BYTES + 4 + bytes.length);
    whole.set([...("DICM")].map((letter) => letter.charCodeAt(0)), PREAMBLE_BYTES);
    whole.set(bytes, PREAMBLE_BYTES + 4);
    return parseDicom(whole, { inflater });
  }
  return parseDicom(bytes, { TransferSyntaxUID: isBareExplicit(bytes) ? EXPLICIT_LITTLE_ENDIAN : IMPLICIT_LITTLE_ENDIAN });
}

/** @param {Uint8Array} bytes @param {number} start of the deflated data set */
function inflater(bytes, start) {
  const inflated = inflateRaw(bytes.subarray(start));
  const whole = new Uint8Array(start + inflated.length);
  whole.set(bytes.subarray(0, start));
  whole.set(inflated, start);
  return whole;
}

/** The file's VOI LUT, or else its windows; none that the standard forbids. @param {Header} header */
function voiOf(header) {
  const curve = lutOf(header, "x00283010");
  if (curve) return { curve, ranges: [{ low: curve.least, high: curve.most }] };
  const shape = word(header, "x00281056") || "LINEAR";
  const ranges = Array.from({ length: header.numStringValues("x00281050") ?? 0 }, (_, i) => {
    const [centre, width] = [header.floatString("x00281050", i), header.floatString("x00281051", i)];
    return { centre, width };
  }).filter(({ centre, width }) => Number.isFinite(centre) && (shape === "LINEAR" ? width >= 1 : width > 0));
  return { ranges: ranges.map(({ centre, width }) => rangeOf(centre, width, shape)) };
}

/** PS3.3, C.11.2.1.2 and C.11.2.1.3. @param {number} centre @param {number} width @param {string} shape @returns {Range} */
function rangeOf(centre, width, shape) {
  if (shape === "LINEAR") return { low: centre - 0.5 - (width - 1) / 2, high: centre - 0.5 + (width - 1) / 2 };
  return { low: centre - width / 2, high: centre + width / 2, sigmoid: shape === "SIGMOID" };
}

/**
 * The first lookup table of a sequence (PS3.3, C.11.1 and C.11.2).
 * @param {Header} header @param {string} tag
 */
function lutOf(header, tag) {
  const item = header.elements[tag]?.items?.[0]?.dataSet;
  if (!item?.elements.x00283002 || !item.elements.x00283006) return null;
  const isSigned = item.elements.x00283002.vr === "SS" || (!item.elements.x00283002.vr && header.uint16("x00280103") === 1);
  const first = isSigned ? item.int16("x00283002", 1) : item.uint16("x00283002", 1);
  const length = item.uint16("x00283002", 0) || 65536;
  const entries = Array.from({ length }, (_, i) => item.uint16("x00283006", i));
  const table = (/** @type {number} */ value) => entries[Math.min(length - 1, Math.max(0, Math.round(value) - first))];
  return Object.assign(table, { least: entries.reduce((a, b) => Math.min(a, b)), most: entries.reduce((a, b) => Math.max(a, b)) });
}

/** Of the patient where the file says it, else at the detector, where all is a little larger. @param {Header} header @returns {import("./film.js").Spacing | null} */
function spacingOf(header) {
  const magnification = number(header, "x00181114");
  const [pixel, imager] = ["x00280030", "x00181164"].map((tag) => [0, 1].map((i) => header.floatString(tag, i)));
  const isAtDetector = !pixel.every((each) => each > 0) || pixel.every((each, i) => each === imager[i]);
  const [down, across] = isAtDetector ? imager : pixel;
  if (!(down > 0 && across > 0)) return null;
  const isKnown = isAtDetector && magnification !== null && magnification >= 1;
  return { down: down / (isKnown ? magnification : 1), across: across / (isKnown ? magnification : 1), atDetector: isAtDetector && !isKnown };
}

/** @param {Header} header @returns {[number, number] | null} */
function paddingOf(header) {
  if (!header.elements.x00280120) return null;
  const read = (/** @type {string} */ tag) => (header.uint16("x00280103") === 1 ? header.int16(tag) : header.uint16(tag));
  return [read("x00280120"), header.elements.x00280121 ? read("x00280121") : read("x00280120")];
}

/** @param {Header} header @param {string} tag @returns {number | null} */
function number(header, tag) {
  const value = header.floatString(tag);
  return Number.isFinite(value) ? value : null;
}

/** @param {Header} header @param {string} tag */
const word = (header, tag) => (header.string(tag, 0) ?? "").trim().toUpperCase();
