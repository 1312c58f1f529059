/**
 * Measures the engine without a network: rows per second, and promise reactions per row.
 * @module
 */

import { pooledMap } from "../lib/deps/std_async.ts";
import { Budget } from "../lib/engine/answers/budget.ts";
import { AnswerPolicy } from "../lib/engine/answers/policy.ts";
import { Engine } from "../lib/engine/engine.ts";
import { RetryPolicy } from "../lib/engine/retry_policy.ts";
import type { Row } from "../lib/row.ts";
import type { Teacher } from "../lib/teacher/teacher.ts";
import {
  alternate,
  type Bench,
  comparison,
  type Figure,
  formatNumber,
  perSecond,
} from "./measure.ts";
import { inChild } from "./processes.ts";
import { rowOf, slowTeacher, writeRows } from "./rows.ts";

/** Compares the engine with a plain loop that writes the same lines. The teacher is instant. */
export async function engineAlone(bench: Bench): Promise<Figure[]> {
  const rows = bench.rows(100_000, 500_000);
  const name = "engine alone, durable";
  const withoutNumbers = await measure(bench, rows, "");
  const withNumbers = await measure(bench, rows, '"level":3,');
  return [
    withoutNumbers("elapsedMs", name, { atLeast: 0.5 }),
    withoutNumbers("wholeMs", `${name}: whole call`),
    withNumbers("elapsedMs", `${name}, a number in each row`, {
      note:
        "rows without an id are hashed with numbers as written (1.0, not 1), which slows parsing",
    }),
  ];
}

/** Returns a function that compares one of the times of a run with the loop. */
async function measure(bench: Bench, rows: number, moreFields: string) {
  const input = `${bench.dir}/engine.jsonl`;
  const output = `${bench.dir}/engine_out.jsonl`;
  await writeRows(input, rows, moreFields);
  const { ours, theirs } = await alternate(
    bench.rounds(moreFields === "" ? 5 : 3),
    () => inChild("job", { input, output, concurrency: 64 }),
    () => inChild("plainLoop", { input, output }),
  );
  return (
    time: "elapsedMs" | "wholeMs",
    name: string,
    options: { readonly atLeast?: number; readonly note?: string } = {},
  ): Figure => {
    const rates = {
      ours: perSecond(rows, ours.map((report) => report[time])),
      theirs: perSecond(rows, theirs),
    };
    const baseline = ", plain loop without fsync";
    return comparison(name, rates, { unit: "rows/s", baseline, ...options });
  };
}

/**
 * Sets V8's promise hooks, in the order init, before, after, resolve. V8 calls `before` for each
 * reaction. A hook that is undefined is not set.
 */
type SetPromiseHooks = (...hooks: ((() => void) | undefined)[]) => void;

/** Counts the promise reactions per row. Returns no figures if Deno has no promise hooks. */
export async function schedulerTurns(bench: Bench): Promise<Figure[]> {
  const setPromiseHooks = promiseHooks();
  if (setPromiseHooks === undefined) return [];
  const figures: Figure[] = [];
  for (const concurrency of [20, 500]) {
    const rows = bench.rows(concurrency * 50, concurrency * 200);
    const turnsPerRow = async (work: typeof runEngine) =>
      await turnsOf(setPromiseHooks, () => work(rows, concurrency, slowTeacher(5))) / rows;
    const ours = await turnsPerRow(runEngine), theirs = await turnsPerRow(runPooledMap);
    figures.push({
      name: `scheduler turns a row, concurrency ${concurrency}`,
      retort: `${formatNumber(ours)}`,
      baseline: `${formatNumber(theirs)}, pooledMap over rows`,
      ratios: [ours / theirs],
      note: concurrency === 20
        ? "a turn is one promise reaction, from taking a row to delivering its outcome; the teacher " +
          "takes 5 ms, and nothing is written"
        : undefined,
    });
  }
  return figures;
}

/** Returns an internal function of Deno; undefined if Deno has removed it. */
function promiseHooks(): SetPromiseHooks | undefined {
  const deno = Deno as unknown as
    & { internal: symbol }
    & Record<
      symbol,
      { core?: { setPromiseHooks?: SetPromiseHooks } } | undefined
    >;
  return deno[deno.internal]?.core?.setPromiseHooks;
}

async function turnsOf(
  setPromiseHooks: SetPromiseHooks,
  work: () => Promise<void>,
): Promise<number> {
  let turns = 0;
  setPromiseHooks(undefined, () => turns++, undefined, undefined);
  try {
    await work();
  } finally {
    setPromiseHooks(undefined, undefined, undefined, undefined);
  }
  return turns;
}

async function runEngine(count: number, concurrency: number, teacher: Teacher): Promise<void> {
  const written = Promise.resolve();
  const engine = new Engine({
    source: batchesOf(count),
    teachers: [{ teacher, weight: 1, maxConcurrency: concurrency }],
    sink: { put: () => written },
    listener: {
      attempt() {},
      attemptAnswered() {},
      attemptFailed() {},
      rowReleased() {},
      stateChanged() {},
    },
    params: {},
    concurrency,
    isExploring: false,
    isCareful: false,
    retryPolicy: new RetryPolicy(),
    policy: new AnswerPolicy({ onTruncated: "error", checks: [], params: {} }),
    budget: new Budget(),
  });
  await engine.run();
}

async function runPooledMap(count: number, concurrency: number, teacher: Teacher): Promise<void> {
  const { signal } = new AbortController();
  const put = () => Promise.resolve();
  async function ask({ uid, messages }: Row): Promise<void> {
    await teacher.complete({ uid, messages, params: {} }, signal);
    await put();
  }
  const rows = Array.from({ length: count }, (_, index) => rowOf(index));
  for await (const _ of pooledMap(concurrency, rows, ask));
}

async function* batchesOf(count: number): AsyncGenerator<Row[]> {
  for (let from = 0; from < count; from += 100) {
    yield Array.from({ length: Math.min(100, count - from) }, (_, i) => rowOf(from + i));
  }
}
