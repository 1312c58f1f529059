/** Checks, samples and rates through the command line. @module */

import {
  assertEquals,
  assertGreaterOrEqual,
  assertMatch,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { chatAnswer, serveLedger } from "../support/ledger_server.ts";
import { runCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { assertExit, distill, linesOf, numberedRows } from "./fixture.ts";

Deno.test("--json-schema keeps answers that match, and --resample requests others", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(({ prompt, asked }) => {
    if (prompt === "prompt 0") return Response.json(chatAnswer('{"age": 5}'));
    if (prompt === "prompt 1") {
      return Response.json(chatAnswer(`{"age": ${asked < 3 ? '"x"' : 7}}`));
    }
    return Response.json(chatAnswer("no JSON"));
  });
  const input = await dir.write("in.jsonl", numberedRows(3));
  const schema = { type: "object", properties: { age: { type: "integer" } } };
  const args = [input, "-o", dir.path("out/"), "--json-schema", dir.path("s.json")];
  await dir.write("s.json", JSON.stringify({ type: "intger" }));
  const refused = await distill(server, args);
  assertExit(refused, 2);
  assertStringIncludes(refused.stderr, "Cannot use the JSON Schema: /type must be");
  assertEquals(server.posts, 0);

  await dir.write("s.json", JSON.stringify(schema));
  const result = await distill(server, [...args, "--resample", "2"]);
  assertExit(result, 3);
  const kept = (await dir.rows("out/in.jsonl")).map(({ uid, response }) => [uid, response]).sort();
  assertEquals(kept, [["row-0", '{"age": 5}'], ["row-1", '{"age": 7}']]);
  const [failure] = await dir.rows("out/in_error.jsonl");
  assertEquals([failure.uid, failure.error.type], ["row-2", "rejected"]);
  assertEquals(failure.partial.response, "no JSON");
  assertEquals([...server.prompts.values()], [1, 3, 3]);
  assertStringIncludes(result.stderr, "55 completion tokens: 55 rejected");
});

Deno.test("--require-json and --reject-pattern reject answers", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(({ prompt }) =>
    prompt === "prompt 0" ? Response.json(chatAnswer("[1]")) : undefined
  );
  const input = await dir.write("in.jsonl", numberedRows(3));
  const kept = async (out: string, ...flags: string[]) => {
    assertExit(await distill(server, [input, "-o", dir.path(out), ...flags]), 3);
    return (await dir.rows(`${out}in.jsonl`)).map(({ uid }) => uid).sort();
  };
  assertEquals(await kept("json/", "--require-json"), ["row-0"]);
  assertEquals(await kept("pattern/", "--reject-pattern", "^answer to .* [12]$"), ["row-0"]);
  assertEquals(await kept("one/", "--reject-pattern", "2$"), ["row-0", "row-1"]);
});

Deno.test("--on-truncated escalate retries with twice the tokens, up to --max-tokens-cap", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(({ prompt, body }) => {
    const isEnough = prompt === "prompt 0" && body.max_tokens >= 400;
    const usage = { completion_tokens: isEnough ? 300 : body.max_tokens };
    return Response.json(chatAnswer("…", { finish_reason: isEnough ? "stop" : "length", usage }));
  });
  const input = await dir.write("in.jsonl", numberedRows(2));
  const flags = ["--max-tokens", "100", "--on-truncated", "escalate", "--max-tokens-cap", "500"];
  assertExit(await distill(server, [input, "-o", dir.path("out/"), "-c", "1", ...flags]), 3);
  const limits = Map.groupBy(server.requests, ({ prompt }) => prompt);
  const asked = [...limits.values()].map((all) => all.map(({ body }) => body.max_tokens));
  assertEquals(asked, [[100, 200, 400], [100, 200, 400, 500]]);
  assertEquals((await dir.rows("out/in_error.jsonl"))[0].error.type, "truncated");
});

