// @ts-check
/** Image input: drop, file picker, paste, camera, or an example. */

import { get } from "./api.js";
import { element } from "./element.js";

/**
 * @typedef {import("./api.js").Example} Example
 * @typedef {import("./analyses.js").Analyses} Analyses
 * @typedef {import("./job_intake.js").JobIntake} JobIntake
 */

/**
 * @param {HTMLElement} place
 * @param {{language: import("./language.js").Language, analyses: Analyses, examples: Example[], accepted: string, beside: HTMLElement[], jobs: JobIntake | null}} parts
 */
export function mountIntake(place, { language, analyses, examples, accepted, beside, jobs }) {
  const drop = element("div", { className: "drop" });
  const list = element("div");
  place.replaceChildren(drop, ...beside, list);

  const take = (/** @type {FileList | null | undefined} */ files) => {
    if (files?.length && !jobs?.take(files)) analyses.add([...files].map((file) => ({ file, name: file.name })));
  };

  function render() {
    drop.replaceChildren(...dropZone(language, accepted, jobs, take));
    list.replaceChildren(...exampleList(language, examples, analyses));
  }
  language.addEventListener("change", render);
  listenForFiles(drop, jobs, take);
  render();
}

/**
 * @param {import("./language.js").Language} language
 * @param {string} accepted
 * @param {JobIntake | null} jobs
 * @param {(files: FileList | null) => void} take
 */
function dropZone(language, accepted, jobs, take) {
  const pick = (/** @type {string} */ key, /** @type {Record<string, any>} */ more) => {
    const change = ({ target }) => { take(target.files); target.value = ""; };
    const input = element("input", { type: "file", className: "visually-hidden", id: key, on: { change }, ...more });
    const primary = key === "intake.pick" ? " primary" : "";
    return [input, element("label", { className: `button${primary}`, htmlFor: key }, language.text(key))];
  };
  const row = element("div", { className: "row" }, ...pick("intake.pick", { accept: accepted, multiple: true }),
    ...pick("intake.camera", { accept: "image/*", capture: "environment" }),
    ...(jobs?.pickers ?? []).flatMap(([key, more]) => pick(key, more)));
  return [
    element("strong", {}, language.text("intake.title")),
    row,
    element("p", { className: "muted" }, language.text("intake.hint")),
    ...(jobs ? [element("p", { className: "muted" }, language.text("jobs.hint", { count: language.number(jobs.few) }))] : []),
  ];
}

/** @param {HTMLElement} drop @param {JobIntake | null} jobs @param {(files: FileList | null | undefined) => void} take */
function listenForFiles(drop, jobs, take) {
  const over = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!over(event)) return;
    event.preventDefault();
    mark(drop, true);
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) mark(drop, false); });
  document.addEventListener("drop", (event) => {
    if (!over(event)) return;
    event.preventDefault();
    mark(drop, false);
    if (!jobs?.drop(event.dataTransfer)) take(event.dataTransfer?.files);
  });
  document.addEventListener("paste", (event) => take(event.clipboardData?.files));
}

/** @param {HTMLElement} drop @param {boolean} over */
function mark(drop, over) {
  for (const marked of [drop, document.body]) marked.toggleAttribute("data-over", over);
}

/** @param {import("./language.js").Language} language @param {Example[]} examples @param {Analyses} analyses */
function exampleList(language, examples, analyses) {
  if (!examples.length) return [];
  const title = language.text(examples.some(({ synthetic }) => synthetic) ? "examples.synthetic" : "examples.title");
  const items = examples.map((example) => {
    const label = nameOf(language, example);
    const picture = element("img", { src: example.thumbnail, alt: "" });
    const click = () => open(example, label, analyses);
    return element("li", {}, element("button", { type: "button", on: { click } }, picture, label));
  });
  return [element("h2", {}, title), element("ul", { className: "examples" }, ...items)];
}

/** Shipped examples have translated names; the operator's own show their file names. */
function nameOf(language, /** @type {Example} */ { name }) {
  const key = `examples.${name}`;
  return language.has(key) ? language.text(key) : name;
}

/** @param {Example} example @param {string} label @param {Analyses} analyses */
async function open({ url, synthetic }, label, analyses) {
  const file = await (await get(url)).blob();
  await analyses.add([{ file, name: label, synthetic }]);
}
