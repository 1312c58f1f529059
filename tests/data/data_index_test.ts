/** Tests of the index: its content, and changes of files. @module */

import { Buffer } from "node:buffer";
import { zstdCompressSync } from "node:zlib";
import { assert, assertEquals, assertRejects, assertThrows } from "../../lib/deps/std_assert.ts";
import { SinkError, UsageError } from "../../lib/errors.ts";
import {
  DataIndex,
  jsonWithBigInts,
  openFiles,
  selectRows,
  statisticsOf,
} from "../../lib/data/mod.ts";
import { facetsOf, histogramsOf } from "../../lib/data/facets.ts";
import { newMark, readIndexFile, writeIndexFile } from "../../lib/data/index_file.ts";
import { DamagedLine, factsOf } from "../../lib/data/line_facts.ts";
import { planOf, sortableFields, sortRows } from "../../lib/data/query.ts";
import { rowDetail, shownRow } from "../../lib/data/shown_row.ts";
import { Table } from "../../lib/data/table.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { parseExactly } from "../../web/view/page/ask.js";
import { ViewState } from "../../web/view/page/view_state.js";
import { failureLine, resultLine } from "./lines.ts";

/** An index that has read these files to their ends. */
async function indexOf(...paths: string[]): Promise<DataIndex> {
  const index = new DataIndex(paths.map((path) => ({ path })));
  index.refresh();
  await index.readAll();
  return index;
}

/** The uids of the rows that meet a condition, in the order of the index. */
function uids(index: DataIndex, where = ""): string[] {
  return Array.from(selectRows(index, where), (row) => JSON.parse(index.textAt(row)).uid);
}

async function append(dir: TempDir, name: string, text: string): Promise<void> {
  await Deno.writeTextFile(dir.path(name), text, { append: true });
}

Deno.test("index: conditions are answered by columns and by lines alike", async () => {
  await using dir = await tempDir();
  const results = await dir.write(
    "x.jsonl",
    resultLine({
      uid: "a",
      own: { lang: "en", meta: { score: 1.5 }, tags: ["x"], compared_run: 2 },
    }) +
      resultLine({
        uid: "b",
        response: "",
        own: { lang: "de", meta: { score: -2 }, compared_run: 1 },
        distill: { finish_reason: "length" },
      }) +
      resultLine({
        uid: "c",
        response: 'Für "alle"/niemand\nZeile',
        own: { model: "own", big: "y".repeat(300) },
      }),
  );
  const failures = await dir.write(
    "x_error.jsonl",
    failureLine("d", { status: 503, type: "http" }) + failureLine("e", { final: false }),
  );
  const index = await indexOf(results, failures);
  const cases: [string, string[]][] = [
    ["", ["a", "b", "c", "d", "e"]],
    ['status == "answered"', ["a", "b", "c"]],
    ['status in ("failed", "pending")', ["d", "e"]],
    ['error.type == "http" or error.status == 503', ["d"]],
    ['finish_reason == "length"', ["b"]],
    ['flags contains "empty"', ["b"]],
    ['not (flags contains "empty") and status == "answered"', ["a", "c"]],
    ['lang == "en"', ["a"]],
    ["lang == null", ["c", "d", "e"]],
    ["meta.score > 0", ["a"]],
    ["meta.score < 0 and lang == 'de'", ["b"]],
    ['tags contains "x"', ["a"]],
    ['model == "own"', ["c"]],
    ['model == "qwen3"', ["a", "b"]],
    ['distill.model == "qwen3"', ["a", "b", "c"]],
    ['response contains "für"', []],
    ['response icontains "für"', ["c"]],
    ['response contains "Für \\"alle\\"/nie"', ["c"]],
    ['response matches "mand$"', []],
    ['response matches "(?m)mand$"', ["c"]],
    ['prompt contains "of d"', ["d"]],
    ['uid == "e"', ["e"]],
    ['big matches "^y+$"', ["c"]],
    ["nothing == 1", []],
    ['completion_tokens == 20 and response contains "answer to a"', ["a"]],
    ['lang == "en" or response icontains "ZEILE"', ["a", "c"]],
    ["source_file == 'in.jsonl'", ["a", "b", "c", "d", "e"]],
  ];
  for (const [where, expected] of cases) assertEquals(uids(index, where), expected, where);
  assertThrows(() => uids(index, "lang =="), UsageError, "Cannot use the condition");
  const all = selectRows(index, "");
  const sorted = sortRows(index.table, all, ["meta", "score"], true)!;
  assertEquals([...sorted], [0, 1, 2, 3, 4]);
  assertEquals([...sortRows(index.table, all, ["meta", "score"], false)!], [1, 0, 2, 3, 4]);
  assertEquals(sortRows(index.table, all, ["lang"], false), undefined);
  // A field of the user's: no runs are compared.
  assertEquals([...sortRows(index.table, all, ["compared_run"], false)!].slice(0, 2), [1, 0]);
  const { rows, flags, cost_unknown_rows: unknown, completion_tokens: tokens } = statisticsOf(
    index.table,
    all,
  );
  assertEquals(rows, { total: 5, answered: 3, failed: 1, pending: 1 });
  assertEquals([flags.empty, flags.cut_off, unknown, tokens.sum, tokens.max], [1, 1, 5, 60, 20]);
  index.close();
});

