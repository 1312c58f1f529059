import { assertAlmostEquals, assertEquals } from "../../lib/deps/std_assert.ts";
import { runToEnd } from "../../cli/run_command.ts";
import type { RunEvent, Summary } from "../../lib/progress/events.ts";
import type { ResponseGenerator } from "../../lib/response_generator.ts";
import type { ResponseGeneratorOptions } from "../../lib/run/options.ts";
import type { ResolvedRunOptions } from "../../lib/run/run_options.ts";
import { createMonitor, type Monitor } from "../../web/server.ts";
import { numberedRows } from "../e2e/fixture.ts";
import { tempDir } from "../support/temp.ts";
import { answering } from "./generator_fixture.ts";

/** A run of six rows, some of which fail. */
interface Play extends Partial<ResponseGeneratorOptions> {
  /** How often each row fails before it is answered, by its number. */
  failures: Record<number, number>;
  run?: Partial<ResolvedRunOptions>;
  /** @default true */
  isMonitored?: boolean;
  /** Whether a signal has interrupted the run. @default false */
  isInterrupted?: boolean;
  onEvent: (event: RunEvent, monitor: Monitor, generator: ResponseGenerator) => void;
}

interface Played {
  summary: Summary;
  isRetry: boolean;
  said: string[];
  /** Rows that were sent, in order. */
  asked: string[];
}

async function play(
  { failures, run, isMonitored = true, isInterrupted = false, onEvent, ...options }: Play,
): Promise<Played> {
  await using dir = await tempDir();
  const asked: string[] = [], said: string[] = [];
  const generator = answering(({ uid }) => {
    asked.push(uid);
    const left = failures[Number(uid.slice(-1))]-- || 0;
    return left > 0 ? undefined : "yes";
  }, { concurrency: 1, ...options });
  using monitor = createMonitor(generator);
  generator.on((event) => onEvent(event, monitor, generator));
  let isRetry = false;
  const summary = await runToEnd(
    generator,
    { input: [await dir.write("in.jsonl", numberedRows(6))], output: dir.path("out/"), ...run },
    {
      monitor: isMonitored ? monitor : undefined,
      isInterrupted: () => isInterrupted,
      onRetry: () => isRetry = true,
      say: (text) => said.push(text),
    },
  );
  return { summary, isRetry, said, asked };
}

/** Requests a retry in each of the first `times` runs. */
function wanting(times: number): Play["onEvent"] {
  return (event, monitor) => {
    if (event.type === "run-start" && times-- > 0) monitor.retryWhenDone = true;
  };
}

Deno.test("runToEnd() retries failed rows when a user requests it on the page", async () => {
  const { summary, isRetry, said, asked } = await play({
    failures: { 1: 1, 4: 2 },
    onEvent: wanting(1),
  });
  assertEquals(asked.slice(6), ["row-1", "row-4"]);
  assertEquals([summary.succeeded, summary.failures_on_disk, isRetry], [1, 1, true]);
  assertEquals(said, ["Retrying 2 failed rows, as requested on the page"]);
});

Deno.test("runToEnd() retries as often as requested", async () => {
  const { summary, said, asked } = await play({ failures: { 4: 2 }, onEvent: wanting(2) });
  assertEquals([asked.length, summary.failures_on_disk], [8, 0]);
  assertEquals(said, Array(2).fill("Retrying 1 failed row, as requested on the page"));
});

Deno.test("runToEnd() runs once if no retry is requested or needed", async () => {
  const onEvent = wanting(0);
  assertEquals((await play({ failures: { 1: 1 }, onEvent })).asked.length, 6);
  const wanted = wanting(9);
  const whole = await play({ failures: {}, onEvent: wanted });
  assertEquals([whole.asked.length, whole.isRetry], [6, false]);
  const alone = await play({ failures: { 1: 1 }, onEvent: wanted, isMonitored: false });
  assertEquals(alone.asked.length, 6);
});

Deno.test("runToEnd() retries nothing after an interrupted run", async () => {
  const wanted = wanting(9);
  const interrupted = await play({ failures: { 1: 1 }, onEvent: wanted, isInterrupted: true });
  assertEquals(interrupted.asked.length, 6);
  let rows = 0;
  const stopped = await play({
    failures: { 0: 1 },
    onEvent(event, monitor, generator) {
      if (event.type !== "snapshot") return;
      monitor.retryWhenDone = true;
      if (event.failed > 0 && rows++ === 0) generator.stop();
    },
    updateInterval: 1,
    rpm: 600,
  });
  assertEquals([stopped.summary.state, stopped.isRetry], ["interrupted", false]);
});

Deno.test("runToEnd() does not delete answers again", async () => {
  const { summary, asked } = await play({
    failures: { 1: 1 },
    onEvent: wanting(1),
    run: { resume: false, overwrite: true, retry: false },
  });
  assertEquals([asked.length, summary.total, summary.skipped, summary.pending], [7, 6, 5, 0]);
});

Deno.test("runToEnd() does not send answered rows of --reask-answered again", async () => {
  const { asked } = await play({
    failures: { 1: 1 },
    onEvent: wanting(1),
    run: { retry: true, uids: ["row-0", "row-1"], reaskAnswered: true },
  });
  assertEquals(asked, ["row-0", "row-1", "row-1"]);
});

Deno.test("runToEnd() applies the cost limit to all of its runs together", async () => {
  // A dollar per answer: 5 answers, and 2 more within the limit.
  const caps: (number | null)[] = [];
  const want = wanting(9);
  const { summary, asked } = await play({
    failures: { 3: 1 },
    maxCostUsd: 7,
    priceIn: 0,
    priceOut: 1_000,
    onEvent(event, ...rest) {
      want(event, ...rest);
      if (event.type === "snapshot") caps.push(event.max_cost_usd);
    },
  });
  assertEquals([asked.length, summary.cost_usd, summary.failures_on_disk], [7, 1, 0]);
  assertEquals(caps[0], 7);
  assertAlmostEquals(caps.at(-1) ?? 0, 2);
});

Deno.test("runToEnd() says why failed rows are not retried", async () => {
  const stdin = new Blob(numberedRows(6).map((row) => `${JSON.stringify(row)}\n`)).stream();
  const { said, asked } = await play({
    failures: { 1: 1 },
    onEvent: wanting(1),
    run: { input: ["-"], stdin },
  });
  assertEquals(asked.length, 6);
  assertEquals(said, ["Cannot retry the failed rows: standard input can be read only once"]);
});
