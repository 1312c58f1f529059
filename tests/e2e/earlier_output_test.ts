/** Outputs of an earlier version are continued, and no row in them is paid for again. @module */

import { assertEquals, assertMatch, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { type CliResult, runCli } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { assertExit, assertVerified, distill } from "./fixture.ts";

/** A row, and the uid and the hash that an earlier version has written for it. */
type Answered = readonly [row: string, uid: string, hash: string];

const NULLS: Answered = [
  '{"id":"n","messages":[{"role":"user","content":"hi","name":null,"tool_calls":null}]}',
  "n",
  "202a8a52dc7de0c5",
];
const SYSTEM: Answered = ['{"id":"s","question":"hi","system":"s"}', "s", "4f1b70e48d8f08ca"];
const RAW: Answered = [
  '{"id":"r","model":"m2","messages":[{"role":"user","content":"hi"}],"temperature":0.2}',
  "r",
  "4f1b70e48d8f08ca",
];

/** Writes an input, and the output of an earlier version for it. */
async function writeOutput(dir: TempDir, rows: readonly Answered[], uidField: string[] = []) {
  const lines = rows.map(([row, uid, hash], i) =>
    `{"uid":"${uid}","prompt_hash":"${hash}",${row.slice(1, -1)},"response":"old ${uid}",` +
    `"reasoning":"","distill":{"source":"in.jsonl:${i + 1}","params":"44136fa3"}}\n`
  );
  const input = await dir.write("in.jsonl", rows.map(([row]) => `${row}\n`).join(""));
  await dir.write("out/in.jsonl", lines.join(""));
  await dir.write(
    "out/in.run.json",
    JSON.stringify({
      retort: "0.1.0",
      input,
      identity: {
        model: "test-model",
        params: {},
        system: null,
        template: null,
        prompt_field: null,
        uid_field: uidField,
        think: null,
      },
      rows: { duplicates: "merge", mixedShapes: false, samples: 1 },
      teacher: "http://127.0.0.1/v1",
      params: { "44136fa3": {} },
      summary: null,
    }),
  );
  return [input, "-o", dir.path("out/")];
}

async function export_(dir: TempDir): Promise<CliResult> {
  const args = ["export", dir.path("out/in.jsonl"), "-o", dir.path("train.jsonl")];
  return await runCli([...args, "--format", "messages"]);
}

Deno.test("a row that differs only in null keys keeps its answer", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const args = await writeOutput(dir, [NULLS]);
  const before = await dir.read("out/in.jsonl");
  assertExit(await distill(server, args), 0);
  assertEquals([server.posts, await dir.read("out/in.jsonl")], [0, before]);
  await assertVerified(dir, "in.jsonl", "out/");
  assertExit(await export_(dir), 0);
  const [{ messages }] = await dir.rows("train.jsonl");
  assertEquals(messages[0], { role: "user", content: "hi", name: null, tool_calls: null });
});

Deno.test("the message says what is sent differently, and both solutions work", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const args = await writeOutput(dir, [NULLS, SYSTEM, RAW]);
  const mixed = [...args, "--mixed-shapes"];
  const refused = await distill(server, mixed);
  assertExit(refused, 2);
  assertStringIncludes(
    refused.stderr,
    "Cannot continue: what this version sends for rows differs from what an earlier version sent. " +
      "Add --changed reask to send these rows again, or --changed keep to keep the old answers\n" +
      "  1 row: now the system message is sent\n" +
      '  1 row: now "model", "temperature" are sent\n',
  );
  const verified = await runCli(["verify", ...args]);
  assertExit(verified, 0);
  assertMatch(verified.stdout, /2 {2}would be sent differently by this version/);
  assertExit(await distill(server, [...mixed, "--changed", "keep"]), 0);
  assertEquals(server.posts, 0);
  assertExit(await export_(dir), 0);
  assertEquals((await dir.rows("train.jsonl"))[1].messages[0], { role: "user", content: "hi" });
  assertExit(await distill(server, [...mixed, "--changed", "reask", "-c", "1"]), 0);
  assertEquals(server.requests.map(({ body }) => [body.model, body.messages[0].role]), [
    ["test-model", "system"],
    ["m2", "user"],
  ]);
  assertEquals((await dir.rows("out/in.outdated.jsonl")).length, 2);
  assertExit(await distill(server, mixed), 0);
  assertEquals(server.posts, 2);
  await assertVerified(dir, "in.jsonl", "out/");
});

Deno.test("an output keeps the order of ids that it was begun with", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const row = '{"id":"1","key":"k","prompt":"hi"}';
  const args = await writeOutput(dir, [[row, "1", "4f1b70e48d8f08ca"]], ["key"]);
  const named = [...args, "--uid-field", "key"];
  for (let round = 0; round < 2; round++) {
    assertExit(await distill(server, named), 0);
    assertEquals(server.posts, 0);
  }
  assertEquals(JSON.parse(await dir.read("out/in.run.json")).rows.uidFieldFirst, false);
  await assertVerified(dir, "in.jsonl", "out/");
  assertExit(await export_(dir), 0);
  const fresh = [args[0], "-o", dir.path("new/"), "--uid-field", "key"];
  for (let round = 0; round < 2; round++) assertExit(await distill(server, fresh), 0);
  assertEquals([server.posts, (await dir.rows("new/in.jsonl"))[0].uid], [1, "k"]);
  assertEquals(JSON.parse(await dir.read("new/in.run.json")).rows.uidFieldFirst, true);
  await assertVerified(dir, "in.jsonl", "new/");
});

Deno.test("a row that is refused now keeps its answer, and the rest is continued", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const row = '{"id":"r0","prompt":"USER: hi 0 ASSISTANT: I wrote the label ASSISTANT: first"}';
  const refusedNow: Answered = [row, "r0", "8d4234ed21d850ad"];
  const args = await writeOutput(dir, [NULLS, refusedNow]);
  const before = await dir.read("out/in.jsonl");
  const refused = await distill(server, args);
  assertExit(refused, 2);
  assertStringIncludes(refused.stderr, "add --skip-bad-rows");
  assertExit(await distill(server, [...args, "--skip-bad-rows"]), 3);
  assertEquals([server.posts, await dir.read("out/in.jsonl")], [0, before]);
  const proof = await runCli(["verify", ...args]);
  assertExit(proof, 3);
  assertMatch(proof.stdout, /1 {2}results? of rows that are not in the input/);
  assertExit(await export_(dir), 0);
  assertEquals((await dir.rows("train.jsonl")).length, 2);
});
