/** A paid answer is kept, however the run ends, and its row continues from there. @module */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLessOrEqual,
  assertMatch,
} from "../../lib/deps/std_assert.ts";
import { ResponseGenerator } from "../../mod.ts";
import type { MonitorState } from "../../web/monitor_state.ts";
import {
  errorAnswer,
  lostAnswers,
  lostLastAnswers,
  type PaidAnswer,
  type PaidServer,
  servePaid,
} from "../support/ledger_server.ts";
import { type CliProcess, runCli } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import {
  assertExit,
  assertVerified,
  distill,
  distillHere,
  numberedRows,
  startDistill,
} from "./fixture.ts";

/** The arguments of a run over `in.jsonl`, other than its server. */
async function argsOf(dir: TempDir, rows: number, ...flags: string[]): Promise<string[]> {
  const input = await dir.write("in.jsonl", numberedRows(rows));
  return [input, "-o", dir.path("out/"), "--progress", "none", ...flags];
}

/** The lines of the failures file. */
async function failuresOf(dir: TempDir) {
  return await dir.exists("out/in_error.jsonl") ? await dir.rows("out/in_error.jsonl") : [];
}

/** How many rows are pending, as `verify` counts them. */
async function pendingOf(dir: TempDir): Promise<number> {
  const { stdout } = await runCli(["verify", dir.path("in.jsonl"), "-o", dir.path("out/")]);
  return Number(/([\d,]+) {2}pending/.exec(stdout)![1].replaceAll(",", ""));
}

/** Calls that were in flight when a run was killed, as its lock says. */
async function notedCalls(dir: TempDir): Promise<number> {
  const note = JSON.parse(await dir.read("out/in.lock"));
  assertEquals(note.running, true);
  return note.in_flight;
}

const REJECTING = ["--reject-pattern", "^I cannot", "--resample", "3"];
const ESCALATING = ["--max-tokens", "100", "--on-truncated", "escalate"];

/** What the report of the last run shows. */
async function reportStateIn(dir: TempDir): Promise<MonitorState> {
  const html = await dir.read("out/.retort/in.report.html");
  const [, json] = /<script type="application\/json" id="report-state">(.*?)<\/script>/s.exec(
    html,
  )!;
  return JSON.parse(json);
}

Deno.test("kill -9 loses no rejected answer but those in flight, and their rows continue", async () => {
  await using dir = await tempDir();
  // Two of three answers are rejected, but no row has more than three of them.
  await using paid = servePaid(({ prompt, asked }) =>
    Number(prompt.slice(7)) % 3 !== 0 && asked <= 2 ? { text: "I cannot" } : {}
  );
  const { server } = paid;
  const args = await argsOf(dir, 150, "-c", "1", "-p", "seed=5", ...REJECTING);
  await using child = await startDistill(server, args);
  await server.untilPosts(100);
  child.kill("SIGKILL");
  await child.output();

  assertEquals(await notedCalls(dir), 1);
  assertLessOrEqual((await lostAnswers(dir, paid)).length, 1);
  const results = (await dir.rows("out/in.jsonl")).length;
  assertEquals(await pendingOf(dir), 150 - results);
  const posts = server.posts;
  const left = await openLines(dir);
  assertAllOpen(left, paid, "I cannot", 1);

  assertExit(await distill(server, args), 0);
  await assertVerified(dir, "in.jsonl", "out/");
  // Not a call more than a run without a break, but the one in flight.
  assertLessOrEqual(server.posts, 150 + 2 * 100 + 1);
  assertEquals(await dir.read("out/in_error.jsonl"), "");
  const again = server.requests.slice(posts);
  for (const [prompt, { resample }] of left) {
    const { body } = again.find((request) => request.prompt === prompt)!;
    assertEquals(body.seed, 5 + 1_000 * resample);
  }
});

/** Where each row continues whose last line says that it is pending, by prompt. */
async function openLines(dir: TempDir) {
  const answered = new Set((await dir.rows("out/in.jsonl")).map(({ prompt }) => prompt));
  const open = new Map<string, { resample: number; max_tokens?: number }>();
  for (const { prompt, error } of await failuresOf(dir)) {
    assertEquals(error.final, false);
    if (!answered.has(prompt)) open.set(prompt, error.next);
  }
  return open;
}

