/** Several answers to a row, from the first call to the training set. @module */

import { assertEquals, assertRejects, assertThrows } from "../../lib/deps/std_assert.ts";
import {
  exportResults,
  openaiCompatible,
  ResponseGenerator,
  type ResponseGeneratorOptions,
  SourceError,
  type Summary,
  verify,
} from "../../mod.ts";
import {
  chatAnswer,
  errorAnswer,
  type LedgerServer,
  serveLedger,
} from "../support/ledger_server.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { numberedRows } from "./fixture.ts";

type Options = Partial<ResponseGeneratorOptions>;
type Limits = Partial<Parameters<ResponseGenerator["run"]>[0]>;

/** Runs `in.jsonl` to `out.jsonl` against a server. */
async function runOn(
  server: LedgerServer,
  dir: TempDir,
  options: Options,
  limits: Limits = {},
): Promise<Summary> {
  const teacher = openaiCompatible({ baseUrl: server.url, model: "test-model" });
  try {
    const generator = new ResponseGenerator({ teacher, ...options });
    return await generator.run({
      input: [dir.path("in.jsonl")],
      output: dir.path("out.jsonl"),
      ...limits,
    });
  } finally {
    await teacher.close();
  }
}

async function verifyIn(dir: TempDir, samples?: number) {
  const [found] = await verify({
    input: [dir.path("in.jsonl")],
    output: dir.path("out.jsonl"),
    samples,
  });
  return found;
}

/** The ids of rows with `samples` samples each, sorted. */
function uidsOf(rows: readonly { id: string }[], samples: number): string[] {
  return rows.flatMap(({ id }) => {
    const more = Array.from({ length: samples - 1 }, (_, i) => `${id}#${i + 1}`);
    return [id, ...more];
  }).sort();
}

async function uidsIn(dir: TempDir, name: string): Promise<string[]> {
  return (await dir.rows(name)).map(({ uid }) => uid).sort();
}

Deno.test("three samples of 20 rows are 60 posts, each with a uid and a seed of its own", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const rows = numberedRows(20);
  await dir.write("in.jsonl", rows);
  const summary = await runOn(server, dir, { samples: 3, params: { seed: 40 } });
  assertEquals(
    [summary.state, summary.total, summary.succeeded, summary.pending, server.posts],
    ["done", 60, 60, 0, 60],
  );
  assertEquals(await uidsIn(dir, "out.jsonl"), uidsOf(rows, 3));
  for (const { prompt } of rows) {
    const asked = server.requests.filter((request) => request.prompt === prompt);
    assertEquals(asked.map(({ body }) => body.seed).sort(), [40, 41, 42]);
  }
  const found = await verifyIn(dir);
  assertEquals(
    [found.rows, found.samples, found.total, found.succeeded, found.pending],
    [20, 3, 60, 60, 0],
  );
  assertEquals([found.changed, found.surplus, found.strangers, found.damageCount], [0, 0, 0, 0]);
});

Deno.test("more samples request the missing ones only, and fewer request none", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const rows = numberedRows(20);
  await dir.write("in.jsonl", rows);
  await runOn(server, dir, { samples: 2, params: { seed: 40 } });
  assertEquals(server.posts, 40);
  assertEquals((await verifyIn(dir, 3)).pending, 20);

  const raised = await runOn(server, dir, { samples: 3, params: { seed: 40 } });
  assertEquals([raised.skipped, raised.succeeded, server.posts], [40, 20, 60]);
  assertEquals(new Set(server.requests.slice(40).map(({ body }) => body.seed)), new Set([42]));
  assertEquals(await uidsIn(dir, "out.jsonl"), uidsOf(rows, 3));

  const lowered = await runOn(server, dir, { samples: 1, params: { seed: 40 } });
  assertEquals([lowered.state, lowered.total, lowered.skipped, server.posts], ["done", 20, 20, 60]);
  const found = await verifyIn(dir);
  assertEquals([found.total, found.succeeded, found.pending], [20, 20, 0]);
  assertEquals([found.surplus, found.strangers, found.damageCount], [40, 0, 0]);
  await dir.write("in.jsonl", rows.slice(1));
  const fewer = await verifyIn(dir);
  assertEquals([fewer.total, fewer.surplus, fewer.strangers], [19, 38, 3]);
});

Deno.test("a row whose uid is that of another row's sample stops the run before the first post", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  await dir.write("in.jsonl", [...numberedRows(2), { id: "row-1#2", prompt: "mine" }]);
  const refused = await assertRejects(() => runOn(server, dir, { samples: 3 }), SourceError);
  assertEquals(
    refused.message.split("\n")[1].split(".jsonl:")[1],
    [
      '3: uid "row-1#2" belongs to an earlier row already',
      'or to one of the 3 samples of "row-1": add --duplicates keep to send each',
      "as <uid>~2 and so on (with --shard",
      "name fields that differ: --uid-field)",
    ].join(", "),
  );
  assertEquals(server.posts, 0);
  const skipped = await runOn(server, dir, { samples: 3 }, { skipBadRows: true });
  assertEquals([skipped.succeeded, skipped.bad_rows, server.posts], [6, 1, 6]);
  const [bad] = await dir.rows("out_error.jsonl");
  assertEquals(refused.message.includes(bad.error.message), true);
});

