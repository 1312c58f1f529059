/** The same command again continues, and never adds what does not belong together. @module */

import {
  assert,
  assertEquals,
  assertLess,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { errorAnswer, serveLedger } from "../support/ledger_server.ts";
import { runCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import {
  assertExit,
  assertVerified,
  distill,
  linesOf,
  numberedRows,
  startDistill,
} from "./fixture.ts";

Deno.test("a second run on the same output ends in a second with exit code 4 and without a call", async () => {
  await using dir = await tempDir();
  const held = Promise.withResolvers<void>();
  await using server = serveLedger(async () => await held.promise);
  await using other = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(3));
  const args = [input, "-o", dir.path("out/")];
  await using first = await startDistill(server, [...args, "--no-careful-start"]);
  await server.untilPosts(3);
  let fastestMs = Infinity;
  // The best of ten: what a busy machine adds is not the run's doing.
  for (let attempt = 0; attempt < 10 && fastestMs >= 1_000; attempt++) {
    const startedAt = performance.now();
    const second = await distill(other, args);
    fastestMs = Math.min(fastestMs, performance.now() - startedAt);
    assertExit(second, 4);
    assertStringIncludes(second.stderr, `held by process ${first.pid}`);
  }
  assertLess(fastestMs, 1_000);
  assertEquals(other.posts, 0);
  held.resolve();
  assertExit(await first.output(), 0);
  assertExit(await distill(other, args), 0);
  assertEquals(other.posts, 0);
});

Deno.test("another model, other parameters or another system message are refused with the difference", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(4));
  const args = [input, "-o", dir.path("out/")];
  assertExit(await distill(server, [...args, "--limit", "2", "-p", "temperature=0.5"]), 0);
  const before = await dir.read("out/in.jsonl");
  const others: [more: string[], difference: string][] = [
    [["-m", "other", "-p", "temperature=0.5"], `model: "test-model" before, "other" now`],
    [[], `params: {"temperature":0.5} before, {} now`],
    [["-p", "temperature=0.5", "--system", "Be kind"], `system: null before, "Be kind" now`],
  ];
  for (const [more, difference] of others) {
    const result = await distill(server, [...args, ...more]);
    assertExit(result, 2);
    assertStringIncludes(result.stderr, difference);
  }
  assertEquals(server.posts, 2);
  assertEquals(await dir.read("out/in.jsonl"), before);

  // Concurrency, address and the spelling of a number are no part of the identity.
  const same = ["-p", "temperature=0.50", "-c", "3", "--timeout", "9", "--limit", "3"];
  assertExit(await distill(server, [...args, ...same]), 0);
  assertExit(await distill(server, [...args, "-m", "other", "--allow-mixed"]), 0);
  assertEquals(server.posts, 4);
  const models = (await dir.rows("out/in.jsonl")).map(({ distill }) => distill.model);
  assertEquals(models, ["test-model", "test-model", "test-model", "other"]);
});

Deno.test("--retry may change parameters, and each line names its own set", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(({ body, prompt }) =>
    prompt === "prompt 1" && body.max_tokens === undefined ? errorAnswer(400) : undefined
  );
  const input = await dir.write("in.jsonl", numberedRows(2));
  const args = [input, "-o", dir.path("out/")];
  assertExit(await distill(server, args), 3);
  assertExit(await distill(server, ["retry", ...args, "--max-tokens", "9"]), 0);
  const { params } = JSON.parse(await dir.read("out/in.run.json"));
  const sets = (await dir.rows("out/in.jsonl")).map(({ distill }) => params[distill.params]);
  assertEquals(sets, [{}, { max_tokens: 9 }]);
  // The run continues as it was, and no other parameters slip in.
  assertExit(await distill(server, args), 0);
  assertExit(await distill(server, [...args, "--max-tokens", "9"]), 2);
});

