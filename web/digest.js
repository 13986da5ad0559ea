// @ts-check
/** Names a film by its content. */

/** @param {Blob} file @returns {Promise<string | null>} SHA-256, in hexadecimal; null if the file is gone, and on pages without https, where browsers compute none */
export async function sha256(file) {
  if (!crypto.subtle) return null;
  const bytes = await file.arrayBuffer().catch(() => null);
  if (!bytes) return null;
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