Deno.test("a sample that fails is kept and retried under its own uid", async () => {
  await using dir = await tempDir();
  let isBroken = true;
  await using server = serveLedger(({ body, prompt }) =>
    isBroken && body.seed === 2 && prompt === "prompt 3" ? errorAnswer(400) : undefined
  );
  const rows = numberedRows(8);
  await dir.write("in.jsonl", rows);
  const options: Options = { samples: 2, params: { seed: 1 } };
  const first = await runOn(server, dir, options);
  assertEquals([first.succeeded, first.failed, server.posts], [15, 1, 16]);
  assertEquals(await uidsIn(dir, "out_error.jsonl"), ["row-3#1"]);
  const before = await verifyIn(dir);
  assertEquals([before.total, before.succeeded, before.failed], [16, 15, 1]);
  isBroken = false;
  const retried = await runOn(server, dir, options, { retry: true });
  assertEquals([retried.succeeded, server.posts], [1, 17]);
  assertEquals(server.requests.at(-1)!.body.seed, 2);
  assertEquals(await uidsIn(dir, "out.jsonl"), uidsOf(rows, 2));
  assertEquals(await uidsIn(dir, "out_error.jsonl"), []);
});

Deno.test("without --samples, a retry and a run use the number of the earlier run", async () => {
  await using dir = await tempDir();
  let isBroken = true;
  await using server = serveLedger(({ body }) =>
    isBroken && body.seed !== 1 ? errorAnswer(400, `seed ${body.seed}`) : undefined
  );
  const rows = numberedRows(4);
  await dir.write("in.jsonl", rows);
  await runOn(server, dir, { samples: 3, params: { seed: 1 } });
  assertEquals((await verifyIn(dir)).failed, 8);
  isBroken = false;
  const retried = await runOn(server, dir, { params: { seed: 1 } }, { retry: true });
  assertEquals([retried.total, retried.succeeded, server.posts], [12, 8, 20]);
  assertEquals(await uidsIn(dir, "out.jsonl"), uidsOf(rows, 3));
  assertEquals((await verifyIn(dir)).samples, 3);
  await dir.write("in.jsonl", numberedRows(5));
  const run = await runOn(server, dir, { params: { seed: 1 } });
  assertEquals([run.total, run.succeeded, server.posts], [15, 3, 23]);
  const anew = await runOn(server, dir, { params: { seed: 1 } }, {
    resume: false,
    overwrite: true,
  });
  assertEquals([anew.total, server.posts], [5, 28]);
});

Deno.test("an edited row is sent again for all of its samples", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const rows = numberedRows(3);
  await dir.write("in.jsonl", rows);
  await runOn(server, dir, { samples: 2 });
  rows[1].prompt = "edited";
  await dir.write("in.jsonl", rows);
  await assertRejects(() => runOn(server, dir, { samples: 3 }), Error, "1 row was edited");
  const summary = await runOn(server, dir, { samples: 3 }, { changed: "reask" });
  assertEquals([summary.succeeded, server.prompts.get("edited"), server.posts], [5, 3, 11]);
  assertEquals(await uidsIn(dir, "out.jsonl"), uidsOf(rows, 3));
  assertEquals(await uidsIn(dir, "out.outdated.jsonl"), ["row-1", "row-1#1"]);
});

Deno.test("a training set has the samples of a row one after the other, in input order", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(({ body, prompt }) =>
    Response.json(chatAnswer(`${prompt} seed ${body.seed}`))
  );
  await dir.write("in.jsonl", numberedRows(4));
  await runOn(server, dir, { samples: 3, params: { seed: 0 } });
  // As if the last had been answered first.
  await dir.write("out.jsonl", (await dir.rows("out.jsonl")).reverse());
  const output = dir.path("train.jsonl");
  await exportResults({ results: dir.path("out.jsonl"), output, format: "alpaca" });
  const answers = (await dir.rows("train.jsonl")).map((row) => row.output);
  assertEquals(
    answers,
    numberedRows(4).flatMap(({ prompt }) => [0, 1, 2].map((seed) => `${prompt} seed ${seed}`)),
  );
});

Deno.test("generate() gives each sample as an outcome, and a bad row once", async () => {
  await using server = serveLedger();
  const teacher = openaiCompatible({ baseUrl: server.url, model: "test-model" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => teacher.close());
  const generator = new ResponseGenerator({ teacher, samples: 2, params: { seed: 5 } });
  const rows = [{ id: "a", prompt: "p" }, { id: "a#1", prompt: "q" }, { none: 1 }];
  const outcomes = await Array.fromAsync(generator.generate(rows));
  assertEquals(outcomes.map(({ uid, ok }) => `${uid} ${ok}`).sort(), [
    "a true",
    "a#1 true",
    "bad_row:rows:2 false",
    "bad_row:rows:3 false",
  ]);
  assertEquals(server.requests.map(({ body }) => body.seed).sort(), [5, 6]);
});

Deno.test("samples are a whole number from 1 to 1,000", () => {
  const teacher = openaiCompatible({ baseUrl: "http://127.0.0.1:1/v1", model: "m" });
  for (const samples of [0, 1.5, 1_001]) {
    assertThrows(() => new ResponseGenerator({ teacher, samples }), RangeError, `${samples}`);
  }
});
