// @ts-check
/** Writes the results of a job as CSV and JSON. */

import { FINDINGS } from "./api.js";

/** @typedef {import("./job_rows.js").Row} Row */

const COLUMNS = ["position", "file", "outcome", ...FINDINGS, "abnormal", "verdict", "problem", "detail", "sha256", "disclaimer"];
const FORMULA = /^[=+\-@\t\r]/;

/** @param {Row[]} rows */
export function csvOf(rows) {
  const lines = [COLUMNS, ...rows.map(cells)].map((line) => line.map(quoted).join(","));
  return new Blob(["\ufeff", lines.join("\r\n"), "\r\n"], { type: "text/csv" }); // spreadsheets know UTF-8 by the mark
}

/** @param {Row} row @returns {(string | number)[]} */
function cells({ position, name, outcome, probabilities, problem, item }) {
  const result = /** @type {any} */ (item?.result ?? {});
  return [
    position + 1,
    name ?? "",
    outcome,
    ...FINDINGS.map((finding) => probabilities?.[finding] ?? ""),
    result.prediction?.abnormal ?? "",
    result.filter?.verdict ?? "",
    problem?.code ?? "",
    problem?.detail ?? "",
    item?.digest ?? "",
    result.disclaimer ?? "",
  ];
}

/** A spreadsheet would compute a text that begins like a formula. @param {string | number} cell */
function quoted(cell) {
  const text = typeof cell === "string" && FORMULA.test(cell) ? `'${cell}` : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {import("./job_api.js").Job} job @param {Row[]} rows */
export function jsonOf(job, rows) {
  const items = rows.map(({ position, name, outcome, item }) => ({ file: name, outcome, ...item, position }));
  return new Blob([JSON.stringify({ ...job, items }, null, 2)], { type: "application/json" });
}
