// @ts-check
/** Text over the viewer's stage: how to enter it, which films are shown, and what was measured. */

import { element } from "./element.js";
import { named } from "./result.js";

/** @param {{language: import("./language.js").Language, viewer: import("./viewer.js").Viewer, threshold: number}} parts */
export function mountStageText({ language, viewer, threshold }) {
  const told = element("p", { className: "told", role: "status" });
  const hint = element("p", { className: "hint", "aria-hidden": "true" });
  const captions = [0, 1].map(() => element("p", { className: "caption" }));
  viewer.stage.append(told, hint, ...captions);
  const tell = () => {
    told.textContent = viewer.measuring.told;
    told.hidden = !told.textContent;
  };
  const sync = () => {
    tell();
    hint.hidden = !viewer.film || viewer.isFull;
    hint.textContent = language.text(viewer.isEntered ? "viewer.hintLeave" : "viewer.hintEnter");
    captions.forEach((caption, i) => {
      const pane = viewer.panes[i];
      caption.hidden = !pane || !(viewer.isFull || viewer.other);
      if (!pane || caption.hidden) return;
      const { name, result } = pane.entry;
      caption.textContent = [name, ...(result ? [named(result.prediction, threshold, language)] : [])].join(" · ");
      const { x, y, height } = viewer.areaOf(pane);
      const isRight = i === 1 && viewer.arrangement === "over";
      caption.style.left = isRight ? "50%" : `${(100 * x) / viewer.canvas.width}%`;
      caption.style.top = `${(100 * (y + height)) / viewer.canvas.height}%`;
    });
  };
  viewer.addEventListener("change", sync);
  viewer.addEventListener("told", tell);
  language.addEventListener("change", sync);
  sync();
}
