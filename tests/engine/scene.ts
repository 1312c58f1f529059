/**
 * A complete run against a teacher in simulated time: its duration, and what it sent.
 *
 * @module
 */

import type { EndpointOptions } from "../../lib/engine/flow/endpoint.ts";
import type { TeacherError } from "../../lib/errors.ts";
import type { Completion } from "../../lib/teacher/teacher.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { seededRandom } from "../support/simulated_load.ts";
import { batchesOf, endpointOf, Fixture, rowsOf } from "./engine_fixture.ts";
import { TimedTeacher } from "./timed_teacher.ts";

/** How often a run is sampled, in milliseconds. */
const STEP_MS = 50;
/** When scenes begin, as Unix time in milliseconds: at the start of a minute. */
const EPOCH_MS = 1_700_000_040_000;

export interface Scene {
  readonly rows: number;
  /** Maximum number of attempts in flight. */
  readonly concurrency: number;
  /** The mean time of an answer, in milliseconds. */
  readonly latencyMs: number;
  /** The deviation from `latencyMs`, as a fraction. @default 0 */
  readonly spread?: number;
  /** The time until an attempt is rejected, in milliseconds. @default 20 */
  readonly refusalMs?: number;
  /** Whether the run starts with one attempt. @default true, as every new run does */
  readonly isCareful?: boolean;
  /** The second of the minute at which the run begins. @default 0 */
  readonly startS?: number;
  /** The seed of the random numbers. @default 1 */
  readonly seed?: number;
  /** Settings of the teacher: its rates, its own limit. @default no limits */
  readonly endpoint?: Partial<EndpointOptions>;
  /** The error for an attempt; undefined if it is answered. @default all are answered */
  readonly refuse?: (attempt: SceneAttempt) => TeacherError | undefined;
  /** Fields of an answer, by the seconds since the run began. @default none are changed */
  readonly answer?: (seconds: number, random: () => number) => Partial<Completion>;
}

/** An attempt as the teacher of a scene sees it. */
export interface SceneAttempt {
  /** Unix time in milliseconds. */
  readonly at: number;
  /** Seconds since the run began. */
  readonly seconds: number;
  /** Attempts that are being answered, without this one. */
  readonly inFlight: number;
  /** Random numbers in [0, 1). */
  readonly random: () => number;
  readonly uid: string;
}

export interface SceneResult {
  /** From the first attempt to the last outcome, in milliseconds. */
  readonly wallMs: number;
  /** `wallMs` relative to the time of the calls alone at this concurrency. */
  readonly byCalls: number;
  /** Attempts made. */
  readonly posts: number;
  /** Attempts rejected. */
  readonly refused: number;
  /** Rows without an answer, because they failed or are pending. */
  readonly failed: number;
  /** Rows that failed. */
  readonly lost: number;
  /** Rows answered in each second. */
  readonly perSecond: readonly number[];
  /** When each attempt was made, in milliseconds. */
  readonly askedAt: readonly number[];
  /** Attempts made in each second. */
  readonly postsPerSecond: readonly number[];
  /** The reasons that the run gave for backing off, each once. */
  readonly reasons: readonly string[];
  /** For each of `reasons`, how many rows had been sent when it was first given. */
  readonly asked: readonly number[];
}

/** Runs a scene to its end, or for `mostS` simulated seconds. */
export async function play(scene: Scene, mostS = 7_200): Promise<SceneResult> {
  const { rows, concurrency, latencyMs, spread = 0, startS = 0, seed = 1 } = scene;
  const { refusalMs = 20 } = scene;
  using clock = new FakeClock();
  const random = seededRandom(seed), serverRandom = seededRandom(seed + 1_000);
  const epochMs = EPOCH_MS + startS * 1_000;
  const perSecond: number[] = [];
  const teacher = new TimedTeacher(clock, {
    latencyMs: () => latencyMs * (1 + spread * (2 * serverRandom() - 1)),
    refusalMs,
    answer: () => scene.answer?.(clock.now() / 1_000, serverRandom) ?? {},
    refuse: ({ uid }, inFlight, now) =>
      scene.refuse?.({
        uid,
        at: epochMs + now,
        seconds: now / 1_000,
        inFlight,
        random: serverRandom,
      }),
  });
  const fixture = new Fixture({
    source: batchesOf(rowsOf(rows), 100),
    rowCount: rows,
    teachers: [endpointOf(teacher, scene.endpoint)],
    concurrency,
    isCareful: scene.isCareful ?? true,
    now: clock.now,
    wallClock: () => epochMs + clock.now(),
    random,
  });
  const reasons = new Map<string, number>();
  await fixture.start();
  while (!fixture.hasEnded && clock.now() < mostS * 1_000) {
    const before = fixture.outcomes.length;
    await clock.advance(STEP_MS);
    const second = Math.floor((clock.now() - 1) / 1_000);
    perSecond[second] = (perSecond[second] ?? 0) + fixture.outcomes.length - before;
    const { backoff } = fixture.engine;
    if (backoff !== undefined && !reasons.has(backoff.reason)) {
      reasons.set(backoff.reason, new Set(teacher.asked).size);
    }
  }
  const wallMs = clock.now();
  const lost = fixture.outcomes.filter(({ failure }) => failure !== undefined).length;
  if (!fixture.hasEnded) {
    fixture.engine.abort();
    await clock.advance(3_600_000);
  }
  await fixture.ended;
  return {
    wallMs,
    byCalls: wallMs * concurrency / (rows * latencyMs + teacher.refused * refusalMs),
    posts: teacher.askedAt.length,
    refused: teacher.refused,
    failed: rows - fixture.outcomes.filter(({ failure }) => failure === undefined).length,
    lost,
    perSecond,
    askedAt: teacher.askedAt,
    postsPerSecond: countBySecond(teacher.askedAt),
    reasons: [...reasons.keys()],
    asked: [...reasons.values()],
  };
}

function countBySecond(times: readonly number[]): number[] {
  const counts: number[] = [];
  for (const at of times) {
    const second = Math.floor(at / 1_000);
    counts[second] = (counts[second] ?? 0) + 1;
  }
  return Array.from(counts, (count) => count ?? 0);
}

/** The sum of counts from one second up to another. */
export function between(counts: readonly number[], fromS: number, untilS: number): number {
  return counts.slice(fromS, untilS).reduce((sum, count) => sum + count, 0);
}
