/** Status files of many shards, for the tests of `web/fleet/`. @module */

import type { RunStatus } from "../../lib/run/mod.ts";
import type { TempDir } from "../support/temp.ts";

/** Makes the status of an active run, with some fields changed. */
export function statusOf(index: number, fields: Partial<RunStatus> = {}): RunStatus {
  return {
    retort: "0.1.0",
    name: nameOf(index),
    beat: 7,
    started: "2026-01-01T00:00:00.000Z",
    ended: false,
    state: "running",
    reason: null,
    shard: [index, 1_000],
    model: "qwen3",
    total: 1_000,
    skipped: 100,
    succeeded: 300,
    failed: 2,
    in_flight: 16,
    attempts: 320,
    failed_attempts: 4,
    rate_per_s: 10,
    eta_s: 60,
    elapsed_ms: 30_000,
    completion_tokens: 30_000,
    cost_usd: 0.5,
    spent_usd: 0.75,
    share: null,
    errors: [{ type: "server", status: 500, count: 4 }],
    teachers: [{ address: "http://a/v1", state: "up", in_flight: 16, answered: 302 }],
    ...fields,
  };
}

/** Returns the name of a shard's output. */
export function nameOf(index: number): string {
  return `in-${String(index).padStart(5, "0")}-of-01000`;
}

export async function writeStatus(dir: TempDir, status: RunStatus): Promise<void> {
  await dir.write(`out/.retort/${status.name}.status.json`, JSON.stringify(status));
}

/** Writes the plan of an input that is divided into `shards` of `rows` rows each. */
export async function writePlan(dir: TempDir, shards: number, rows: number): Promise<void> {
  const border = (row: number) => ({ input: 0, byte: row * 10, number: row, rows: row });
  await dir.write(
    "out/.retort/in.shards-1000.json",
    JSON.stringify({
      retort: "0",
      shards,
      inputs: [{ path: "in.jsonl", end: border(shards * rows) }],
      starts: Array.from({ length: shards }, (_, i) => border(i * rows)),
    }),
  );
}