Deno.test("index: an estimated cost counts cached tokens at their price", async () => {
  await using dir = await tempDir();
  const distill = {
    model: "gpt-5-mini",
    teacher: "https://api.openai.com/v1",
    prompt_tokens: 1_000_000,
    cached_tokens: 600_000,
    completion_tokens: 500_000,
    reasoning_tokens: 100_000,
  };
  // Without token counts, a cost cannot be estimated.
  const { model, teacher } = distill;
  const uncounted = { model, teacher, prompt_tokens: 0, completion_tokens: 0 };
  const lines = [{ uid: "a", distill }, { uid: "b", distill: uncounted }].map(resultLine);
  const index = await indexOf(await dir.write("x.jsonl", lines.join("")));
  const { cost_usd: usd, cost_estimated_rows: rows, cost_unknown_rows: unknown } = statisticsOf(
    index.table,
    selectRows(index, ""),
  );
  // $0.25 for a million prompt tokens, $0.025 from the cache, $2 for a million completion tokens.
  assertEquals(usd.toFixed(6), (0.4 * 0.25 + 0.6 * 0.025 + 0.5 * 2).toFixed(6));
  assertEquals([rows, unknown], [1, 1]);
  index.close();
  const empty = { ...distill, cached_tokens: 0, completion_tokens: 0 };
  const other = await indexOf(
    await dir.write("y.jsonl", resultLine({ uid: "a", distill: empty })),
  );
  assertEquals(statisticsOf(other.table, selectRows(other, "")).cost_usd, 0.25);
  other.close();
});

Deno.test("index: a value of any field can be selected and excluded on the page", async () => {
  await using dir = await tempDir();
  const names = [
    ...["lang", "odd name", "in", "AND", "true", "a.b", "tick`s", "``", "", " ", '"', "'", "\\"],
    ...["a[0]", '["x"]', "ключ", "日本 語", "😀", "new\nline", "__proto__", "0", "-", "a&b=#c"],
    ...["status", "model", "teacher", "finish_reason", "source_file", "flags"],
  ];
  const lines = ["x", "y"].map((value) =>
    resultLine({
      uid: value,
      own: {
        ...Object.fromEntries(names.map((name) => [name, value])),
        "a\0b": value,
        prompt_tokens: 9,
      },
      response: "I",
    })
  );
  const index = await indexOf(await dir.write("x.jsonl", lines.join("")));
  const all = facetsOf(index.table, selectRows(index, ""));
  assertEquals(new Set(all.map(({ field }) => field)).size, all.length);
  const facets = all.filter(({ title }) => names.includes(title));
  assertEquals(facets.length, names.length);
  for (const { field, title } of facets) {
    const view = new ViewState();
    view.setChoice(field, "x", "only");
    assertEquals(uids(index, view.condition()), ["x"], title);
    view.setChoice(field, "x", "not");
    assertEquals(uids(index, view.condition()), ["y"], title);
  }
  // Retort's own fields are still there under the names of their facets, in columns and in lines.
  for (const [title, value] of [["Status", "answered"], ["Model", "qwen3"]]) {
    const view = new ViewState();
    view.setChoice(all.find((facet) => facet.title === title)!.field, value, "only");
    assertEquals(uids(index, view.condition()), ["x", "y"], title);
    assertEquals(uids(index, `${view.condition()} or kept == "?"`), ["x", "y"], title);
  }
  const view = new ViewState();
  const flags = all.find((facet) => facet.title === "Flags")!;
  view.setChoice(flags.field, flags.values[0].value ?? null, "only");
  view.setRange(histogramsOf(index.table, selectRows(index, ""))[0].field, 10, 10);
  assertEquals(uids(index, view.condition()), ["x", "y"]);
  assertEquals(uids(index, `(${view.condition()}) or kept == "?"`), ["x", "y"]);
  index.close();
});

Deno.test("index: rows without a failure have no value in its facet, whatever comes first", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x.jsonl", failureLine("a") + resultLine({ uid: "b" }));
  const index = await indexOf(path);
  const facets = facetsOf(index.table, selectRows(index, ""));
  const values = facets.find(({ field }) => field === "error.type")?.values;
  assertEquals(values, [{ value: "timeout", count: 1 }]);
  index.close();
});

Deno.test("index: histograms are of answers, as statistics are", async () => {
  await using dir = await tempDir();
  const lines = [resultLine({ uid: "a" }), failureLine("b"), resultLine({ uid: "c" })];
  const index = new DataIndex([{ path: await dir.write("x.jsonl", lines.join("")) }]);
  index.refresh();
  await index.readAll();
  const rows = selectRows(index, "");
  const [prompts] = histogramsOf(index.table, rows);
  assertEquals(prompts.bins.filter(({ count }) => count > 0), [{ from: 10, to: 11, count: 2 }]);
  assertEquals(statisticsOf(index.table, rows).histograms[0], prompts);
  index.close();
});

