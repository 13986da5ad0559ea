// @ts-check
/** Assembles the page; the only module that imports all parts. */

import { access } from "./access.js";
import { Analyses } from "./analyses.js";
import { mountAnnouncements } from "./announcements.js";
import * as api from "./api.js";
import { Consent, mountConsent } from "./consent.js";
import { mountControls } from "./controls.js";
import { element } from "./element.js";
import { mountHistory } from "./history.js";
import { mountIntake } from "./intake.js";
import { JobIntake, hasJobs } from "./job_intake.js";
import { KEY_PROBLEMS, mountKeyNote } from "./key.js";
import { Language } from "./language.js";
import { mountPerformance } from "./performance.js";
import { openOffline } from "./offline.js";
import { mountOriginal } from "./original.js";
import { mountProgress } from "./progress.js";
import { mountResult } from "./result.js";
import { readingRoom } from "./room.js";
import { mountSignIn } from "./sign_in.js";
import { mountSnippets } from "./snippets.js";
import { service } from "./service.js";
import { mountStageText } from "./stage_text.js";
import { Store } from "./store.js";
import { mountSwitches } from "./switches.js";
import { Viewer } from "./viewer.js";


/** @param {string} id */
const at = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

async function main() {
  const { limits, models, examples } = service;
  const language = new Language();
  const [store, session] = await Promise.all([Store.open(), service.sign_in ? api.session() : api.NOBODY]);
  access.learn(session);
  const consent = new Consent(limits);
  const analyses = new Analyses(store, limits, consent);
  const viewer = new Viewer(language);
  const threshold = models[1].thresholds.indeterminate ?? 0;
  const pointing = models[1].metrics.map?.predicted?.pointing_game;

  mountSwitches(at("preferences"), { language });
  const [original, keep, key] = ["original", "consent", "row key-note"].map((className) => element("div", { className }));
  mountOriginal(original, { language, analyses });
  mountConsent(keep, { language, consent });
  mountSignIn(at("sign-in"), { language, announce, ended: session.signed_in_until });
  mountKeyNote(key, { language, isOffered: limits.keeps });
  const jobs = limits.max_job_images ? offerJobs({ language, limits, consent, threshold, announce, analyses }) : null;
  const takeEarlyFiles = mountIntake(at("intake"), { language, analyses, examples, accepted: [...limits.media_types, ".dcm"].join(), beside: [original, keep, key], jobs });
  const [progress, controls] = [element("div", { className: "progress on-stage" }), element("div", { className: "panel" })];
  at("viewer").replaceChildren(element("div", { className: "bed" }, element("div", { className: "frame" }, viewer.stage, progress), controls));
  mountProgress(progress, { language, analyses });
  mountStageText({ language, viewer, threshold });
  mountControls(controls, { language, viewer, analyses, openRoom: readingRoom(at("viewer"), { language, viewer }) });
  viewer.addEventListener("step", (/** @type {any} */ { detail: by }) => step(analyses, by));
  mountResult(at("result"), { language, analyses, viewer, threshold, pointing });
  mountAnnouncements({ language, analyses, threshold, announce });
  const open = (/** @type {import("./analyses.js").Entry} */ entry) => {
    analyses.select(entry);
    goToResult();
  };
  mountHistory(at("history"), { language, analyses, threshold, open });
  if (limits.keeps) offerKept({ language, analyses, threshold, open });
  if (limits.keeps) offerKeys({ language, announce });
  mountPerformance(at("performance"), { language, models });
  mountSnippets(at("snippets"), { language });
  openProjectorLate(language, analyses);
  at("privacy-sign-in").hidden = !session.sign_in;
  at("versions").textContent = models.map(({ name, version }) => `${name} ${version}`).join(" · ");

  language.addEventListener("change", () => announce("")); // the last announcement was in the old language
  access.addEventListener("change", () => {
    analyses.closeKept(); // another caller may have had it kept
    if (access.hasKey) analyses.retryAll(KEY_PROBLEMS);
  });
  if (service.embed) (await import("./embed.js")).mountEmbed(service.embed, { analyses, threshold });
  analyses.addEventListener("change", () => show(viewer, analyses));
  addEventListener("online", () => analyses.retryAll(["network"]));
  addEventListener("beforeunload", (event) => { if (analyses.isBusy) event.preventDefault(); });
  await analyses.restore();
  takeEarlyFiles();
  document.documentElement.dataset.ready = "";
  openOffline();
}

