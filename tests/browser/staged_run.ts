/**
 * A simulated run for a served monitor, step by step, with its own clock.
 *
 * @module
 */

import type { RunStart, Snapshot } from "../../lib/progress/events.ts";
import type { Outcome } from "../../lib/row.ts";
import { type MonitorOptions, type ServedMonitor, serveMonitor } from "../../web/server.ts";
import { makeErrorGroup, makeSnapshot, makeTeacher } from "../progress/fixtures.ts";
import { FakeRun, makeAnswer } from "../web/fake_run.ts";

const BEAT_MS = 500;

export interface StagedRun extends AsyncDisposable {
  readonly run: FakeRun;
  readonly served: ServedMonitor;
  /** Lets time pass: pages get the changes. @default 1 */
  strike(beats?: number): void;
  /** Lets time pass in a healthy run that has some failures. */
  play(beats: number): void;
}

export function stageRun(options: Pick<MonitorOptions, "about"> = {}): StagedRun {
  const run = new FakeRun();
  let nowMs = 0, beats = 0;
  let beat = () => {};
  const every = (_intervalMs: number, callback: () => void) => {
    beat = callback;
    return () => {};
  };
  const served = serveMonitor(run, { now: () => nowMs, random: () => 0.5, every, ...options });
  const strike = (count = 1) => {
    for (let i = 0; i < count; i++) {
      nowMs += BEAT_MS;
      beat();
    }
  };
  return {
    run,
    served,
    strike,
    play(count) {
      for (let i = 0; i < count; i++) {
        run.now = snapshotAt(++beats);
        run.emit(run.now);
        run.settle([answerOf(beats)]);
        if (beats % 7 === 0) run.settle([failureOf(beats)]);
        strike();
      }
    },
    [Symbol.asyncDispose]: () => served.close(),
  };
}

export function makeRunStart(changes: Partial<RunStart> = {}): RunStart {
  return {
    type: "run-start",
    time: new Date().toISOString(),
    model: "qwen3-235b-a22b",
    teacher: "http://gpu1:8000/v1",
    total: 200_000,
    skipped: 1_000,
    pending: 199_000,
    concurrency: 64,
    concurrency_is_auto: false,
    ...changes,
  };
}

/** Returns a value between 0 and 1 that rises and falls. */
function wave(beat: number, period: number): number {
  return 0.5 + Math.sin(beat * 2 * Math.PI / period) / 2;
}

function snapshotAt(beat: number): Snapshot {
  const now = new Date().toISOString();
  const succeeded = Math.floor(beat * 18 + 40 * wave(beat, 60));
  return makeSnapshot({
    total: 200_000,
    skipped: 1_000,
    succeeded,
    failed: Math.floor(beat / 7),
    in_flight: 40 + Math.floor(20 * wave(beat, 45)),
    limit: 48 + Math.floor(16 * wave(beat, 90)),
    concurrency: 64,
    waiting: beat % 9,
    elapsed_ms: beat * BEAT_MS,
    completion_tokens: succeeded * 400,
    refused_for_load: Math.floor(beat / 30) * 3,
    last_durable: now,
    rate_per_s: 36 + 4 * wave(beat, 60),
    eta_s: 5_400 - beat,
    eta_range_s: [4_900, 6_100],
    cost_usd: succeeded * 0.0004,
    projected_cost_usd: 81.2,
    projected_cost_is_lower_bound: false,
    projected_cost_range_usd: [77.5, 84.9],
    max_cost_usd: 100,
    cpu_percent: 10 + 8 * wave(beat, 30),
    rss_bytes: 90e6 + 20e6 * wave(beat, 400),
    teachers: [
      makeTeacher(),
      makeTeacher({
        address: "https://a-teacher-with-a-rather-long-name.example.internal:8443/openai/v1",
        state: "cooling_down",
        until: now,
        reason: "429: tokens per min",
      }),
    ],
    errors: Array.from({ length: 12 }, (_, i) =>
      makeErrorGroup({
        type: i % 2 === 0 ? "rate_limit" : "server",
        status: i % 2 === 0 ? 429 : 500 + i,
        message: `Kind ${i}: ${"x".repeat(120)} at https://gpu1:8000/v1/chat/completions?id=#`,
        count: 400 - i * 30 + beat,
        action: (["retried", "failed", "halted"] as const)[i % 3],
        first_seen: now,
        last_seen: now,
      })),
  });
}

function answerOf(beat: number): Outcome {
  const outcome = makeAnswer(`row-${beat}`);
  return {
    ...outcome,
    settledAt: Date.now(),
    latencyMs: 400 + 4_000 * wave(beat * 7, 50),
    completion: outcome.completion && {
      ...outcome.completion,
      response: `An answer with a word that is ${"long".repeat(60)} and some that are not. `.repeat(
        3,
      ),
      reasoning: "First one thing, then another.\n".repeat(12),
    },
  };
}

function failureOf(beat: number): Outcome {
  return {
    ...makeAnswer(`row-${beat}-failed`),
    settledAt: Date.now(),
    completion: undefined,
    failure: {
      type: "request",
      message: `This prompt cannot be answered: ${"0123456789".repeat(12)}`,
      status: 400,
    },
  };
}
