// @ts-check
/** Refuses before sending what cannot be sent, or could only break off the connection. */

import { AnalysisProblem } from "./api.js";

/** Rejects with AnalysisProblem for a folder, a file that is gone, or an empty one. @param {Blob} file */
export async function checkReadable(file) {
  const head = await file.slice(0, 1).arrayBuffer().catch(() => null);
  if (!head) throw new AnalysisProblem({ code: "file-unreadable", detail: "", status: 0 });
  if (!file.size) throw new AnalysisProblem({ code: "empty-image", detail: "", status: 0 });
}

/** Throws AnalysisProblem for a file beyond the limit: the service would close the connection on it. @param {Blob} file @param {import("./api.js").Limits} limits */
export function checkSize(file, { max_image_bytes: limit }) {
  if (file.size > limit) throw new AnalysisProblem({ code: "body-too-large", detail: "", status: 0, limit });
}
