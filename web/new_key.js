// @ts-check
/** Asks what a new API key may do. */

import { element } from "./element.js";

/**
 * @typedef {import("./key_api.js").Scope} Scope
 * @typedef {import("./key_api.js").Wanted} Wanted
 * @typedef {import("./language.js").Language} Language
 */

const USUAL = ["analyse", "history"];
const [DAYS, MOST_DAYS, MOST_IMAGES] = [365, 3660, 1_000_000];
const LONGEST_NAME = 120;

/** @param {Scope[]} scopes what the caller may do, and so give @param {Language} language @param {(wanted: Wanted) => void} create */
export function newKeyForm(scopes, language, create) {
  const name = element("input", { id: "keys-name", className: "field", required: true, maxLength: LONGEST_NAME, autocomplete: "off" });
  const days = number("keys-days", MOST_DAYS, DAYS);
  const images = number("keys-images", MOST_IMAGES, "");
  const ticks = scopes.map((scope) => element("input", { type: "checkbox", value: scope, checked: USUAL.includes(scope), on: { change: () => check() } }));
  const chosen = () => ticks.filter(({ checked }) => checked).map(({ value }) => value);
  const check = () => ticks[0]?.setCustomValidity(chosen().length ? "" : language.text("keys.noScope"));
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    create({ name: name.value.trim(), scopes: chosen(), expires_days: days.valueAsNumber || null, requests_per_minute: images.valueAsNumber || null });
    name.value = "";
  };
  check();
  return element("form", { className: "new-key", "aria-label": language.text("keys.new"), on: { submit } },
    element("label", {}, language.text("keys.name"), name),
    element("fieldset", {}, element("legend", {}, language.text("keys.scopes")),
      ...ticks.map((tick, index) => element("label", { className: "tick" }, tick, language.text(`keys.scope.${scopes[index]}`)))),
    element("label", {}, language.text("keys.days"), days),
    element("label", {}, language.text("keys.images"), images),
    element("div", { className: "row" }, element("button", { className: "primary" }, language.text("keys.create"))));
}

/** @param {string} id @param {number} max @param {number | string} value */
const number = (id, max, value) => element("input", { id, className: "field", type: "number", min: 1, max, step: 1, value, inputMode: "numeric" });
