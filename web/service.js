// @ts-check
/** What the service has put into the document: texts in the page's language, and facts about itself. */

/**
 * @typedef {import("./api.js").Limits} Limits
 * @typedef {import("./api.js").Model} Model
 * @typedef {import("./api.js").Example} Example
 *
 * @typedef {object} Service
 * @property {string} language its code
 * @property {Record<string, string>} texts
 * @property {{code: string, name: string}[]} languages
 * @property {boolean} sign_in whether people can sign in
 * @property {string[] | null} embed in the frame of another page: the origins that may hear of results
 * @property {Limits} limits
 * @property {Model[]} models filter and classifier
 * @property {Example[]} examples
 */

/** @type {Service} */
export const service = JSON.parse(document.getElementById("service")?.textContent ?? "");
