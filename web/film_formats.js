// @ts-check
/** Tells by its first bytes how a file is decoded, as chestxray/containers.py and chestxray/dicom/signature.py do. */

export const HEAD_BYTES = 132;

/** @typedef {"dicom" | "tiff" | "deepPng" | "other"} Format other: what a browser decodes as well */

/** @param {Uint8Array} head the first bytes @returns {Format} */
export function formatOf(head) {
  if (isDicom(head)) return "dicom";
  if (begins(head, [0x49, 0x49, 42, 0]) || begins(head, [0x4d, 0x4d, 0, 42])) return "tiff";
  if (begins(head, [0x89, 0x50, 0x4e, 0x47]) && head[24] === 16) return "deepPng";
  return "other";
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
