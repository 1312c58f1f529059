/** The schema that answers are checked against is requested, too. @module */

import { assertEquals, assertMatch, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { openaiCompatible, ResponseGenerator } from "../../mod.ts";
import { chatAnswer, serveLedger } from "../support/ledger_server.ts";
import { tempDir } from "../support/temp.ts";
import { assertExit, distill, numberedRows } from "./fixture.ts";

const SCHEMA = { type: "object", required: ["a"] };
const ASKED = { type: "json_schema", json_schema: { name: "answer", schema: SCHEMA } };
const good = () => Response.json(chatAnswer('{"a":1}'));

Deno.test("a run may be continued without response_format, and --dry-run shows it", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(good);
  const schema = await dir.write("schema.json", JSON.stringify(SCHEMA));
  const input = await dir.write("in.jsonl", numberedRows(4));
  const args = [input, "-o", dir.path("out/"), "--json-schema", schema];
  const dry = await distill(server, [...args, "--dry-run"]);
  assertEquals(JSON.parse(dry.stdout).body.response_format, ASKED);
  assertExit(await distill(server, [...args, "--limit", "2"]), 0);
  assertExit(await distill(server, [...args, "--no-response-format"]), 0);
  const asked = server.requests.map(({ body }) => body.response_format);
  assertEquals(asked, [ASKED, ASKED, undefined, undefined]);
});

Deno.test("a run with another schema, or without it, is refused: one file would hold two forms of answers", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(good);
  const schema = await dir.write("schema.json", JSON.stringify(SCHEMA));
  const other = await dir.write("other.json", JSON.stringify({ ...SCHEMA, title: "other" }));
  const input = await dir.write("in.jsonl", numberedRows(4));
  const args = [input, "-o", dir.path("out/")];
  const withSchema = [...args, "--json-schema", schema];
  assertExit(await distill(server, [...withSchema, "--limit", "1"]), 0);
  for (const changed of [args, [...args, "--json-schema", other]]) {
    const refused = await distill(server, changed);
    assertExit(refused, 2);
    assertMatch(refused.stderr, /^ {2}json_schema: "[0-9a-f]{8}" before, .* now$/m);
  }
  assertEquals(server.requests.length, 1);
  // A retry may have it, because rows may have failed for it. Here, none has.
  const retried = await distill(server, [...args, "--json-schema", other, "--retry"]);
  assertExit(retried, 3);
  // The pending rows need the first schema, whose file is not known: no command is printed.
  assertEquals(retried.stderr.includes("--json-schema"), false, retried.stderr);
  // Keys in another order are the same schema.
  await dir.write("schema.json", JSON.stringify({ required: ["a"], type: "object" }));
  assertExit(await distill(server, [...withSchema, "--limit", "2"]), 0);
  assertExit(await distill(server, [...args, "--allow-mixed", "--limit", "3"]), 0);
  // Run files of earlier versions do not mention the schema.
  const run = JSON.parse(await dir.read("out/in.run.json"));
  assertEquals(run.identity.json_schema, null);
  delete run.identity.json_schema;
  await dir.write("out/in.run.json", JSON.stringify(run));
  const continued = await distill(server, withSchema);
  assertExit(continued, 0);
  assertEquals([server.requests.length, continued.stderr.includes("settings")], [4, false]);
});

Deno.test("generate() asks for the schema, and a row that asks for another form gets that", async () => {
  await using server = serveLedger(good);
  const teacher = openaiCompatible({ baseUrl: server.url, model: "m" });
  const generator = new ResponseGenerator({ teacher, jsonSchema: SCHEMA, concurrency: 1 });
  const rows = [
    { prompt: "a" },
    { prompt: "b", params: { response_format: { type: "json_object" } } },
  ];
  const outcomes = await Array.fromAsync(generator.generate(rows));
  assertEquals(outcomes.map(({ ok }) => ok), [true, true]);
  const asked = server.requests.map(({ body }) => body.response_format);
  assertEquals(asked, [ASKED, { type: "json_object" }]);
  await teacher.close();
});

Deno.test("rows that an endpoint cannot be sent are bad rows; the others are done", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(() =>
    Response.json({ choices: [{ text: " a", finish_reason: "stop" }] })
  );
  const messages = [{ role: "user", content: "hi" }, { role: "assistant", content: "ho" }, {
    role: "user",
    content: "hi",
  }];
  const input = await dir.write("in.jsonl", [{ messages }, {
    messages: [{ role: "user", content: "hi" }],
  }]);
  const args = [input, "-o", dir.path("out/"), "--endpoint", "completions", "--max-tokens", "9"];
  const refused = await distill(server, args);
  assertExit(refused, 2);
  assertStringIncludes(refused.stderr, "in.jsonl:1: has 3 messages");
  assertEquals(server.posts, 0);
  assertExit(await distill(server, [...args, "--skip-bad-rows"]), 3);
  assertEquals(server.requests.map(({ body }) => body.prompt), ["hi"]);
  const [failure] = await dir.rows("out/in_error.jsonl");
  assertEquals(failure.error.type, "bad_row");
});