Deno.test("index: a name with a NUL is not the path of a nested field", async () => {
  await using dir = await tempDir();
  const own = { a: { b: "in" }, "a\0b": "top" };
  const index = await indexOf(
    await dir.write(
      "x.jsonl",
      resultLine({ uid: "x", own }) + resultLine({ uid: "y", own: { a: own.a } }),
    ),
  );
  assertEquals(uids(index, 'a.b == "in"'), ["x", "y"]);
  assertEquals(uids(index, '`a\0b` == "top"'), ["x"]);
  index.close();
});

Deno.test("index: a needle is found however JSON writes it", async () => {
  await using dir = await tempDir();
  const needle = "a<b> & \"c\"\\d/é😀\n\t'e'";
  const plain = resultLine({ uid: "plain", response: `x ${needle} y` });
  const escaped = plain.replace('"plain"', '"escaped"').replaceAll(
    /[<>&'/é😀]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0").toUpperCase()}`,
  ).replaceAll("😀", "\\ud83d\\ude00");
  const index = await indexOf(
    await dir.write("x.jsonl", plain + resultLine({ uid: "other" }) + escaped),
  );
  for (const operator of ["contains", "icontains"]) {
    assertEquals(uids(index, `response ${operator} ${JSON.stringify(needle)}`), [
      "plain",
      "escaped",
    ]);
  }
  index.close();
});

Deno.test("index: copies are found, samples of one row are not copies", async () => {
  await using dir = await tempDir();
  const long = "This is an answer that is long enough to be no accident when it comes twice.";
  const index = await indexOf(
    await dir.write(
      "x.jsonl",
      resultLine({ uid: "a", response: long }) +
        resultLine({ uid: "a#1", inputUid: "a", response: long }) +
        resultLine({ uid: "b", response: long }) + resultLine({ uid: "c", response: "42" }) +
        resultLine({ uid: "d", response: "42" }) +
        resultLine({ uid: "e", response: "42", prompt: "prompt of c" }),
    ),
  );
  assertEquals(uids(index, 'flags contains "duplicate"'), ["b", "e"]);
  index.close();
});

Deno.test("index: rows with the same short or empty answer take no longer than others", () => {
  const elapsedMs = (responseOf: (index: number) => string) => {
    const table = new Table();
    const lines = Array.from({ length: 30_000 }, (_, index) => {
      const facts = factsOf(resultLine({ uid: `row ${index}`, response: responseOf(index) }), {});
      assert(!(facts instanceof DamagedLine));
      return facts;
    });
    const startMs = performance.now();
    for (const facts of lines) table.add(facts, { file: 0, offset: 0, bytes: 1 }, {});
    table.reindex();
    return performance.now() - startMs;
  };
  // The shortest of three: other programs may take the processor at any moment.
  const fastestMs = (responseOf: (index: number) => string) =>
    Math.min(...[0, 1, 2].map(() => elapsedMs(responseOf)));
  const ordinaryMs = fastestMs((index) => `Answer ${index} is this.`);
  for (const response of ["yes", ""]) {
    const ratio = fastestMs(() => response) / ordinaryMs;
    assert(ratio < 3, `${JSON.stringify(response)} takes ${ratio.toFixed(1)} times as long`);
  }
});

Deno.test("index: a facet counts for null the rows that a condition finds", async () => {
  await using dir = await tempDir();
  const rows = [{ lang: null }, {}, { lang: "de" }].map((own, i) =>
    resultLine({ uid: `${i}`, own })
  );
  const index = await indexOf(await dir.write("x.jsonl", rows.join("")));
  const facets = facetsOf(index.table, selectRows(index, ""));
  assertEquals(facets.find(({ field }) => field === "lang")?.values, [
    { value: null, count: 2 },
    { value: "de", count: 1 },
  ]);
  assertEquals(uids(index, "lang == null"), ["0", "1"]);
  index.close();
});

Deno.test("index: rows that were shown before their costs are estimated are shown again", async () => {
  await using dir = await tempDir();
  const teacher = { model: "gpt-4o-mini", teacher: "https://api.openai.com/v1" };
  const path = await dir.write("x.jsonl", resultLine({ uid: "a", distill: teacher }));
  const index = new DataIndex([{ path }]);
  const stepping = index.step();
  const shown = [shownRow(index, 0, []).is_estimated, index.version];
  await stepping;
  assert(shownRow(index, 0, []).is_estimated && !shown[0]);
  assert(index.version !== shown[1]);
  index.close();
});

Deno.test("index: an empty object is not null", async () => {
  await using dir = await tempDir();
  const rows = [null, {}, { a: 1 }].flatMap((meta, number) => [
    resultLine({ uid: `${number}`, own: { meta, nulls: number === 2 ? {} : null } }),
  ]);
  const index = await indexOf(await dir.write("x.jsonl", rows.join("")));
  assertEquals(uids(index, "meta == null"), ["0"]);
  assertEquals(uids(index, "nulls == null"), ["0", "1"]);
  assertEquals(uids(index, "meta"), ["1", "2"]);
  assertEquals(uids(index, "meta.a == null"), ["0", "1"]);
  index.close();
});

Deno.test("index: null is no error and no response, as pandas writes it in a table of all lines", async () => {
  await using dir = await tempDir();
  const withNull = (line: string, name: string) =>
    `${JSON.stringify({ ...JSON.parse(line), [name]: null })}\n`;
  const lines = [
    withNull(resultLine({ uid: "a" }), "error"),
    withNull(failureLine("b"), "response"),
  ];
  const index = await indexOf(await dir.write("x.jsonl", lines.join("")));
  assertEquals(uids(index, "status == 'answered'"), ["a"]);
  assertEquals(uids(index, "status == 'failed'"), ["b"]);
  assertEquals([0, 1].map((row) => rowDetail(index, row)?.error?.type), [undefined, "timeout"]);
  index.close();
});

Deno.test("index: own uids that look like those of samples are rows of their own", async () => {
  await using dir = await tempDir();
  const long = "This is an answer that is long enough to be no accident when it comes twice.";
  const lines = ["page#1", "page#2"].map((uid) => resultLine({ uid, response: long }));
  const index = await indexOf(await dir.write("x.jsonl", lines.join("")));
  assertEquals(uids(index, 'flags contains "duplicate"'), ["page#2"]);
  assertEquals(rowDetail(index, 0)?.sample_count, 1);
  index.close();
});

Deno.test("index: a file with an error that has no code in Deno is unreadable", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x.jsonl", resultLine({ uid: "a" })), { openSync } = Deno;
  const message = "Stale file handle (os error 116)";
  Deno.openSync = (...args) => {
    if (args[0] !== path) return openSync(...args);
    throw new Error(message);
  };
  try {
    const index = await indexOf(path);
    const [{ state, problem }] = index.status().files;
    assertEquals([state, problem], ["unreadable", message]);
    index.close();
  } finally {
    Deno.openSync = openSync;
  }
});

