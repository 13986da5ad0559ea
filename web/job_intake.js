// @ts-check
/** Decides which films are offered as a job: a folder, a zip file, or more than a few images. */

import { droppedFolders, filmsOf, isZip } from "./job_files.js";
import { recall } from "./preferences.js";

/** @typedef {Awaited<ReturnType<import("./job_section.js").mountJobs>>} Section */

/** Its value: when the last job expires; until then the next visit looks for jobs. */
export const UNTIL = "jobs";

/** Whether this browser has sent jobs that have not expired. */
export const hasJobs = () => Number(recall(UNTIL) ?? 0) > Date.now();

export class JobIntake {
  /** @param {import("./api.js").Limits} limits @param {() => Promise<Section>} open loads what asks and sends */
  constructor({ max_images_per_batch: few }, open) {
    this.few = few;
    this.open = open;
  }

  /** Further file inputs: their texts' keys and properties. @returns {[string, Record<string, any>][]} */
  get pickers() {
    const canPickFolders = "webkitdirectory" in HTMLInputElement.prototype;
    return [
      ...(canPickFolders ? /** @type {[string, Record<string, any>][]} */ ([["jobs.pickFolder", { webkitdirectory: true }]]) : []),
      ["jobs.pickZip", { accept: ".zip,application/zip", multiple: true }],
    ];
  }

  /** Offers files as a job, or returns false where they are for the page itself. @param {FileList} files */
  take(files) {
    const isFolder = [...files].some(({ webkitRelativePath }) => webkitRelativePath);
    const zips = isFolder ? [] : [...files].filter(isZip);
    const films = filmsOf(files).filter(({ file }) => !zips.includes(/** @type {File} */ (file)));
    if (!zips.length && !isFolder && films.length <= this.few) return false;
    this.#offer(films, zips, isFolder);
    return true;
  }

  /** Offers dropped folders as a job, or returns false where there is none. @param {DataTransfer | null} transfer */
  drop(transfer) {
    const films = droppedFolders(transfer);
    films?.then((found) => this.#offer(found, [], true));
    return films !== null;
  }

  /** @param {import("./job_files.js").Film[]} films @param {File[]} zips @param {boolean} isFolder */
  async #offer(films, zips, isFolder) {
    const { offer } = await this.open();
    await offer({ films, zips, isFolder });
  }
}
