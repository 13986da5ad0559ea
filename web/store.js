// @ts-check
/**
 * Stores this visit's analyses in the browser only (IndexedDB).
 *
 * A visit lasts as long as its tab. The open page holds a lock; the next page load deletes the entries
 * of visits without a lock.
 */

/** @typedef {import("./analyses.js").Entry} Entry */

const DATABASE = "chestxray";
const ENTRIES = "entries";
const VISIT = "visit";

export class Store {
  /** @param {IDBDatabase | null} database @param {string} visit */
  constructor(database, visit) {
    this.database = database;
    this.visit = visit;
  }

  /** Opens the database, or a store that keeps nothing if IndexedDB is unavailable. */
  static async open() {
    const store = new Store(await connect(), visitId());
    await store.deleteEndedVisits();
    return store;
  }

  /** @returns {Promise<Entry[]>} newest first */
  async list() {
    const kept = await this.#run("readonly", (entries) => entries.getAll());
    return (kept ?? []).filter(({ visit }) => visit === this.visit).sort((a, b) => b.created - a.created);
  }

  /** @param {Entry} entry */
  put(entry) {
    const { id, created, name, synthetic, state, result, problem, shown, thumbnail } = entry;
    const kept = { id, created, name, synthetic, state, result, problem, shown, thumbnail, visit: this.visit };
    return this.#run("readwrite", (entries) => entries.put(kept));
  }

  /** @param {string} id */
  delete(id) {
    return this.#run("readwrite", (entries) => entries.delete(id));
  }

  async deleteEndedVisits() {
    const open = new Set(await visitsWithLock());
    const kept = (await this.#run("readonly", (entries) => entries.getAll())) ?? [];
    const ended = kept.filter(({ visit }) => visit !== this.visit && !open.has(visit));
    await Promise.all(ended.map(({ id }) => this.delete(id)));
  }

  /**
   * @param {IDBTransactionMode} mode
   * @param {(entries: IDBObjectStore) => IDBRequest} ask
   * @returns {Promise<any>}
   */
  #run(mode, ask) {
    const { database } = this;
    if (!database) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(ENTRIES, mode);
      const request = ask(transaction.objectStore(ENTRIES));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
    });
  }
}

/** @returns {Promise<IDBDatabase | null>} */
function connect() {
  return new Promise((resolve) => {
    const request = opening();
    if (!request) return resolve(null);
    request.onupgradeneeded = () => request.result.createObjectStore(ENTRIES, { keyPath: "id" });
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

function visitId() {
  let visit = String(crypto.getRandomValues(new Uint32Array(2)));
  try {
    visit = sessionStorage.getItem(VISIT) ?? visit;
    sessionStorage.setItem(VISIT, visit);
  } catch {
    // The visit then ends with a reload.
  }
  navigator.locks?.request(`${VISIT} ${visit}`, () => new Promise(() => {})); // until the tab closes
  return visit;
}

/** The lock API needs https or localhost; otherwise only this visit is known to be open. */
async function visitsWithLock() {
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  return held.map(({ name = "" }) => name.replace(`${VISIT} `, ""));
}
