/** What open pages, some of which read nothing, cost a run, what a frame costs a page, and what
 * `monitor OUT` costs. @module */

import { inChild } from "./child.ts";
import {
  atLeast,
  atMost,
  type Bench,
  type Figure,
  formatNumber,
  median,
  ratiosOf,
} from "./measure.ts";
import type { RunWindow, WatchedWindow } from "./monitor_job.ts";
import { fileURLToPath } from "node:url";

const READING = 40, STALLED = 10;
const WATCHERS = { reading: READING, stalled: STALLED };
const NONE = { reading: 0, stalled: 0 };
const NAME = `monitor, ${READING + STALLED} pages, ${STALLED} of them stalled`;
const MEGABYTE = 1e6, KIBIBYTE = 1024;

export async function monitorSpeed(bench: Bench): Promise<Figure[]> {
  const { ours, theirs } = await inChild("watchedAlternately", {
    rounds: bench.rounds(9),
    // 2 s are enough for every kind of message.
    windowS: bench.full ? 10 : 2,
    watchers: WATCHERS,
  });
  const speed = ({ rowsPerS }: RunWindow) => rowsPerS;
  const cost = ({ cpuMicrosPerRow }: RunWindow) => cpuMicrosPerRow;
  const speeds = ratiosOf(ours.map(speed), theirs.map(speed));
  return [
    {
      name: NAME,
      retort: `${formatNumber(median(ours.map(speed)))} rows/s`,
      baseline: `${formatNumber(median(theirs.map(speed)))} rows/s without pages`,
      ratios: speeds,
      target: atLeast(median(speeds), 0.98),
      note:
        "teacher in process, no latency, nothing written; one run, alternately with pages and without",
    },
    {
      name: `${NAME}: CPU per row`,
      retort: `${formatNumber(median(ours.map(cost)))} µs`,
      baseline: `${formatNumber(median(theirs.map(cost)))} µs without pages`,
      ratios: ratiosOf(ours.map(cost), theirs.map(cost)),
    },
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
  const peaks = ours.map(({ peakRssBytes }) => peakRssBytes / MEGABYTE);
  const base = theirs.map(({ peakRssBytes }) => peakRssBytes / MEGABYTE);
  const extra = median(peaks.map((peak, round) => peak - base[round]));
  return {
    name: `${NAME}: memory`,
    retort: `${formatNumber(median(peaks))} MB`,
    baseline: `${formatNumber(median(base))} MB without pages`,
    ratios: ratiosOf(peaks, base),
    target: { text: "≤ 50 MB more", isMet: extra <= 50 },
    note: `${formatNumber(extra)} MB more; the peaks of the whole processes`,
  };
}

function coresFigure(ours: readonly WatchedWindow[], theirs: readonly WatchedWindow[]): Figure {
  const percentOf = ({ cores }: WatchedWindow) => 100 * cores;
  const cores = ours.map(percentOf), base = theirs.map(percentOf);
  const extra = median(cores.map((value, round) => value - base[round]));
  const rowsPerS = median(ours.map((window) => window.rowsPerS));
  return {
    name: `${NAME}: CPU`,
    retort: `${formatNumber(median(cores))} % of a core`,
    baseline: `${formatNumber(median(base))} % without pages`,
    ratios: ratiosOf(cores, base),
    note: `${formatNumber(extra)} % of a core more, at ${formatNumber(rowsPerS)} rows/s`,
  };
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

/** Limit for frames above `MAX_FRAME_MS`: garbage collection and new samples slow some down. */
const MAX_SLOW_PERCENT = 2;

/** Returns no figures except on Linux: npm has no Chromium for other systems. */
export async function monitorFrames(bench: Bench): Promise<Figure[]> {
  if (Deno.build.os !== "linux") return [];
  // CPU milliseconds of each frame.
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
  /** The same with an open page. */
  readonly openPercent: number;
}

/**
 * What `monitor OUT` costs while many runs replace their status files every 5 s. Returns no figures
 * except on Linux: npm has no Chromium for other systems.
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
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--allow-all",
      "--config",
      `${folder}deno.json`,
      `${folder}${script}`,
      String(option),
    ],
    stderr: "inherit",
  }).output();
  if (code !== 0) throw new Error(`Cannot measure the page: exit code ${code}, see above`);
  return JSON.parse(new TextDecoder().decode(stdout));
}