Deno.test("index: follows files that grow, are replaced, cut or removed", async () => {
  await using dir = await tempDir();
  const line = (uid: string) => resultLine({ uid });
  const path = await dir.write("x.jsonl", line("a"));
  const index = await indexOf(path);
  // Half a line is not a row yet; a complete one needs no line feed.
  await append(dir, "x.jsonl", line("b").slice(0, 50));
  index.refresh();
  assertEquals(index.status().isCurrent, false);
  await index.readAll();
  assertEquals(uids(index), ["a"]);
  await append(dir, "x.jsonl", line("b").slice(50, -1));
  index.refresh();
  await index.readAll();
  assertEquals(uids(index), ["a", "b"]);
  await append(dir, "x.jsonl", "\n" + line("c"));
  index.refresh();
  await index.readAll();
  assertEquals(uids(index), ["a", "b", "c"]);
  // Replaced by another file of the same length and more.
  await dir.write("y.jsonl", line("x") + line("y") + line("z") + line("w"));
  await Deno.rename(dir.path("y.jsonl"), path);
  index.refresh();
  await index.readAll();
  assertEquals(uids(index), ["x", "y", "z", "w"]);
  // Truncated, then rewritten in place.
  await Deno.truncate(path, line("x").length);
  index.refresh();
  await index.readAll();
  assertEquals(uids(index), ["x"]);
  await Deno.remove(path);
  index.refresh();
  await index.readAll();
  assertEquals(uids(index), []);
  assertEquals(index.status().files.map(({ state, problem }) => [state, problem]), [[
    "removed",
    "it was removed or renamed",
  ]]);
  await dir.write("x.jsonl", line("new"));
  index.refresh();
  await index.readAll();
  assertEquals([uids(index), index.status().files[0].state], [["new"], "current"]);
  index.close();
});

Deno.test("index: no line is read for a field that only a comparison of runs would set", async () => {
  await using dir = await tempDir();
  const index = await indexOf(await dir.write("x.jsonl", resultLine({ uid: "a" })));
  for (const name of ["run_agreement", "distill.run_agreement", "distill.compared_run"]) {
    assertEquals(planOf(index.table, `${name} == "none"`).scannedParts, []);
  }
  index.close();
});

