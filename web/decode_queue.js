// @ts-check
/** Has one image decoded at a time: a photo of 12 megapixels takes 48 MB, and preview, copy and viewer each decode it. */

let last = Promise.resolve();

/**
 * Runs the tasks in the order in which they come, and one that fails holds up no other.
 * @template T
 * @param {() => Promise<T>} task
 * @returns {Promise<T>}
 */
export function oneAtATime(task) {
  const result = last.then(task);
  last = result.then(ended, ended);
  return result;
}

function ended() {}
