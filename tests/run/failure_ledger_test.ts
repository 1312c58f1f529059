import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { DamagedFileError } from "../../lib/errors.ts";
import { ASK_AGAIN, HAS_FAILURE, HAS_RESULT, IdTable } from "../../lib/index/id_table.ts";
import type { Row } from "../../lib/row.ts";
import { FailureLedger, type RetryFilter } from "../../lib/run/failure_ledger.ts";
import { badRowLine, failureLine } from "../../lib/sink/line.ts";
import { completionOf, failureOf, FORMAT, rowOf } from "../sink/outcomes.ts";
import { type TempDir, tempDir } from "../support/temp.ts";

const row = (uid: string, text = "{}", promptHash = "0123456789abcdef"): Row =>
  rowOf(text, { uid, promptHash });
const failed = (uid: string, status = 400) =>
  failureLine(
    failureOf(row(uid), { failure: { type: "request", message: "No", status } }),
    FORMAT,
  );
const pending = (uid: string, resample = 1, text = "{}") =>
  failureLine(
    failureOf(row(uid, text), {
      completion: completionOf({ response: `answer ${resample}` }),
      next: { resample, maxTokens: 200 },
    }),
    FORMAT,
  );

/** Writes a failures file and reads it into a ledger. `results`: the rows that have one. */
async function ledgerOf(
  dir: TempDir,
  lines: readonly string[],
  { results = [], retry = false }: {
    results?: string[];
    retry?: RetryFilter;
  } = {},
) {
  const path = await dir.write("x_error.jsonl", lines.map((line) => `${line}\n`).join(""));
  const table = new IdTable();
  for (const uid of results) table.set(table.insert(uid), HAS_RESULT);
  const ledger = new FailureLedger(path);
  await ledger.read(table, retry);
  const has = (uid: string, flag: number) => table.has(table.find(uid), flag);
  return {
    table,
    ledger,
    hasFailed: (uid: string) => has(uid, HAS_FAILURE),
    isAskedAgain: (uid: string) => has(uid, ASK_AGAIN),
    lineOf: (uid: string) => table.lineOf(table.find(uid)),
    /**
     * Adds the lines `more`, tidies the file, and returns the numbers of the lines that are left.
     */
    async tidied(more: readonly string[] = []) {
      const added = more.map((line) => `${line}\n`).join("");
      await Deno.writeTextFile(path, added, { append: true });
      assertEquals(await ledger.tidy(more.length), undefined);
      const all = [...lines, ...more];
      return (await dir.read("x_error.jsonl")).split("\n").slice(0, -1)
        .map((line) => all.indexOf(line) + 1);
    },
  };
}

Deno.test("FailureLedger treats lines of older versions, without `final`, as final", async () => {
  await using dir = await tempDir();
  const old = failed("a").replace('"final":true,', "");
  const { hasFailed, tidied } = await ledgerOf(dir, [old]);
  assertEquals([hasFailed("a"), await tidied()], [true, [1]]);
});

Deno.test("FailureLedger.read() ends when it is aborted: a file may have millions of lines", async () => {
  await using dir = await tempDir();
  const ledger = new FailureLedger(await dir.write("x_error.jsonl", `${failed("a")}\n`));
  const reading = ledger.read(new IdTable(), false, undefined, AbortSignal.abort());
  await assertRejects(() => reading, DOMException);
});

Deno.test("FailureLedger uses the last line of a row: pending or failed", async () => {
  await using dir = await tempDir();
  const lines = [
    pending("a"),
    pending("b"),
    pending("b", 2),
    failed("b"),
    pending("c"),
    failed("d"),
  ];
  const { hasFailed, tidied } = await ledgerOf(dir, lines);
  assertEquals(["a", "b", "c", "d"].map(hasFailed), [false, true, false, true]);
  assertEquals(await tidied(), [1, 4, 5, 6]);
});

Deno.test("FailureLedger clears a failure only with a result, and lets its retry continue", async () => {
  await using dir = await tempDir();
  const lines = [failed("a"), pending("a"), pending("a", 2), failed("b"), pending("b")];
  const options = { results: ["b"], retry: true };
  const { ledger, hasFailed, isAskedAgain, lineOf, tidied } = await ledgerOf(dir, lines, options);
  assertEquals([hasFailed("a"), isAskedAgain("a"), lineOf("a")], [true, true, 1]);
  assertEquals(ledger.earlierOf(row("a"), "p1")?.next, { resample: 2, maxTokens: 200 });
  assertEquals(await tidied(), [1, 3]);
});

Deno.test("FailureLedger does not mistake the text of a row for fields of its line", async () => {
  await using dir = await tempDir();
  const text = JSON.stringify({ note: '"final":false', deep: { error: { final: false } } });
  const line = failureLine(failureOf(row("a", text)), FORMAT);
  const { hasFailed } = await ledgerOf(dir, [line, pending("b", 1, text)]);
  assertEquals([hasFailed("a"), hasFailed("b")], [true, false]);
});

