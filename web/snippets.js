// @ts-check
/** Code snippets that call this service's API at its current address. */

import { copyButton } from "./clipboard.js";
import { element } from "./element.js";

/** @typedef {import("./language.js").Language} Language */

/** @param {HTMLElement} place @param {{language: Language}} parts */
export function mountSnippets(place, { language }) {
  const address = new URL(".", document.baseURI).href;
  const render = () => place.replaceChildren(
    snippet("curl", curl(address), language),
    snippet("Python", python(address), language),
  );
  language.addEventListener("change", render);
  render();
}

/** @param {string} address */
const curl = (address) => `curl -F image=@chest.png ${address}v1/analyses`;

/** @param {string} address */
const python = (address) => `# pip install . in the repository
from chestxray.client import Client, ProblemError

with Client("${address}") as client:
    try:
        print(client.analyze("chest.png").prediction)
    except ProblemError as problem:
        print(problem.code, problem.detail)`;

/** @param {string} name @param {string} code @param {Language} language */
function snippet(name, code, language) {
  const pre = element("pre", { tabIndex: 0, ariaLabel: name, role: "region" }, element("code", {}, code));
  return element("div", { className: "snippet" }, element("div", { className: "bar" }, element("strong", {}, name), copyButton(code, pre, language)), pre);
}