Deno.test("index: reports damaged and foreign lines, and shows the rest", async () => {
  await using dir = await tempDir();
  const bytes = new TextEncoder().encode(resultLine({ uid: "latin" }));
  bytes[20] = 0xff;
  const damaged = new Uint8Array([
    ...new TextEncoder().encode(`${resultLine({ uid: "a" })}{"uid":"b","prom\n\n${'{"uid":3}'}\n`),
    ...bytes,
    ...new TextEncoder().encode(resultLine({ uid: "c" })),
  ]);
  const index = await indexOf(
    await dir.write("damaged.jsonl", damaged),
    await dir.write("foreign.jsonl", [{ prompt: "x" }]),
    await dir.write("binary.jsonl", new Uint8Array([0, 1, 2, 10, 3])),
    await dir.write("empty.jsonl", ""),
    await dir.write("begun.jsonl", '{"uid":"a","prom'),
  );
  assertEquals(uids(index), ["a", "c"]);
  const found = index.status().files.map((
    { state, problem, damage },
  ) => [state, problem, damage.map(({ line }) => line)]);
  assertEquals(found, [
    ["current", null, [2, 4, 5]],
    ["foreign", 'it is not a results or failures file of Retort (line 1: it has no "uid")', []],
    ["current", null, [1]],
    ["current", null, []],
    ["current", null, []],
  ]);
  index.close();
});

Deno.test("index: many files take the memory of one, and are not open at once", async () => {
  await using dir = await tempDir();
  const paths: string[] = [];
  for (let file = 0; file < 100; file++) {
    paths.push(await dir.write(`out/${file}.jsonl`, resultLine({ uid: `u${file}` })));
  }
  const before = Deno.memoryUsage().external;
  const index = await indexOf(...paths);
  assertEquals(uids(index, 'response contains "answer"').length, 100);
  const grownMiB = (Deno.memoryUsage().external - before) / 2 ** 20;
  assert(grownMiB < 20, `${grownMiB} MiB`);
  assert(openFilesIn(dir.root) <= 1, `${openFilesIn(dir.root)} files are open`);
  index.close();
});

Deno.test("index: a long line does not make the blocks of other files longer", async () => {
  await using dir = await tempDir();
  const lineOf = (uid: string, length: number) => resultLine({ uid, response: "x".repeat(length) });
  const long = await dir.write("a.jsonl", lineOf("long", 5 << 20));
  const other = await dir.write("b.jsonl", lineOf("short", 400_000).repeat(10));
  const index = new DataIndex([long, other].map((path) => ({ path })));
  let steps = 0;
  while (await index.step()) steps++;
  assert(steps > 4, `${steps} blocks`);
  assertEquals(uids(index), ["long", ...Array.from({ length: 10 }, () => "short")]);
  index.close();
});

Deno.test("index: rows of more than 65,536 files belong to their own file", async () => {
  await using dir = await tempDir();
  const missing = Array.from({ length: 65_536 }, (_, file) => dir.path(`missing${file}.jsonl`));
  const path = await dir.write("x.jsonl", resultLine({ uid: "a" }));
  const index = new DataIndex([...missing, path].map((path) => ({ path })));
  for (const file of index.files.slice(0, -1)) file.state = "removed";
  await index.readAll();
  assertEquals(uids(index), ["a"]);
  index.close();
});

