/** Bad input costs nothing: every bad line is named before the first call is made. @module */

import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { runCli } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { assertExit, assertVerified, distill } from "./fixture.ts";

const ENCODER = new TextEncoder();
const GOOD = [`{"uid":"a","prompt":"first"}`, `{"id":2,"prompt":"second"}`, `{"prompt":"third"}`];
const TOO_LONG_BYTES = 64 * 2 ** 20 + 1;
const KEPT_OF_TOO_LONG_BYTES = 64 * 2 ** 10;

/** Invalid lines of every kind, with their messages. */
const BAD: [line: string | Uint8Array<ArrayBuffer>, problem: RegExp][] = [
  [`{"prompt":"half a row"`, /not JSON/],
  [`42`, /must be an object or an array: current value is 42/],
  [`"text"`, /must be an object or an array: current value is "text"/],
  [`{"answer":"no prompt"}`, /no prompt found/],
  [`{"prompt":" \\n"}`, /"prompt" must be more than white space/],
  [`{"messages":[{"role":"assistant","content":"x"}]}`, /must contain more than assistant turns/],
  [`{"messages":3}`, /"messages" must be an array of messages: current value is 3/],
  [`{"uid":"a","prompt":"another"}`, /uid "a" belongs to an earlier row already/],
  [`{"id":"2","prompt":"the id of 2"}`, /uid "2" belongs to an earlier row already/],
  [new Uint8Array([...ENCODER.encode(`{"prompt":"`), 0xff, 0xfe, 0x22, 0x7d]), /invalid UTF-8/],
  [`{"prompt":"x","system":7}`, /"system" must be a string: current value is 7/],
  [`{"uid":true,"prompt":"x"}`, /"uid" must be a string or a number: current value is true/],
  [`{"id":["a"],"prompt":"x"}`, /"id" must be a string or a number: current value is an array/],
  [`{"prompt":"x","params":{"n":2}}`, /"params.n" must be 1/],
  [`{"prompt":"x","params":[]}`, /"params" must be an object: current value is an empty array/],
  [`{"prompt":"x","tools":{}}`, /"tools" must be an array/],
  [new Uint8Array(TOO_LONG_BYTES).fill(0x20, 0, 3).fill(0x61, 3), /longer than 64 MiB/],
];

/** The good lines first, then the bad ones: the first of those is line 4. */
async function writeInput(dir: TempDir, bad: readonly (string | Uint8Array)[]): Promise<string> {
  const path = await dir.write("in.jsonl", "");
  using file = await Deno.open(path, { write: true });
  for (const line of [...GOOD, ...bad]) {
    const bytes = typeof line === "string" ? ENCODER.encode(line) : line;
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.write(ENCODER.encode("\n"));
  }
  return path;
}

Deno.test("bad lines of every kind are named, skipped on request, and forgotten once repaired", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await writeInput(dir, BAD.map(([line]) => line));
  const args = [input, "-o", dir.path("out/")];

  const refused = await distill(server, args);
  assertExit(refused, 2);
  assertEquals(server.posts, 0);
  assertStringIncludes(refused.stderr, `Cannot send ${BAD.length} lines`);
  const said = refused.stderr.split("\n");
  BAD.forEach(([, problem], i) => {
    const line = said.find((one) => one.trim().startsWith(`${input}:${i + 4}: `));
    assert(line !== undefined && problem.test(line), `line ${i + 4}: ${problem}\n${line}`);
  });

  const skipping = [...args, "--skip-bad-rows"];
  assertExit(await distill(server, skipping), 3);
  assertEquals([...server.prompts.keys()].sort(), ["first", "second", "third"]);
  assertEquals((await dir.rows("out/in.jsonl")).length, 3);
  await assertFailures(dir, input);
  assertExit(await runCli(["verify", input, "-o", dir.path("out/")]), 3);

  const results = await dir.read("out/in.jsonl"), failures = await dir.read("out/in_error.jsonl");
  assertExit(await distill(server, skipping), 3);
  assertEquals(server.posts, 3);
  assertEquals(await dir.read("out/in.jsonl"), results);
  assertEquals(await dir.read("out/in_error.jsonl"), failures);

  await writeInput(dir, [`{"prompt":"repaired"}`, `{"answer":"still no prompt"}`]);
  assertExit(await distill(server, skipping), 3);
  assertEquals((await dir.rows("out/in_error.jsonl")).map(({ uid }) => uid), [
    `bad_row:${input}:5`,
  ]);
  await writeInput(dir, [`{"prompt":"repaired"}`, `{"prompt":"repaired too"}`]);
  assertExit(await distill(server, args), 0);
  assertEquals(await dir.read("out/in_error.jsonl"), "");
  assertEquals(server.posts, 5);
  await assertVerified(dir, "in.jsonl", "out/");
});

