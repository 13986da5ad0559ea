// @ts-check
/** The page's texts by key, in the current language; fires "change" when the language changes. */

import { get } from "./api.js";
import { say } from "./element.js";
import { remember } from "./preferences.js";
import { service } from "./service.js";

const FOLDER = new URL("./locales/", import.meta.url).href;
const PREFERENCE = "language";
const MINUTE_MS = 60_000;
/** Units of a span of time: each from this many on, with this many digits. */
const UNITS = [
  { unit: "day", length: 1440 * MINUTE_MS, least: 3, digits: 1 },
  { unit: "hour", length: 60 * MINUTE_MS, least: 2, digits: 0 },
  { unit: "minute", length: MINUTE_MS, least: 0, digits: 0 },
];

export class Language extends EventTarget {
  available = service.languages;
  code = service.language;
  texts = service.texts;

  /** @param {string} code */
  async use(code) {
    this.texts = code === service.language ? service.texts : await (await get(`${FOLDER}${code.split("-")[0]}.json`)).json();
    this.code = code;
    document.documentElement.lang = code;
    for (const place of document.querySelectorAll("[data-text]")) {
      say(place, this.text(place.getAttribute("data-text") ?? ""));
    }
    for (const place of document.querySelectorAll("[data-label]")) {
      place.setAttribute("aria-label", this.text(place.getAttribute("data-label") ?? ""));
    }
    for (const link of document.querySelectorAll("a[hreflang]")) {
      link.setAttribute("hreflang", code);
      link.setAttribute("href", (link.getAttribute("href") ?? "").replace(/lang=[^&#]*/, `lang=${code}`));
    }
    this.dispatchEvent(new Event("change"));
  }

  /** @param {string} code */
  async choose(code) {
    await this.use(code);
    remember(PREFERENCE, code);
    const address = new URL(location.href);
    address.searchParams.set("lang", code); // a reload, and a copied link, show the same language
    history.replaceState(null, "", address);
  }

  /**
   * Returns the text of a key, with {placeholders} replaced.
   * @param {string} key
   * @param {Record<string, string | number>} [values]
   */
  text(key, values = {}) {
    const found = this.texts[key];
    if (found === undefined) throw new Error(`no text for ${key}`);
    return found.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
  }

  /** @param {string} key */
  has(key) {
    return key in this.texts;
  }

  /** @param {number} share @param {number} [digits] */
  percent(share, digits = 0) {
    const options = { style: /** @type {"percent"} */ ("percent"), minimumFractionDigits: digits, maximumFractionDigits: digits };
    return new Intl.NumberFormat(this.code, options).format(share);
  }

  /** @param {number} value @param {number} [digits] */
  number(value, digits = 0) {
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    return new Intl.NumberFormat(this.code, options).format(value);
  }

  /** @param {number} bytes */
  megabytes(bytes) {
    return `${this.number(bytes / 2 ** 20, 1)} MB`;
  }

  /** A span of time in words, such as 23 hours; never more than it is. @param {number} milliseconds */
  duration(milliseconds) {
    const { unit, length, digits } = UNITS.find(({ length, least }) => milliseconds >= least * length) ?? UNITS[2];
    const whole = Math.floor((milliseconds / length) * 10 ** digits) / 10 ** digits;
    return new Intl.NumberFormat(this.code, { style: "unit", unit, unitDisplay: "long" }).format(whole);
  }

  /** @param {number} milliseconds since 1970 */
  time(milliseconds) {
    return new Intl.DateTimeFormat(this.code, { dateStyle: "short", timeStyle: "short" }).format(milliseconds);
  }
}
