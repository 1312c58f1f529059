/**
 * Tests of lib/run/preflight.ts and of lib/run/input_rows.ts, which does what it has planned.
 * @module
 */

import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { SourceError } from "../../lib/errors.ts";
import { ASK_AGAIN, HAS_FAILURE, HAS_RESULT, IdTable } from "../../lib/index/id_table.ts";
import type { Row } from "../../lib/row.ts";
import { InputSequence, plannedRows } from "../../lib/run/input_rows.ts";
import type { Findings } from "../../lib/run/findings.ts";
import { preflight, type PreflightOptions } from "../../lib/run/preflight.ts";
import { RowParser } from "../../lib/source/parse_row.ts";
import { tempDir } from "../support/temp.ts";

const parser = new RowParser();

/** Runs the first pass over a file. `flags`: the ids that the output holds, with their flags. */
async function look(
  path: string,
  options: Partial<PreflightOptions> = {},
  flags: Record<string, number> = {},
): Promise<Findings> {
  using table = new IdTable();
  for (const [uid, flag] of Object.entries(flags)) {
    const slot = table.insert(uid);
    table.set(slot, flag);
    table.setFingerprint(slot, HASH);
  }
  const findings = await preflight(
    new InputSequence([{ path, name: path.replace(/^.*\//, "") }], { keepsRows: true }),
    {
      name: path,
      parser,
      table,
      limit: Infinity,
      duplicates: "merge",
      samples: 1,
      changed: undefined,
      onlyFailures: false,
      isOnDisk: () => false,
      ...options,
    },
  );
  findings.plan.keptUids.takeKeys(table.releaseKeys());
  return findings;
}

/** Runs the second pass. */
async function readAll(findings: Findings, params = {}) {
  const again: string[] = [], bad: { line: number; problem: string }[] = [];
  const batches: Row[][] = await Array.fromAsync(plannedRows({
    findings,
    parser,
    params,
    input: 4,
    onRetry: (uid) => void again.push(uid),
    onBadRow: ({ line, problem }) => {
      bad.push({ line, problem });
      return Promise.resolve();
    },
    signal: new AbortController().signal,
  }));
  return { batches, uids: batches.flat().map(({ uid }) => uid), again, bad };
}

/** The hash of the prompt of `{"id":…,"prompt":"p"}`. */
const HASH = (parser.parse('{"prompt":"p"}') as { promptHash: string }).promptHash;

Deno.test("preflight() plans every answer to a row, and the second pass yields them one after the other", async () => {
  await using dir = await tempDir();
  const path = await dir.write("in.jsonl", [{ id: "a", prompt: "p" }, { id: "b", prompt: "p" }]);
  const findings = await look(path, { samples: 3 });
  assertEquals([findings.rows, findings.total, findings.plan.length, findings.plan.toAsk], [
    2,
    6,
    2,
    6,
  ]);
  const { batches, uids, bad } = await readAll(findings, { seed: 5 });
  assertEquals(uids, ["a", "a#1", "a#2", "b", "b#1", "b#2"]);
  const rows = batches.flat();
  assertEquals(rows.map(({ sample }) => sample), [0, 1, 2, 0, 1, 2]);
  assertEquals(rows.slice(0, 3).map(({ params }) => params?.seed), [undefined, 6, 7]);
  assertEquals(new Set(rows.map(({ source }) => source)), new Set(["in.jsonl:1", "in.jsonl:2"]));
  assertEquals(new Set(rows.map(({ promptHash }) => promptHash)), new Set([HASH]));
  assertEquals([rows[5].input, bad], [4, []]);
});

Deno.test("preflight() plans only the missing answers", async () => {
  await using dir = await tempDir();
  const path = await dir.write("in.jsonl", [{ id: "a", prompt: "p" }, { id: "b", prompt: "p" }]);
  const flags = { "a": HAS_RESULT, "a#2": HAS_RESULT, "b": HAS_FAILURE, "b#1": HAS_RESULT };
  const findings = await look(path, { samples: 3 }, flags);
  assertEquals([findings.total, findings.succeeded, findings.failed, findings.changed], [
    6,
    3,
    1,
    0,
  ]);
  assertEquals((await readAll(findings)).uids, ["a#1", "b#2"]);
  const two = await look(path, { samples: 2 }, flags);
  assertEquals([two.total, two.succeeded, two.failed], [4, 2, 1]);
  assertEquals((await readAll(two)).uids, ["a#1"]);
});

Deno.test("preflight() retries the answers that have failed, each by its own id", async () => {
  await using dir = await tempDir();
  const path = await dir.write("in.jsonl", [{ id: "a", prompt: "p" }, { id: "b", prompt: "p" }]);
  const findings = await look(path, { samples: 2, onlyFailures: true }, {
    "a#1": HAS_FAILURE | ASK_AGAIN,
    "b": HAS_FAILURE,
  });
  const { uids, again } = await readAll(findings);
  assertEquals([uids, again], [["a#1"], ["a#1"]]);
});

Deno.test("preflight() counts an edited row once and plans all of its answers again", async () => {
  await using dir = await tempDir();
  const path = await dir.write("in.jsonl", [{ id: "a", prompt: "edited" }, {
    id: "b",
    prompt: "p",
  }]);
  const flags = { "a": HAS_RESULT, "a#1": HAS_FAILURE, "b": HAS_RESULT, "b#1": HAS_RESULT };
  const findings = await look(path, { samples: 3, changed: "reask" }, flags);
  assertEquals([findings.changed, findings.succeeded, findings.failed], [1, 2, 1]);
  assertEquals([...findings.outdatedUids], ["a"]);
  const { uids, again } = await readAll(findings);
  assertEquals([uids, again], [["a", "a#1", "a#2", "b#2"], ["a#1"]]);
  const kept = await look(path, { samples: 3, changed: "keep" }, flags);
  assertEquals((await readAll(kept)).uids, ["a#2", "b#2"]);
});

Deno.test("preflight() limits rows, and counts bad lines and copies by the line", async () => {
  await using dir = await tempDir();
  const lines = [{ id: "a", prompt: "p" }, { id: "a", prompt: "p" }, { no: 1 }, {
    id: "b",
    prompt: "p",
  }];
  const path = await dir.write("in.jsonl", lines);
  const findings = await look(path, { samples: 4 });
  assertEquals([
    findings.rows,
    findings.total,
    findings.merged,
    findings.bad.count,
    findings.plan.bad,
  ], [
    2,
    8,
    1,
    1,
    1,
  ]);
  const limited = await look(path, { samples: 4, limit: 3 });
  assertEquals([limited.rows, limited.total, limited.bad.count], [1, 4, 1]);
  const known = await look(path, { samples: 4, isOnDisk: ({ line }) => line === 3 });
  assertEquals([known.bad.count, known.plan.bad], [1, 0]);
});

Deno.test("preflight() with a limit names another format, too, unless a row can be sent", async () => {
  await using dir = await tempDir();
  const table = await dir.write("table.jsonl", "id,prompt\n1,a\n2,b\n3,c\n");
  for (const limit of [1, 3]) {
    await assertRejects(() => look(table, { limit }), SourceError, "Add --input-format csv");
  }
  const damaged = await dir.write("damaged.jsonl", 'id,prompt\n{"prompt":"a"}\n{"prompt":"b"}\n');
  assertEquals((await look(damaged, { limit: 2 })).rows, 1);
  // An object that is the whole file is a table, the first of several is none.
  const object = '{"prompt":["a"],"n":[1]}\n';
  const whole = await dir.write("whole.jsonl", object);
  await assertRejects(() => look(whole, { limit: 1 }), SourceError, "a table in one JSON object");
  const first = await dir.write("first.jsonl", `${object}{"prompt":"b"}\n`);
  assertEquals((await look(first, { limit: 1 })).bad.count, 1);
});

Deno.test("preflight() says whether any row has one of the --uid-field fields", async () => {
  await using dir = await tempDir();
  const uidFields = ["sku", "ean"];
  const missing = async (...rows: unknown[]) => {
    const parser = new RowParser({ uidField: uidFields });
    const path = await dir.write("in.jsonl", rows);
    const { missingUidFields, hashed } = await look(path, { parser, uidFields });
    return [missingUidFields.length, hashed];
  };
  const prompt = "p";
  assertEquals(await missing({ prompt: "a" }, { prompt: "b" }), [2, 2]);
  assertEquals(await missing({ prompt, sku: null }, { id: 1, prompt }), [2, 1]);
  assertEquals(await missing([{ role: "user", content: "sku" }]), [2, 1]);
  assertEquals(await missing({ prompt }, { ean: 7, prompt }), [0, 1]);
  // The row has the field, although its id comes from `id`.
  assertEquals(await missing({ id: 1, sku: "s", prompt }), [0, 0]);
  assertEquals(await missing({ id: 1, prompt, params: { sku: 1 } }), [2, 0]);
});

Deno.test("both passes agree on an id that is taken", async () => {
  await using dir = await tempDir();
  const path = await dir.write("in.jsonl", [
    { id: "a#2", prompt: "p" },
    { id: "b", prompt: "p" },
    { id: "a", prompt: "p" },
    { id: "b#1", prompt: "p" },
    { id: "b", prompt: "q" },
    { id: "c~2", prompt: "q" },
    { id: "c", prompt: "p" },
    { id: "c", prompt: "p" },
    { no: 1 },
  ]);
  const findings = await look(path, { samples: 3 });
  const { bad } = await readAll(findings);
  assertEquals(bad, findings.bad.groups.flatMap(({ examples }) => examples));
  assertEquals(bad.slice(0, 3), [
    {
      line: 3,
      problem:
        'uid "a" needs "a#2" for one of its 3 samples, which belongs to an earlier row already',
    },
    {
      line: 4,
      problem: 'uid "b#1" belongs to an earlier row already, or to one of the 3 samples of "b"',
    },
    {
      line: 5,
      problem: 'uid "b" belongs to an earlier row already, with other content',
    },
  ]);
  assertEquals(bad[3].line, 9);
  const kept = await look(path, { samples: 3, duplicates: "keep" });
  const { uids, bad: stillBad } = await readAll(kept);
  assertEquals(stillBad.map(({ line }) => line), [9]);
  const names = ["a#2", "b", "a~2", "b#1~2", "b~2", "c~2", "c", "c~3"];
  assertEquals(uids.filter((_, i) => i % 3 === 0), names);
});

Deno.test("copies are kept with their own samples", async () => {
  await using dir = await tempDir();
  const path = await dir.write("in.jsonl", [{ id: "a", prompt: "p" }, { id: "a", prompt: "p" }]);
  const findings = await look(path, { samples: 2, duplicates: "keep" });
  assertEquals((await readAll(findings)).uids, ["a", "a#1", "a~2", "a~2#1"]);
});

Deno.test("the second pass yields few rows at once, however many answers each has", async () => {
  await using dir = await tempDir();
  const rows = Array.from({ length: 40 }, (_, id) => ({ id, prompt: "p" }));
  const path = await dir.write("in.jsonl", rows);
  const findings = await look(path, { samples: 600 });
  const { batches } = await readAll(findings);
  assertEquals(batches.map(({ length }) => length), Array(20).fill(1_200));
});

Deno.test("the second pass stops if the file has changed", async () => {
  await using dir = await tempDir();
  const path = await dir.write("in.jsonl", [{ id: "a", prompt: "p" }]);
  const findings = await look(path, { samples: 2 });
  await dir.write("in.jsonl", [{ id: "a", prompt: "p", more: 1 }]);
  await assertRejects(() => readAll(findings), SourceError, "was changed while the run read it");
});

Deno.test("the rows of a small input are read once, and sent once", async () => {
  await using dir = await tempDir();
  const path = await dir.write("in.jsonl", [
    { id: "a", prompt: "old" },
    { prompt: 1 },
    { id: "b", prompt: "old" },
    { id: "c", prompt: "old" },
  ]);
  const { mtime } = await Deno.stat(path);
  const findings = await look(path, { samples: 2 }, { "b": HAS_RESULT, "b#1": HAS_RESULT });
  await Deno.writeTextFile(path, (await Deno.readTextFile(path)).replaceAll("old", "new"));
  await Deno.utime(path, mtime!, mtime!);
  const { batches } = await readAll(findings);
  const rows = batches.flat();
  assertEquals(rows.map(({ uid }) => uid), ["a", "a#1", "c", "c#1"]);
  assertEquals(rows.some(({ text }) => text.includes("new")), false);
});

/** Rows without ids, all of the same length. */
function unnamedRows(count: number, word: string): { prompt: string }[] {
  return Array.from({ length: count }, (_, i) => ({ prompt: `${word} ${i}`.padEnd(400, ".") }));
}

/** The places of rows whose id is not the one of their content. */
function misnamed(rows: readonly Row[]): string[] {
  return rows.filter(({ uid, text }) => (parser.parse(text) as { uid: string }).uid !== uid)
    .map(({ source }) => source);
}

Deno.test("the second pass gives each row the id that it got in the first pass", async () => {
  await using dir = await tempDir();
  const rows = unnamedRows(5_000, "q").flatMap((row, i) =>
    i % 7 === 0 ? [row, { id: i, ...row }] : i % 11 === 0 ? [row, row] : [row]
  );
  const path = await dir.write("in.jsonl", rows);
  const first = (await readAll(await look(path))).batches.flat();
  assertEquals(first.length, 5_715);
  assertEquals(misnamed(first), []);
  // By turns: new, with a result, failed, failed and to be retried.
  const flags = Object.fromEntries(
    first.map(({ uid }, i) => [uid, [0, HAS_RESULT, HAS_FAILURE, HAS_FAILURE | ASK_AGAIN][i % 4]]),
  );
  const left = (await readAll(await look(path, {}, flags))).batches.flat();
  assertEquals(
    left.map(({ uid }) => uid),
    first.map(({ uid }) => uid).filter((_, i) => i % 4 % 3 === 0),
  );
  assertEquals(misnamed(left), []);
  const copies = await look(path, { duplicates: "keep", samples: 2 });
  const { uids } = await readAll(copies);
  assertEquals(uids.filter((uid) => uid.endsWith("~2")).length, 390);
  assertEquals(new Set(uids).size, uids.length);
});

for (const name of ["in.jsonl", "in.csv"]) {
  for (const keepsTime of [false, true]) {
    const time = keepsTime ? ", its time set back," : "";
    Deno.test(`${name} that is rewritten during the second pass${time} ends the pass, and gives no row the id of another`, async () => {
      await rewritten(name, keepsTime);
    });
  }
}

function passOf(findings: Findings): AsyncGenerator<Row[]> {
  return plannedRows({
    findings,
    parser,
    params: {},
    input: 0,
    onRetry: () => {},
    onBadRow: () => Promise.resolve(),
    signal: new AbortController().signal,
  });
}

async function rewritten(name: string, keepsTime: boolean): Promise<void> {
  await using dir = await tempDir();
  // The rows of a smaller file would be kept from the first pass.
  const rowsOf = (word: string) => unnamedRows(12_000, word);
  const contentOf = (word: string) =>
    name.endsWith(".csv")
      ? ["prompt", ...rowsOf(word).map(({ prompt }) => prompt), ""].join("\n")
      : rowsOf(word);
  const path = await dir.write(name, contentOf("old"));
  const { mtime } = await Deno.stat(path);
  const findings = await look(path);
  const rows: Row[] = [];
  const pass = passOf(findings);
  const reading = (async () => {
    for await (const batch of pass) {
      if (rows.length === 0) {
        await dir.write(name, contentOf("new"));
        if (keepsTime) await Deno.utime(path, mtime!, mtime!);
      }
      rows.push(...batch);
    }
  })();
  await assertRejects(() => reading, SourceError, "was changed while the run read it");
  assertEquals(rows.some(({ text }) => text.includes("new")), false);
  assertEquals(misnamed(rows), []);
}

Deno.test("the second pass stops if a row was inserted at the top, whatever the ids of the rows are", async () => {
  await using dir = await tempDir();
  const rows = Array.from({ length: 2_000 }, (_, id) => ({ id, prompt: `p ${id}`.padEnd(400) }));
  const path = await dir.write("in.jsonl", rows);
  const findings = await look(path);
  const uids: string[] = [];
  const reading = (async () => {
    for await (const batch of passOf(findings)) {
      if (uids.length === 0) await dir.write("in.jsonl", [{ id: "new", prompt: "p" }, ...rows]);
      uids.push(...batch.map(({ uid }) => uid));
    }
  })();
  await assertRejects(() => reading, SourceError, "was changed while the run read it");
  assertEquals(uids, rows.slice(0, uids.length).map(({ id }) => String(id)));
});

Deno.test("rows of few and short lines alone are kept for the second pass", async () => {
  await using dir = await tempDir();
  const isKept = async (text: string | ReadableStream<Uint8Array>) => {
    const path = dir.path("in.jsonl");
    await Deno.writeFile(path, typeof text === "string" ? new TextEncoder().encode(text) : text);
    return (await look(path)).sequence!.keptRows !== undefined;
  };
  assertEquals(await isKept('{"prompt":"a"}\n'.repeat(20_000)), true);
  assertEquals(await isKept('{"prompt":"a"}\n'.repeat(20_001)), false);
  // Lines that are no rows count too, as the file has them once it is decompressed.
  const long = `{"prompts":"${"a".repeat(1_000)}"}\n`.repeat(5_000);
  const packed = new Blob([long]).stream().pipeThrough(new CompressionStream("gzip"));
  assertEquals(await isKept(packed), false);
});
