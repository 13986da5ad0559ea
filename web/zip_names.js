// @ts-check
/** Names of the films in a zip file, from the directory at its end; the service answers in that order. */

import { isFilm } from "./job_files.js";

const END = 0x06054b50;
const END_BYTES = 22;
const MAX_COMMENT = 65_535;
const ENTRY = 0x02014b50;
const ENTRY_BYTES = 46;

/** @param {Blob} file @returns {Promise<string[] | null>} null if the directory cannot be read */
export async function filmsInZip(file) {
  try {
    return (await namesIn(file)).filter(isFilm);
  } catch {
    return null; // the service says what is wrong
  }
}

/** @param {Blob} file */
async function namesIn(file) {
  const tail = await read(file, Math.max(0, file.size - END_BYTES - MAX_COMMENT), file.size);
  let found = tail.byteLength - END_BYTES;
  while (tail.getUint32(found, true) !== END) found--; // a RangeError where there is none
  const [count, size] = [tail.getUint16(found + 10, true), tail.getUint32(found + 12, true)];
  const end = file.size - tail.byteLength + found;
  const directory = await read(file, end - size, end);
  const names = [];
  for (let at = 0; names.length < count; ) {
    if (directory.getUint32(at, true) !== ENTRY) throw new RangeError("no entry");
    const [name, extra, comment] = [28, 30, 32].map((offset) => directory.getUint16(at + offset, true));
    names.push(decode(new Uint8Array(directory.buffer, at + ENTRY_BYTES, name)));
    at += ENTRY_BYTES + name + extra + comment;
  }
  return names;
}

/** @param {Blob} file @param {number} begin @param {number} end */
async function read(file, begin, end) {
  return new DataView(await file.slice(begin, end).arrayBuffer());
}

/** Names are in UTF-8 or, from old programs, in a code page that nobody knows. @param {Uint8Array<ArrayBuffer>} bytes */
function decode(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("latin1").decode(bytes);
  }
}
