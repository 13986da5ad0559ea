// @ts-check
/** Asks whether films are to be sent as a job, and says what that means: the service stores them. */

import { access } from "./access.js";
import { element, facts } from "./element.js";

/**
 * @typedef {import("./api.js").Limits} Limits
 * @typedef {import("./job_files.js").Bundle} Bundle
 * @typedef {import("./job_files.js").Film} Film
 * @typedef {{bundles: Bundle[], films: Film[], zips: File[], left: Film[]}} Offered bundles: what films and zips become; left: films that cannot be sent
 * @typedef {{language: import("./language.js").Language, limits: Limits, consent: import("./consent.js").Consent}} Parts
 */

const MAX_HERE = 100; // films that the page itself reads; it holds a preview of each
const NAMED = 3;

/**
 * @param {HTMLElement} place
 * @param {Offered} offered
 * @param {Parts} parts
 * @returns {Promise<"job" | "here" | "">}
 */
export function ask(place, offered, parts) {
  const dialog = build(offered, parts);
  const opener = /** @type {HTMLElement | null} */ (document.activeElement);
  opener?.blur(); // with the focus back on it at once, the Enter that answers would open it again
  place.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      setTimeout(() => opener?.focus({ preventScroll: true }));
      resolve(dialog.returnValue);
    });
  });
}

/** @param {Offered} offered @param {Parts} parts */
function build(offered, parts) {
  const { language, consent } = parts;
  const { bundles, films, zips } = offered;
  const canBeSent = bundles.length > 0 && consent.isPossible;
  const canBeHere = films.length > 0 && films.length <= MAX_HERE && !zips.length;
  const button = (/** @type {string} */ value, /** @type {string} */ key, className = "") => element("button", { value, className }, language.text(key));
  return element("dialog", { className: "offer", "aria-labelledby": "offer-title" },
    element("h2", { id: "offer-title" }, language.text("jobs.offer.title")),
    ...amounts(offered, parts).map((text) => element("p", {}, text)),
    ...(canBeSent ? [meaning(parts)] : []),
    ...(consent.isPossible ? [] : [element("p", { className: "muted" }, language.text("keep.blocked"))]),
    element("form", { method: "dialog", className: "row" },
      ...(canBeSent ? [button("job", "jobs.offer.send", "primary")] : []),
      ...(canBeHere ? [button("here", "jobs.offer.here")] : []),
      button("", "jobs.offer.cancel")));
}

/** @param {Offered} offered @param {Parts} parts */
function amounts({ bundles, films, zips, left }, { language, limits }) {
  const size = (/** @type {(File | null)[]} */ files) => language.megabytes(files.reduce((sum, file) => sum + (file?.size ?? 0), 0));
  const [images, most] = [language.number(Number(limits.max_job_images)), language.megabytes(Number(limits.max_job_bytes))];
  const tooLarge = zips.filter((file) => file.size > Number(limits.max_job_bytes));
  const sent = zips.filter((file) => !tooLarge.includes(file));
  return [
    ...(films.length ? [language.text("jobs.offer.films", { count: language.number(films.length), size: size(films.map(({ file }) => file)) })] : []),
    ...sent.map((file) => language.text("jobs.offer.zip", { name: file.name, size: size([file]) })),
    ...(bundles.length > 1 ? [language.text("jobs.offer.parts", { count: language.number(bundles.length), images, size: most })] : []),
    ...(left.length ? [language.text("jobs.offer.left", { count: language.number(left.length), size: language.megabytes(limits.max_image_bytes), names: someNames(left) })] : []),
    ...tooLarge.map((file) => language.text("jobs.offer.tooLarge", { name: file.name, size: most })),
    ...(bundles.length || left.length || tooLarge.length ? [] : [language.text("jobs.offer.empty")]),
  ];
}

/** @param {Film[]} films */
const someNames = (films) => films.slice(0, NAMED).map(({ name }) => name).join(", ") + (films.length > NAMED ? ", …" : "");

/** @param {Parts} parts */
function meaning({ language, consent }) {
  const by = access.hasKey ? "Key" : "Cookie";
  return facts([
    [language.text("keep.what"), language.text("jobs.offer.what")],
    [language.text("keep.where"), language.text(`keep.where${by}`)],
    [language.text("keep.until"), language.text(`jobs.offer.until${by}`, { time: language.duration(consent.milliseconds) })],
    [language.text("jobs.offer.names"), language.text("jobs.offer.namesText")],
    [language.text("keep.deletion"), language.text("jobs.offer.deletion")],
  ]);
}
