// @ts-check
/// <reference lib="dom" />
/**
 * Work that is spread over frames, so that no frame has to do all of it.
 *
 * @module
 */

/** What waits for a frame, in order. @type {(() => void)[]} */
const frameJobs = [];

/** Calls `work` in a frame in which nothing else is done. @param {() => void} work */
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
