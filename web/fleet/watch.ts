/**
 * Watches all runs in an output folder by their status files. A run is alive while the counter
 * `beat` in its file grows. Times are not compared, because clocks of nodes and file servers
 * differ. Only changed files are read, so a check of 1,000 files takes a few milliseconds.
 *
 * @module
 */

import { sumOf } from "../../lib/figures.js";
import {
  cannotRead,
  inFolder,
  OWN_FOLDER,
  parseShardStem,
  shardStem,
  statOf,
} from "../../lib/files.ts";
import { readPlan, rowsBefore, type ShardPlan } from "../../lib/shards/mod.ts";
import type { RunStatus } from "../../lib/run/mod.ts";
import { delay } from "../../lib/timer.ts";
import { DEAD_CHECKS, type FleetRow, type FleetView, fleetView, type FoundRun } from "./view.ts";

/** Number of new statuses that are read per turn of the event loop. */
const READS_PER_TURN = 100;

const STATUS_SUFFIX = ".status.json";
const PLAN_SUFFIX = /\.shards-\d+\.json$/;

/** Maximum size of a status file; larger ones are not read. Those that Retort writes stay below
 * 8 KB. */
const MAX_STATUS_BYTES = 65_536;

type ParseStatus = (text: string, file: string) => RunStatus | undefined;

/** The runs and shard plans of a folder. `check` reads what has changed, `view` shows it. */
export class FolderWatch {
  readonly #folder: string;
  readonly #name: string;
  readonly #stem: string | undefined;
  /** The runs, by the names of their status files. */
  readonly #runs = new Map<string, FoundRun>();
  /** The plans, by the names of their files. */
  readonly #plans = new Map<string, FoundPlan>();
  /** Why files cannot be read, by file name. */
  readonly #problems = new Map<string, string>();
  #isChecking = false;

  /** @param stem Watches only this run and its shards. @default all runs */
  constructor(output: string, stem?: string) {
    this.#folder = inFolder(output, OWN_FOLDER);
    this.#name = output;
    this.#stem = stem;
  }

  get isEmpty(): boolean {
    return this.#runs.size + this.#plans.size + this.#problems.size === 0;
  }

