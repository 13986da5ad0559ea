// @ts-check
/** The tick with which a visitor has analyses kept on the server, and what it means. */

import { access } from "./access.js";
import { element, facts, keepingFocus } from "./element.js";

/**
 * @typedef {import("./language.js").Language} Language
 * @typedef {import("./api.js").Limits} Limits
 */

const HOUR_MS = 3_600_000;

/** Whether the visitor wants analyses kept; false at every start, and stored nowhere. */
export class Consent {
  ticked = false;

  /** @param {Limits} limits */
  constructor({ keeps, retention_hours: hours }) {
    this.isOffered = keeps;
    this.milliseconds = (hours ?? 0) * HOUR_MS;
  }

  /**
   * Whether the visitor could see and delete what is kept: the service knows a caller by its key or by
   * a cookie, which a browser may refuse and does not send from within a page of another site.
   */
  get isPossible() {
    return this.isOffered && (access.hasKey || (navigator.cookieEnabled && isAmongItsOwn()));
  }

  get isGiven() {
    return this.isPossible && this.ticked;
  }
}

function isAmongItsOwn() {
  try {
    return Boolean(window.top?.location.href);
  } catch {
    return false;
  }
}

/** @param {HTMLElement} place @param {{language: Language, consent: Consent}} parts */
export function mountConsent(place, { language, consent }) {
  place.hidden = !consent.isOffered;
  if (place.hidden) return;
  const fill = () => place.replaceChildren(...(consent.isPossible ? tick(language, consent) : [blocked(language)]));
  const render = () => keepingFocus(place, fill);
  access.addEventListener("change", render);
  language.addEventListener("change", render);
  addEventListener("pageshow", ({ persisted }) => {
    if (!persisted) return; // the browser restores a page with its ticks
    consent.ticked = false;
    render();
  });
  fill();
}

/** @param {Language} language @param {Consent} consent */
function tick(language, consent) {
  const change = (/** @type {any} */ { target }) => { consent.ticked = target.checked; };
  const box = element("input", { type: "checkbox", id: "keep", checked: consent.ticked, autocomplete: "off", "aria-describedby": "keep-meaning", on: { change } });
  return [
    element("label", { className: "tick" }, box, element("strong", {}, language.text("keep.tick"))),
    meaning(language, consent),
  ];
}

/** @param {Language} language @param {Consent} consent */
function meaning(language, { milliseconds }) {
  const { by } = access;
  const time = language.duration(milliseconds);
  const rows = [
    [language.text("keep.what"), language.text("keep.whatText")],
    [language.text("keep.where"), language.text(`keep.where${by}`)],
    [language.text("keep.until"), language.text(`keep.until${by}`, { time })],
    [language.text("keep.deletion"), language.text("keep.deletionText")],
  ];
  const made = facts(rows);
  made.id = "keep-meaning";
  return made;
}

/** @param {Language} language */
const blocked = (language) => element("p", { className: "muted" }, language.text("keep.blocked"));
