/** Runs before the page is shown: in the chosen colours; in another language than the server's choice it is asked for again. */

(() => {
  const { documentElement: root } = document;
  addEventListener("error", () => {
    const why = self.origin === "null" ? "sandboxed" : "unreachable"; // a sandbox denies what modules need
    const note = root.dataset.ready === undefined && document.getElementById(why);
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
  } catch {
    return; // storage is denied
  }
  if (!wanted || wanted === root.lang) return;
  asked.set("lang", wanted);
  location.replace(`?${asked}${location.hash}`);
})();
