// @ts-check
/** Lets the page open without a connection, where the browser allows that (https or localhost, no third-party frame). */

export async function openOffline() {
  const address = "service-worker.js";
  const { trustedTypes } = /** @type {any} */ (globalThis);
  const policy = trustedTypes?.createPolicy("service-worker", { createScriptURL: () => address });
  try {
    await navigator.serviceWorker?.register(policy?.createScriptURL("") ?? address);
  } catch {
    // The page then needs a connection to open.
  }
}
