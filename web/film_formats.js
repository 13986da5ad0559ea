// @ts-check
/** Tells by its first bytes how a file is decoded, as chestxray/containers.py and chestxray/dicom/signature.py do. */

export const HEAD_BYTES = 132;
export const FRAME_BYTES = 65_536; // in which a JPEG file says how many colours it has

/** @typedef {"dicom" | "tiff" | "deepPng" | "other"} Format other: what a browser decodes as well */

/** @param {Uint8Array} head the first bytes @returns {Format} */
export function formatOf(head) {
  if (isDicom(head)) return "dicom";
  if (begins(head, [0x49, 0x49, 42, 0]) || begins(head, [0x4d, 0x4d, 0, 42])) return "tiff";
  if (begins(head, [0x89, 0x50, 0x4e, 0x47]) && head[24] === 16) return "deepPng";
  return "other";
}

/**
 * Whether a browser decodes a file to the grey levels that the service reads: JPEG but for CMYK, and PNG of 8 bits
 * without palette or transparency.
 * @param {Uint8Array} header the first FRAME_BYTES
 */
export function isDecodedAlike(header) {
  const text = String.fromCharCode(...header.slice(0, 4096));
  if (text.startsWith("\xff\xd8")) return componentsOfJpeg(header) !== 4;
  if (!text.startsWith("\x89PNG")) return false;
  const [bits, colours] = [header[24], header[25]];
  return bits === 8 && (colours === 0 || colours === 2) && !text.includes("tRNS");
}

/** With the preamble, or beginning with an element of group 2 or 8. @param {Uint8Array} head */
function isDicom(head) {
  if (begins(head.subarray(128), [0x44, 0x49, 0x43, 0x4d])) return true;
  return (begins(head, [2, 0]) || begins(head, [8, 0])) && head[3] === 0 && (isBareExplicit(head) || (head[6] === 0 && head[7] === 0));
}

/** Whether the first element names its type, in two capitals. @param {Uint8Array} head */
export function isBareExplicit(head) {
  return [head[4], head[5]].every((letter) => letter >= 0x41 && letter <= 0x5a);
}

/** @param {Uint8Array} head @param {number[]} bytes */
function begins(head, bytes) {
  return bytes.every((byte, i) => head[i] === byte);
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
