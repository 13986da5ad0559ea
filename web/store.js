// @ts-check
/**
 * Stores this visit's analyses in the browser only (IndexedDB), if it lets us; they work without.
 *
 * A visit lasts as long as its tab. The open page holds a lock; the next page load deletes the entries
 * of visits without a lock. Fires "change" when `works` changes.
 */

/** @typedef {import("./analyses.js").Entry} Entry */

const DATABASE = "chestxray";
const ENTRIES = "entries";
const VISIT = "visit";
const LONGEST_WAIT_MS = 3000; // some browsers never say that they deny a database

export class Store extends EventTarget {
  /** Whether what was stored last will be here after a reload. */
  works = true;

  /** @param {IDBDatabase | null} database @param {string} visit */
  constructor(database, visit) {
    super();
    this.database = database;
    this.visit = visit;
    this.works = Boolean(database);
  }

  /** Opens the database, or a store that keeps nothing if IndexedDB is unavailable. */
  static async open() {
    const late = new Promise((resolve) => setTimeout(resolve, LONGEST_WAIT_MS, null));
    const store = new Store(await Promise.race([connect(), late]), visitId());
    await store.deleteEndedVisits();
    return store;
  }

  /** @returns {Promise<Entry[]>} newest first */
  async list() {
    const kept = await this.#run("readonly", (entries) => entries.getAll());
    return (kept ?? []).filter(({ visit }) => visit === this.visit).sort((a, b) => b.created - a.created);
  }

  /** Stores an entry with its original, or without it where that is too large; what is sent only until there is a result. @param {Entry} entry */
  async put(entry) {
    const { id, created, name, synthetic, state, result, problem, shown, thumbnail, original } = entry;
    const file = result || entry.file === original ? undefined : entry.file;
    const kept = { id, created, name, synthetic, state, result, problem, shown, thumbnail, file, visit: this.visit };
    if (original && (await this.#succeeds({ ...kept, original }))) return this.#note(true);
    await this.#run("readwrite", (entries) => entries.put({ ...kept, file: result ? undefined : entry.file }));
  }

  /** @param {Record<string, any>} record @returns {Promise<boolean>} */
  #succeeds(record) {
    return this.#transact("readwrite", (entries) => entries.put(record)).then(() => true, () => false);
  }

  /** @param {string[]} ids */
  delete(...ids) {
    return this.#run("readwrite", (entries) => ids.map((id) => entries.delete(id)).at(-1));
  }

  async deleteEndedVisits() {
    const open = new Set(await visitsWithLock());
    const kept = (await this.#run("readonly", (entries) => entries.getAll())) ?? [];
    const ended = kept.filter(({ visit }) => visit !== this.visit && !open.has(visit));
    await this.delete(...ended.map(({ id }) => id));
  }

  /**
   * Returns the result of the last request; null if the database does not work. Never rejects.
   * @param {IDBTransactionMode} mode
   * @param {(entries: IDBObjectStore) => IDBRequest | undefined} ask
   * @returns {Promise<any>}
   */
  async #run(mode, ask) {
    if (!this.database) return null;
    try {
      const result = await this.#transact(mode, ask);
      this.#note(true);
      return result;
    } catch {
      this.#note(false);
      return null;
    }
  }

  /** Rejects if the database does not work. @param {IDBTransactionMode} mode @param {(entries: IDBObjectStore) => IDBRequest | undefined} ask @returns {Promise<any>} */
  #transact(mode, ask) {
    return new Promise((resolve, reject) => {
      const transaction = /** @type {IDBDatabase} */ (this.database).transaction(ENTRIES, mode);
      const request = ask(transaction.objectStore(ENTRIES));
      transaction.oncomplete = () => resolve(request?.result);
      transaction.onabort = () => reject(transaction.error); // the disk or the quota is full
    });
  }

  /** @param {boolean} works */
  #note(works) {
    if (works === this.works) return;
    this.works = works;
    this.dispatchEvent(new Event("change"));
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
    request.onblocked = () => resolve(null);
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
  const untilTheTabCloses = () => new Promise(() => {});
  navigator.locks?.request(`${VISIT} ${visit}`, untilTheTabCloses).catch(() => {}); // denied to some frames
  return visit;
}

/** The lock API needs https or localhost, and may be denied: then only this visit is known to be open. */
async function visitsWithLock() {
  const { held = [] } = (await navigator.locks?.query().catch(() => null)) ?? {};
  return held.map(({ name = "" }) => name.replace(`${VISIT} `, ""));
}