/** Shows the current entry; one that was added is brought into view, since its answer comes there. @param {Viewer} viewer @param {Analyses} analyses */
function show(viewer, analyses) {
  const { current } = analyses;
  const isFirst = !at("bench").toggleAttribute("data-empty", !current) && !viewer.entry;
  const isAdded = current !== viewer.entry && current?.state === "waiting";
  document.documentElement.toggleAttribute("data-reading", Boolean(current));
  viewer.show(current);
  if ("ready" in document.documentElement.dataset && (isFirst || (isAdded && isOutOfView()))) at("bench").scrollIntoView();
}

/** Selects an entry some places further in the history; none beyond its ends. @param {Analyses} analyses @param {number} by */
function step(analyses, by) {
  const next = analyses.entries[analyses.entries.findIndex((entry) => entry === analyses.current) + by];
  if (next) analyses.select(next);
}

/** Scrolls to the answer that was asked for, and has it read; smoothly, unless reduced motion is preferred (page.css). */
function goToResult() {
  const isAway = isOutOfView();
  document.getElementById("result-title")?.focus({ preventScroll: true });
  if (isAway) at("bench").scrollIntoView();
}

/** Whether the place of the answer is above what is seen, or far down. */
function isOutOfView() {
  const { top } = at("bench").getBoundingClientRect();
  return top < 0 || top > innerHeight / 2;
}

/** @param {string} text */
function announce(text) {
  at("announcer").textContent = text;
}

/** Offers what the service keeps; the code is loaded when it is opened. @param {{language: Language, analyses: Analyses, threshold: number, open: (entry: import("./analyses.js").Entry) => void}} parts */
function offerKept(parts) {
  const { language, analyses, open: show } = parts;
  const details = /** @type {HTMLDetailsElement} */ (at("kept"));
  details.hidden = false;
  const mount = async () => {
    const [{ Kept }, { mountKeptList }] = await Promise.all([import("./kept.js"), import("./kept_list.js")]);
    const kept = new Kept();
    mountKeptList(details, at("kept-body"), { ...parts, kept, show, announce });
    analyses.addEventListener("kept", (/** @type {any} */ { detail: analysis }) => kept.add(analysis));
    kept.addEventListener("gone", (/** @type {any} */ { detail: ids }) => analyses.forgetKept(ids));
  };
  details.addEventListener("toggle", mount, { once: true });
  at("privacy-server").dataset.text = "privacy.serverKeeps";
  at("privacy-server").textContent = language.text("privacy.serverKeeps");
}

/** Offers API keys to those who may manage them. @param {{language: Language, announce: (text: string) => void}} parts */
async function offerKeys(parts) {
  const { followCaller } = await import("./key_offer.js");
  followCaller(/** @type {HTMLDetailsElement} */ (at("keys")), at("keys-body"), parts);
}

/** Offers jobs; the code is loaded when somebody has or wants one. @param {{language: Language, limits: api.Limits, consent: Consent, threshold: number, announce: (text: string) => void, analyses: Analyses}} parts */
function offerJobs(parts) {
  const details = /** @type {HTMLDetailsElement} */ (at("jobs"));
  const here = (/** @type {any[]} */ films) => parts.analyses.add(films);
  const mount = async () => (await import("./job_section.js")).mountJobs(details, at("jobs-body"), { ...parts, here });
  /** @type {ReturnType<typeof mount> | undefined} */
  let mounted;
  const open = () => (mounted ??= mount());
  details.hidden = false;
  details.addEventListener("toggle", open, { once: true });
  details.open = hasJobs();
  return new JobIntake(parts.limits, open);
}

/** Loads the projector's code and points when it is opened, and disposes of them when it is closed. */
function openProjectorLate(/** @type {Language} */ language, /** @type {Analyses} */ analyses) {
  const details = /** @type {HTMLDetailsElement} */ (at("projector"));
  let dispose = () => {};
  details.addEventListener("toggle", async () => {
    dispose();
    dispose = () => {};
    if (!details.open) return;
    const { mountProjector } = await import("./projector.js");
    dispose = await mountProjector(at("projector-body"), { language, analyses });
  });
}

addEventListener("unhandledrejection", (event) => {
  const isExpected = api.isOfTheNetwork(event.reason);
  if (isExpected) event.preventDefault(); // the page says it, and the browser has logged the request
  at(isExpected ? "unreachable" : "failed").hidden = false;
});
if (document.documentElement.dataset.tooOld === undefined) main();
