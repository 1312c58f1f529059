/** Rows with fields that are named like Retort's own: conditions can use both. @module */

import { assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import { UsageError } from "../../lib/errors.ts";
import { DataServer } from "../../lib/data/data_server.ts";
import { nearField } from "../../lib/data/table.ts";
import { DataIndex, selectRows } from "../../lib/data/mod.ts";
import { convertFiles } from "../../lib/export/mod.ts";
import { delay } from "../../lib/timer.ts";
import { columnOf } from "../../web/view/page/columns.js";
import { ViewState } from "../../web/view/page/view_state.js";
import { type TempDir, tempDir } from "../support/temp.ts";
import { failureLine, resultLine } from "./lines.ts";

async function openServer(dir: TempDir, text: string) {
  const index = new DataIndex([{ path: await dir.write("x.jsonl", text) }]);
  index.refresh();
  await index.readAll();
  return { index, server: new DataServer(index, []) };
}

Deno.test("own names: the page's columns sort by what they show", async () => {
  await using dir = await tempDir();
  const names = [
    ...["completion_tokens", "prompt_tokens", "reasoning_tokens", "latency_ms", "attempts"],
    "cost_usd",
  ];
  const lines = [1, 2, 3].map((number) =>
    resultLine({
      uid: String(number),
      own: Object.fromEntries(names.map((name) => [name, -number])),
      distill: Object.fromEntries(names.map((name) => [name, number])),
    })
  );
  const { index, server } = await openServer(dir, lines.join(""));
  const sortable = new Set(server.answer("state", {}).sortable);
  const sorted = (key: string) => {
    const column = columnOf(key, sortable);
    const { rows } = server.answer("rows", {
      where: "",
      sort: column.sort,
      descending: true,
      from: 0,
      count: 9,
      columns: [key],
    });
    return rows.map((row) => column.cell(row).map((cell) => typeof cell === "string" && row.uid));
  };
  for (const name of names) {
    assertEquals(sorted(name).flat(), ["3", "2", "1"], name);
    assertEquals(columnOf(`\`${name}\``, sortable).title, name);
    const { rows } = server.answer("rows", {
      where: "",
      sort: columnOf(`\`${name}\``, sortable).sort,
      descending: true,
      from: 0,
      count: 9,
      columns: [`\`${name}\``],
    });
    assertEquals(rows.map(({ own }) => own[`\`${name}\``]), ["-1", "-2", "-3"], name);
  }
  index.close();
});

Deno.test("own names: rows with an unknown cost are last, and meet no condition on it", async () => {
  await using dir = await tempDir();
  const { index, server } = await openServer(
    dir,
    resultLine({ uid: "unknown", own: { cost_usd: "odd" } }) +
      resultLine({ uid: "known", distill: { cost_usd: 0.5 } }),
  );
  for (const descending of [true, false]) {
    const query = { where: "", sort: "distill.cost_usd", descending, from: 0, count: 9 };
    const { rows } = server.answer("rows", { ...query, columns: [] });
    assertEquals(rows.map(({ uid }) => uid), ["known", "unknown"]);
  }
  assertEquals(selectRows(index, "distill.cost_usd < 1").length, 1);
  assertEquals(selectRows(index, "distill.cost_usd == null").length, 1);
  index.close();
});

Deno.test("own names: a cost of -1 is unknown in columns, lines and commands, and null is a value", async () => {
  await using dir = await tempDir();
  const path = await dir.write(
    "x.jsonl",
    [
      resultLine({ uid: "unknown", distill: { cost_usd: -1 }, own: { finish_reason: null } }),
      resultLine({ uid: "known", distill: { cost_usd: 0.5 } }),
    ].join(""),
  );
  const index = new DataIndex([{ path }]);
  index.refresh();
  await index.readAll();
  for (
    const [where, expected] of [
      ["cost_usd < 1", ["known"]],
      ["distill.cost_usd == null", ["unknown"]],
      ['finish_reason == "stop"', ["known"]],
    ] satisfies [string, string[]][]
  ) {
    const uids = (condition: string) =>
      [...selectRows(index, condition)].map((row) => JSON.parse(index.textAt(row)).uid);
    assertEquals(uids(where), expected, where);
    assertEquals(uids(`(${where}) or source == "none"`), expected, `${where} in lines`);
    const output = dir.path("converted.jsonl");
    await convertFiles({ input: path, output, where, replace: true });
    assertEquals((await dir.rows("converted.jsonl")).map(({ uid }) => uid), expected, where);
    await Deno.remove(output);
  }
  index.close();
});

Deno.test("own names: null among many numbers is a value, too", async () => {
  await using dir = await tempDir();
  const lines = Array.from({ length: 60 }, (_, number) =>
    resultLine({
      uid: String(number),
      own: number === 0 ? {} : { attempts: number === 1 ? null : number },
    }));
  const { index } = await openServer(dir, lines.join(""));
  const uids = (where: string) =>
    [...selectRows(index, where)].map((row) => JSON.parse(index.textAt(row)).uid);
  assertEquals(uids("attempts == null"), ["1"]);
  assertEquals(uids("attempts == 1"), ["0"]);
  index.close();
});

Deno.test("own names: columns and lines give Retort's fields the same values", async () => {
  await using dir = await tempDir();
  const own = Object.fromEntries(
    ["prompt_tokens", "attempts", "model", "teacher", "finish_reason", "status", "source_file"]
      .map((name) => [name, "own"]),
  );
  const answered = JSON.parse(resultLine({ uid: "answered", own }));
  const failed = { ...JSON.parse(failureLine("failed")), ...own, partial: { prompt_tokens: 10 } };
  const { index } = await openServer(
    dir,
    `${[answered, failed].map((line) => JSON.stringify(line)).join("\n")}\n`,
  );
  for (
    const [where, rows] of [
      ["distill.prompt_tokens == 10", [0, 1]],
      ["distill.attempts == 5", [1]],
      ['distill.teacher == ""', [1]],
      ['distill.model == "qwen3"', [0]],
      ['distill.status == "failed"', [1]],
      ['distill.source_file == "in.jsonl"', [0, 1]],
    ] satisfies [string, number[]][]
  ) {
    assertEquals([...selectRows(index, where)], rows, where);
    assertEquals([...selectRows(index, `${where} or kept == "?"`)], rows, `${where} in lines`);
  }
  index.close();
});

Deno.test("own names: the search in prompts finds what was asked", async () => {
  await using dir = await tempDir();
  const { index } = await openServer(
    dir,
    resultLine({ uid: "a", prompt: "Sunday" }) +
      resultLine({ uid: "b", prompt: "Monday", own: { system: "Sunday" } }) +
      resultLine({
        uid: "c",
        prompt: "Sunday",
        own: { messages: [{ role: "user", content: "x" }] },
      }),
  );
  const view = new ViewState();
  view.searchIn = "prompt";
  for (const isPattern of [false, true]) {
    view.search = "sun";
    view.isPattern = isPattern;
    assertEquals([...selectRows(index, view.condition())], [0], view.condition());
  }
  index.files[0].hints = { template: "Sum of {{uid}}" };
  view.search = "sum";
  assertEquals([...selectRows(index, view.condition())], [0, 1, 2]);
  index.close();
});

Deno.test("own names: fields that only the page computes can be combined with texts there", async () => {
  await using dir = await tempDir();
  const { index, server } = await openServer(
    dir,
    ["a", "b", "c"].map((uid) => resultLine({ uid })).join(""),
  );
  index.table.viewFields.set("near_duplicate", nearField(2, [1]));
  const total = async (where: string) => {
    while (true) {
      const rows = server.answer("rows", { where, from: 0, count: 9, columns: [] });
      if (rows.scan?.isDone !== false) return rows.total;
      // On a busy machine, a worker has to search what the first milliseconds have left.
      await delay(1);
    }
  };
  assertEquals(await total("near_duplicate"), 1);
  assertEquals(await total("distill.near_duplicate"), 1);
  assertEquals(await total('near_duplicate or response contains "to c"'), 2);
  assertEquals(await total('distill.near_duplicate or response contains "to c"'), 2);
  assertEquals(await total('not distill.near_duplicate and response contains "to"'), 2);
  for (const where of ["near_duplicate", "distill.near_duplicate", "not distill.compared_run"]) {
    assertThrows(() => selectRows(index, where), UsageError, "in a command: only the page");
  }
  index.close();
  const owned = await openServer(dir, resultLine({ uid: "a", own: { near_duplicate: 3 } }));
  assertEquals(selectRows(owned.index, "near_duplicate == 3").length, 1);
  assertThrows(() => selectRows(owned.index, "distill.near_duplicate"), UsageError);
  owned.index.close();
});

Deno.test("own names: near duplicates are searched in answered rows, whatever their own status is", async () => {
  await using dir = await tempDir();
  const lines = ["a", "b"].map((uid) =>
    resultLine({ uid, response: "The same long answer. ".repeat(5), own: { status: "open" } })
  );
  const { index, server } = await openServer(dir, lines.join("") + failureLine("c"));
  assertEquals(server.answer("near", { of: "response" })?.total, 2);
  while (await server.work());
  assertEquals(server.answer("state", {}).near?.copies, 1);
  // The file is replaced, so that its rows are others.
  await dir.write("y.jsonl", lines[0]);
  await Deno.rename(dir.path("y.jsonl"), dir.path("x.jsonl"));
  index.refresh();
  assertEquals(server.answer("state", {}).near, null);
  index.close();
});
