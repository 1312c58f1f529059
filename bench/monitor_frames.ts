/**
 * CPU of the frames of the monitor's page, traced in a real Chromium.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { type Bench, type Figure, figure, median } from "./measure.ts";

const FRAME_MS = 8;

/**
 * One frame in this number may take longer: garbage collection, and the first layout of new
 * samples.
 */
const RARE = 50;

/** Returns no figures if there is no Chromium: npm has one for Linux only. */
export async function monitorFrames(bench: Bench): Promise<Figure[]> {
  if (Deno.build.os !== "linux") return [];
  const frames = await traceFrames(bench.full ? 200 : 40);
  const worst = Math.max(...frames);
  const over = frames.filter((ms) => ms > FRAME_MS).length;
  return [{
    name: "monitor: a frame of the page",
    retort: `${figure(median(frames))} ms of CPU`,
    baseline: `${FRAME_MS} ms`,
    ratios: frames.map((ms) => ms / FRAME_MS),
    target: {
      text: `≤ ${figure(100 / RARE)} % of frames above ${FRAME_MS} ms`,
      isMet: over * RARE <= frames.length,
    },
    note: `${over} of ${frames.length} frames above ${FRAME_MS} ms ` +
      `(${figure(100 * over / frames.length)} %), the longest ${figure(worst)} ms`,
  }];
}

/**
 * Runs the trace in a process with the packages of the page's tests. Returns milliseconds per
 * frame.
 */
async function traceFrames(snapshots: number): Promise<number[]> {
  const folder = fileURLToPath(new URL("../tests/browser/", import.meta.url));
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--allow-all",
      "--config",
      `${folder}deno.json`,
      `${folder}frame_costs.ts`,
      String(snapshots),
    ],
    stderr: "inherit",
  }).output();
  if (code !== 0) throw new Error(`Cannot trace the frames of the page: it ended with ${code}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}
