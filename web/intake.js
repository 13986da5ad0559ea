// @ts-check
/** Image input: file picker, camera, an example, or what is dropped or pasted. */

import { get } from "./api.js";
import { listenForDrops } from "./drop.js";
import { element } from "./element.js";
import { nameOf } from "./image_name.js";

/**
 * @typedef {import("./api.js").Example} Example
 * @typedef {import("./analyses.js").Analyses} Analyses
 * @typedef {import("./job_intake.js").JobIntake} JobIntake
 */

/** Those who touch the screen have nothing to drop. */
const fingers = matchMedia("(pointer: coarse)");

/**
 * Returns what takes the files that were chosen before the scripts were there.
 * @param {HTMLElement} place
 * @param {{language: import("./language.js").Language, analyses: Analyses, examples: Example[], accepted: string, beside: HTMLElement[], jobs: JobIntake | null}} parts
 */
export function mountIntake(place, { language, analyses, examples, accepted, beside, jobs }) {
  const drop = element("div", { className: "drop" });
  const list = element("div");
  const early = place.querySelector("input"); // the document's own, which may be in use by now
  place.replaceChildren(drop, ...beside, list);

  const take = (/** @type {FileList | null | undefined} */ files) => {
    if (files?.length && !jobs?.take(files)) analyses.add([...files].map((file) => ({ file, name: file.name })));
  };

  function render() {
    drop.replaceChildren(...dropZone(language, accepted, jobs, take));
    list.replaceChildren(...exampleList(language, examples, analyses));
  }
  language.addEventListener("change", render);
  fingers.addEventListener("change", render);
  listenForDrops(drop, { analyses, jobs, take });
  early?.addEventListener("change", () => take(early.files));
  render();
  return () => take(early?.files);
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
    element("strong", {}, language.text(fingers.matches ? "intake.titleTouch" : "intake.title")),
    row,
    element("p", { className: "muted" }, language.text("intake.hint")),
    ...(jobs ? [element("p", { className: "muted" }, language.text("jobs.hint", { count: language.number(jobs.few) }))] : []),
  ];
}

/** @param {import("./language.js").Language} language @param {Example[]} examples @param {Analyses} analyses */
function exampleList(language, examples, analyses) {
  if (!examples.length) return [];
  const title = language.text(examples.some(({ synthetic }) => synthetic) ? "examples.synthetic" : "examples.title");
  const items = examples.map((example) => {
    const label = nameOf(example, language);
    const picture = element("img", { src: example.thumbnail, alt: "" });
    const click = () => open(example, analyses);
    return element("li", {}, element("button", { type: "button", on: { click } }, picture, label));
  });
  return [element("h2", {}, title), element("ul", { className: "examples" }, ...items)];
}

/** @param {Example} example @param {Analyses} analyses */
async function open({ url, name, synthetic }, analyses) {
  const file = await (await get(url)).blob();
  await analyses.add([{ file, name, synthetic }]);
}
