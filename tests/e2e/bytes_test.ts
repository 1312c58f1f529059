/** Rows are sent and returned byte for byte. @module */

import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { errorAnswer, serveLedger } from "../support/ledger_server.ts";
import { runCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { assertExit, assertVerified, distill, linesOf } from "./fixture.ts";

/** Members that JavaScript would reorder, round, drop or write in another way. */
const MEMBERS = [
  `"one": 1.0`,
  `"huge":1e400`,
  `"tiny" : -0.0`,
  `"digits":1234567890123456789`,
  `"7":"a key that JavaScript puts first"`,
  `"1":{"10":1.50,"9":[1.0,2E3]}`,
  `"__proto__":{"polluted":true}`,
  `"constructor":null`,
  `"lone":"a \\ud800 surrogate"`,
  `"escapes":"\\u0041\\/\\u00e9\\n"`,
  `"twice":1,"twice":2`,
  `"separator":"\u2028"`,
];
/** Members with the names of Retort's fields. */
const CLASHES = [
  `"response":"an \\u006fld answer"`,
  `"distill":{"score":1.0,"2":0}`,
  `"error":{"code":1e400}`,
  `"reasoning":12345678901234567890`,
  `"prompt_hash":null`,
];

Deno.test("every byte of a row's own fields is in its result", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const lines = [
    `{"prompt":"plain",${MEMBERS.join(", ")}}`,
    `{ "uid" : "mine" , "prompt":"clashing",${MEMBERS.join(",")},${CLASHES.join(",")} }`,
    `{"uid":9007199254740993,"prompt":"number"}`,
    `{"id":"\\u0061\\ud800","prompt":"id with a \\udfff surrogate"}`,
  ];
  const input = await dir.write("in.jsonl", lines.map((line) => `${line}\n`).join(""));
  const args = [input, "-o", dir.path("out/"), "-c", "1"];
  assertExit(await distill(server, args), 0);
  const [plain, clashing, number, lone] = linesOf(await dir.read("out/in.jsonl"));

  assertStringIncludes(plain, lines[0].slice(1, -1));
  assertStringIncludes(clashing, `"prompt":"clashing",${MEMBERS.join(",")}`);
  const { replaced } = JSON.parse(clashing).distill;
  for (const member of CLASHES) assertStringIncludes(replaced, member);
  assertEquals(clashing.split("old answer").length, 1); // no one has unescaped it
  const parsed = JSON.parse(clashing);
  assertEquals([parsed.uid, parsed.response], ["mine", "answer to clashing"]);
  assertEquals(parsed.distill.model, "test-model");
  assertStringIncludes(number, `{"uid":"9007199254740993",`);
  assertStringIncludes(lone, `"id":"\\u0061\\ud800","prompt":"id with a \\udfff surrogate"`);
  assertEquals(JSON.parse(lone).uid, "a\ud800");
  assertStringIncludes(server.requests[3].text, "id with a \\udfff surrogate");

  await assertVerified(dir, "in.jsonl", "out/");
  assertExit(await distill(server, args), 0);
  assertEquals(server.posts, 4);
  const train = dir.path("train.jsonl");
  assertExit(
    await runCli(["export", dir.path("out/in.jsonl"), "-o", train, "--format", "messages"]),
    0,
  );
  assertEquals((await dir.rows("train.jsonl")).length, 4);
});

Deno.test("a row that has failed keeps its bytes, in its failure and in the result of its retry", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(({ n }) => n === 1 ? errorAnswer(400) : undefined);
  const line = `{"prompt":"p",${MEMBERS.join(",")},${CLASHES.join(",")}}`;
  const input = await dir.write("in.jsonl", `${line}\n`);
  assertExit(await distill(server, [input, "-o", dir.path("out/")]), 3);
  const failure = await dir.read("out/in_error.jsonl");
  assertExit(await distill(server, ["retry", input, "-o", dir.path("out/")]), 0);
  const result = await dir.read("out/in.jsonl");
  for (const text of [failure, result]) {
    assertStringIncludes(text, `"prompt":"p",${MEMBERS.join(",")}`);
    const { replaced } = JSON.parse(text).distill;
    for (const member of CLASHES) assertStringIncludes(replaced, member);
  }
});

Deno.test("parameters reach the teacher as they were written, the row's own over the run's", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write(
    "in.jsonl",
    `{"prompt":"own","params":{"temperature":0.70,"seed":12345678901234567890}}\n` +
      `{"prompt":"none"}\n`,
  );
  const params = ["-p", "temperature=1.0", "-p", "chat_template_kwargs.enable_thinking=true"];
  assertExit(await distill(server, [input, "-o", dir.path("out/"), "-c", "1", ...params]), 0);
  const [own, none] = server.requests.map(({ text }) => text);
  assertStringIncludes(own, `"temperature":0.70`);
  assertStringIncludes(own, `"seed":12345678901234567890`);
  assert(!own.includes("1.0"));
  assertStringIncludes(none, `"temperature":1.0`);
  for (const text of [own, none]) {
    assertStringIncludes(text, `"chat_template_kwargs":{"enable_thinking":true}`);
  }
});