Deno.test("--no-resume starts over, but deletes nothing without --overwrite", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(3));
  const args = [input, "-o", dir.path("out/")];
  assertExit(await distill(server, [...args, "--no-resume"]), 0);
  const before = await dir.read("out/in.jsonl");
  const refused = await distill(server, [...args, "--no-resume"]);
  assertExit(refused, 2);
  assertStringIncludes(refused.stderr, "--overwrite");
  assertExit(await distill(server, [...args, "--overwrite"]), 2);
  assertEquals([server.posts, await dir.read("out/in.jsonl")], [3, before]);
  assertExit(await distill(server, [...args, "--no-resume", "--overwrite", "-m", "other"]), 0);
  assertEquals(server.posts, 6);
  assertEquals(new Set((await dir.rows("out/in.jsonl")).map((row) => row.distill.model)).size, 1);
  await assertVerified(dir, "in.jsonl", "out/");
});

Deno.test("rows whose ids another program has changed are not paid for again unasked", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", '{"prompt":"a","n":1.0}\n{"prompt":"b","n":2.0}\n');
  const args = [input, "-o", dir.path("out/")];
  assertExit(await distill(server, args), 0);
  const written = '{"prompt":"a","n":1}\n{"prompt":"b","n":2}\n{"prompt":"c"}\n';
  for (const rows of [written.replaceAll('"n"', '"id"'), written]) {
    await dir.write("in.jsonl", rows);
    for (const flags of [[], ["--dry-run"], ["--changed", "keep"]]) {
      const refused = await distill(server, [...args, ...flags]);
      assertExit(refused, 2);
      assertStringIncludes(
        refused.stderr,
        "for 2 results, the input has no row with the same id, but a row with the same prompt",
      );
    }
  }
  assertExit(await distill(server, [...args, "--limit", "3", "--dry-run"]), 0);
  assertEquals(server.posts, 2);
  const asked = await distill(server, [...args, "--changed", "reask"]);
  assertExit(asked, 0);
  assertEquals([server.posts, (await dir.rows("out/in.jsonl")).length], [5, 5]);
  // Now that each row has an answer, the old ones stop no run.
  assertExit(await distill(server, args), 0);
  assertEquals(server.posts, 5);
});

Deno.test("a run with fewer samples does not take the other samples for rows of another id", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", '{"prompt":"a"}\n{"prompt":"b"}\n');
  const args = [input, "-o", dir.path("out/")];
  assertExit(await distill(server, [...args, "--samples", "2"]), 0);
  const lines = await dir.rows("out/in.jsonl");
  const samples = lines.filter(({ uid }) => String(uid).includes("#"));
  await dir.write("out/in.jsonl", samples.map((line) => `${JSON.stringify(line)}\n`).join(""));
  assertExit(await distill(server, [...args, "--samples", "1"]), 0);
  assertEquals(server.posts, 6);
});

Deno.test("rows that were edited since they were answered are refused, sent again or kept", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(3));
  const args = [input, "-o", dir.path("out/")];
  assertExit(await distill(server, args), 0);
  const before = await dir.read("out/in.jsonl");
  await dir.write("in.jsonl", [
    { id: "row-0", prompt: "prompt 0", note: "only a note was added" },
    { id: "row-1", prompt: "prompt 1, edited" },
    { id: "row-2", prompt: "prompt 2" },
  ]);
  const refused = await distill(server, args);
  assertExit(refused, 2);
  assertStringIncludes(refused.stderr, "1 row was edited since it was answered or failed");
  assertExit(await distill(server, [...args, "--changed", "keep"]), 0);
  assertEquals([server.posts, await dir.read("out/in.jsonl")], [3, before]);

  assertExit(await distill(server, [...args, "--changed", "reask"]), 0);
  assertEquals(server.posts, 4);
  const answers = (await dir.rows("out/in.jsonl")).map(({ uid, response }) => [uid, response]);
  assertEquals(answers.sort(), [
    ["row-0", "answer to prompt 0"],
    ["row-1", "answer to prompt 1, edited"],
    ["row-2", "answer to prompt 2"],
  ]);
  assertExit(await distill(server, args), 0);
  assertEquals(server.posts, 4);
  await assertVerified(dir, "in.jsonl", "out/");
  const kept = [...Deno.readDirSync(dir.path("out"))].map(({ name }) => name);
  const aside = kept.filter((name) =>
    !/^in(_error)?\.jsonl$|^in\.run\.json$|^in\.lock$|^\.retort$/.test(name)
  );
  assertEquals(aside.length, 1, `the old answer is kept: ${kept}`);
  assertStringIncludes(await dir.read(`out/${aside[0]}`), `"response":"answer to prompt 1"`);
});