/** The number of files in a folder that this process has open; 0 where the system cannot tell. */
function openFilesIn(folder: string): number {
  if (Deno.build.os !== "linux") return 0;
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`).startsWith(folder);
    } catch {
      return false;
    }
  }).length;
}

Deno.test("index: is kept, reused and continued, and never used for another file", async () => {
  await using dir = await tempDir();
  const own = { lang: "en", score: 3 };
  await dir.write(
    "out/x.jsonl",
    resultLine({ uid: "a", own }) + resultLine({ uid: "b", own: { lang: "de", score: 4 } }),
  );
  const read = async () => {
    await using open = await openFiles([dir.path("out")]);
    const index = new DataIndex(open.files, true);
    const known = index.status().rows;
    await index.readAll();
    const kept = index.save();
    const found = [
      known,
      uids(index, "score > 3"),
      uids(index, 'lang == "en"'),
      uids(index, 'flags contains "duplicate"'),
    ];
    index.close();
    assert(kept);
    return found;
  };
  assertEquals(await read(), [0, ["b"], ["a"], []]);
  assertEquals((await dir.names("out/.retort")).length, 1);
  assertEquals(await read(), [2, ["b"], ["a"], []]);
  await append(
    dir,
    "out/x.jsonl",
    resultLine({
      uid: "c",
      own: { lang: "en", score: 9 },
      prompt: "prompt of a",
      response: "The answer to a is a whole sentence.",
    }),
  );
  assertEquals(await read(), [2, ["b", "c"], ["a", "c"], ["c"]]);
  assertEquals(await read(), [3, ["b", "c"], ["a", "c"], ["c"]]);
  // Edited in place: same inode, same length.
  await dir.write("out/x.jsonl", (await dir.read("out/x.jsonl")).replace('"score":9', '"score":1'));
  assertEquals(await read(), [0, ["b"], ["a", "c"], ["c"]]);
  const [name] = await dir.names("out/.retort");
  await dir.write(`out/.retort/${name}`, "damaged");
  assertEquals(await read(), [0, ["b"], ["a", "c"], ["c"]]);
});

Deno.test({
  name: "index: is as private as the files that it was made from",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    await dir.write("out/x.jsonl", resultLine({ uid: "a" }));
    await dir.write("out/x_error.jsonl", "");
    await Deno.chmod(dir.path("out/x.jsonl"), 0o600);
    await using open = await openFiles([dir.path("out")]);
    const index = new DataIndex(open.files, true);
    await index.readAll();
    assert(index.save());
    index.close();
    const [name] = await dir.names("out/.retort");
    assertEquals((await Deno.stat(dir.path(`out/.retort/${name}`))).mode! & 0o777, 0o600);
  },
});

Deno.test("index: is saved although a file was removed meanwhile", async () => {
  await using dir = await tempDir();
  await dir.write("out/x.jsonl", resultLine({ uid: "a" }));
  const failures = await dir.write("out/x_error.jsonl", "");
  await using open = await openFiles([dir.path("out")]);
  const index = new DataIndex(open.files, true);
  await index.readAll();
  await Deno.remove(failures);
  index.refresh();
  assert(index.save());
  index.close();
});

Deno.test("index: is reused although a run created its failures file later", async () => {
  await using dir = await tempDir();
  const path = await dir.write("out/x.jsonl", resultLine({ uid: "a" }));
  const index = new DataIndex([{ path }], true);
  index.addFiles([{ path: await dir.write("out/x_error.jsonl", failureLine("b")) }]);
  await index.readAll();
  assert(index.save());
  index.close();
  await using open = await openFiles([dir.path("out")]);
  assertEquals(new DataIndex(open.files, true).status().rows, 2);
});

Deno.test("index: is reused on a file system with inodes beyond 2^53", async () => {
  await using dir = await tempDir();
  const inode = 2 ** 60, path = dir.path("view.index");
  assert(writeIndexFile(path, new Table(), [{ ...newMark("x.jsonl"), inode }]));
  assertEquals(readIndexFile(path, ["x.jsonl"])?.marks[0].inode, inode);
});

Deno.test("index: stays in memory where its folder cannot be written", async () => {
  await using dir = await tempDir();
  await dir.write("x.jsonl", resultLine({ uid: "a" }));
  await dir.write(".retort", "a file is in the way");
  await using open = await openFiles([dir.path("x.jsonl")]);
  const index = new DataIndex(open.files, true);
  await index.readAll();
  assert(!index.save());
  assertEquals(uids(index), ["a"]);
  index.close();
});

Deno.test("index: drops the rows of a compressed file that was removed, as by unzstd", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x.jsonl.zst", zstdCompressSync(resultLine({ uid: "a" })));
  await using open = await openFiles([path]);
  const index = new DataIndex(open.files, true);
  await index.readAll();
  assertEquals(uids(index), ["a"]);
  await Deno.remove(path);
  index.refresh();
  assertEquals([index.status().rows, index.status().files[0].state], [0, "removed"]);
  index.close();
});

Deno.test("index: reads every frame of a zstd file", async () => {
  await using dir = await tempDir();
  const frames = ["one", "two", "three"].map((uid) => zstdCompressSync(resultLine({ uid })));
  const path = await dir.write("x.jsonl.zst", new Uint8Array(Buffer.concat(frames)));
  await using open = await openFiles([path]);
  const index = new DataIndex(open.files, true);
  await index.readAll();
  assertEquals(uids(index), ["one", "two", "three"]);
  index.close();
  await Deno.writeFile(path, frames[0].subarray(0, -3));
  await assertRejects(() => openFiles([path]), UsageError, "its zstd data is damaged");
});

Deno.test("index: says where there is no space for a decompressed copy", async () => {
  await using dir = await tempDir();
  const path = await dir.write(
    "x.jsonl.zst",
    new Uint8Array(zstdCompressSync(resultLine({ uid: "a" }))),
  );
  const realWrite = Deno.writeFile;
  Deno.writeFile = () => Promise.reject(new Error("No space left on device (os error 28)"));
  try {
    await assertRejects(() => openFiles([path]), SinkError, `Cannot decompress "${path}"`);
  } finally {
    Deno.writeFile = realWrite;
  }
});

Deno.test("index: opens compressed files and folders, and the failures next to results", async () => {
  await using dir = await tempDir();
  const pack = async (text: string) =>
    new Uint8Array(
      await new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip")))
        .arrayBuffer(),
    );
  await dir.write("a/x.jsonl.gz", await pack(resultLine({ uid: "packed" })));
  const zstd = zstdCompressSync(resultLine({ uid: "zstd" }));
  await dir.write("a/z.jsonl.zstd", new Uint8Array(zstd));
  await dir.write("a/being-written.jsonl.gz", "");
  await dir.write("a/named-wrongly.jsonl.gz", resultLine({ uid: "plain" }));
  await dir.write("a/deep/y.jsonl", resultLine({ uid: "y" }));
  await dir.write("a/deep/y_error.jsonl", failureLine("z"));
  await dir.write("a/y.outdated.jsonl", resultLine({ uid: "old" }));
  await dir.write("a/x.outdated.jsonl.gz", await pack(resultLine({ uid: "old and packed" })));
  await dir.write("a/.retort/z.jsonl", resultLine({ uid: "hidden" }));
  for (
    const [paths, expected] of [
      [["a"], ["y", "z", "plain", "packed", "zstd"]],
      [["a/deep/y.jsonl"], ["y", "z"]],
    ] as const
  ) {
    await using open = await openFiles(paths.map(dir.path));
    const index = new DataIndex(open.files, true);
    await index.readAll();
    assertEquals(uids(index), [...expected]);
    index.close();
  }
});

Deno.test("index: the detail of a row omits fields that its turns show", async () => {
  await using dir = await tempDir();
  const turns = [{ role: "user", content: "q" }];
  const own = { conversation: turns, system: "s", output: "a", lang: "en" };
  const path = await dir.write(
    "x.jsonl",
    resultLine({ uid: "a", own }).replace(/"prompt":"[^"]*",/, ""),
  );
  const index = await indexOf(path);
  const row = rowDetail(index, 0)!;
  assertEquals(row.turns.map(({ text }) => text), ["s", "q"]);
  assertEquals(row.own, { output: "a", lang: "en" });
  index.close();
});

Deno.test("index: every answer to a row can be reached, and the first that are shown include the row", async () => {
  await using dir = await tempDir();
  for (const count of [2, 51, 120]) {
    const lines = Array.from({ length: count }, (_, n) => {
      const uid = n === 0 ? "a" : `a#${n}`;
      return resultLine({ uid, inputUid: "a" }) + resultLine({ uid: `other${n}` });
    });
    const index = await indexOf(await dir.write("x.jsonl", lines.join("")));
    for (const row of [0, 2 * (count - 1), 2 * Math.min(50, count - 1)]) {
      const detail = rowDetail(index, row)!;
      assertEquals(detail.sample_count, count);
      assertEquals(detail.samples.filter(({ id }) => id === detail.id).length, 1);
      const reached = new Set<string>();
      for (let from = 0; from < count;) {
        const { samples, samples_from } = rowDetail(index, row, from)!;
        assert(samples.length > 1);
        for (const { uid } of samples) reached.add(uid);
        from = samples_from + samples.length;
      }
      assertEquals(reached.size, count);
    }
    index.close();
  }
});