Deno.test("FailureLedger reads a pending line that another program wrote again", async () => {
  await using dir = await tempDir();
  const spaced = JSON.stringify(JSON.parse(pending("a")), null, 1).replaceAll("\n", "");
  const { ledger, hasFailed } = await ledgerOf(dir, [failed("z"), spaced]);
  assertEquals(hasFailed("a"), false);
  const { next, rejected } = ledger.earlierOf(row("a"), "p1")!;
  assertEquals([next?.resample, rejected?.completion.response], [1, "answer 1"]);
  assertEquals(rejected?.failure, { type: "request", message: 'No "thing"\n', status: 400 });
});

Deno.test("FailureLedger refuses a pending line that is damaged", async () => {
  await using dir = await tempDir();
  const damaged = pending("a").replace(',"partial"', ',,"partial"');
  await assertRejects(() => ledgerOf(dir, [failed("z"), damaged]), DamagedFileError, "line 2");
});

Deno.test("FailureLedger continues a row with the same prompt and parameters only", async () => {
  await using dir = await tempDir();
  const { ledger } = await ledgerOf(dir, [failed("x"), pending("ü~2"), pending("b#1", 3)]);
  assertEquals(ledger.earlierOf(row("b#1"), "p1")?.next?.resample, 3);
  assertEquals(ledger.earlierOf(row("ü~2"), "p1")?.next?.resample, 1);
  const other = ledger.earlierOf(row("ü~2"), "p2")!;
  assertEquals([other.next, other.rejected?.completion.response], [undefined, "answer 1"]);
  assertEquals(ledger.earlierOf(row("ü~2", "{}", "ffffffffffffffff"), "p1"), undefined);
  assertEquals(ledger.earlierOf(row("x"), "p1"), undefined);
  assertEquals(ledger.earlierOf(row("never seen"), "p1"), undefined);
});

Deno.test("FailureLedger drops the lines of a row that the run finished, and keeps those that it did not", async () => {
  await using dir = await tempDir();
  const lines = [failed("a"), pending("b"), failed("c"), pending("d"), pending("e")];
  const { ledger, tidied } = await ledgerOf(dir, lines, { retry: true });
  ledger.askAgain("a", 1);
  ledger.askAgain("c", 3);
  ledger.keep("a", 1);
  ledger.keep("b", 2);
  ledger.keep("f", 3);
  ledger.keep("f", 4);
  ledger.keep("g", 5);
  assertEquals(ledger.settle("a"), true);
  assertEquals(ledger.settle("d"), false);
  assertEquals(ledger.settle("g"), false);
  const added = [pending("a", 2), pending("b", 2), pending("f"), pending("f", 2), pending("g")];
  assertEquals(await tidied([...added, failed("a", 422), failed("g")]), [3, 5, 7, 9, 11, 12]);
});

Deno.test("FailureLedger distinguishes rows from bad ones whatever their uid begins with", async () => {
  await using dir = await tempDir();
  const badRow = (line: number, text: string) =>
    badRowLine({ file: "in.jsonl", line, problem: "No", text });
  const lines = [badRow(3, "["), failed("bad_row:in.jsonl:7"), badRow(4, "{"), badRow(3, "{")];
  const { ledger, hasFailed, tidied } = await ledgerOf(dir, lines);
  assertEquals(hasFailed("bad_row:in.jsonl:7"), true);
  const keepBadRow = (line: number, text = "{") =>
    ledger.keepBadRow({ file: "in.jsonl", line, problem: "No", text });
  assertEquals([3, 7, 9].map((line) => keepBadRow(line)), [true, false, false]);
  // The first pass has not found line 4 of the input again as a bad row.
  ledger.dropRepairedRows();
  assertEquals(await tidied(), [2, 4]);
});

Deno.test("FailureLedger matches types and statuses of final failures only", async () => {
  await using dir = await tempDir();
  const lines = [
    failed("a", 400),
    failed("b", 422),
    failed("b", 400),
    failed("c", 400),
    failed("c"),
  ];
  lines.push(failed("d", 422), pending("e"));
  const { isAskedAgain } = await ledgerOf(dir, lines, { retry: [422] });
  assertEquals(["a", "b", "c", "d", "e"].map(isAskedAgain), [false, false, false, true, false]);
});

Deno.test("FailureLedger forgets an unfinished answer once its row has failed otherwise, or has settled", async () => {
  await using dir = await tempDir();
  const unfinished = (uid: string) =>
    failureLine(
      failureOf(row(uid), {
        completion: completionOf({ response: "half" }),
        failure: { type: "unfinished", message: "No finish reason", status: null },
      }),
      FORMAT,
    );
  const lines = [unfinished("a"), failed("a"), unfinished("b"), unfinished("c")];
  const { ledger } = await ledgerOf(dir, lines, { retry: true });
  const answers = () =>
    ["a", "b", "c"].map((uid) => ledger.earlierOf(row(uid), "p1")?.rejected?.completion.response);
  assertEquals(answers(), [undefined, "half", "half"]);
  ledger.askAgain("b", 3);
  ledger.settle("b");
  assertEquals(answers(), [undefined, undefined, "half"]);
});
