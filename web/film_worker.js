// @ts-check
/** Decodes one film beside the page, which goes on meanwhile. */

import { decodeFilm } from "./film_decoding.js";

const place = /** @type {DedicatedWorkerGlobalScope} */ (/** @type {unknown} */ (self));

place.addEventListener("message", async ({ data: file }) => {
  try {
    const film = await decodeFilm(file);
    place.postMessage(film, film.levels.map(({ codes }) => codes.buffer));
  } catch (error) {
    place.postMessage({ error: String(error) });
  }
});