/** Proves that the last paid answer of each open row, unless in flight, begins like this. */
function assertAllOpen(
  left: ReadonlyMap<string, unknown>,
  { answers }: PaidServer,
  begin: string,
  inFlight: number,
): void {
  const last = new Map(answers.map(({ prompt, text }) => [prompt, text]));
  const open = new Set([...last].filter(([, text]) => text.startsWith(begin)).map(([one]) => one));
  assertGreater(open.size, inFlight);
  assertLessOrEqual(open.symmetricDifference(new Set(left.keys())).size, inFlight);
}

Deno.test("kill -9 loses no truncated answer but those in flight, and longer ones are requested", async () => {
  await using dir = await tempDir();
  await using paid = servePaid(({ body }) =>
    body.max_tokens < 400 ? { text: "half", finishReason: "length" } : {}
  );
  const { server } = paid;
  const args = await argsOf(dir, 400, "-c", "50", ...ESCALATING);
  await using child = await startDistill(server, args);
  await server.untilPosts(400);
  child.kill("SIGKILL");
  await child.output();

  const inFlight = await notedCalls(dir);
  assertLessOrEqual(inFlight, 50);
  assertLessOrEqual((await lostAnswers(dir, paid)).length, inFlight);
  const posts = server.posts;
  const left = await openLines(dir);
  assertAllOpen(left, paid, "half", inFlight);

  assertExit(await distill(server, args), 0);
  await assertVerified(dir, "in.jsonl", "out/");
  assertLessOrEqual(server.posts, 3 * 400 + inFlight);
  const again = server.requests.slice(posts);
  for (const [prompt, { max_tokens }] of left) {
    const { body } = again.find((request) => request.prompt === prompt)!;
    assertEquals(body.max_tokens, max_tokens);
  }
});

Deno.test("kill -9 in the middle of a retry keeps the answer and the failure, and the retry continues", async () => {
  await using dir = await tempDir();
  let isRejecting = true;
  await using paid = servePaid(({ asked }) =>
    isRejecting || asked <= 2 ? { text: "I cannot" } : {}
  );
  const { server } = paid;
  const args = await argsOf(dir, 80, "-c", "2", "--reject-pattern", "^I cannot");
  assertExit(await distill(server, args), 3);
  isRejecting = false;
  const retry = ["retry", ...args, "--resample", "3"];
  await using child = await startDistill(server, retry);
  await server.untilPosts(120);
  child.kill("SIGKILL");
  await child.output();
  assertLessOrEqual((await lostAnswers(dir, paid)).length, 2);
  // They have failed until they have a result: the plain command leaves them alone.
  assertEquals(await pendingOf(dir), 0);
  const posts = server.posts;
  assertExit(await distill(server, args), 3);
  assertEquals(server.posts, posts);

  assertExit(await distill(server, retry), 0);
  assertLessOrEqual(server.posts, 80 + 160 + 2);
  assertEquals(await dir.read("out/in_error.jsonl"), "");
  await assertVerified(dir, "in.jsonl", "out/");
});

Deno.test("kill -9 keeps the answers to each sample of a row, and each continues by itself", async () => {
  await using dir = await tempDir();
  await using paid = servePaid(({ body }) => body.seed < 1_000 ? { text: "I cannot" } : {});
  const { server } = paid;
  const args = await argsOf(dir, 40, "-c", "3", "--samples", "4", "-p", "seed=1", ...REJECTING);
  await using child = await startDistill(server, args);
  await server.untilPosts(140);
  child.kill("SIGKILL");
  await child.output();
  assertLessOrEqual((await lostAnswers(dir, paid)).length, 3);
  assertExit(await distill(server, args), 0);
  assertLessOrEqual(server.posts, 2 * 160 + 3);
  const seeds = server.requests.filter(({ prompt }) => prompt === "prompt 7")
    .map(({ body }) => body.seed);
  assertEquals([...new Set(seeds)].toSorted((a, b) => a - b), [
    1,
    2,
    3,
    4,
    1_001,
    1_002,
    1_003,
    1_004,
  ]);
  await assertVerified(dir, "in.jsonl", "out/");
});

