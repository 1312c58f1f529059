/** Budgets and deadlines, and the accounting after a crash. @module */

import {
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
  assertRejects,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import {
  openaiCompatible,
  ResponseGenerator,
  type ResponseGeneratorOptions,
  type Summary,
  UsageError,
} from "../../mod.ts";
import {
  chatAnswer,
  type LedgerHandler,
  type LedgerServer,
  serveLedger,
} from "../support/ledger_server.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { assertExit, assertVerified, distill, numberedRows, startDistill } from "./fixture.ts";
import { KILLED } from "../support/process.ts";

const ROWS = 200;
const CONCURRENCY = 10;
/** Every answer has 1,000 completion tokens, and costs a cent by these prices. */
const PRICES = { priceIn: 0, priceOut: 10 };
const PRICE_FLAGS = ["--price-in", "0", "--price-out", "10"];
const CENT = 0.01;

/** A teacher whose answers cost a cent, after a moment that lets others be in flight. */
function serveCents(handler?: LedgerHandler): LedgerServer {
  return serveLedger(async (request) => {
    const answer = await handler?.(request);
    if (answer !== undefined) return answer;
    await turns(3);
    return cent(`answer to ${request.prompt}`);
  });
}

function cent(content: string, extra: Record<string, unknown> = {}): Response {
  const usage = { prompt_tokens: 10, completion_tokens: 1_000, total_tokens: 1_010 };
  return Response.json(chatAnswer(content, { usage, ...extra }));
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** Runs `in.jsonl` to `out/` with the library; `onStart` sees the generator before the run. */
async function run(
  dir: TempDir,
  server: LedgerServer,
  options: Partial<ResponseGeneratorOptions> = {},
  onStart: (generator: ResponseGenerator) => void = () => {},
): Promise<Summary> {
  await using stack = new AsyncDisposableStack();
  const teacher = openaiCompatible({ baseUrl: server.url, model: "test-model" });
  stack.defer(() => teacher.close());
  const generator = new ResponseGenerator({ teacher, concurrency: CONCURRENCY, ...options });
  const input = [await dir.write("in.jsonl", numberedRows(ROWS))];
  onStart(generator);
  return await generator.run({ input, output: dir.path("out/") });
}

/**
 * Proves that a run was halted with rows left, that none was lost or failed, and that the next run
 * sends exactly the rest.
 */
async function assertContinues(dir: TempDir, server: LedgerServer, halted: Summary): Promise<void> {
  assertEquals([halted.state, halted.failed], ["halted", 0]);
  assertEquals(halted.succeeded, server.posts);
  assertEquals(halted.pending, ROWS - halted.succeeded);
  assertEquals(halted.unknown_attempts, 0);
  assertGreater(halted.pending, 0);
  const rest = await run(dir, server);
  assertEquals([rest.state, rest.skipped], ["done", halted.succeeded]);
  assertEquals([rest.succeeded, rest.crashed_in_flight], [halted.pending, 0]);
  assertEquals(server.posts, ROWS);
  await assertVerified(dir, "in.jsonl", "out/");
}

Deno.test("maxCostUsd is overspent by what was in flight at most, and the next run does the rest", async () => {
  await using dir = await tempDir();
  await using server = serveCents();
  const summary = await run(dir, server, { ...PRICES, maxCostUsd: 0.5 });
  assertGreaterOrEqual(server.posts, 50);
  assertLessOrEqual(server.posts, 50 + CONCURRENCY);
  assertAlmostEquals(summary.cost_usd!, server.posts * CENT, 1e-9);
  assertStringIncludes(summary.reason!, "of at most $0.50 (--max-cost)");
  await assertContinues(dir, server, summary);
});

Deno.test("maxCompletionTokens needs no price, and counts answers that are not accepted", async () => {
  await using dir = await tempDir();
  await using server = serveCents(({ n }) =>
    n % 2 === 0 ? cent("", { finish_reason: "length" }) : undefined
  );
  const summary = await run(dir, server, { maxCompletionTokens: 60_000 });
  assertEquals([summary.state, summary.cost_usd], ["halted", null]);
  assertGreaterOrEqual(server.posts, 60);
  assertLessOrEqual(server.posts, 60 + CONCURRENCY);
  assertEquals(summary.completion_tokens, server.posts * 1_000);
  assertEquals(summary.failed, Math.floor(server.posts / 2));
  assertEquals(summary.wasted_completion_tokens, summary.failed * 1_000);
  assertEquals(summary.pending, ROWS - server.posts);
  assertStringIncludes(summary.reason!, "of at most 60,000 (--max-completion-tokens-total)");
});

Deno.test("deadlineMs ends a run with rows left, once what is in flight has been answered", async () => {
  await using dir = await tempDir();
  const inTime = 30;
  const isOver = Promise.withResolvers<void>();
  await using server = serveCents(async ({ n }) => {
    if (n > inTime) await isOver.promise;
    return undefined;
  });
  const summary = await run(dir, server, { deadlineMs: 400 }, (generator) => {
    generator.on((event) => {
      if (event.type === "snapshot" && event.state === "draining") isOver.resolve();
    });
  });
  // On a busy machine the time may be over before an answer is held back.
  isOver.resolve();
  assertLessOrEqual(server.posts, inTime + CONCURRENCY);
  assertStringIncludes(summary.reason!, "(--deadline)");
  await assertContinues(dir, server, summary);
});

Deno.test("setMaxCost() holds for the run that is active", async () => {
  await using dir = await tempDir();
  let generator: ResponseGenerator | undefined;
  await using server = serveCents(({ n }) => {
    if (n === 30) generator!.setMaxCost(0.1);
    return undefined;
  });
  const summary = await run(dir, server, PRICES, (one) => generator = one);
  assertLess(server.posts, 30 + CONCURRENCY);
  assertStringIncludes(summary.reason!, "of at most $0.10 (--max-cost)");
  await assertContinues(dir, server, summary);
});

Deno.test("maxCostUsd without a price stops before the first call and says what to add", async () => {
  await using dir = await tempDir();
  await using server = serveCents();
  const error = await assertRejects(() => run(dir, server, { maxCostUsd: 1 }), UsageError);
  assertStringIncludes(error.message, `"test-model" at ${server.url} is not known`);
  assertStringIncludes(error.message, "--price-in");
  assertEquals([server.posts, await dir.exists("out/in.jsonl")], [0, false]);
  // The price of a public model does not apply to a private server.
  const input = dir.path("in.jsonl");
  const flags = ["-m", "gpt-5-mini", "--max-cost", "1"];
  const result = await distill(server, [input, "-o", dir.path("out/"), ...flags]);
  assertExit(result, 2);
  assertStringIncludes(result.stderr, '"gpt-5-mini"');
  assertEquals(server.posts, 0);
});

Deno.test("--max-cost ends with exit code 5, run after run, until all is done", async () => {
  await using dir = await tempDir();
  await using server = serveCents();
  const input = await dir.write("in.jsonl", numberedRows(ROWS));
  const files = [input, "-o", dir.path("out/"), "-c", String(CONCURRENCY), "--progress", "none"];
  for (let runs = 1; runs <= 2; runs++) {
    const before = server.posts;
    const result = await distill(server, [...files, "--max-cost", "0.6", ...PRICE_FLAGS]);
    assertExit(result, 5);
    assertStringIncludes(result.stderr, "(--max-cost)");
    assertLessOrEqual(server.posts - before, 60 + CONCURRENCY);
    assertGreaterOrEqual(server.posts - before, 60);
  }
  assertExit(await distill(server, [...files, "--max-cost", "10", ...PRICE_FLAGS]), 0);
  assertEquals(server.posts, ROWS);
});

Deno.test("after kill -9 the next run says how many calls were in flight, once", async () => {
  await using dir = await tempDir();
  const answered = 40;
  const held = Promise.withResolvers<void>();
  let isHolding = true;
  await using server = serveCents(async ({ n }) => {
    if (isHolding && n > answered) await held.promise;
    return undefined;
  });
  const input = await dir.write("in.jsonl", numberedRows(ROWS));
  const args = [input, "-o", dir.path("out/"), "-c", String(CONCURRENCY), "--progress", "none"];
  {
    await using child = await startDistill(server, args);
    await Promise.race([server.untilPosts(answered + CONCURRENCY), child.output()]);
    child.kill("SIGKILL");
    const { signal, stderr } = await child.output();
    assertEquals(signal, KILLED, stderr);
  }
  isHolding = false;
  held.resolve();
  const summary = await run(dir, server);
  assertEquals([summary.state, summary.crashed_in_flight], ["done", CONCURRENCY]);
  assertEquals(summary.skipped, answered);
  assertEquals((await run(dir, server)).crashed_in_flight, 0);
});
