// @ts-check
/** Collects the films of a job: many files, a folder, zip files. Their names stay in the browser. */

import { filmsInZip } from "./zip_names.js";

/**
 * @typedef {import("./api.js").Limits} Limits
 * @typedef {{name: string, file: File | null}} Film name: its path in the folder; file: null if it cannot be read
 * @typedef {object} Bundle the films of one job
 * @property {string} label what the visitor knows it by; empty if it has no name
 * @property {string[] | null} names of the films in their order; null if they are not known
 * @property {number} bytes
 * @property {() => Blob | FormData} body
 */

const ZIP = /\.zip$/i;
const NO_FILMS = ["DICOMDIR", "Thumbs.db", "desktop.ini"];
const PART_BYTES = 512; // more than a form has beside each file

/** As the service does with the files of a zip file (bentos/jobs/bundles.py). @param {string} path */
export function isFilm(path) {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return !(name === "" || name.startsWith(".") || NO_FILMS.includes(name) || path.startsWith("__MACOSX/"));
}

/** @param {File} file */
export const isZip = (file) => ZIP.test(file.name);

/** @param {Iterable<File>} files @returns {Film[]} */
export function filmsOf(files) {
  return [...files].map((file) => ({ name: file.webkitRelativePath || file.name, file })).filter(({ name }) => isFilm(name));
}

/**
 * Reads dropped folders; null if there is none among what was dropped. To be called within the event.
 * @param {DataTransfer | null} transfer
 * @returns {Promise<Film[]> | null}
 */
export function droppedFolders(transfer) {
  const entries = [...(transfer?.items ?? [])].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry !== null && entry !== undefined);
  if (!entries.some(({ isDirectory }) => isDirectory)) return null;
  return filmsBelow(entries);
}

/** @param {FileSystemEntry[]} entries @returns {Promise<Film[]>} */
async function filmsBelow(entries) {
  const found = [];
  for (const entry of entries) {
    if (entry.isDirectory) found.push(...(await filmsBelow(await childrenOf(/** @type {FileSystemDirectoryEntry} */ (entry)))));
    else found.push({ name: entry.fullPath.slice(1), file: await fileOf(/** @type {FileSystemFileEntry} */ (entry)) });
  }
  return found.filter(({ name }) => isFilm(name));
}

/** @param {FileSystemDirectoryEntry} folder @returns {Promise<FileSystemEntry[]>} */
async function childrenOf(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) return found;
    found.push(...some);
  }
}

/** @param {FileSystemFileEntry} entry @returns {Promise<File | null>} */
const fileOf = (entry) => new Promise((resolve) => entry.file(resolve, () => resolve(null)));

/** Puts the films of a folder in the order of their names, with numbers by value. @param {Film[]} films */
export function inOrder(films) {
  const { compare } = new Intl.Collator(undefined, { numeric: true });
  return films.toSorted((one, other) => compare(one.name, other.name));
}

/**
 * Divides films into those that can be sent and those that cannot.
 * @param {Film[]} films
 * @param {Limits} limits
 */
export function divided(films, { max_image_bytes: most }) {
  const canBeSent = (/** @type {Film} */ { file }) => file !== null && file.size <= most && !isZip(file);
  return { sent: films.filter(canBeSent), left: films.filter((film) => !canBeSent(film)) };
}

/**
 * Divides films among as few jobs as may have them.
 * @param {Film[]} films that can be sent
 * @param {Limits} limits
 * @returns {Bundle[]}
 */
export function bundlesOf(films, limits) {
  /** @type {Film[][]} */
  const parts = [];
  let bytes = Infinity;
  for (const film of films) {
    const size = sizeOf(film);
    const last = parts.at(-1);
    if (!last || last.length >= Number(limits.max_job_images) || bytes + size > Number(limits.max_job_bytes)) {
      parts.push([film]);
      bytes = size;
    } else {
      last.push(film);
      bytes += size;
    }
  }
  const folder = folderOf(films);
  const named = (/** @type {number} */ index) => (parts.length > 1 ? `${folder} ${index + 1}/${parts.length}`.trim() : folder);
  return parts.map((part, index) => bundle(part, named(index), folder ? folder.length + 1 : 0));
}

/** @param {Film[]} films @param {string} label @param {number} begin of each name within the folder @returns {Bundle} */
function bundle(films, label, begin) {
  const body = () => {
    const form = new FormData();
    for (const { file } of films) form.append("image", /** @type {File} */ (file), "image"); // not by its name
    return form;
  };
  return { label, names: films.map(({ name }) => name.slice(begin)), bytes: films.reduce((sum, film) => sum + sizeOf(film), 0), body };
}

/** @param {File} file @returns {Promise<Bundle>} */
export async function bundleOfZip(file) {
  return { label: file.name, names: await filmsInZip(file), bytes: file.size, body: () => file };
}

/** @param {Film} film */
const sizeOf = ({ file }) => (file?.size ?? 0) + PART_BYTES;

/** The folder that all films are in, or nothing. @param {Film[]} films */
function folderOf(films) {
  const [first = "", ...others] = new Set(films.map(({ name }) => name.split("/", 2)).map(([folder, rest]) => (rest ? folder : "")));
  return others.length ? "" : first;
}