  async check(): Promise<void> {
    if (this.#isChecking) return;
    this.#isChecking = true;
    const known = [this.#runs, this.#plans, this.#problems];
    const missing = new Set(known.flatMap((files) => [...files.keys()]));
    try {
      // Imported on demand: `web/server.ts` must load with `--allow-net` alone, and `lib/run/`
      // needs more permissions.
      const { parseStatus } = await import("../../lib/run/mod.ts");
      let reads = 0;
      for await (const { name } of Deno.readDir(this.#folder)) {
        missing.delete(name);
        if (name.endsWith(STATUS_SUFFIX)) {
          if (this.#readStatus(name, parseStatus) && ++reads % READS_PER_TURN === 0) {
            await delay(0);
          }
        } else if (PLAN_SUFFIX.test(name)) await this.#readPlan(name);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw cannotRead(this.#folder, error);
    } finally {
      this.#isChecking = false;
      for (const name of missing) {
        this.#problems.delete(name);
        if (!existsIn(this.#folder, name)) this.#plans.delete(name);
        this.#countMissing(name);
      }
    }
  }

  /**
   * Counts a check that found no readable status file of the run: the file may be half-written, or
   * gone. Forgets a dead run whose file is gone.
   */
  #countMissing(name: string): void {
    const run = this.#runs.get(name);
    if (run === undefined) return;
    run.checksWithoutBeat++;
    if (run.checksWithoutBeat > DEAD_CHECKS && !existsIn(this.#folder, name)) {
      this.#runs.delete(name);
    }
  }

  /**
   * Reads a status file if it has changed. Returns whether it brought a new status. It is
   * synchronous, because a cached `stat` then takes 4 µs instead of 15. In return, a file server
   * that hangs blocks the page.
   */
  #readStatus(name: string, parse: ParseStatus): boolean {
    if (
      this.#stem !== undefined && runStemOf(name) !== this.#stem &&
      name !== `${this.#stem}${STATUS_SUFFIX}`
    ) {
      return false;
    }
    this.#problems.delete(name);
    const path = inFolder(this.#folder, name);
    const old = this.#runs.get(name);
    try {
      const info = Deno.statSync(path), { size, isFile } = info, stamp = stampOf(info);
      if (isFile && old?.stamp === stamp) {
        old.checksWithoutBeat++;
        return false;
      }
      // Opening a pipe would wait forever.
      const isReadable = isFile && size <= MAX_STATUS_BYTES;
      const status = isReadable ? parse(Deno.readTextFileSync(path), name) : undefined;
      if (status !== undefined) {
        const isSameBeat = old?.status.beat === status.beat &&
          old.status.started === status.started;
        const checksWithoutBeat = isSameBeat ? old.checksWithoutBeat + 1 : 0;
        this.#runs.set(name, { stamp, status, checksWithoutBeat });
        return true;
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        this.#problems.set(name, cannotRead(path, error).message);
      }
    }
    this.#countMissing(name);
    return false;
  }

  async #readPlan(name: string): Promise<void> {
    const stem = name.replace(PLAN_SUFFIX, "");
    if (this.#stem !== undefined && stem !== this.#stem) return;
    try {
      const path = inFolder(this.#folder, name), info = await statOf(path);
      const stamp = info && stampOf(info);
      if (stamp === undefined || this.#plans.get(name)?.stamp === stamp) return;
      const plan = await readPlan(path);
      if (plan === undefined) this.#problems.set(name, `Cannot read "${path}": it is incomplete`);
      else {
        this.#problems.delete(name);
        this.#plans.set(name, { stamp, shards: plannedShards(stem, plan) });
      }
    } catch (error) {
      this.#problems.set(name, (error as Error).message);
    }
  }

  view(maxRows: number): FleetView {
    const waitingRows = this.#waitingRows();
    const rowsWithoutStatus = [...waitingRows.values(), ...this.#unreadableRows(waitingRows)];
    return fleetView(this.#name, [...this.#runs.values()], rowsWithoutStatus, maxRows);
  }

  /** Returns rows for unreadable files, except for runs of which an earlier status is known. */
  #unreadableRows(waitingRows: ReadonlyMap<string, FleetRow>): FleetRow[] {
    return [...this.#problems]
      .filter(([name]) => !this.#runs.has(name) && !waitingRows.has(name))
      .map(([name, reason]) => rowWithoutStatus(name.replace(/\.[^.]*\.json$/, ""), reason, null));
  }

  /** Returns rows for shards without a known status, by the names of their status files. */
  #waitingRows(): Map<string, FleetRow> {
    const waiting = new Map<string, FleetRow>();
    for (const { shards } of this.#plans.values()) {
      const started = shards.filter(({ file }) => this.#runs.has(file));
      // A plan is obsolete if there are other runs, but none of this plan's shards has started.
      if (started.length === 0 && this.#runs.size > 0) continue;
      const answersPerRow = this.#answersPerRow(started);
      for (const { name, file, rows } of shards) {
        if (this.#runs.has(file)) continue;
        const total = rows === null ? null : Math.round(rows * answersPerRow);
        waiting.set(file, rowWithoutStatus(name, this.#problems.get(file), total));
      }
    }
    return waiting;
  }

  /** Returns the mean number of answers per row in the shards that have started; 1 if none has. */
  #answersPerRow(started: readonly PlannedShard[]): number {
    let answers = 0, rows = 0;
    for (const shard of started) {
      const total = this.#runs.get(shard.file)?.status.total ?? null;
      if (total === null || shard.rows === null) continue;
      answers += total;
      rows += shard.rows;
    }
    return rows === 0 ? 1 : answers / rows;
  }
}

interface FoundPlan {
  readonly stamp: string;
  readonly shards: readonly PlannedShard[];
}

interface PlannedShard {
  readonly name: string;
  /** Name of the shard's status file. */
  readonly file: string;
  /** The number of rows; null if the plan has no row counts. */
  readonly rows: number | null;
}

function plannedShards(stem: string, plan: ShardPlan): PlannedShard[] {
  const { shards: count, inputs } = plan;
  const isCounted = inputs.every(({ end }) => end !== null);
  const allRows = sumOf(inputs, ({ end }) => end?.rows ?? 0), before = rowsBefore(plan);
  return Array.from({ length: count }, (_, index) => {
    const name = shardStem(stem, { index, count });
    const rows = isCounted ? (before[index + 1] ?? allRows) - before[index]! : null;
    return { name, file: `${name}${STATUS_SUFFIX}`, rows };
  });
}

/**
 * Returns the row of a run without a known status: one that has not started, or whose file cannot
 * be read.
 *
 * @param problem Why the file cannot be read; undefined if the run has not started.
 */
function rowWithoutStatus(
  name: string,
  problem: string | undefined,
  total: number | null,
): FleetRow {
  return {
    name,
    state: problem === undefined ? "waiting" : "silent",
    reason: problem ?? null,
    total,
    done: 0,
    failed: 0,
    in_flight: 0,
    rate_per_s: 0,
    eta_s: null,
    cost_usd: null,
  };
}

/** Returns the name of a run from the name of its status file. */
function runOf(name: string): string {
  return name.slice(0, -STATUS_SUFFIX.length);
}

/** Returns the name of a run, without its shard, from the name of its status file. */
function runStemOf(name: string): string {
  return parseShardStem(runOf(name))?.stem ?? runOf(name);
}

function existsIn(folder: string, name: string): boolean {
  try {
    Deno.lstatSync(inFolder(folder, name));
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}

function stampOf({ size, mtime, ino }: Deno.FileInfo): string {
  return `${size}:${mtime?.getTime()}:${ino}`;
}
