// @ts-check
/**
 * The report as a picture, for those who paste it elsewhere: one A4 page at 150 pixels an inch.
 *
 * Drawn line by line, since browsers draw no HTML on a canvas.
 */

import { colour } from "./raster.js";
import { contentOf } from "./report_content.js";

/** @typedef {import("./report_content.js").Content} Content */

const WIDTH = 1240;
const HEIGHT = 1754;
const MARGIN = 80;
const GAP = 24; // between the pictures
const PICTURE = (WIDTH - 2 * MARGIN - GAP) / 2;
const NAMES = 0.36; // of the width, for the names of shares and facts
const FONT = "system-ui, sans-serif";
const INK = "#000";

/** @param {import("./analyses.js").Entry} entry @param {string} outcome @param {import("./report_content.js").Parts} parts @returns {Promise<Blob>} PNG */
export async function picture(entry, outcome, parts) {
  const films = await Promise.all([false, true].map(async (mapped) => createImageBitmap(await parts.viewer.export(mapped))));
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  new Sheet(canvas).draw(contentOf(entry, outcome, parts), films);
  for (const film of films) film.close();
  return canvas.convertToBlob({ type: "image/png" });
}

/** Draws from top to bottom; `y` is where the next part begins. */
class Sheet {
  y = MARGIN;

  /** @param {OffscreenCanvas} canvas */
  constructor(canvas) {
    this.context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.context.fillStyle = "#fff";
    this.context.fillRect(0, 0, WIDTH, HEIGHT);
    this.context.textBaseline = "top";
    this.context.imageSmoothingQuality = "high";
  }

  /** @param {Content} content @param {ImageBitmap[]} films */
  draw(content, films) {
    this.text(content.title, { size: 36, bold: true, after: 16 });
    this.text(content.disclaimer, { size: 24, bold: true, after: 20 });
    this.pictures(films, content.captions);
    this.legend(content.legend);
    this.text(content.verdict, { size: 32, bold: true, after: 10 });
    this.text(content.explanation, { after: 18 });
    for (const share of content.shares) this.bar(share);
    this.text(content.meaning, { size: 20, after: 18 });
    for (const [name, value] of content.facts) this.fact(name, value);
    this.y += 14;
    this.text(content.limit, { size: 20, after: 70 });
    this.context.fillRect(MARGIN, this.y, WIDTH / 2, 2);
    this.y += 8;
    this.text(content.signature, { size: 20 });
  }

  /** Writes a paragraph. @param {string} text @param {{size?: number, bold?: boolean, after?: number, left?: number}} [how] */
  text(text, { size = 22, bold = false, after = 0, left = MARGIN } = {}) {
    this.context.font = `${bold ? "bold " : ""}${size}px ${FONT}`;
    this.context.fillStyle = INK;
    for (const line of this.lines(text, WIDTH - MARGIN - left)) {
      this.context.fillText(line, left, this.y);
      this.y += 1.35 * size;
    }
    this.y += after;
  }

  /** Breaks a text into lines that fit; a word that is too long is broken too. @param {string} text @param {number} width */
  lines(text, width) {
    const lines = [""];
    const fits = (/** @type {string} */ line) => this.context.measureText(line).width <= width;
    for (const word of text.split(" ")) {
      const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
      if (fits(longer)) lines[lines.length - 1] = longer;
      else for (const part of this.parts(word, fits)) lines.push(part);
    }
    return lines.filter(Boolean);
  }

  /** @param {string} word @param {(part: string) => boolean} fits */
  parts(word, fits) {
    const parts = [""];
    for (const letter of word) {
      if (fits(parts.at(-1) + letter)) parts[parts.length - 1] += letter;
      else parts.push(letter);
    }
    return parts;
  }

  /** @param {ImageBitmap[]} films @param {string[]} captions */
  pictures(films, captions) {
    const top = this.y + PICTURE + 8;
    let bottom = top;
    films.forEach((film, i) => {
      const left = MARGIN + i * (PICTURE + GAP);
      this.context.fillRect(left, this.y, PICTURE, PICTURE);
      const scale = PICTURE / Math.max(film.width, film.height);
      const [width, height] = [scale * film.width, scale * film.height];
      this.context.drawImage(film, left + (PICTURE - width) / 2, this.y + (PICTURE - height) / 2, width, height);
      this.context.font = `20px ${FONT}`;
      this.lines(captions[i], PICTURE).forEach((line, row) => {
        this.context.fillText(line, left, top + 26 * row);
        bottom = Math.max(bottom, top + 26 * (row + 1));
      });
    });
    this.y = bottom + 12;
  }

  /** @param {Content["legend"]} legend */
  legend({ none, strongest }) {
    const left = MARGIN + PICTURE + GAP;
    for (let x = 0; x < PICTURE; x++) {
      this.context.fillStyle = `rgb(${colour(x / (PICTURE - 1)).map(Math.round)})`;
      this.context.fillRect(left + x, this.y, 1, 14);
    }
    this.context.fillStyle = INK;
    this.y += 20;
    this.context.fillText(none, left, this.y);
    this.context.textAlign = "right";
    this.context.fillText(strongest, left + PICTURE, this.y);
    this.context.textAlign = "left";
    this.y += 44;
  }

  /** @param {Content["shares"][number]} share */
  bar({ name, share, percent }) {
    const [left, width] = [MARGIN + NAMES * (WIDTH - 2 * MARGIN), 0.5 * (WIDTH - 2 * MARGIN)];
    this.context.font = `22px ${FONT}`;
    this.context.fillText(name, MARGIN, this.y);
    this.context.strokeRect(left, this.y + 2, width, 22);
    this.context.fillRect(left, this.y + 2, share * width, 22);
    this.context.textAlign = "right";
    this.context.fillText(percent, WIDTH - MARGIN, this.y);
    this.context.textAlign = "left";
    this.y += 36;
  }

  /** @param {string} name @param {string} value */
  fact(name, value) {
    const top = this.y;
    this.text(name, { size: 19 });
    this.y = top;
    this.text(value, { size: 19, left: MARGIN + NAMES * (WIDTH - 2 * MARGIN) });
  }
}
