// @ts-check
/** Assembles the part of the page that sends and shows jobs; it is loaded once somebody has or wants one. */

import { bundleOfZip, bundlesOf, divided, inOrder } from "./job_files.js";
import { UNTIL } from "./job_intake.js";
import { mountJobList } from "./job_list.js";
import { Names } from "./job_names.js";
import { ask } from "./job_offer.js";
import { Jobs } from "./jobs.js";
import { remember } from "./preferences.js";

/**
 * @typedef {import("./job_files.js").Film} Film
 * @typedef {{films: Film[], zips: File[], isFolder: boolean}} Given
 * @typedef {object} Parts
 * @property {import("./language.js").Language} language
 * @property {import("./api.js").Limits} limits
 * @property {import("./consent.js").Consent} consent
 * @property {number} threshold
 * @property {(text: string) => void} announce
 * @property {(films: Film[]) => void} here analyses films one after another
 */

/** @param {HTMLDetailsElement} details @param {HTMLElement} place @param {Parts} parts */
export async function mountJobs(details, place, parts) {
  const jobs = new Jobs(await Names.open(), Number(parts.limits.retention_hours));
  mountJobList(details, place, { ...parts, jobs });
  jobs.addEventListener("sent", (/** @type {any} */ { detail: job }) => remember(UNTIL, String(Date.parse(job.expires_at))));
  jobs.addEventListener("gone", () => { if (!jobs.state.list?.length) remember(UNTIL, "0"); });
  addEventListener("beforeunload", (event) => { if (jobs.uploads.isBusy) event.preventDefault(); });
  return {
    /** Asks what to do with films, and does it. @param {Given} given */
    offer: async ({ films, zips, isFolder }) => {
      const { sent, left } = divided(isFolder ? inOrder(films) : films, parts.limits);
      const fitting = zips.filter(({ size }) => size <= Number(parts.limits.max_job_bytes));
      const bundles = [...bundlesOf(sent, parts.limits), ...(await Promise.all(fitting.map(bundleOfZip)))];
      const answer = await ask(document.body, { bundles, films: sent, zips, left }, parts);
      if (answer === "here") return parts.here([...sent, ...left.filter(({ file }) => file)]);
      if (answer !== "job") return;
      details.open = true;
      jobs.submit(bundles);
      details.scrollIntoView();
    },
  };
}
