// @ts-check
/** Builds DOM from data; text is never parsed as markup. */

const TERMS = /(COVID-19|COVID-like|X-rays?)/; // a line that ends after their hyphen is misread; documents.py has the same
const TEXT = new Set(["h1", "h2", "h3", "p", "span", "button", "li", "dt", "dd", "th", "td"]); // an option has no elements
const ARIA = /^aria(?=[A-Z])/; // Firefox knows these properties since version 119 only

/**
 * Creates an element; unknown properties become attributes, `on` adds event listeners.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | null)} children
 * @returns {any}
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (ARIA.test(name)) {
      made.setAttribute(name.replace(ARIA, "aria-").toLowerCase(), String(value));
    } else if (name in made && name !== "list") {
      Reflect.set(made, name, value);
    } else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(name, value === true ? "" : String(value));
    }
  }
  made.append(...children.filter((child) => child !== null).flatMap((child) => (typeof child === "string" ? unbroken(tag, child) : [child])));
  return made;
}

/**
 * Replaces what an element says.
 * @param {Element} place
 * @param {string} text
 */
export function say(place, text) {
  place.replaceChildren(...unbroken(place.localName, text));
}

/**
 * A text, with elements that keep each of its terms on one line.
 * @param {string} tag of the element it is for
 * @param {string} text
 * @returns {(Node | string)[]}
 */
function unbroken(tag, text) {
  if (!TEXT.has(tag)) return [text];
  return text.split(TERMS).map((part, number) => {
    if (number % 2 === 0) return part;
    const term = document.createElement("span");
    term.className = "term";
    term.textContent = part;
    return term;
  });
}

/**
 * A description list of names and values.
 * @param {string[][]} rows
 */
export function facts(rows) {
  const parts = rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  return element("dl", { className: "facts" }, ...parts);
}

/**
 * Renders without losing the focus: keeps it on the element or on its visible replacement of that id,
 * else moves it to `other()`, else to the enclosing section.
 * @param {HTMLElement} place
 * @param {() => void} render
 * @param {() => Element | null | undefined} [other]
 */
export function keepingFocus(place, render, other) {
  const before = document.activeElement;
  const inside = before && place.contains(before);
  render();
  if (!inside || isShown(before)) return;
  const same = before.id ? document.getElementById(before.id) : null;
  const next = (same && isShown(same) ? same : null) ?? other?.() ?? place.closest("[tabindex]");
  /** @type {HTMLElement | null} */ (next)?.focus({ preventScroll: true });
}

/** As checkVisibility() says, which Safari has since 17.4 only. @param {Element} element */
const isShown = (element) => element.getClientRects().length > 0;