/** The arguments of the command that the summary of a run names to continue. */
function argsToContinue({ stderr }: { stderr: string }): string[] {
  const [, command] = /To continue +deno task distill (.+)/.exec(stderr)!;
  return command.split(" ");
}

Deno.test("a run over edited rows that was halted continues with the command that it names", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(({ prompt }) =>
    prompt === "prompt 2" ? errorAnswer(400) : undefined
  );
  const rows = numberedRows(3);
  const input = await dir.write("in.jsonl", rows);
  const args = [input, "-o", dir.path("out/"), "-c", "1"];
  assertExit(await distill(server, args), 3);
  await dir.write("in.jsonl", rows.map((row) => ({ ...row, prompt: `${row.prompt}, edited` })));
  const halted = await distill(server, [
    ...args,
    "--changed",
    "reask",
    "--max-completion-tokens-total",
    "1",
  ]);
  assertExit(halted, 5);
  // Edited rows that have failed are still to be sent.
  let next = halted;
  for (let i = 0; i < 2; i++) next = await runCli(argsToContinue(next));
  assertExit(next, 0);
  assertEquals(server.posts, 6);
  await assertVerified(dir, "in.jsonl", "out/");
});

Deno.test("a retry that was halted continues with the command that it names, and leaves rows alone that were never sent", async () => {
  await using dir = await tempDir();
  const refused = new Set(["prompt 1", "prompt 2"]);
  await using server = serveLedger(({ prompt }) =>
    refused.has(prompt) ? errorAnswer(400) : undefined
  );
  const args = [await dir.write("in.jsonl", numberedRows(4)), "-o", dir.path("out/"), "-c", "1"];
  assertExit(await distill(server, [...args, "--limit", "3"]), 3);
  refused.clear();
  const more = ["--max-tokens", "500", "--max-completion-tokens-total", "1"];
  const halted = await distill(server, ["retry", ...args, ...more]);
  assertExit(halted, 5);
  const next = await runCli(argsToContinue(halted));
  assertStringIncludes(next.stderr, "Ended after");
  assertEquals([server.posts, server.prompts.get("prompt 2")], [5, 2]);
  assertEquals((await dir.rows("out/in.jsonl")).length, 3);
});

Deno.test("identical rows are one row, or as many as there are with --duplicates keep", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", [
    { uid: "a", prompt: "one" },
    { prompt: "two" },
    { prompt: "one", uid: "a" },
    { prompt: "two" },
    { prompt: "two" },
  ]);
  const merged = [input, "-o", dir.path("merged/")];
  assertExit(await distill(server, merged), 0);
  assertEquals([...server.prompts], [["one", 1], ["two", 1]]);
  const verified = await runCli(["verify", ...merged]);
  assertExit(verified, 0);
  assertStringIncludes(verified.stdout, "3  identical rows, merged");

  const kept = [input, "-o", dir.path("kept/"), "--duplicates", "keep"];
  assertExit(await distill(server, kept), 0);
  assertEquals([...server.prompts], [["one", 3], ["two", 4]]);
  const rows = await dir.rows("kept/in.jsonl");
  const uidsOf = (prompt: string) =>
    rows.filter((row) => row.prompt === prompt).map(({ uid }) => uid).sort();
  assertEquals(uidsOf("one"), ["a", "a~2"]);
  const [derived] = uidsOf("two");
  assertEquals(uidsOf("two"), [derived, `${derived}~2`, `${derived}~3`]);
  assertExit(await distill(server, kept), 0);
  assertEquals(server.posts, 7);
  await assertVerified(dir, "in.jsonl", "kept/");
});