/** How a run ends while rows wait for a longer answer, or are being asked for it. */
interface OrderlyEnd {
  readonly name: string;
  readonly flags?: readonly string[];
  /** What comes of asking for more than 100 tokens. */
  readonly second: (signal: AbortSignal) => PaidAnswer | Response | Promise<Response>;
  /** Ends the run; called when a second attempt is in flight. */
  readonly end?: (child: CliProcess, dir: TempDir) => Promise<void>;
  /** Whether the process must end, not only the run. @default false */
  readonly kills?: boolean;
  /** @default 100 */
  readonly rows?: number;
  /** How long an answer to a first attempt takes. @default 0 */
  readonly firstMs?: number;
  readonly code: number;
  readonly stderr: RegExp;
}

const hanging = (signal: AbortSignal) =>
  new Promise<Response>((resolve) =>
    signal.addEventListener("abort", () => resolve(new Response()), { once: true })
  );
const after = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Resolves once a run has said that it heard the signal. */
const interruption = Promise.withResolvers<void>();

const ORDERLY_ENDS: readonly OrderlyEnd[] = [
  {
    name: "two Ctrl-C",
    second: hanging,
    async end(child) {
      child.kill("SIGINT");
      await child.untilStderr(/press Ctrl-C again/);
      await after(600); // Two within half a second are one.
      child.kill("SIGINT");
    },
    kills: true,
    code: 130,
    stderr: /Waiting for \d+ paid calls? in flight/,
  },
  {
    name: "SIGTERM with --grace over",
    flags: ["--grace", "1s"],
    second: hanging,
    end: (child) => Promise.resolve(child.kill("SIGTERM")),
    kills: true,
    code: 143,
    stderr: /Waiting for \d+ paid calls? in flight, 1 s at most/,
  },
  {
    name: "one Ctrl-C and then a 500 on the second attempt",
    second: () => interruption.promise.then(() => errorAnswer(500)),
    async end(child) {
      child.kill("SIGINT");
      await child.untilStderr(/Waiting for \d+ paid/);
      interruption.resolve();
    },
    code: 130,
    stderr: /Waiting for \d+ paid calls? in flight/,
  },
  {
    name: "a halt by 402",
    second: () => errorAnswer(402, "Insufficient credits"),
    code: 5,
    stderr: /Insufficient credits/,
  },
  {
    name: "escalations that are all refused alike",
    rows: 200,
    second: () => errorAnswer(400, "seed is not supported"),
    code: 5,
    stderr: /seed is not supported/,
  },
  {
    name: "an input that shrinks",
    // More than is read ahead.
    rows: 2_500,
    // Of 20 calls in flight at the end, some are first attempts then.
    firstMs: 50,
    second: () => ({}),
    async end(_, dir) {
      const { size } = await Deno.stat(dir.path("in.jsonl"));
      await Deno.truncate(dir.path("in.jsonl"), Math.floor(size / 2));
    },
    code: 2,
    stderr: /changed while the run read it/,
  },
];

for (
  const { name, flags = [], rows = 100, firstMs = 0, second, end, kills, code, stderr }
    of ORDERLY_ENDS
) {
  Deno.test(`after ${name} every paid answer is kept, and its row continues`, async () => {
    await using dir = await tempDir();
    const isSecond = Promise.withResolvers<void>();
    let hasRecovered = false;
    await using paid = servePaid(async ({ body, signal }) => {
      if (body.max_tokens === 100) {
        if (firstMs > 0 && !hasRecovered) await after(firstMs);
        return { text: "half", finishReason: "length" };
      }
      if (hasRecovered) return {};
      isSecond.resolve();
      return await second(signal);
    });
    const { server } = paid;
    const args = await argsOf(dir, rows, "-c", "20", ...ESCALATING, ...flags);
    await using child = kills ? await startDistill(server, args) : distillHere(server, args);
    await isSecond.promise;
    await end?.(child, dir);
    const ended = await child.output();
    assertExit(ended, code);
    assertMatch(ended.stderr, stderr);
    assertEquals(await lostLastAnswers(dir, paid), []);

    await dir.write("in.jsonl", numberedRows(rows));
    const left = await openLines(dir);
    assertGreater(left.size, 0);
    const results = (await dir.rows("out/in.jsonl")).length;
    assertEquals(await pendingOf(dir), rows - results);
    assertEquals([...left.values()], [...left].map(() => ({ resample: 0, max_tokens: 200 })));

    hasRecovered = true;
    const posts = server.posts;
    assertExit(await distill(server, args), 0);
    await assertVerified(dir, "in.jsonl", "out/");
    assertEquals(await dir.read("out/in_error.jsonl"), "");
    assertEquals(server.posts - posts, 2 * (rows - results) - left.size);
    for (const { prompt, body } of server.requests.slice(posts)) {
      assert(!left.has(prompt) || body.max_tokens === 200);
    }
  });
}

