// @ts-check
/**
 * Names of the files of jobs, which the service does not know: in this browser only (IndexedDB), until the
 * job is deleted or has expired. Where the browser stores nothing, until the page is closed.
 */

/** @typedef {{id: string, label: string, names: string[] | null, expires: number}} Named expires: in milliseconds since 1970 */

const DATABASE = "chestxray-jobs";
const JOBS = "jobs";

export class Names {
  /** @type {Map<string, Named>} */
  #known = new Map();

  /** @param {IDBDatabase | null} database */
  constructor(database) {
    this.database = database;
  }

  /** Opens the database, and deletes what has expired. */
  static async open() {
    const names = new Names(await connect());
    for (const each of (await names.#ask("readonly", (jobs) => jobs.getAll())) ?? []) {
      if (each.expires > Date.now()) names.#known.set(each.id, each);
      else names.delete(each.id);
    }
    return names;
  }

  /** @param {string} id */
  get(id) {
    return this.#known.get(id);
  }

  /** @param {Named} named */
  put(named) {
    this.#known.set(named.id, named);
    return this.#ask("readwrite", (jobs) => jobs.put(named));
  }

  /** @param {string} id */
  delete(id) {
    this.#known.delete(id);
    return this.#ask("readwrite", (jobs) => jobs.delete(id));
  }

  /**
   * @param {IDBTransactionMode} mode
   * @param {(jobs: IDBObjectStore) => IDBRequest} ask
   * @returns {Promise<any>} null if nothing can be stored
   */
  #ask(mode, ask) {
    const { database } = this;
    if (!database) return Promise.resolve(null);
    return new Promise((resolve) => {
      const transaction = database.transaction(JOBS, mode);
      const request = ask(transaction.objectStore(JOBS));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => resolve(null); // the disk is full: then names last until the page is closed
    });
  }
}

/** @returns {Promise<IDBDatabase | null>} */
function connect() {
  return new Promise((resolve) => {
    const request = opening();
    if (!request) return resolve(null);
    request.onupgradeneeded = () => request.result.createObjectStore(JOBS, { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null); // private windows of some browsers
  });
}

/** Browsers that block a site's data refuse even to ask. */
function opening() {
  try {
    return indexedDB.open(DATABASE, 1);
  } catch {
    return null;
  }
}