Deno.test("a raised token limit that the teacher rejects fails its row, and does not halt the run", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(({ prompt, body }) => {
    if (prompt === "prompt 6") return Response.json(chatAnswer("whole"));
    const error = { message: `max_tokens=${body.max_tokens} cannot be greater than 100` };
    if (body.max_tokens > 100) return Response.json({ error }, { status: 400 });
    const usage = { completion_tokens: body.max_tokens };
    return Response.json(chatAnswer("…", { finish_reason: "length", usage }));
  });
  const input = await dir.write("in.jsonl", numberedRows(7));
  const flags = ["--max-tokens", "100", "--on-truncated", "escalate"];
  assertExit(await distill(server, [input, "-o", dir.path("out/"), "-c", "1", ...flags]), 3);
  assertEquals(server.posts, 13);
  assertEquals((await dir.rows("out/in.jsonl")).map(({ response }) => response), ["whole"]);
  const failed = (await dir.rows("out/in_error.jsonl")).filter(({ error }) => error.final);
  assertEquals(
    failed.map(({ error, partial }) => [error.type, partial.response]),
    Array(6).fill(["request", "…"]),
  );
});

Deno.test("rows whose raised token limit is rejected count as unusable answers", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(({ body }) => {
    const error = { message: `max_tokens=${body.max_tokens} cannot be greater than 100` };
    if (body.max_tokens > 100) return Response.json({ error }, { status: 400 });
    return Response.json(chatAnswer("…", { finish_reason: "length" }));
  });
  const input = await dir.write("in.jsonl", numberedRows(20));
  const flags = ["--max-tokens", "100", "--on-truncated", "escalate"];
  const result = await distill(server, [input, "-o", dir.path("out/"), ...flags]);
  assertExit(result, 3);
  assertStringIncludes(result.stderr, "None of the answers to 20 rows so far could be used");
});

Deno.test("--samples requests several answers, later the missing ones, and verify counts them", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(3));
  const args = [input, "-o", dir.path("out/")];
  assertExit(await distill(server, [...args, "--samples", "2"]), 0);
  assertExit(await distill(server, [...args, "--samples", "4"]), 0);
  assertEquals([...server.prompts.values()], [4, 4, 4]);
  assertExit(await runCli(["verify", ...args]), 0);
  const whole = await runCli(["verify", ...args, "--samples", "4"]);
  assertStringIncludes(whole.stdout, "12  rows: 4 samples of 3 in the input\n");
  const more = await runCli(["verify", ...args, "--samples", "5"]);
  assertExit(more, 3);
  assertStringIncludes(more.stdout, "3  pending");
});

Deno.test("-c auto says at the end what it has found", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(3));
  const args = [input, "-o", dir.path("out/"), "-c", "auto", "--progress", "plain"];
  const result = await distill(server, args);
  assertExit(result, 0);
  assertMatch(result.stderr, /^ {2}Concurrency {2}\d+, found by auto$/m);
});

Deno.test("--rpm spreads requests over the minute, and --no-careful-start begins with all of them", async () => {
  await using dir = await tempDir();
  const all = Promise.withResolvers<void>();
  await using server = serveLedger(async ({ prompt }) => {
    if (!prompt.startsWith("at once")) return;
    if (server.inFlight === 6) all.resolve();
    await all.promise;
  });
  const input = await dir.write("in.jsonl", numberedRows(6));
  // Times at the server prove nothing: a busy machine may delay the first request, or any other.
  // tests/engine/scenes/limits_test.ts has the spacing in simulated time.
  const args = ["-o", dir.path("out/"), "--progress", "json"];
  const limited = await distill(server, [input, ...args, "--rpm", "1200"]);
  assertExit(limited, 0);
  const { elapsed_ms } = JSON.parse(linesOf(limited.stdout).at(-1)!);
  assertGreaterOrEqual(elapsed_ms, 5 * 50);

  const rows = numberedRows(6).map(({ id }) => ({ id, prompt: `at once ${id}` }));
  const other = await dir.write("other.jsonl", rows);
  // A careful start would continue once the first is answered, and then with two.
  const timer = setTimeout(() => all.resolve(), 60_000);
  assertExit(await distill(server, [other, ...args, "--no-careful-start", "-c", "6"]), 0);
  clearTimeout(timer);
  assertEquals(server.peakInFlight, 6);
});

