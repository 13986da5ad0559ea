// @ts-check
/** What the sections of the service's lists share: they load while they are open, and say what went wrong. */

import { element } from "./element.js";
import { KEY_PROBLEMS, keyForm } from "./key.js";
import { wording } from "./problem.js";

/** @typedef {import("./language.js").Language} Language */

const CLOCK_MS = 30_000;

/**
 * Loads a list whenever its section is opened, and leaves out what has expired while it is open.
 * @param {HTMLDetailsElement} details
 * @param {{load: () => void, expire: (now: number) => void}} list
 */
export function whileOpen(details, list) {
  let clock = 0;
  const follow = () => {
    clearInterval(clock);
    if (!details.open) return;
    clock = setInterval(() => list.expire(Date.now()), CLOCK_MS);
    list.load();
  };
  details.addEventListener("toggle", follow);
  follow();
}

/**
 * Explains why a list could not be loaded or changed, with a form for a key or a button that loads it again.
 * @param {import("./api.js").Problem | null} problem
 * @param {string} name of the section; its form and button are named for it
 * @param {string} retry key of the button's text
 * @param {() => void} load
 * @param {Language} language
 * @returns {HTMLElement[]}
 */
export function explained(problem, name, retry, load, language) {
  if (!problem) return [];
  const { title, advice } = wording(problem, language);
  const about = element("div", { role: "alert" },
    element("strong", {}, title),
    element("p", {}, problem.code === "network" ? language.text("kept.network") : advice));
  const remedy = KEY_PROBLEMS.includes(problem.code)
    ? keyForm(`${name}-key`, language)
    : element("button", { type: "button", id: `${name}-retry`, on: { click: load } }, language.text(retry));
  return [element("div", { className: "problem" }, about, remedy)];
}
