// @ts-check
/** The list of jobs: those that are being sent, and those that the service has for this caller. */

import { access } from "./access.js";
import { element, keepingFocus } from "./element.js";
import { factsOfJob, factsOfUpload, jobCard, uploadCard } from "./job_card.js";
import { explained, whileOpen } from "./list_section.js";

/**
 * @typedef {import("./job_card.js").Card} Card
 * @typedef {import("./job_card.js").View & {isOpen: boolean}} View
 * @typedef {import("./job_table.js").Parts & {announce: (text: string) => void}} Parts
 */

const NEW_VIEW = { outcome: "all", order: "position", page: 0, isOpen: false };

/** @param {HTMLDetailsElement} details @param {HTMLElement} place @param {Parts} parts */
export function mountJobList(details, place, parts) {
  const { language, jobs } = parts;
  const [head, trouble, list] = [element("div"), element("div"), element("ul", { className: "jobs" })];
  place.replaceChildren(head, trouble, list);
  /** @type {Map<string, Card>} */
  const cards = new Map();
  /** What was chosen for each job. @type {Map<string, View>} */
  const views = new Map();
  /** @type {import("./api.js").Problem | null} */
  let told = null;

  const fill = () => {
    const { state } = jobs;
    head.replaceChildren(...heading(parts));
    if (state.problem !== told) trouble.replaceChildren(...explained(state.problem, "jobs", "problem.retry", () => jobs.load(), language));
    told = state.problem;
    list.setAttribute("aria-busy", String(state.isBusy));
    const wanted = [
      ...jobs.uploads.list.map((each) => ({ key: `upload-${each.id}`, thing: each, facts: factsOfUpload(each), make: () => uploadCard(each, parts) })),
      ...(state.list ?? []).map((each) => ({ key: each.id, thing: each, facts: factsOfJob(each), make: () => jobCard(each, viewOf(views, each.id), parts) })),
    ];
    arrange(list, cards, wanted);
  };
  const render = () => keepingFocus(place, fill, () => list.querySelector("button") ?? details.querySelector("summary"));
  const load = () => { if (details.open) jobs.load(); };
  access.addEventListener("change", () => { views.clear(); load(); });
  jobs.addEventListener("change", render);
  jobs.uploads.addEventListener("change", render);
  jobs.addEventListener("sent", (/** @type {any} */ { detail: { id } }) => views.set(id, { ...NEW_VIEW, isOpen: true }));
  language.addEventListener("change", () => {
    told = null;
    for (const card of cards.values()) card.facts = "";
    render();
  });
  tell(parts);
  fill();
  whileOpen(details, jobs);
}

/** @param {Map<string, View>} views @param {string} id */
function viewOf(views, id) {
  const view = views.get(id) ?? { ...NEW_VIEW };
  views.set(id, view);
  return view;
}

/**
 * Updates the cards, and makes anew only those that are new or another: a dialog or list that is open stays.
 * @param {HTMLElement} list
 * @param {Map<string, Card>} cards
 * @param {{key: string, thing: any, facts: string, make: () => Card}[]} wanted
 */
function arrange(list, cards, wanted) {
  for (const { key, thing, facts, make } of wanted) {
    const card = cards.get(key);
    if (card?.facts === facts) {
      card.update(thing);
      continue;
    }
    const made = make();
    card?.dispose();
    card?.made.replaceWith(made.made);
    cards.set(key, made);
  }
  const keys = new Set(wanted.map(({ key }) => key));
  for (const [key, card] of cards) {
    if (keys.has(key)) continue;
    card.dispose();
    card.made.remove();
    cards.delete(key);
  }
  wanted.forEach(({ key }, index) => {
    const { made } = /** @type {Card} */ (cards.get(key));
    if (list.children[index] !== made) list.insertBefore(made, list.children[index] ?? null);
  });
}

/** @param {Parts} parts */
function heading({ language, jobs }) {
  const { list, isBusy } = jobs.state;
  const said = list?.length === 0 && !jobs.uploads.list.length ? "jobs.empty" : !list && isBusy ? "kept.loading" : null;
  return [
    element("p", { className: "muted" }, language.text(access.hasKey ? "jobs.noteKey" : "jobs.noteCookie")),
    ...(said ? [element("p", {}, language.text(said))] : []),
  ];
}

/** Says to those who do not see it how far jobs are. @param {Parts} parts */
function tell({ language, jobs, announce }) {
  /** @type {Map<string, string>} */
  let before = new Map();
  jobs.addEventListener("sent", () => announce(language.text("jobs.said.sent")));
  jobs.addEventListener("gone", () => announce(language.text("jobs.said.deleted")));
  jobs.addEventListener("change", () => {
    const now = new Map((jobs.state.list ?? []).map(({ id, state, done, total }) => [id, state === "queued" ? `${Math.floor((4 * done) / total)}` : state]));
    for (const [id, step] of now) {
      const earlier = before.get(id);
      if (earlier === undefined || earlier === step) continue;
      if (/\d/.test(step)) announce(language.text("jobs.said.share", { share: language.percent(Number(step) / 4) }));
      else announce(language.text(`jobs.said.${step}`));
    }
    before = now;
  });
}
