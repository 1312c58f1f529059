/**
 * Jobs over HTTP: runs of Retort, and bare undici loops. The loops retry as the OpenAI SDKs do, or
 * as the caller decides.
 * @module
 */

import { openai, ResponseGenerator, type Teacher } from "../mod.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { messagesOf } from "./rows.ts";

export interface WeightedTeacher {
  readonly baseUrl: string;
  readonly weight?: number;
}

export interface RunToEndOptions {
  readonly input: string;
  readonly output: string;
  readonly concurrency: number;
  readonly teachers: readonly WeightedTeacher[];
}

/** Returns the milliseconds from when rows could be sent until all results are durable. */
export async function runToEnd(
  { input, output, concurrency, teachers }: RunToEndOptions,
): Promise<number> {
  const entries = teachers.map(({ baseUrl, weight }) => ({ teacher: teacherAt(baseUrl), weight }));
  const generator = new ResponseGenerator({ teachers: entries, concurrency });
  const { total, succeeded, elapsed_ms } = await generator.run({ input: [input], output });
  for (const { teacher } of entries) await teacher.close?.();
  if (succeeded !== total) throw new Error(`Only ${succeeded} of ${total} rows have a result`);
  return elapsed_ms;
}

export interface GoodputOptions {
  /** A file with more rows than the teacher can answer in `warmUpS` and `measureS`. */
  readonly input: string;
  /** Prefix of the results paths. The concurrency and `.jsonl` are appended. */
  readonly output: string;
  readonly concurrencies: readonly (number | "auto")[];
  readonly carefulStart: boolean;
  readonly baseUrl: string;
  readonly warmUpS: number;
  readonly measureS: number;
}

export interface Goodput {
  readonly concurrency: number | "auto";
  readonly tokensPerS: number;
  /** Concurrency limit at the end of the measurement. */
  readonly limit: number;
}

export async function goodputs(options: GoodputOptions): Promise<Goodput[]> {
  const results: Goodput[] = [];
  for (const concurrency of options.concurrencies) {
    results.push(await measureGoodput(concurrency, options));
  }
  return results;
}

async function measureGoodput(
  concurrency: number | "auto",
  { input, output, carefulStart, baseUrl, warmUpS, measureS }: GoodputOptions,
): Promise<Goodput> {
  const teacher = teacherAt(baseUrl);
  const generator = new ResponseGenerator({ teacher, concurrency, carefulStart });
  const run = generator.run({ input: [input], output: `${output}${concurrency}.jsonl` });
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
  await run;
  await teacher.close?.();
  const tokensPerS = 1_000 * (after.tokens - before.tokens) / (after.atMs - before.atMs);
  return { concurrency, tokensPerS, limit: after.limit };
}

function teacherAt(baseUrl: string): Teacher {
  return openai({ baseUrl, model: "busy" });
}

const BACKOFF_BASE_MS = 500, BACKOFF_CAP_MS = 8_000;
/** Maximum fraction of a wait that is randomly subtracted. */
const BACKOFF_JITTER = 0.25;

/** Retries with the backoff of the OpenAI SDKs, but without their limit of two retries. */
export function sleepingLoops(loops: HttpLoops): Promise<number> {
  return httpLoops(loops, "busy", async (post) => {
    for (let retries = 0; await post() !== 200; retries++) {
      const waitMs = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** retries);
      await sleep(waitMs * (1 - BACKOFF_JITTER * Math.random()));
    }
  });
}

export interface HttpLoops {
  readonly rows: number;
  readonly concurrency: number;
  readonly baseUrl: string;
}

/**
 * Sends all rows. Returns the elapsed milliseconds.
 *
 * @param ask Posts one row, once or more. `post` returns the status of the response.
 */
export async function httpLoops(
  { rows, concurrency, baseUrl }: HttpLoops,
  model: string,
  ask: (post: () => Promise<number>) => Promise<void>,
): Promise<number> {
  const { origin, pathname: path } = new URL(`${baseUrl}/chat/completions`);
  const headers = { "content-type": "application/json" };
  // Imported on demand, so that Retort's side of a measurement does not load all of undici.
  const { Agent } = await import("../lib/deps/undici_agent.ts");
  // Of 1,000 connections that are opened at once, the server's system may drop some, and each retry
  // takes twice as long as the last: undici's limit of 10 s is sometimes too short.
  const agent = new Agent({ connect: { timeout: 0 } });
  let next = 0;
  async function loop(): Promise<void> {
    while (next < rows) {
      const body = JSON.stringify({ model, messages: messagesOf(next++) });
      await ask(async () => {
        const answer = await agent.request({ origin, path, method: "POST", headers, body });
        await answer.body.json();
        return answer.statusCode;
      });
    }
  }
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: concurrency }, loop));
  const elapsedMs = performance.now() - startedMs;
  await agent.close();
  return elapsedMs;
}
