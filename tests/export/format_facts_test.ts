/** What the definitions of formats say about rows holds for rows that were written. @module */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { parquetMetadata } from "../../lib/deps/hyparquet.ts";
import { ANSWER_FIELDS } from "../../lib/export/conversation.ts";
import { FORMATS } from "../../lib/export/formats.ts";
import {
  convertFiles,
  EXPORT_FORMATS,
  type ExportFormat,
  exportResults,
} from "../../lib/export/mod.ts";
import { isObject } from "../../lib/json.ts";
import type { Message } from "../../lib/teacher/mod.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { resultLineOf } from "./results.ts";

/** A row of results. Its second answer, for formats of pairs, is longer. */
interface Case {
  readonly messages: readonly Message[];
  readonly response?: string;
  readonly calls?: readonly unknown[];
  readonly tools?: readonly unknown[];
}

type Row = Record<string, unknown>;

const MARK = "fortytwo";
const TOOLS = [{ type: "function", function: { name: "f", parameters: { type: "object" } } }];
const CALLS = [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }];
const IMAGE = { type: "image_url", image_url: { url: "https://x/y.png" } };
/** A text longer than the start that needs an uneven message. */
const LONG = "x".repeat((3 << 20) + 1);

function user(content: unknown): Message {
  return { role: "user", content };
}

/** Exports the cases in a format, and reads the rows of the export as they are. */
async function exported(
  dir: TempDir,
  format: ExportFormat,
  cases: readonly Case[],
  kind = "jsonl",
): Promise<Row[]> {
  const { rows, target } = FORMATS[format];
  const samples = rows === "pairs" ? [0, 1] : [0];
  const lines = cases.flatMap(({ messages, tools, response = MARK, calls }, number) =>
    samples.map((sample) => {
      const token = { token: response, logprob: -1 };
      const completion = {
        response: response + " and more".repeat(sample),
        toolCalls: calls && [...calls],
        kept: { logprobs: { content: [token] } },
      };
      // Results hold the fields of their rows, which "raw" exports.
      const own = format === "raw"
        ? { prompt: messages, completion: messages, chosen: messages, rejected: messages }
        : {};
      const row = { id: number, messages, ...own, ...(tools ? { tools } : {}) };
      return resultLineOf(row, { source: `p.jsonl:${number + 1}`, sample, ...completion });
    })
  );
  const results = await dir.write("out.jsonl", `${lines.join("\n")}\n`);
  const output = dir.path(target === "folder" ? "set" : `x.${kind}`);
  const prefer = rows === "pairs" ? { prefer: "shortest" } as const : {};
  await exportResults({ results, output, format, replace: true, ...prefer });
  return await rowsOf(dir, output);
}

/** Converts pairs to a format. The columns of pairs have other names before they are chosen. */
async function converted(
  dir: TempDir,
  format: ExportFormat,
  cases: readonly Case[],
  kind = "jsonl",
): Promise<Row[]> {
  const input = await dir.write(
    "in.jsonl",
    cases.map(({ messages, tools, response = MARK, calls }) => {
      const answer = { role: "assistant", content: response, ...(calls && { tool_calls: calls }) };
      return { prompt: messages, chosen: [answer], rejected: [answer], ...(tools && { tools }) };
    }),
  );
  const output = dir.path(`y.${kind}`);
  await convertFiles({ input, output, format: format as "preference", replace: true });
  return await rowsOf(dir, output);
}

async function rowsOf(dir: TempDir, path: string): Promise<Row[]> {
  if (path.endsWith(".jsonl")) return await dir.rows(path.slice(dir.root.length + 1));
  await convertFiles({ input: path, output: dir.path("rows.jsonl"), replace: true });
  return await dir.rows("rows.jsonl");
}

/** Returns the lists of messages in a row, by their columns. */
function messagesIn(row: Row): [column: string, messages: Message[]][] {
  return Object.entries(row).filter((entry): entry is [string, Message[]] => {
    const [, value] = entry;
    return Array.isArray(value) && value.every((one) => isObject(one) && "role" in one);
  });
}

/** Returns the types that columns of a name have in the Parquet file of the folder. */
async function typesOf(dir: TempDir, name: string): Promise<string[]> {
  const data = await dir.exists("set") ? "set/data/" : "";
  const file = (await dir.names(data)).filter((one) => one.endsWith(".parquet")).at(-1)!;
  const { buffer } = await Deno.readFile(dir.path(`${data}${file}`));
  return parquetMetadata(buffer).schema.filter((element) => element.name === name)
    .map(({ type }) => type ?? "nested");
}

function isUneven(messages: readonly Message[]): boolean {
  return messages.some((message) => Object.keys(message).length > 2);
}