async function assertFailures(dir: TempDir, input: string): Promise<void> {
  const failures = await dir.rows("out/in_error.jsonl");
  assertEquals(failures.length, BAD.length);
  failures.forEach(({ uid, raw, raw_base64, error }, i) => {
    const [line, problem] = BAD[i];
    assertEquals(uid, `bad_row:${input}:${i + 4}`);
    assertEquals([error.type, error.status, error.attempts], ["bad_row", null, 0]);
    assert(problem.test(error.message), `${problem}: ${error.message}`);
    if (typeof line === "string") return assertEquals([raw, raw_base64], [line, undefined]);
    const kept = line.subarray(0, KEPT_OF_TOO_LONG_BYTES);
    assertEquals(raw, undefined);
    assert(Uint8Array.fromBase64(raw_base64).every((byte, at) => byte === kept[at]));
    assertEquals(Uint8Array.fromBase64(raw_base64).length, kept.length);
  });
}

Deno.test("bad lines of all inputs are counted, the first of each kind named, and nothing is written", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const one = await dir.write("one.jsonl", "nope\n".repeat(15));
  const two = await dir.write("two.jsonl", `{"prompt":"fine"}\n\n${"nope\n".repeat(15)}`);
  const result = await distill(server, [one, two, "-o", dir.path("out/")]);
  assertExit(result, 2);
  assertStringIncludes(result.stderr, "Cannot send 30 lines");
  for (const [input, first] of [[one, 1], [two, 3]] as const) {
    assertStringIncludes(result.stderr, `\n  15 lines of ${input}: not JSON\n`);
    for (const line of [first, first + 4]) {
      assertStringIncludes(result.stderr, `\n    ${input}:${line}: not JSON: Unexpected token`);
    }
    assert(!result.stderr.includes(`${input}:${first + 5}`));
  }
  assertEquals(result.stderr.split("    … and 10 more").length, 3);
  assertEquals(server.posts, 0);
  assertEquals(await dir.exists("out/one.jsonl"), false);
  assertEquals(await dir.exists("out/one.run.json"), false);
});

Deno.test("a byte order mark, CRLF, blank lines and a missing last newline are fine", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write(
    "in.jsonl",
    `\ufeff{"prompt":"one"}\r\n\r\n  \n{"prompt":"two"}\r\n[{"role":"user","content":"three"}]`,
  );
  const args = [input, "-o", dir.path("out/"), "-c", "1"];
  const mixed = await distill(server, args);
  assertExit(mixed, 2);
  assertStringIncludes(mixed.stderr, "2 prompt, 1 message-array");
  assertEquals(server.posts, 0);
  assertExit(await distill(server, [...args, "--mixed-shapes"]), 0);
  assertEquals([...server.prompts.keys()], ["one", "two", "three"]);
  const sources = (await dir.rows("out/in.jsonl")).map(({ distill }) => distill.source);
  assertEquals(sources, [`${input}:1`, `${input}:4`, `${input}:5`]);
});

Deno.test("rows that cannot be sent and missing files are refused before a call", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", [{ prompt: "one" }]);
  const out = dir.path("out/");
  const refusals: [args: string[], problem: string][] = [
    [[input, "-o", out, "-p", "n=2"], "Samples are rows of their own"],
    [[input, "-o", out, "-p", "stream=true"], "--stream"],
    [[dir.path("none.jsonl"), "-o", out], "no such file"],
    [[await emptyFolder(dir), "-o", out], "it is a folder without"],
    [[await dir.write("bad.jsonl.gz", "no gzip"), "-o", out], "it is not compressed"],
    [[input], "-o out/"],
    [[], "input"],
    [[input, "-o", out, "--concurency", "3"], "--concurrency"],
    [[input, "-o", out, "--template", "{{question"], "template"],
  ];
  for (const [args, problem] of refusals) {
    const result = await distill(server, args);
    assertExit(result, 2);
    assertStringIncludes(result.stderr, problem);
    assert(!/^\s+at /m.test(result.stderr), result.stderr);
  }
  assertEquals(server.posts, 0);
});

async function emptyFolder(dir: TempDir): Promise<string> {
  await Deno.mkdir(dir.path("empty"));
  return dir.path("empty");
}