Deno.test("--row-timeout fails a row that no attempt answers in time", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(() => new Response("oops", { status: 500 }));
  const input = await dir.write("in.jsonl", numberedRows(1));
  const flags = ["--row-timeout", "300ms", "--max-attempts", "50"];
  const result = await distill(server, [input, "-o", dir.path("out/"), ...flags]);
  assertExit(result, 3);
  const [{ error }] = await dir.rows("out/in_error.jsonl");
  assertEquals(error.type, "timeout");
  assertStringIncludes(error.message, "within 0.3 s");
});

const REFUSED: readonly [flags: string[], message: string][] = [
  [["-c", "auto,"], 'Cannot use --concurrency "auto,": it must be a whole number, between 1 and'],
  [["--rpm", "0"], 'Cannot use --rpm "0": it must be a number above 0'],
  [["--tpm", "lots"], 'Cannot use --tpm "lots": it must be a number above 0'],
  [["--row-timeout", "soon"], 'Cannot use --row-timeout "soon": it must be a time, as in 90'],
  [["--deadline", "1d"], 'Cannot use --deadline "1d": it must be a time, as in 90'],
  [["--on-truncated", "retry"], "it must be one of error, keep, escalate"],
  [["--max-tokens-cap", "5"], "it requires --on-truncated escalate"],
  [["--samples", "1001"], 'Cannot use --samples "1001": it must be a whole number, between 1 and'],
  [["--resample", "-1"], 'Cannot use --resample "-1": it must be a whole number, 0 or more'],
  [["--max-cost", "$5"], 'Cannot use --max-cost "$5": it must be a number above 0'],
  [["--max-cost", "5"], "Add --price-in and --price-out"],
  [
    ["--price-in", "1"],
    "Cannot use --price-in (priceIn) alone: add --price-out (priceOut), US dollars",
  ],
  [["--price-in", "-1", "--price-out", "1"], 'Cannot use --price-in "-1": it must be a number, 0'],
  [["--max-completion-tokens-total", "0"], "it must be a whole number, 1 or more"],
  [["--reject-pattern", "("], 'Cannot use the reject pattern "("'],
  [["--json-schema", "no.json"], 'Cannot read "no.json" for --json-schema: no such file'],
  [["--json-schema", "README.md"], 'Cannot use "README.md" for --json-schema: it is not JSON'],
];
for (const [flags, message] of REFUSED) {
  Deno.test(`${flags.join(" ")} is refused before a call`, async () => {
    await using dir = await tempDir();
    await using server = serveLedger();
    const input = await dir.write("in.jsonl", numberedRows(1));
    const refused = await distill(server, [input, "-o", dir.path("out/"), ...flags]);
    assertExit(refused, 2);
    assertStringIncludes(refused.stderr, message);
    assertEquals([server.posts, await dir.exists("out")], [0, false]);
  });
}

Deno.test("--simulate gives another answer to a row whose answer was rejected", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", numberedRows(3));
  const lastAnswers = async (resample: string) => {
    const flags = ["--simulate=latency=0,tokens=60", "--reject-pattern", ".", "--quiet"];
    const output = dir.path(`${resample}/`);
    assertExit(await runCli([input, "-o", output, ...flags, "--resample", resample]), 3);
    return (await dir.rows(`${resample}/in_error.jsonl`)).map(({ partial }) => partial.response);
  };
  const answers = [await lastAnswers("0"), await lastAnswers("1"), await lastAnswers("2")];
  assertEquals(new Set(answers.flat()).size, 9);
});

Deno.test("--simulate gives different answers to the samples of a row, the same in each run", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", numberedRows(3));
  const run = async (output: string, samples: string) => {
    const args = ["--simulate=latency=0,tokens=60", "--samples", samples, "--quiet"];
    assertExit(await runCli([input, "-o", dir.path(output), ...args]), 0);
    const rows = await dir.rows(output);
    return rows.map(({ uid, response }) => `${uid} ${response}`).sort();
  };
  const answers = await run("a.jsonl", "3");
  assertEquals(new Set(answers.map((answer) => answer.slice(answer.indexOf("[")))).size, 9);
  await run("b.jsonl", "1");
  assertEquals(await run("b.jsonl", "3"), answers);
});
