/**
 * Measures what the monitor costs: a run with open pages, a frame of a page, and `monitor OUT`.
 * Some of the open pages do not read their messages.
 *
 * @module
 */

import {
  atMost,
  type Bench,
  comparison,
  type Figure,
  formatNumber,
  median,
  type Rounds,
} from "./measure.ts";
import type { RunWindow, WatchedWindow } from "./monitor_job.ts";
import { denoRun, inChild } from "./processes.ts";
import { fileURLToPath } from "node:url";

const READING = 40, STALLED = 10;
const WATCHERS = { reading: READING, stalled: STALLED };
const NONE = { reading: 0, stalled: 0 };
const NAME = `monitor, ${READING + STALLED} pages, ${STALLED} of them stalled`;
const WITHOUT_PAGES = " without pages";
const MEGABYTE = 1e6, KIBIBYTE = 1024;

export async function monitorSpeed(bench: Bench): Promise<Figure[]> {
  const { ours, theirs } = await inChild("watchedAlternately", {
    rounds: bench.rounds(9),
    // 2 s are enough for every kind of message.
    windowS: bench.full ? 10 : 2,
    watchers: WATCHERS,
  });
  const sides = (figure: (window: RunWindow) => number) => (
    { ours: ours.map(figure), theirs: theirs.map(figure) }
  );
  return [
    comparison(NAME, sides(({ rowsPerS }) => rowsPerS), {
      unit: "rows/s",
      baseline: WITHOUT_PAGES,
      atLeast: 0.98,
      note:
        "teacher in process, no latency, nothing written; one run, alternately with pages and without",
    }),
    comparison(`${NAME}: CPU per row`, sides(({ cpuMicrosPerRow }) => cpuMicrosPerRow), {
      unit: "µs",
      baseline: WITHOUT_PAGES,
    }),
  ];
}

/** Measures a run with pages and one without at the same time, because both mostly sleep. */
export async function monitorCosts(bench: Bench): Promise<Figure[]> {
  const windowS = bench.full ? 60 : 6;
  const ours: WatchedWindow[] = [], theirs: WatchedWindow[] = [];
  let snapshotBytes = 0;
  for (let round = 0; round < bench.rounds(1); round++) {
    const [us, them] = await Promise.all([
      inChild("watched", { windowS, watchers: WATCHERS }),
      inChild("watched", { windowS, watchers: NONE }),
    ]);
    ours.push(us);
    theirs.push(them);
    snapshotBytes = Math.max(snapshotBytes, us.snapshotBytes);
  }
  return [memoryFigure(ours, theirs), coresFigure(ours, theirs), frameFigure(ours, snapshotBytes)];
}

function memoryFigure(ours: readonly WatchedWindow[], theirs: readonly WatchedWindow[]): Figure {
  const peak = ({ peakRssBytes }: WatchedWindow) => peakRssBytes / MEGABYTE;
  const peaks = { ours: ours.map(peak), theirs: theirs.map(peak) }, extra = medianExtra(peaks);
  return {
    ...comparison(`${NAME}: memory`, peaks, { unit: "MB", baseline: WITHOUT_PAGES }),
    target: { text: "≤ 50 MB more", isMet: extra <= 50 },
    note: `${formatNumber(extra)} MB more; the peaks of the whole processes`,
  };
}

function coresFigure(ours: readonly WatchedWindow[], theirs: readonly WatchedWindow[]): Figure {
  const percent = ({ cores }: WatchedWindow) => 100 * cores;
  const loads = { ours: ours.map(percent), theirs: theirs.map(percent) };
  const rowsPerS = median(ours.map((window) => window.rowsPerS));
  return comparison(`${NAME}: CPU`, loads, {
    unit: "% of a core",
    baseline: WITHOUT_PAGES,
    note: `${formatNumber(medianExtra(loads))} % of a core more, at ${
      formatNumber(rowsPerS)
    } rows/s`,
  });
}

function medianExtra({ ours, theirs }: Rounds<number, number>): number {
  return median(ours.map((value, round) => value - theirs[round]));
}

