/** The checker of the fault trials finds each promise that is broken. @module */

import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { Checker } from "./checker.ts";
import type { TrialTeacher } from "./ledger.ts";
import type { LedgerEntry } from "./teacher.ts";

const ROWS = [{ id: "row-0", prompt: "prompt 0" }, { id: "row-1", prompt: "prompt 1" }];

/** The entry of an answer to a row that was delivered whole. */
function paid(n: number, row: number): LedgerEntry {
  const prompt = `prompt ${row}`;
  return { n, prompt, sample: 0, request: `["${prompt}",0,null]`, text: text(n), isWhole: true };
}

function text(n: number): string {
  return `answer ${n} `;
}

function result(n: number, row: number) {
  return { uid: `row-${row}`, ...ROWS[row], response: text(n) };
}

function failure(n: number, row: number) {
  const partial = { response: text(n) };
  return { uid: `row-${row}`, ...ROWS[row], error: { type: "rejected", final: false }, partial };
}

interface Files {
  readonly results?: readonly unknown[] | string;
  readonly failures?: readonly unknown[];
  readonly inFlight?: number;
}

async function write(dir: TempDir, { results = [], failures = [], inFlight = 0 }: Files) {
  await dir.write("in.jsonl", ROWS);
  await dir.write("out/in.jsonl", results);
  await dir.write("out/in_error.jsonl", failures);
  await dir.write("out/in.lock", JSON.stringify({ running: true, in_flight: inFlight }));
}

/** A checker over a ledger that the test writes. */
function checkerOf(dir: TempDir, entries: LedgerEntry[]): Checker {
  const nothing = () => Promise.resolve();
  const teacher: TrialTeacher = {
    url: "",
    follow: nothing,
    untilPosts: nothing,
    entries: () => Promise.resolve([...entries]),
  };
  return new Checker(dir, teacher);
}

const FINDS: readonly [name: string, entries: LedgerEntry[], files: Files, message: string][] = [
  ["an answer that is lost", [paid(1, 0), paid(2, 1)], { results: [result(1, 0)] }, "answer 2 was"],
  [
    "a uid that has two results",
    [paid(1, 0), paid(2, 0)],
    { results: [result(1, 0), result(2, 0)] },
    'uid "row-0" has two results',
  ],
  ["an answer of another row", [paid(1, 0)], { results: [result(1, 1)] }, "has the answer to"],
  ["an answer that was never sent", [], { results: [result(1, 0)] }, "was never sent"],
  ["half a line", [paid(1, 0)], { results: JSON.stringify(result(1, 0)) }, "ends in half a line"],
  ["a line that is no JSON", [], { results: "{\n" }, "out/in.jsonl:1 is no JSON"],
];

for (const [name, entries, files, message] of FINDS) {
  Deno.test(`the checker finds ${name}`, async () => {
    await using dir = await tempDir();
    await write(dir, files);
    await assertRejects(() => checkerOf(dir, entries).check({ kind: "orderly" }), Error, message);
  });
}

Deno.test("the checker finds a result that is gone", async () => {
  await using dir = await tempDir();
  const checker = checkerOf(dir, [paid(1, 0)]);
  await write(dir, { results: [result(1, 0)] });
  await checker.check({ kind: "crash" });
  await write(dir, { inFlight: 8 });
  await assertRejects(() => checker.check({ kind: "crash" }), Error, "was a result and is gone");
});

Deno.test("the checker finds an answer that was paid for twice", async () => {
  await using dir = await tempDir();
  const entries = [paid(1, 0)], checker = checkerOf(dir, entries);
  await write(dir, { results: [result(1, 0)] });
  await checker.check({ kind: "crash" });
  entries.push(paid(2, 0));
  await write(dir, { results: [result(1, 0)], failures: [failure(2, 0)] });
  await assertRejects(() => checker.check({ kind: "crash" }), Error, "paid for again with POST 2");
});

Deno.test("the checker takes answers that were in flight at a crash, as many as the lock says", async () => {
  await using dir = await tempDir();
  const entries = [paid(1, 0), paid(2, 1)];
  await write(dir, { inFlight: 1 });
  const check = () => checkerOf(dir, entries).check({ kind: "crash" });
  await assertRejects(check, Error, "2 paid answers are lost, and the lock says");
  await write(dir, { inFlight: 2 });
  assertEquals(await check(), { results: 0, lost: 2 });
});

Deno.test("the checker takes an answer that a later one of its row has superseded", async () => {
  await using dir = await tempDir();
  await write(dir, { results: [result(2, 0)] });
  const checker = checkerOf(dir, [paid(1, 0), paid(2, 0)]);
  assertEquals(await checker.check({ kind: "orderly" }), { results: 1, lost: 0 });
});