Deno.test("index: rows that are nested too deeply for V8 to serialize are still shown", async () => {
  await using dir = await tempDir();
  const deep = "[".repeat(60_000) + "]".repeat(60_000);
  const lines = [
    resultLine({ uid: "own", own: { deep: 0 } }).replace('"deep":0', `"deep":${deep}`),
    resultLine({ uid: "prompt" }).replace(/"prompt":"[^"]*"/, `"messages":[{"content":${deep}}]`),
    resultLine({ uid: "calls" }).replace('"tool_calls":"[]"', `"tool_calls":${deep}`),
  ];
  const index = await indexOf(await dir.write("x.jsonl", lines.join("")));
  for (const row of selectRows(index, "")) {
    assertEquals(rowDetail(index, row)?.uid, shownRow(index, row, ["deep"]).uid);
  }
  index.close();
});

Deno.test("shown rows have numbers as they are written, as the teacher was sent them", async () => {
  await using dir = await tempDir();
  const replaced = '{"tweet":9007199254740993}';
  const line = resultLine({ uid: "a", own: { tweet: 0, list: [1] }, distill: { replaced } })
    .replace('"tweet":0', '"tweet":9007199254740993').replace("[1]", "[1.0]")
    .replace('"tool_calls":"[]"', '"tool_calls":[{"arguments":{"id":9007199254740993}}]');
  const path = await dir.write("x.jsonl", line);
  await dir.write("x.run.json", JSON.stringify({ identity: { template: "Tweet {{tweet}}" } }));
  const index = new DataIndex([{ path }]);
  index.refresh();
  await index.readAll();
  const { own, prompt } = shownRow(index, 0, ["tweet"]);
  assertEquals([own.tweet, prompt], ["9007199254740993", "Tweet 9007199254740993"]);
  const detail = rowDetail(index, 0)!;
  assertEquals(detail.turns, [{ role: "user", text: "Tweet 9007199254740993" }]);
  assertEquals(detail.own.list, "[1.0]");
  assert(detail.tool_calls.includes(": 9007199254740993"), detail.tool_calls);
  index.close();
});

/** The largest number of which all smaller whole numbers are floats, and the next two. */
Deno.test("index: a field of numbers can be sorted by, however many fields of texts are before it", async () => {
  await using dir = await tempDir();
  const texts = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`text${i}`, "x"]));
  const lines = [2, 1, 3].map((number) =>
    resultLine({ uid: `r${number}`, own: { ...texts, number } })
  );
  const index = await indexOf(await dir.write("x.jsonl", lines.join("")));
  assertEquals(sortableFields(index.table).at(-1), "number");
  assertEquals([...sortRows(index.table, selectRows(index, ""), ["number"], false)!], [1, 0, 2]);
  index.close();
});

const LARGE = ["9007199254740992", "9007199254740993", "9007199254740994"];

