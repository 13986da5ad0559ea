/** DICOM's elements by dicom-parser; RLE and JPEG of 12 bits and without loss by Cornerstone's decoders. */
import dicomParser from "dicom-parser";

export { inflateRaw } from "pako";
export { Decoder as LosslessJpeg } from "@cornerstonejs/jpeg-lossless-decoder-js";
export { default as ExtendedJpeg } from "cornerstone-decoders/codecs/jpeg.js";
export { default as decodeRle } from "cornerstone-decoders/shared/decoders/decodeRLE.js";
export const { parseDicom, readEncapsulatedPixelDataFromFragments } = dicomParser;
