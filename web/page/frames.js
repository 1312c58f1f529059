// @ts-check
/// <reference lib="dom" />
/**
 * Spreads work over frames.
 *
 * @module
 */

/** Work that waits for a frame, in order. @type {(() => void)[]} */
const frameJobs = [];

/** Calls `work` in an animation frame of its own. @param {() => void} work */
export function inOwnFrame(work) {
  frameJobs.push(work);
  if (frameJobs.length === 1) requestAnimationFrame(runFrameJob);
}

function runFrameJob() {
  const [work] = frameJobs;
  try {
    work();
  } finally {
    frameJobs.shift();
    if (frameJobs.length > 0) requestAnimationFrame(runFrameJob);
  }
}
