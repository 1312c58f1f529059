/** A teacher that refuses everything: messages and cost, through the command line. @module */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLessOrEqual,
  assertMatch,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import {
  chatAnswer,
  errorAnswer,
  type LedgerHandler,
  type LedgerServer,
  serveLedger,
} from "../support/ledger_server.ts";
import { type CliResult, runCli } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { argsFor, assertExit, assertVerified, distill, numberedRows } from "./fixture.ts";

const ROWS = 200;
const CONCURRENCY = 10;

/** What a run needs, without its limits. */
async function argsIn(dir: TempDir): Promise<string[]> {
  const input = await dir.write("in.jsonl", numberedRows(ROWS));
  return [input, "-o", dir.path("out/"), "-c", String(CONCURRENCY)];
}

/** Proves that a run was halted, that it marked no row as failed, and that it ended with the
 * command that continues. */
async function assertHalted(
  result: CliResult,
  dir: TempDir,
  server: LedgerServer,
  args: string[],
): Promise<void> {
  assertExit(result, 5);
  assertEquals(await dir.read("out/in_error.jsonl"), "");
  assertMatch(result.stderr, /^Halted after .* rows still to do: /m);
  const next = argsFor(server, args).join(" ");
  assertStringIncludes(result.stderr, ` deno task distill ${next}\n`);
  assertMatch(result.stderr, /^ {2}To continue +deno task distill /m);
}

/**
 * Runs the same command again once the teacher is repaired: it sends the rest, and no row that has
 * an answer.
 */
async function assertContinues(dir: TempDir, server: LedgerServer, args: string[]): Promise<void> {
  const done = (await dir.rows("out/in.jsonl")).length, posts = server.posts;
  assertExit(await distill(server, args), 0);
  assertEquals(server.posts - posts, ROWS - done);
  await assertVerified(dir, "in.jsonl", "out/");
}

/** A refusal of OpenAI. */
function refusal(status: number, code: string | null, message: string, param?: string): Response {
  const error = { message, type: "invalid_request_error", param: param ?? null, code };
  return Response.json({ error }, { status });
}

const NEVER: readonly [name: string, response: () => Response, posts: number, words: string[]][] = [
  [
    "a wrong key",
    () => refusal(401, "invalid_api_key", "Incorrect API key provided: sk-1234."),
    3,
    ["(401)", "Incorrect API key provided", "Check the API key", "OPENAI_API_KEY"],
  ],
  [
    "an unknown model",
    () => refusal(404, "model_not_found", "The model `test-model` does not exist"),
    3,
    ["(404)", "The model `test-model` does not exist", "Check the name of the model (--model)"],
  ],
  [
    "a wrong address",
    () => new Response("404 page not found", { status: 404 }),
    3,
    ["(404)", 'Check the address (--base-url): "/chat/completions", or the path of another'],
  ],
  [
    "an account without credit",
    () => refusal(429, "insufficient_quota", "You exceeded your current quota"),
    3,
    ["(429)", "You exceeded your current quota", "billing"],
  ],
  [
    "a parameter that the model refuses",
    () =>
      refusal(
        400,
        "unsupported_parameter",
        "Unsupported parameter: 'max_tokens' is not supported with this model.",
        "max_tokens",
      ),
    7,
    ["same message (400)", "'max_tokens' is not supported with this model"],
  ],
];
for (const [name, response, most, words] of NEVER) {
  Deno.test(`${name} ends a run after ${most} posts at most, and fails no row`, async () => {
    await using dir = await tempDir();
    let isMended = false;
    await using server = serveLedger(() => isMended ? undefined : response());
    const args = await argsIn(dir);
    const result = await distill(server, args);
    assertLessOrEqual(server.posts, most);
    await assertHalted(result, dir, server, args);
    for (const part of words) assertStringIncludes(result.stderr, part);
    isMended = true;
    await assertContinues(dir, server, args);
  });
}

Deno.test("a key that is revoked halfway costs at most the calls in flight", async () => {
  await using dir = await tempDir();
  let isMended = false, refused = 0;
  await using server = serveLedger(async ({ n }) => {
    // Others are in flight while one is answered.
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (isMended || n <= ROWS / 2) return;
    refused++;
    return refusal(401, "invalid_api_key", "Incorrect API key provided");
  });
  const args = await argsIn(dir);
  const result = await distill(server, args);
  await assertHalted(result, dir, server, args);
  assertGreater(refused, 0);
  assertLessOrEqual(refused, CONCURRENCY);
  assertEquals((await dir.rows("out/in.jsonl")).length, ROWS / 2);
  isMended = true;
  await assertContinues(dir, server, args);
});

Deno.test("a parameter that is refused late ends the run at the twentieth refusal in a row", async () => {
  await using dir = await tempDir();
  let isMended = false;
  await using server = serveLedger(({ n }) =>
    isMended || n <= ROWS / 2 ? undefined : errorAnswer(400, "No such LoRA")
  );
  const args = await argsIn(dir);
  const result = await distill(server, args);
  await assertHalted(result, dir, server, args);
  assertStringIncludes(result.stderr, "No such LoRA");
  assertLessOrEqual(server.posts, ROWS / 2 + 20 + CONCURRENCY);
  isMended = true;
  await assertContinues(dir, server, args);
});

