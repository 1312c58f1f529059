/** What the compiler accepts and rejects of the library. Nothing in this file is called. @module */

import {
  type Answer,
  distill,
  distillFiles,
  type DistillOutcome,
  type FailedRow,
  type FailureType,
  openai,
  type openaiCompatible,
  type OpenAITeacher,
  type RunEnd,
  type RunSnapshot,
  type Summary,
  type SummaryFile,
  type Teacher,
  type Usage,
} from "../../mod.ts";

/** Whether two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true
  : false;
function is<T extends true>(_?: T): void {}

interface MyRow {
  id: string;
  prompt: string;
}
declare const rows: MyRow[];
declare const teacher: Teacher;
declare const signal: AbortSignal;

/**
 * What functions return about a run has the fields of its events in camelCase, and the earlier
 * names.
 */
function _results(summary: Summary, snapshot: RunSnapshot) {
  is<Same<typeof summary.costUsd, number | null>>();
  is<Same<typeof summary.wastedByReason, Summary["wasted_by_reason"]>>();
  is<Same<typeof snapshot.teachers[number]["inFlight"], number>>();
  is<Same<typeof summary.errors[number]["firstSeen"], string>>();
  const files: SummaryFile[] = summary.files;
  is<Same<typeof files[number]["failures"], typeof summary.files[number]["failures"]>>();
  // Code for earlier versions still compiles.
  const event: RunEnd = summary;
  is<Same<typeof event.cost_usd, typeof summary.cost_usd>>();
  // @ts-expect-error there is no such field
  summary.costUSD;
}

async function _theSketch(save: (id: string, response: string, tokens: number) => void) {
  await using own = openai({ baseUrl: "http://127.0.0.1:1/v1", model: "qwen3" });
  for await (const a of distill(rows, { teacher: own, concurrency: 200, signal })) {
    if (a.ok) save(a.input.id, a.response, a.usage.completionTokens);
    else console.warn(a.uid, a.error.message);
  }
  const summary = await distillFiles("prompts.jsonl", "out/", { teacher: own });
  is<Same<typeof summary, Summary>>();
}

async function _genericsAreKept() {
  for await (const a of distill(rows, { teacher })) is<Same<typeof a, DistillOutcome<MyRow>>>();
  for await (const a of distill(new Set(["x"]), { teacher })) is<Same<typeof a.input, string>>();
  for await (const a of distill(new Map([["k", 1]]), { teacher })) {
    is<Same<typeof a.input, [string, number]>>();
  }
  async function* later(): AsyncGenerator<{ messages: unknown[] }> {}
  for await (const a of distill(later(), { teacher })) {
    is<Same<typeof a.input, { messages: unknown[] }>>();
  }
  const stream = new ReadableStream<MyRow>();
  for await (const a of distill(stream, { teacher })) is<Same<typeof a.input, MyRow>>();
  // The row type is inferred from the rows, not from the options.
  distill(rows, { teacher, validate: (a) => a.input.prompt.length > 0 && a.response !== "" });
  distill(rows, { teacher, validate: async (a) => await Promise.resolve(a.input.id) });
}

function _unionsNarrow(a: DistillOutcome<MyRow>) {
  if (a.ok) {
    is<Same<typeof a, Answer<MyRow>>>();
    is<Same<typeof a.usage, Required<Usage>>>();
    is<Same<typeof a.toolCalls, readonly unknown[]>>();
    // @ts-expect-error an answer has no error
    a.error;
  } else {
    is<Same<typeof a, FailedRow<MyRow>>>();
    is<Same<typeof a.error.type, FailureType>>();
    // @ts-expect-error a failed row has no response
    a.response;
  }
  is<Same<typeof a.costUsd, number | null>>();
  // @ts-expect-error outcomes are read only
  a.index = 3;
}

function _teachers() {
  const own = openai({ model: "m" });
  is<Same<typeof own, OpenAITeacher>>();
  is<Same<typeof openaiCompatible, typeof openai>>();
  // A teacher needs only complete().
  const least: Teacher = { complete: () => Promise.reject(new Error()) };
  distill(rows, { teachers: [{ teacher: least, weight: 2 }, { teacher: own }] });
  void distillFiles(new URL("file:///in.jsonl"), new URL("file:///out/"), { teacher: least });
  void distillFiles(["a", new URL("file:///b")] as const, "out/", { teacher, skipBadRows: true });
}

function _refused() {
  // @ts-expect-error a string is no list of rows
  distill("prompt", { teacher });
  // @ts-expect-error a teacher is needed
  distill(rows, {});
  // @ts-expect-error options are needed
  distill(rows);
  // @ts-expect-error one teacher or several
  distill(rows, { teacher, teachers: [{ teacher }] });
  // @ts-expect-error a misspelt name
  distill(rows, { teacher, concurency: 3 });
  // @ts-expect-error a wrong type
  distill(rows, { teacher, concurrency: "20" });
  // @ts-expect-error a wrong value
  distill(rows, { teacher, onTruncated: "kept" });
  // @ts-expect-error the row has no such field
  distill(rows, { teacher, validate: (a) => a.input.nothing });
  // @ts-expect-error an option of files
  distill(rows, { teacher, skipBadRows: true });
  // @ts-expect-error validate() of files belongs to ResponseGenerator
  void distillFiles("a", "out/", { teacher, validate: () => true });
  // @ts-expect-error the input is the first argument
  void distillFiles("a", "out/", { teacher, input: "b" });
  // @ts-expect-error a model is needed
  openai({});
  // @ts-expect-error a misspelt name
  openai({ model: "m", baseURL: "http://127.0.0.1" });
}