for (const format of EXPORT_FORMATS) {
  const { answerIn, rows, reasoning, turns, target } = FORMATS[format];
  const ways = rows === "pairs" ? [exported, converted] : [exported];

  Deno.test(`${format}: the answer is where answerIn says`, async () => {
    await using dir = await tempDir();
    const [row] = await exported(dir, format, [{ messages: [user("q")] }]);
    const found = ANSWER_FIELDS.filter((name) => row[name] !== undefined);
    const place = answerIn === "the last turn"
      ? Object.values(row).filter((value) => Array.isArray(value) && value.length > 1)
        .map((list) => (list as unknown[]).at(-1))[0]
      : row[answerIn];
    assert(JSON.stringify(place).includes(MARK), JSON.stringify(row));
    if (rows === "as they are") return;
    assertEquals(found, answerIn === "the last turn" ? [] : [answerIn]);
  });

  Deno.test(`${format}: all rows have the same columns, whichever row is the first`, async () => {
    if (rows === "as they are") return;
    await using dir = await tempDir();
    const system = { role: "system", content: "s" };
    const messages = [system, user("p"), { role: "assistant", content: "a" }, user("q")];
    const cases = [{ messages: [user("q")] }, { messages, tools: TOOLS }];
    for (const make of ways) {
      const made = await make(dir, format, cases);
      const columns = made.map((row) => Object.keys(row).sort());
      assertEquals(columns[0], columns[1]);
      assert(columns[0].includes("tools"));
      for (const row of made) assert(!Object.values(row).includes(null), JSON.stringify(row));
    }
  });

  Deno.test(`${format}: messages with other keys begin early enough for datasets`, async () => {
    // Only files of text have no schema.
    if (turns === "ShareGPT" || reasoning === "text" || target === "folder") return;
    await using dir = await tempDir();
    const called = [user("p"), { role: "assistant", content: "", tool_calls: CALLS }];
    const messages = [...called, { role: "tool", tool_call_id: "c", content: "r" }, user("q")];
    const late = { messages, tools: TOOLS, response: "", calls: CALLS };
    // A pair has two answers.
    const response = LONG.slice(rows === "pairs" ? LONG.length / 2 : 0);
    for (const make of ways) {
      const made = await make(dir, format, [{ messages: [user("q")], response }, late]);
      const first = new Map(messagesIn(made[0]));
      for (const [column, list] of messagesIn(made[1])) {
        if (isUneven(list)) assert(isUneven(first.get(column) ?? []), column);
      }
    }
  });

  Deno.test(`${format}: content is a list of parts in all messages if it is in one`, async () => {
    if (turns !== "messages") return;
    await using dir = await tempDir();
    const cases = [{ messages: [user("q")] }, { messages: [user([IMAGE])] }];
    for (const make of ways) {
      for (const row of await make(dir, format, cases, "parquet")) {
        const contents = messagesIn(row).flatMap(([, list]) => list.map(({ content }) => content));
        assert(contents.length > 1 && contents.every(Array.isArray), JSON.stringify(row));
      }
      // Columns of mixed types would be JSON text, which is read as the same rows.
      const types = await typesOf(dir, "content");
      assert(types.length > 0 && types.every((type) => type === "nested"), types.join(", "));
    }
  });
}

Deno.test("the mark for datasets is in the first row with messages, if other rows come first", async () => {
  await using dir = await tempDir();
  const called = [user("p"), { role: "assistant", content: "", tool_calls: CALLS }];
  const messages = [...called, { role: "tool", tool_call_id: "c", content: "r" }, user("q")];
  const rows = [{ prompt: "p" }, { messages: [user("q")] }, { prompt: LONG }, { messages }];
  const lines = rows.map((row, number) => resultLineOf(row, { source: `p.jsonl:${number + 1}` }));
  const results = await dir.write("out.jsonl", `${lines.join("\n")}\n`);
  const output = dir.path("x.jsonl");
  const { notes } = await exportResults({ results, output, format: "raw" });
  const [first, second] = await dir.rows("x.jsonl");
  assertEquals([first.messages, second.messages], [undefined, [{ ...user("q"), weight: 1 }]]);
  assert(notes.some((note) => note.includes("the first row with messages")));
});

Deno.test("the mark for datasets is early enough in the file of validation rows, too", async () => {
  await using dir = await tempDir();
  const called = [user("p"), { role: "assistant", content: "", tool_calls: CALLS }];
  const messages = [...called, { role: "tool", tool_call_id: "c", content: "r" }, user("q")];
  const short = Array.from({ length: 20 }, (_, id) => ({ id, messages: [user("q")] }));
  const late = Array.from({ length: 20 }, (_, i) => ({ id: 20 + i, messages }));
  // Without a row for validation at the start, the first one that comes gets the mark.
  for (const start of [short, []]) {
    const rows = [
      ...start,
      { id: -1, messages: [user(LONG)] },
      ...short.slice(start.length),
      ...late,
    ];
    const lines = rows.map((row, i) => resultLineOf(row, { source: `p.jsonl:${i + 1}` }));
    const results = await dir.write("out.jsonl", `${lines.join("\n")}\n`);
    const options = { output: dir.path("x.jsonl"), validation: 0.5, replace: true };
    await exportResults({ results, ...options, format: "messages" });
    for (const name of ["x.jsonl", "x.validation.jsonl"]) {
      const written = await dir.rows(name);
      assert(written.length > 10, name);
      const weights = written.map((row) => row.messages.at(-1).weight);
      assertEquals(weights, [1, ...weights.slice(1).fill(undefined)], name);
    }
  }
});
