/**
 * Processes that `overload.ts` measures: Retort, and loops that retry as most programs do.
 *
 * @module
 */

import { setTimeout as sleep } from "node:timers/promises";
import { openai, ResponseGenerator, type Teacher } from "../mod.ts";
import { type HttpLoops, httpLoops } from "./http_loops.ts";

export interface WeightedTeacher {
  readonly baseUrl: string;
  /** Share of the load, relative to the other teachers. @default 1 */
  readonly weight?: number;
}

export interface RunToEndOptions {
  readonly input: string;
  readonly output: string;
  readonly concurrency: number;
  readonly teachers: readonly WeightedTeacher[];
}

/**
 * Runs Retort to its end. Returns milliseconds from the first row that could be sent until all are
 * durable. Throws unless every row has a result.
 */
export async function runToEnd(
  { input, output, concurrency, teachers }: RunToEndOptions,
): Promise<number> {
  const places = teachers.map(({ baseUrl, weight }) => ({ teacher: teacherAt(baseUrl), weight }));
  const generator = new ResponseGenerator({ teachers: places, concurrency });
  const { total, succeeded, elapsed_ms } = await generator.run({ input: [input], output });
  for (const { teacher } of places) await teacher.close?.();
  if (succeeded !== total) throw new Error(`Only ${succeeded} of ${total} rows have a result`);
  return elapsed_ms;
}

/** Runs of Retort, each measured during a window of time. */
export interface GoodputOptions {
  /** A file with more rows than can be answered in time. */
  readonly input: string;
  /** Start of the paths of results, to which the concurrency and `.jsonl` are added. */
  readonly output: string;
  /** Each has a run of its own. */
  readonly concurrencies: readonly (number | "auto")[];
  /** Whether a run starts with one row at a time. */
  readonly carefulStart: boolean;
  readonly baseUrl: string;
  /** Time before the measured window, in seconds. */
  readonly warmUpS: number;
  /** Measured window, in seconds. */
  readonly measureS: number;
}

export interface Goodput {
  readonly concurrency: number | "auto";
  /** Completion tokens per second. */
  readonly tokensPerS: number;
  /** Limit of attempts in flight at the end of the window. */
  readonly limit: number;
}

/** Measures completion tokens per second at each concurrency, one after the other. */
export async function goodputs(options: GoodputOptions): Promise<Goodput[]> {
  const found: Goodput[] = [];
  for (const concurrency of options.concurrencies) found.push(await goodput(concurrency, options));
  return found;
}

async function goodput(
  concurrency: number | "auto",
  { input, output, carefulStart, baseUrl, warmUpS, measureS }: GoodputOptions,
): Promise<Goodput> {
  const teacher = teacherAt(baseUrl);
  const generator = new ResponseGenerator({ teacher, concurrency, carefulStart });
  const running = generator.run({ input: [input], output: `${output}${concurrency}.jsonl` });
  const sample = () => {
    const snapshot = generator.snapshot();
    if (snapshot === undefined) throw new Error("The run has ended before it was measured");
    return { tokens: snapshot.completion_tokens, limit: snapshot.limit, atMs: performance.now() };
  };
  await sleep(warmUpS * 1_000);
  const before = sample();
  await sleep(measureS * 1_000);
  const after = sample();
  generator.stop();
  await running;
  await teacher.close?.();
  const tokensPerS = 1_000 * (after.tokens - before.tokens) / (after.atMs - before.atMs);
  return { concurrency, tokensPerS, limit: after.limit };
}

function teacherAt(baseUrl: string): Teacher {
  return openai({ baseUrl, model: "busy" });
}

/**
 * Waits of the OpenAI SDKs: from 0.5 s, doubled each time up to 8 s, minus a random part of up to a
 * quarter.
 */
const BACKOFF_BASE_MS = 500, BACKOFF_CAP_MS = 8_000, BACKOFF_JITTER = 0.25;

/**
 * Sends rows as most programs do: each of a fixed number of loops sends one row until it is
 * answered, and sleeps between attempts as the OpenAI SDKs do (which would give up after two
 * retries). Returns milliseconds.
 */
export function sleepingLoops(loops: HttpLoops): Promise<number> {
  return httpLoops(loops, "busy", async (post) => {
    for (let retries = 0; await post() !== 200; retries++) {
      const waitMs = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** retries);
      await sleep(waitMs * (1 - BACKOFF_JITTER * Math.random()));
    }
  });
}
