/**
 * Jobs over HTTP: Retort, and bare undici loops, with the retries of the OpenAI SDKs or the
 * caller's.
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

/** Returns milliseconds from the first row that could be sent until all are durable. */
export async function runToEnd(
  { input, output, concurrency, teachers }: RunToEndOptions,
): Promise<number> {
  const weighted = teachers.map(({ baseUrl, weight }) => ({ teacher: teacherAt(baseUrl), weight }));
  const generator = new ResponseGenerator({ teachers: weighted, concurrency });
  const { total, succeeded, elapsed_ms } = await generator.run({ input: [input], output });
  for (const { teacher } of weighted) await teacher.close?.();
  if (succeeded !== total) throw new Error(`Only ${succeeded} of ${total} rows have a result`);
  return elapsed_ms;
}

/** Each run is measured during a window of time. */
export interface GoodputOptions {
  /** A file with more rows than can be answered in time. */
  readonly input: string;
  /** Start of the path of results, to which the concurrency and `.jsonl` are added. */
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
  /** Limit of attempts in flight, at the end of the window. */
  readonly limit: number;
}

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

// The backoff of the OpenAI SDKs.
const BACKOFF_BASE_MS = 500, BACKOFF_CAP_MS = 8_000;
/** Maximum share of a wait that is randomly subtracted. */
const BACKOFF_JITTER = 0.25;

/** Waits like the OpenAI SDKs, which give up after two retries, but retries without end. */
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
 * Returns the milliseconds that all rows take.
 *
 * @param ask Decides how often a row is posted. `post` returns the status of the response.
 */
export async function httpLoops(
  { rows, concurrency, baseUrl }: HttpLoops,
  model: string,
  ask: (post: () => Promise<number>) => Promise<void>,
): Promise<number> {
  const { origin, pathname: path } = new URL(`${baseUrl}/chat/completions`);
  const headers = { "content-type": "application/json" };
  // Imported on demand: Retort's side of a measurement must not load all of undici.
  const { Agent } = await import("../lib/deps/undici_agent.ts");
  const agent = new Agent();
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
