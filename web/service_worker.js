/**
 * Stores the page's own files, so that it opens without a connection; never an image or an answer.
 * The service puts VERSION and FILES before this script.
 */

const SHELL = new URL("./", self.location.href).href;
const CACHE = `chestxray ${VERSION}`;
const KEPT = /\/(thumbnails|examples)\/[^/]+\?v=/;

self.addEventListener("install", (event) => event.waitUntil(store()));
self.addEventListener("activate", (event) => event.waitUntil(takeOver()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    if (isShell(new URL(request.url))) event.respondWith(document(request));
  } else if (request.url.startsWith(`${SHELL}web/${VERSION}/`) || KEPT.test(request.url)) {
    event.respondWith(unchanging(request));
  }
});

/** Whether an address is that of the page itself, in any language, and of no other document beside it. */
function isShell({ origin, pathname, searchParams }) {
  return origin + pathname === SHELL && !searchParams.has("embed");
}

async function store() {
  const cache = await caches.open(CACHE);
  await cache.addAll([...FILES, SHELL]);
  await self.skipWaiting();
}

async function takeOver() {
  const old = (await caches.keys()).filter((name) => name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

/** The newest document, or the stored one without a connection. */
async function document(request) {
  try {
    const answer = await fetch(request);
    if (answer.ok) await (await caches.open(CACHE)).put(SHELL, answer.clone());
    return answer;
  } catch (error) {
    const stored = await caches.match(SHELL, { ignoreVary: true });
    if (stored) return stored;
    throw error;
  }
}

/** A file whose address changes with it. */
async function unchanging(request) {
  const cache = await caches.open(CACHE);
  const stored = await cache.match(request, { ignoreVary: true });
  if (stored) return stored;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone());
  return answer;
}