function frameFigure(ours: readonly WatchedWindow[], snapshotBytes: number): Figure {
  const pages = ours.map((window) => window.pages);
  const perS = median(pages.map(({ snapshots, seconds }) => snapshots / READING / seconds));
  const bytesPerS = median(pages.map(({ bytes, seconds }) => bytes / READING / seconds));
  const kibibytes = Math.max(...pages.map(({ largestSnapshotBytes }) => largestSnapshotBytes)) /
    KIBIBYTE;
  return {
    name: "monitor: the largest snapshot of a page",
    retort: `${formatNumber(kibibytes)} KiB`,
    baseline: `${
      formatNumber(snapshotBytes / KIBIBYTE)
    } KiB, the whole snapshot of --progress json`,
    ratios: [kibibytes * KIBIBYTE / snapshotBytes],
    target: atMost(kibibytes, 8, " KiB"),
    note:
      `with 50 error groups; each page gets ${
        formatNumber(perS)
      } snapshots and, with the sampled ` +
      `answers, ${formatNumber(bytesPerS / KIBIBYTE)} KiB per second`,
  };
}

/** Limit for the CPU time of a frame: about half of the 16.7 ms between frames at 60 Hz. */
const MAX_FRAME_MS = 8;

/** Maximum share of slower frames: garbage collection and new samples slow some down. */
const MAX_SLOW_PERCENT = 2;

/** Returns no figures except on Linux: npm has no Chromium for other systems. */
export async function monitorFrames(bench: Bench): Promise<Figure[]> {
  if (Deno.build.os !== "linux") return [];
  // The CPU time of each frame, in milliseconds.
  const frames = await inBrowser<number[]>("frame_costs.ts", bench.full ? 200 : 40);
  const worst = Math.max(...frames);
  const slowFrames = frames.filter((ms) => ms > MAX_FRAME_MS).length;
  return [{
    name: "monitor: a frame of the page",
    retort: `${formatNumber(median(frames))} ms of CPU`,
    baseline: `${MAX_FRAME_MS} ms`,
    ratios: frames.map((ms) => ms / MAX_FRAME_MS),
    target: {
      text: `≤ ${formatNumber(MAX_SLOW_PERCENT)} % of frames above ${MAX_FRAME_MS} ms`,
      isMet: 100 * slowFrames <= MAX_SLOW_PERCENT * frames.length,
    },
    note: `${slowFrames} of ${frames.length} frames above ${MAX_FRAME_MS} ms ` +
      `(${formatNumber(100 * slowFrames / frames.length)} %), the longest ${
        formatNumber(worst)
      } ms`,
  }];
}

/** What `tests/browser/fleet_costs.ts` prints. */
interface FolderCosts {
  readonly runs: number;
  /** Milliseconds from the visit until the page shows the first runs. */
  readonly shownMs: number;
  /** Percent of a core that the program uses while no page is open. */
  readonly closedPercent: number;
  /** Percent of a core that the program uses while a page is open. */
  readonly openPercent: number;
}

/**
 * Measures what `monitor OUT` costs while many runs replace their status files every 5 s. Returns
 * no figures except on Linux: npm has no Chromium for other systems.
 */
export async function monitorFolder(bench: Bench): Promise<Figure[]> {
  if (Deno.build.os !== "linux") return [];
  const rounds: FolderCosts[] = [];
  for (let round = 0; round < bench.rounds(1); round++) {
    rounds.push(await inBrowser("fleet_costs.ts", bench.full ? 60 : 15));
  }
  const [{ runs }] = rounds, name = `monitor of ${runs.toLocaleString("en")} runs`;
  const shownMs = median(rounds.map((costs) => costs.shownMs));
  const openPercent = median(rounds.map((costs) => costs.openPercent));
  const closedPercent = median(rounds.map((costs) => costs.closedPercent));
  return [
    {
      name: `${name}: until the page shows them`,
      retort: `${formatNumber(shownMs)} ms`,
      baseline: "",
      ratios: [],
      target: atMost(shownMs, 2_000, " ms"),
    },
    {
      name: `${name}: CPU with an open page`,
      retort: `${formatNumber(openPercent)} % of a core`,
      baseline: `${formatNumber(closedPercent)} % without a page`,
      ratios: [],
      target: atMost(openPercent, 5, " %"),
    },
  ];
}

/** Runs a script with the packages of `tests/browser/`. Returns what it prints as JSON. */
async function inBrowser<Result>(script: string, option: number): Promise<Result> {
  const folder = fileURLToPath(new URL("../tests/browser/", import.meta.url));
  const args = ["--allow-all", "--config", `${folder}deno.json`, `${folder}${script}`];
  const { stdout } = await denoRun([...args, String(option)]);
  return JSON.parse(stdout);
}
