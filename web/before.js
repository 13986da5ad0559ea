/**
 * Runs before the page is shown, in browsers of any age: says that one is too old, and in another language than the
 * server's choice has the page asked for again.
 */

(() => {
  const { documentElement: root } = document;
  root.dataset.scripted = "";
  // The last that came of what the page needs: Safari 16.4, Chrome and Edge 111, and Firefox 115 have all of it.
  const needed = [
    [window, "OffscreenCanvas"], [window, "HTMLDialogElement"], [window.AbortSignal, "timeout"],
    [Array.prototype, "toSorted"], [Array.prototype, "findLast"],
  ];
  if (needed.some(([place, name]) => !place || !(name in place))) {
    root.dataset.tooOld = "";
    addEventListener("DOMContentLoaded", () => { document.getElementById("too-old").hidden = false; });
  }
  addEventListener("error", ({ target }) => {
    // A Firefox that blocks cookies refuses to preload what it then loads.
    if (target.nodeName && target.nodeName !== "SCRIPT") return;
    const why = self.origin === "null" ? "sandboxed" : "unreachable"; // a sandbox denies what modules need
    const isUp = root.dataset.ready !== undefined || root.dataset.tooOld !== undefined;
    const note = !isUp && document.getElementById(why);
    if (note) note.hidden = false; // a script did not load, or this browser cannot run it
  }, true);
  try {
    root.dataset.scheme = localStorage.getItem("scheme") ?? "auto";
  } catch {
    // storage is denied
  }
  const asked = new URLSearchParams(location.search);
  if (asked.has("lang")) return;
  let wanted = null;
  try {
    wanted = localStorage.getItem("language");
  } catch (error) {
    return; // storage is denied
  }
  if (!wanted || wanted === root.lang) return;
  asked.set("lang", wanted);
  location.replace(`?${asked}${location.hash}`);
})();
