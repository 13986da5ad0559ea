// @ts-check
/** The reading room: the viewer alone, as large as the screen; leaving it puts the viewer back. */

import { element } from "./element.js";

/**
 * Returns what opens the room, or closes it again.
 * @param {HTMLElement} place where the viewer is outside of the room
 * @param {{language: import("./language.js").Language, viewer: import("./viewer.js").Viewer}} parts
 */
export function readingRoom(place, { language, viewer }) {
  const dialog = element("dialog", { className: "room on-stage" });
  document.body.append(dialog);

  /** @param {HTMLElement} to */
  const move = (to) => {
    to.append(...(to === dialog ? place : dialog).childNodes);
    viewer.set({ isFull: to === dialog, isEntered: false });
    viewer.canvas.focus({ preventScroll: true });
  };
  const open = () => {
    dialog.setAttribute("aria-label", language.text("viewer.room"));
    dialog.showModal();
    move(dialog);
    document.documentElement.requestFullscreen?.().catch(() => {}); // denied to some frames: then it fills the window
  };
  dialog.addEventListener("close", () => {
    move(place);
    if (document.fullscreenElement) document.exitFullscreen();
  });
  document.addEventListener("fullscreenchange", () => { if (!document.fullscreenElement && dialog.open) dialog.close(); });
  return () => (dialog.open ? dialog.close() : open());
}
