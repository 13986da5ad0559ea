// @ts-check
/** Reads films for display: decodes each in a worker, and remembers the last ones. */

import { oneAtATime } from "./decode_queue.js";

/** @typedef {import("./film.js").Film} Film */

const LONGEST_MS = 90_000; // damaged files can keep a decoder busy for ever
const TURN_MS = 2000; // until other images are decoded beside a slow one
const REMEMBERED = 2; // those that are compared; one of 26 megapixels takes 70 MB

/** @type {Map<Blob, Promise<Film | null>>} */
const recent = new Map();

/** Null if the file cannot be decoded here. @param {Blob} file @returns {Promise<Film | null>} */
export function readFilm(file) {
  const film = recent.get(file) ?? inTurn(file);
  recent.delete(file);
  recent.set(file, film);
  for (const old of [...recent.keys()].slice(0, -REMEMBERED)) recent.delete(old);
  return film;
}

/** @param {Blob} file @returns {Promise<Film | null>} */
function inTurn(file) {
  return new Promise((resolve) => {
    oneAtATime(() => {
      const film = decoded(file);
      resolve(film);
      return Promise.race([film, new Promise((late) => setTimeout(late, TURN_MS))]);
    });
  });
}

/** @param {Blob} file @returns {Promise<Film | null>} */
function decoded(file) {
  return new Promise((resolve) => {
    const worker = new Worker(/** @type {any} */ (address()), { type: "module" });
    const end = (/** @type {Film | null} */ film) => {
      clearTimeout(late);
      worker.terminate();
      resolve(film);
    };
    const late = setTimeout(end, LONGEST_MS, null);
    worker.addEventListener("message", ({ data }) => end(data.error ? null : data));
    worker.addEventListener("error", () => end(null));
    worker.postMessage(file);
  });
}

function address() {
  const script = new URL("./film_worker.js", import.meta.url).href;
  const { trustedTypes } = /** @type {any} */ (globalThis);
  return trustedTypes?.createPolicy("film-worker", { createScriptURL: () => script }).createScriptURL("") ?? script;
}