/** Every answer has 1,000 completion tokens, which cost a cent at 10 dollars for a million. */
const serveCents = (handler?: LedgerHandler) =>
  serveLedger(async (request) => {
    await handler?.(request);
    const usage = { prompt_tokens: 10, completion_tokens: 1_000 };
    return Response.json(chatAnswer(`answer to ${request.prompt}`, { usage }));
  });

const BUDGETS: readonly [flags: string[], words: string][] = [
  [["--max-cost", "0.5", "--price-in", "0", "--price-out", "10"], "$0.50 (--max-cost)"],
  [["--max-completion-tokens-total", "50000"], "50,000 (--max-completion-tokens-total)"],
];
for (const [flags, words] of BUDGETS) {
  Deno.test(`${flags[0]} ends a run that has had its share, and the next one has its own`, async () => {
    await using dir = await tempDir();
    await using server = serveCents();
    const args = [...await argsIn(dir), ...flags];
    let posts = 0;
    for (let run = 1; run <= 3; run++) {
      const result = await distill(server, args);
      await assertHalted(result, dir, server, args);
      assertStringIncludes(result.stderr, words);
      const asked = server.posts - posts;
      assert(asked >= 50 && asked <= 50 + CONCURRENCY, `${asked} posts in run ${run}`);
      posts = server.posts;
    }
    assertEquals((await dir.rows("out/in.jsonl")).length, posts);
    const rest = await distill(server, args);
    assertExit(rest, 0);
    assertEquals(server.posts, ROWS);
    await assertVerified(dir, "in.jsonl", "out/");
  });
}

Deno.test("--deadline ends a run with rows left, and what is in flight is kept", async () => {
  await using dir = await tempDir();
  let isQuick = false;
  await using server = serveLedger(async () => {
    if (!isQuick) await new Promise((resolve) => setTimeout(resolve, 100));
    return undefined;
  });
  const args = await argsIn(dir);
  const result = await distill(server, [...args, "--deadline", "500ms"]);
  await assertHalted(result, dir, server, [...args, "--deadline", "500ms"]);
  assertStringIncludes(result.stderr, "(--deadline)");
  assertEquals((await dir.rows("out/in.jsonl")).length, server.posts);
  isQuick = true;
  await assertContinues(dir, server, args);
});

Deno.test("a halt is printed, with the command that continues, also without progress", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(() => refusal(401, "invalid_api_key", "Incorrect API key"));
  for (const style of ["none", "json"]) {
    const args = [...await argsIn(dir), "--progress", style];
    const result = await distill(server, args);
    assertExit(result, 5);
    assertStringIncludes(result.stderr, "Incorrect API key. Check the API key");
    assertStringIncludes(result.stderr, `deno task distill ${argsFor(server, args).join(" ")}\n`);
  }
});

Deno.test("--progress none prints the summary and nothing before it, --quiet prints neither", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const args = [...await argsIn(dir), "--no-resume", "--overwrite"];
  const { stderr } = await distill(server, [...args, "--progress", "none"]);
  assertMatch(stderr, /^Finished in .*\n\n {2}Rows/);
  assertEquals((await distill(server, [...args, "--quiet"])).stderr, "");
});

Deno.test("two teachers share the rows; each answer says whose it is, and one key may be wrong", async () => {
  await using dir = await tempDir();
  await using good = serveLedger();
  await using bad = serveLedger(() => refusal(401, "invalid_api_key", "Incorrect API key"));
  const input = await dir.write("in.jsonl", numberedRows(ROWS));
  const config = await dir.write(
    "run.yaml",
    `input: ${input}\noutput: ${dir.path("out/")}\nmodel: qwen3\nteachers:\n` +
      `  - base_url: ${good.url}\n    api_key_env: GOOD\n` +
      `  - base_url: ${bad.url}\n    api_key_env: BAD\n    model: other\n`,
  );
  const env = { GOOD: "sk-good", BAD: "sk-bad" };
  const result = await runCli(["--config", config], { env });
  assertExit(result, 0);
  assertStringIncludes(result.stderr, `The teacher at ${bad.url} rejects all rows (401)`);
  assertEquals(good.posts, ROWS);
  assertLessOrEqual(bad.posts, 3);
  assertEquals(good.requests[0].headers.get("authorization"), "Bearer sk-good");
  assertEquals(bad.requests[0].headers.get("authorization"), "Bearer sk-bad");
  assertEquals([good.requests[0].body.model, bad.requests[0].body.model], ["qwen3", "other"]);
  for (const { distill } of await dir.rows("out/in.jsonl")) {
    assertEquals([distill.teacher, distill.model], [good.url, "qwen3"]);
  }
  await assertVerified(dir, "in.jsonl", "out/");
});
