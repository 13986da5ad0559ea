// @ts-check
/** The list of API keys, to rotate or revoke; it is loaded whenever it is opened. */

import { copyButton } from "./clipboard.js";
import { element, keepingFocus } from "./element.js";
import { explained } from "./list_section.js";
import { newKeyForm } from "./new_key.js";
import { askingButton } from "./question.js";

/**
 * @typedef {import("./key_api.js").Key} Key
 * @typedef {import("./language.js").Language} Language
 * @typedef {{language: Language, keys: import("./keys.js").Keys, scopes: () => import("./key_api.js").Scope[], announce: (text: string) => void}} Parts
 */

/** @param {HTMLDetailsElement} details @param {HTMLElement} place @param {Parts} parts */
export function mountKeyList(details, place, parts) {
  const { language, keys } = parts;
  const [head, secret, trouble, list, foot] = [element("div"), element("div"), element("div"), element("ul", { className: "visits" }), element("div", { className: "row" })];
  place.replaceChildren(head, secret, trouble, list, foot);
  /** @type {unknown[]} what is shown: neither a form in use nor an open question is replaced in vain */
  let [headed, issued, told, listed] = ["", null, null, null];

  const fill = () => {
    const { state } = keys;
    const facts = [language.code, ...parts.scopes()].join();
    if (facts !== headed) head.replaceChildren(element("p", { className: "muted" }, language.text("keys.note")), newKeyForm(parts.scopes(), language, (wanted) => keys.create(wanted)));
    headed = facts;
    if (state.issued !== issued) secret.replaceChildren(...issuedKey(parts));
    issued = state.issued;
    if (state.problem !== told) trouble.replaceChildren(...explained(state.problem, "keys", "keys.reload", () => keys.load(), language)); // an alert is said once
    told = state.problem;
    list.setAttribute("aria-busy", String(state.isBusy));
    if (state.list !== listed) list.replaceChildren(...(state.list ?? []).map((each) => item(each, parts)));
    listed = state.list;
    foot.replaceChildren(...(state.next ? [button("keys-more", language.text("kept.more"), () => keys.more())] : []));
  };
  const render = () => keepingFocus(place, fill, () => place.querySelector("code") ?? details.querySelector("summary"));
  const load = () => { if (details.open) keys.load(); };
  details.addEventListener("toggle", load);
  keys.addEventListener("change", render);
  keys.addEventListener("done", (/** @type {any} */ { detail }) => parts.announce(language.text(`keys.${detail}`)));
  language.addEventListener("change", () => {
    [headed, issued, told, listed] = ["", null, null, null];
    render();
  });
  fill();
  load();
}

/** The secret that is shown only now. @param {Parts} parts */
function issuedKey({ language, keys }) {
  const { issued } = keys.state;
  if (!issued) return [];
  const shown = element("code", { id: "keys-secret", tabIndex: 0 }, issued.key);
  return [element("section", { className: "issued", "aria-labelledby": "keys-secret-title" },
    element("p", { id: "keys-secret-title" }, language.text("keys.secret", { name: issued.name })),
    shown,
    element("div", { className: "row" }, copyButton(issued.key, shown, language), button("keys-hide", language.text("keys.hide"), () => keys.hide())))];
}

/** @param {Key} key @param {Parts} parts */
function item(key, { language, keys }) {
  const { id, name } = key;
  const when = (/** @type {string} */ time) => language.time(Date.parse(time));
  const lines = [
    key.scopes.map((scope) => language.text(`keys.scope.${scope}`)).join(", "),
    language.text("keys.created", { when: when(key.created_at) }),
    key.expires_at ? language.text("keys.until", { when: when(key.expires_at) }) : language.text("keys.forever"),
    ...(key.requests_per_minute ? [language.text("keys.perMinute", { count: language.number(key.requests_per_minute) })] : []),
    ...(key.previous_secret_until ? [language.text("keys.previous", { when: when(key.previous_secret_until) })] : []),
  ];
  const asking = (/** @type {"rotate" | "revoke"} */ what) => askingButton(`keys-${what}-${id}`, {
    button: language.text(`keys.${what}`),
    question: language.text(`keys.${what}Question`, { name }),
    yes: language.text(`keys.${what}`),
    no: language.text("history.no"),
  }, () => keys[what](id));
  return element("li", { className: "api-key", "aria-labelledby": `keys-name-${id}` },
    element("strong", { id: `keys-name-${id}` }, name),
    ...lines.map((line) => element("span", { className: "muted" }, line)),
    element("div", { className: "row" }, asking("rotate"), asking("revoke")));
}

/** @param {string} id @param {string} text @param {() => void} click */
const button = (id, text, click) => element("button", { type: "button", id, on: { click } }, text);
