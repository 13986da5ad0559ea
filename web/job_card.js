// @ts-check
/** One job, or one that is being sent: how far it is, and what can be done with it. */

import { element } from "./element.js";
import { problemText } from "./job_rows.js";
import { mountTable } from "./job_table.js";
import { KEY_PROBLEMS, keyForm } from "./key.js";
import { askingButton } from "./question.js";

/**
 * @typedef {import("./job_api.js").Job} Job
 * @typedef {import("./job_upload.js").Upload} Upload
 * @typedef {import("./language.js").Language} Language
 * @typedef {import("./job_table.js").View} View
 * @typedef {import("./job_table.js").Parts} Parts
 * @typedef {{made: HTMLElement, facts: string, update: (thing: any) => void, dispose: () => void}} Card facts: with others it is made anew
 */

/** What of an upload makes its card another one. @param {Upload} upload */
export const factsOfUpload = ({ state, problem }) => `${state === "failed"} ${problem?.code}`;
/** @param {Job} job */
export const factsOfJob = ({ state }) => state;

/** @param {Upload} upload @param {Parts} parts @returns {Card} */
export function uploadCard(upload, { language, jobs }) {
  const { id, bundle, problem } = upload;
  const state = element("p", { className: "job-state", id: `upload-state-${id}` });
  const bar = element("progress", { max: 1, "aria-labelledby": state.id });
  const drop = button(`upload-drop-${id}`, language.text(problem ? "jobs.dismiss" : "progress.cancel"), () => jobs.drop(upload));
  const retry = button(`upload-retry-${id}`, language.text("problem.retry"), () => jobs.uploads.retry(upload));
  const made = element("li", { className: "job" },
    element("h3", {}, bundle.label || language.text("jobs.sending")),
    ...(problem ? [failure(problem, id, language)] : [state, bar]),
    element("div", { className: "row" }, ...(problem ? [retry] : []), drop));
  const update = (/** @type {Upload} */ { state: now, sent }) => {
    if (now === "failed") return;
    state.textContent = now === "sending" ? language.text("progress.sending", { share: language.percent(sent) }) : language.text(`jobs.upload.${now}`);
    if (now === "sending") bar.value = sent;
    else if (now === "waiting") bar.value = 0;
    else bar.removeAttribute("value"); // indeterminate
  };
  update(upload);
  return { made, facts: factsOfUpload(upload), update, dispose: () => {} };
}

/** @param {import("./api.js").Problem} problem @param {string} id @param {Language} language */
function failure(problem, id, language) {
  const { title, advice } = problemText(problem, language);
  const said = problem.code === "network" ? language.text("jobs.network") : advice;
  return element("div", { className: "problem" },
    element("div", { role: "alert" }, element("strong", {}, title), element("p", {}, said)),
    ...(KEY_PROBLEMS.includes(problem.code) ? [keyForm(`upload-key-${id}`, language)] : []));
}

/** @param {Job} job @param {View & {isOpen: boolean}} view what was chosen; changed here @param {Parts} parts @returns {Card} */
export function jobCard(job, view, parts) {
  const { language, jobs } = parts;
  const { id } = job;
  const when = language.time(Date.parse(job.created_at));
  const label = jobs.names.get(id)?.label;
  const [times, state] = [element("span", { className: "muted" }), element("p", { className: "job-state", id: `job-state-${id}` })];
  const bar = element("progress", { max: job.total, "aria-labelledby": state.id });
  const place = element("div", { className: "job-films", id: `job-films-${id}` });
  const toggle = button(`job-open-${id}`, language.text("jobs.results"), () => { view.isOpen = !view.isOpen; show(); });
  toggle.setAttribute("aria-controls", place.id);
  /** @type {ReturnType<typeof mountTable> | null} */
  let table = null;
  let now = job;

  const show = () => {
    toggle.setAttribute("aria-expanded", String(view.isOpen));
    place.hidden = !view.isOpen;
    table?.dispose();
    table = view.isOpen ? mountTable(place, now, view, parts) : null;
    if (!view.isOpen) place.replaceChildren();
  };
  const update = (/** @type {Job} */ changed) => {
    const moved = changed.done !== now.done || changed.state !== now.state;
    now = changed;
    state.textContent = language.text(`jobs.state.${now.state}`, { done: language.number(now.done), total: language.number(now.total) });
    bar.value = now.done;
    const left = language.text("kept.left", { time: language.duration(Math.max(0, Date.parse(now.expires_at) - Date.now())) });
    times.textContent = `${label ? `${when} · ` : ""}${left}`;
    if (moved) table?.update(now);
  };
  const made = element("li", { className: "job" },
    element("div", { className: "job-head" }, element("h3", {}, label || language.text("jobs.of", { when })), times),
    state,
    ...(job.state === "queued" ? [bar] : []),
    element("div", { className: "row" }, toggle, ...endings(job, parts)),
    place);
  update(job);
  show();
  return { made, facts: factsOfJob(job), update, dispose: () => table?.dispose() };
}

/** @param {Job} job @param {Parts} parts */
function endings({ id, state }, { language, jobs }) {
  const asking = (/** @type {string} */ name, /** @type {() => void} */ act) => {
    const [text, question, yes, no] = ["", ".question", ".yes", ".no"].map((part) => language.text(`jobs.${name}${part}`));
    return askingButton(`job-${name}-${id}`, { button: text, question, yes, no }, act);
  };
  const remove = asking("delete", () => jobs.remove(id));
  return state === "queued" ? [asking("cancel", () => jobs.cancel(id)), remove] : [remove];
}

/** @param {string} id @param {string} text @param {() => void} click */
const button = (id, text, click) => element("button", { type: "button", id, on: { click } }, text);