Deno.test("a truncated last line is repaired or its row sent again, and kept next to the file", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(5));
  const args = [input, "-o", dir.path("out/"), "-c", "1"];
  assertExit(await distill(server, args), 0);
  const whole = await dir.read("out/in.jsonl");

  await dir.write("out/in.jsonl", whole.slice(0, -1));
  assertExit(await distill(server, args), 0);
  assertEquals([server.posts, await dir.read("out/in.jsonl")], [5, whole]);

  await dir.write("out/in.jsonl", whole.slice(0, -30));
  const repaired = await distill(server, args);
  assertExit(repaired, 0);
  assertStringIncludes(repaired.stderr, "Moved the damaged end of");
  assertEquals(server.prompts.get("prompt 4"), 2);
  assertEquals(server.posts, 6);
  const torn = linesOf(whole)[4].slice(0, -29);
  const aside = [...Deno.readDirSync(dir.path("out"))].find(({ name }) => /tail/.test(name))!;
  assertEquals(await dir.read(`out/${aside.name}`), torn);
  await assertVerified(dir, "in.jsonl", "out/");
});

Deno.test("damage before the last line is refused, with its line", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(5));
  const args = [input, "-o", dir.path("out/"), "-c", "1"];
  assertExit(await distill(server, args), 0);
  const lines = linesOf(await dir.read("out/in.jsonl"));
  const damaged = lines.with(2, lines[2].slice(0, 100)).map((line) => `${line}\n`).join("");
  await dir.write("out/in.jsonl", damaged);
  const refused = await distill(server, args);
  assertExit(refused, 2);
  assertStringIncludes(refused.stderr, `"${dir.path("out/in.jsonl")}" line 3`);
  const verified = await runCli(["verify", ...args.slice(0, 3)]);
  assertExit(verified, 2);
  assertStringIncludes(verified.stdout, "out/in.jsonl:3: ");
  assertEquals([server.posts, await dir.read("out/in.jsonl")], [5, damaged]);
});

Deno.test("verify finds duplicate uids, and damage that reading only the ends of lines cannot find", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(3));
  const args = [input, "-o", dir.path("out/"), "-c", "1"];
  assertExit(await distill(server, args), 0);
  const lines = linesOf(await dir.read("out/in.jsonl"));
  await dir.write("out/in.jsonl", [...lines, lines[0]].map((line) => `${line}\n`).join(""));
  const twice = await runCli(["verify", ...args.slice(0, 3)]);
  assertExit(twice, 2);
  assertStringIncludes(twice.stdout, 'out/in.jsonl:4: uid "row-0" has a result already');
  const broken = lines.with(1, lines[1].replace(`"response":`, `"response"`));
  await dir.write("out/in.jsonl", broken.map((line) => `${line}\n`).join(""));
  const inside = await runCli(["verify", ...args.slice(0, 3)]);
  assertExit(inside, 2);
  assertStringIncludes(inside.stdout, "out/in.jsonl:2: it is not JSON");
});

Deno.test("results that another tool has rewritten are continued", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(4));
  const args = [input, "-o", dir.path("out/")];
  assertExit(await distill(server, [...args, "--limit", "3"]), 0);
  const rewritten = (await dir.rows("out/in.jsonl")).map(({ response, uid, ...rest }) =>
    `${JSON.stringify({ response, ...rest, uid }).replaceAll('":', '": ')}\n`
  );
  await dir.write("out/in.jsonl", rewritten.join(""));
  assertExit(await distill(server, args), 0);
  assertEquals(server.posts, 4);
  await assertVerified(dir, "in.jsonl", "out/");
});

Deno.test("__proto__ and constructor are ids like any other", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(({ prompt, asked }) =>
    prompt === "three" && asked === 1 ? errorAnswer(400) : undefined
  );
  const input = await dir.write(
    "in.jsonl",
    `{"uid":"__proto__","prompt":"one"}\n{"id":"constructor","prompt":"two"}\n` +
      `{"id":"toString","prompt":"three"}\n{"__proto__":{"uid":"x"},"prompt":"four"}\n`,
  );
  const args = [input, "-o", dir.path("out/"), "-c", "1"];
  assertExit(await distill(server, args), 3);
  assertExit(await distill(server, args), 3);
  assertEquals(server.posts, 4);
  assertExit(await distill(server, ["retry", ...args]), 0);
  const uids = (await dir.rows("out/in.jsonl")).map(({ uid }) => uid);
  assertEquals(uids.filter((uid) => !/^[0-9a-f]{32}$/.test(uid)), [
    "__proto__",
    "constructor",
    "toString",
  ]);
  assert(!uids.includes("x"));
  await assertVerified(dir, "in.jsonl", "out/");
});