Deno.test("index: whole numbers of any length are exact, in columns, facets, lines and a saved index", async () => {
  await using dir = await tempDir();
  const lines = LARGE.map((id, i) => {
    const own = { few: "ID", meta: { id: "ID" }, many: "ID", list: ["ID"] };
    return resultLine({ uid: `r${i}`, own }).replaceAll('"ID"', id);
  });
  // Too many values for a column.
  const others = Array.from(
    { length: 60 },
    (_, i) =>
      resultLine({ uid: `o${i}`, own: { many: "ID" } }).replace(
        '"ID"',
        `12345678901234567${10 + i}`,
      ),
  );
  const path = await dir.write("x.jsonl", [...lines, ...others].join(""));
  const built = new DataIndex([{ path }], true);
  await built.readAll();
  built.save();
  const saved = new DataIndex([{ path }], true);
  assertEquals(saved.table.length, 63, "the saved index was read");
  for (const index of [built, saved]) {
    using _file = { [Symbol.dispose]: () => index.close() };
    const all = selectRows(index, "");
    for (const field of ["few", "meta.id"]) {
      const facet = facetsOf(index.table, all).find((facet) => facet.field === field);
      assertEquals(facet?.values.map(({ value }) => String(value)), LARGE, field);
    }
    for (const [i, id] of LARGE.entries()) {
      for (const field of ["few", "meta.id", "many", "list[0]"]) {
        assertEquals(uids(index, `${field} == ${id}`), [`r${i}`], `${field} == ${id}`);
      }
    }
    assertEquals(uids(index, `few > ${LARGE[0]}`), ["r1", "r2"]);
    assertEquals(uids(index, `many in (${LARGE[1]}, 1234567890123456769)`), ["r1", "o59"]);
    assertEquals(sortableFields(index.table).slice(-3), ["few", "meta.id", "many"]);
    for (const field of ["few", "many"]) {
      const sorted = sortRows(index.table, all, [field], field === "few")!;
      const first = Array.from(sorted.subarray(0, 4), (row) => JSON.parse(index.textAt(row)).uid);
      // The first two numbers are equal as floats.
      const expected = { few: ["r2", "r0", "r1", "o0"], many: ["r0", "r1", "r2", "o0"] };
      assertEquals(first, expected[field as "few"], field);
    }
    assertEquals(shownRow(index, 1, ["few", "meta.id"]).own, {
      few: LARGE[1],
      "meta.id": LARGE[1],
    });
  }
});

Deno.test("index: a float beyond 2^53 is found by its value on the page, also with a saved index", async () => {
  await using dir = await tempDir();
  const lines = ["1.2345678901234568e+20", "2.5"].map((score, i) =>
    resultLine({ uid: `r${i}`, own: { score: "SCORE" } }).replace('"SCORE"', score)
  );
  const path = await dir.write("x.jsonl", lines.join(""));
  const built = new DataIndex([{ path }], true);
  await built.readAll();
  built.save();
  for (const index of [built, new DataIndex([{ path }], true)]) {
    using _file = { [Symbol.dispose]: () => index.close() };
    const facet = facetsOf(index.table, selectRows(index, "")).find(({ field }) =>
      field === "score"
    );
    const [, { value }] = parseExactly(jsonWithBigInts(facet!.values));
    const view = new ViewState();
    view.setChoice("score", value, "only");
    assertEquals(uids(index, view.condition()), ["r0"], view.condition());
    assertEquals(uids(index, "score == 1.2345678901234568e+20"), ["r0"]);
  }
});

Deno.test("index: a shown row is read and parsed once", async () => {
  await using dir = await tempDir();
  const index = await indexOf(
    await dir.write(
      "x.jsonl",
      resultLine({ uid: "a", own: { n: 1.5, id: 7 } }).replace("1.5", "1.50"),
    ),
  );
  const { parse } = JSON;
  let reads = 0, parses = 0;
  const counted = Object.create(index, {
    textAt: {
      value: (row: number) => {
        reads++;
        return index.textAt(row);
      },
    },
  });
  try {
    JSON.parse = (text, reviver) => {
      if (text.includes("prompt_hash")) parses++;
      return parse(text, reviver);
    };
    assertEquals(shownRow(counted, 0, ["n"]).own, { n: "1.50" });
    assertEquals([reads, parses], [1, 1]);
    assertEquals(rowDetail(counted, 0)?.own, { n: "1.50", id: "7" });
    assertEquals([reads, parses], [2, 2]);
  } finally {
    JSON.parse = parse;
    index.close();
  }
});

Deno.test("index: a file counts as live for seconds after a write, and not if its time is in the future", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x.jsonl", resultLine({ uid: "a" }));
  const nowMs = Date.now(), { now } = Date;
  for (const [offsetS, isLive] of [[0, true], [-3_600, false], [3_600, false]] as const) {
    const time = new Date(nowMs + offsetS * 1_000);
    await Deno.utime(path, time, time);
    const index = await indexOf(path);
    Date.now = () => nowMs + 5_000;
    const { isLive: isNowLive } = index;
    Date.now = now;
    assertEquals(isNowLive, isLive, `${offsetS} s`);
    index.close();
  }
});