Deno.test("a row that fails after it was continued keeps the answer that an earlier run paid for", async () => {
  await using dir = await tempDir();
  await using paid = servePaid(({ n }) =>
    n === 1 ? { text: "half", finishReason: "length" } : errorAnswer(n === 2 ? 402 : 500)
  );
  const args = await argsOf(dir, 1, ...ESCALATING, "--max-attempts", "1");
  assertExit(await distill(paid.server, args), 5);
  assertExit(await distill(paid.server, args), 3);
  const [{ error, partial }, ...others] = await failuresOf(dir);
  assertEquals([error.type, error.final, partial.response], ["server", true, "half 1"]);
  assertEquals([partial.finish_reason, partial.completion_tokens], ["length", 100]);
  assertEquals(others, []);
});

Deno.test("a retried row that fails without an answer keeps the one that an earlier run paid for", async () => {
  await using dir = await tempDir();
  await using paid = servePaid(({ n }) =>
    n === 1 ? { text: "half", finishReason: "length" } : n < 4 ? errorAnswer(500) : { text: "new" }
  );
  const { server } = paid;
  const args = await argsOf(dir, 1, "--max-tokens", "100", "--max-attempts", "1");
  assertExit(await distill(server, args), 3);
  for (const flags of [["--retry"], ["--retry", "--max-tokens", "200"]]) {
    assertExit(await distill(server, [...args, ...flags]), 3);
    const lines = await failuresOf(dir);
    assertEquals(lines.map(({ error, partial }) => [error.type, partial.response]), [
      ["server", "half 1"],
    ]);
    const { summary } = JSON.parse(await dir.read("out/in.run.json"));
    assertEquals([summary.completion_tokens, summary.wasted_completion_tokens], [0, 0]);
    const { answers, teacher_figures } = await reportStateIn(dir);
    assertEquals([answers.endings, answers.finish_reasons], [{}, []]);
    assertEquals(teacher_figures[0].p50_ms, null);
  }
  assertExit(await distill(server, [...args, "--retry"]), 0);
  assertEquals((await dir.rows("out/in.jsonl")).map(({ response }) => response), ["new 4"]);
  assertEquals(await failuresOf(dir), []);
});

Deno.test("a row starts over where it was edited, or is sent with other parameters", async () => {
  await using dir = await tempDir();
  await using paid = servePaid(({ n }) =>
    n === 1 ? { text: "half", finishReason: "length" } : errorAnswer(402)
  );
  const { server } = paid;
  const args = await argsOf(dir, 1, ...ESCALATING);
  assertExit(await distill(server, args), 5);
  const limitOfNext = async (more: string[]) => {
    assertExit(await distill(server, [...args, ...more]), 5);
    return server.requests.at(-1)!.body.max_tokens;
  };
  assertEquals(await limitOfNext([]), 200);
  assertEquals(await limitOfNext(["--max-tokens-cap", "150"]), 150);
  assertEquals(await limitOfNext(["--on-truncated", "error"]), 100);
  assertEquals(await limitOfNext(["-p", "top_p=0.5", "--allow-mixed"]), 100);
  assertEquals(await limitOfNext(["--allow-mixed"]), 200);
  await dir.write("in.jsonl", [{ id: "row-0", prompt: "another prompt" }]);
  assertEquals(await limitOfNext([]), 100);
  assertEquals((await failuresOf(dir)).map(({ partial }) => partial.response), ["half 1"]);
});

Deno.test("generate() yields the paid answer of a row that it could not finish", async () => {
  const generator = new ResponseGenerator({
    teacher: {
      complete() {
        generator.stop();
        return Promise.resolve({ response: "No", finishReason: "stop", usage: null, model: "m" });
      },
    },
    validate: ({ response }) => response !== "No",
    resample: 1,
  });
  const outcomes = await Array.fromAsync(generator.generate([{ prompt: "a" }, { prompt: "b" }]));
  assertEquals(outcomes.length, 1);
  const { ok, row } = outcomes[0];
  const error = row.error as { type: string; final: boolean };
  assertEquals([ok, error.type, error.final], [false, "rejected", false]);
  assertEquals((row.partial as { response: string }).response, "No");
});
