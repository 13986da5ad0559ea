// @ts-check
/** Takes what is dropped or pasted anywhere on the page; what is no file is answered, too. */

import { droppedFolders, inOrder } from "./job_files.js";

/**
 * @typedef {import("./analyses.js").Analyses} Analyses
 * @typedef {{analyses: Analyses, jobs: import("./job_intake.js").JobIntake | null, take: (files: FileList) => void}} Parts
 */

const FILES = "Files";
const WORDS = /^text\//;
const MAX_HERE = 100; // films that the page itself analyses; it holds a preview of each
const NAME_LENGTH = 60;
const NAMELESS = "…";

/** @param {HTMLElement} zone where the page says that files may be dropped @param {Parts} parts */
export function listenForDrops(zone, parts) {
  let isOwn = false; // text or a picture of this page is being dragged
  const isWelcome = (/** @type {DragEvent} */ event) => {
    const types = [...(event.dataTransfer?.types ?? [])];
    return types.includes(FILES) || (!isOwn && !isTyping(event) && types.some((type) => WORDS.test(type)));
  };
  document.addEventListener("dragstart", () => { isOwn = true; });
  document.addEventListener("dragend", () => { isOwn = false; });
  document.addEventListener("dragover", (event) => {
    if (!isWelcome(event)) return;
    event.preventDefault();
    mark(zone, true);
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) mark(zone, false); });
  document.addEventListener("drop", (event) => {
    if (!isWelcome(event)) return;
    event.preventDefault();
    mark(zone, false);
    receive(/** @type {DataTransfer} */ (event.dataTransfer), parts);
  });
  document.addEventListener("paste", (event) => {
    const { clipboardData } = event;
    if (clipboardData && (clipboardData.files.length || !isTyping(event))) receive(clipboardData, parts);
  });
}

/** @param {Event} event */
const isTyping = ({ target }) => target instanceof Element && target.matches("input:not([type=file], [type=range], [type=checkbox])");

/** @param {HTMLElement} zone @param {boolean} over */
function mark(zone, over) {
  for (const marked of [zone, document.body]) marked.toggleAttribute("data-over", over);
}

/** @param {DataTransfer} transfer @param {Parts} parts */
function receive(transfer, { analyses, jobs, take }) {
  if (jobs?.drop(transfer)) return;
  const films = jobs ? null : droppedFolders(transfer);
  if (films) return void films.then((found) => analyseFolder(found, analyses));
  if (transfer.files.length) return take(transfer.files);
  const text = (transfer.getData("text/plain") || transfer.getData("text/uri-list")).trim();
  if (text) analyses.refuse(text.slice(0, NAME_LENGTH), "not-a-file");
  else if (transfer.types.includes(FILES)) analyses.refuse(NAMELESS, "missing-image"); // some programs promise a file only
}

/** Analyses the films of a folder here: this service takes no jobs. @param {import("./job_files.js").Film[]} films @param {Analyses} analyses */
function analyseFolder(films, analyses) {
  const readable = inOrder(films).flatMap(({ name, file }) => (file ? [{ name, file }] : []));
  if (!films.length) return analyses.refuse(NAMELESS, "empty-folder");
  if (films.length > MAX_HERE) return analyses.refuse(films[0].name.split("/")[0], "too-many-images");
  for (const { name, file } of films) if (!file) analyses.refuse(name, "file-unreadable");
  return analyses.add(readable);
}
