// @ts-check
/** The reference embeddings in 3-D: validation, scaling, and perspective projection. */

import { FINDINGS } from "./api.js";

/** @typedef {{yaw: number, pitch: number, zoom: number}} Orbit yaw and pitch in radians */
/** @typedef {{x: number, y: number, depth: number, index: number}} Placed in pixels; depth 0 (far) to 1 (near) */

const PERSPECTIVE = 3.2; // camera distance, in units of the cloud's half side

export class Points {
  /** Throws if the projection is malformed. @param {import("./api.js").Projection} projection */
  constructor({ points, labels, variance }) {
    if (points.length !== labels.length) throw new Error(`${points.length} points, ${labels.length} labels`);
    if (!labels.every((label) => FINDINGS.includes(label))) throw new Error("a label is unknown");
    this.points = points;
    this.labels = labels;
    this.variance = variance;
    this.middle = [0, 1, 2].map((axis) => mean(points.map((point) => point[axis])));
    const reach = points.flatMap((point) => point.map((value, axis) => Math.abs(value - this.middle[axis])));
    this.reach = percentile(reach, 0.995) || 1;
  }

  /** Scales a point so that most of the cloud is in [-1, 1]. @param {number[]} point */
  scaled(point) {
    return point.map((value, axis) => (value - this.middle[axis]) / this.reach);
  }
}

/**
 * Projects scaled points to canvas pixels, farthest first.
 * @param {number[][]} scaled
 * @param {Orbit} orbit
 * @param {{width: number, height: number}} size
 * @returns {Placed[]}
 */
export function placed(scaled, orbit, size) {
  return scaled.map((point, index) => ({ ...place(point, orbit, size), index })).sort((a, b) => a.depth - b.depth);
}

/** @param {number[]} point @param {Orbit} orbit @param {{width: number, height: number}} size */
export function place([x, y, z], { yaw, pitch, zoom }, { width, height }) {
  const across = x * Math.cos(yaw) + z * Math.sin(yaw);
  const into = z * Math.cos(yaw) - x * Math.sin(yaw);
  const up = y * Math.cos(pitch) - into * Math.sin(pitch);
  const near = into * Math.cos(pitch) + y * Math.sin(pitch);
  const scale = (zoom * Math.min(width, height) * 0.36 * PERSPECTIVE) / Math.max(0.3, PERSPECTIVE - near);
  return { x: width / 2 + across * scale, y: height / 2 - up * scale, depth: Math.min(1, Math.max(0, (near + 1.4) / 2.8)) };
}

/** Returns the point closest to a pixel within a radius; the frontmost wins. @param {Placed[]} all @returns {Placed | undefined} */
export function hit(all, /** @type {{x: number, y: number}} */ at, /** @type {number} */ reach) {
  return all.findLast(({ x, y }) => Math.hypot(x - at.x, y - at.y) <= reach);
}

/** @param {number[]} values */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** @param {number[]} values @param {number} share */
function percentile(values, share) {
  return values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))];
}
