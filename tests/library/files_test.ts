/** Tests of `distillFiles()`, and of paths wherever the library takes them. @module */

import { pathToFileURL } from "node:url";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "../../lib/deps/std_assert.ts";
import {
  convertFiles,
  type ConvertOptions,
  distillFiles,
  type DistillFilesOptions,
  type ExportOptions,
  exportResults,
  HaltedError,
  type MergeOptions,
  mergeRuns,
  ResponseGenerator,
  type RunEvent,
  type RunOptions,
  runStatuses,
  SourceError,
  type Teacher,
  TeacherError,
  verify,
} from "../../mod.ts";
import { tempDir } from "../support/temp.ts";

const teacher: Teacher = {
  complete: ({ messages }) =>
    Promise.resolve({
      response: `answer to ${messages.at(-1)!.content}`,
      finishReason: "stop",
      usage: null,
      model: "in-process",
    }),
};

Deno.test("distillFiles() takes strings, URLs and arrays of them", async () => {
  await using dir = await tempDir();
  const a = await dir.write("a.jsonl", [{ prompt: "one" }]);
  const b = pathToFileURL(await dir.write("b c.jsonl", [{ prompt: "two" }]));
  const summary = await distillFiles(a, dir.path("out/"), { teacher });
  assertEquals([summary.succeeded, summary.failed, summary.pending], [1, 0, 0]);
  const output = pathToFileURL(dir.path("out/"));
  assertEquals((await distillFiles(b, output, { teacher })).succeeded, 1);
  const both = await distillFiles([a, b], output, { teacher, concurrency: 2, fsync: "never" });
  assertEquals(both.files.map(({ succeeded }) => succeeded), [1, 1]);
  assertEquals((await dir.rows("out/b c.jsonl"))[0].response, "answer to two");
});

Deno.test("results of functions have camelCase names, events and files keep theirs", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", [{ prompt: "one" }, { prompt: "two" }]);
  const output = dir.path("out/");
  const generator = new ResponseGenerator({ teacher, priceIn: 1, priceOut: 1 });
  const events: RunEvent[] = [];
  generator.on((event) => {
    events.push(event);
    if (event.type === "snapshot" && generator.snapshot() !== undefined) {
      isSnakeFree(generator.snapshot()!);
    }
  });
  const summary = await generator.run({ input, output });
  isSnakeFree(summary);
  assertEquals([summary.failuresOnDisk, summary.teachers[0].inFlight], [0, 0]);
  // The earlier names exist as properties, but not in JSON.
  assertEquals(summary.failures_on_disk, 0);
  assertEquals(summary.teachers[0].completion_tokens, summary.teachers[0].completionTokens);
  const end = events.at(-1)!;
  assertEquals("failures_on_disk" in end && Object.keys(end).includes("failures_on_disk"), true);
  const run = JSON.parse(await Deno.readTextFile(dir.path("out/in.run.json")));
  assertEquals(run.summary.failures_on_disk, 0);
  for (
    const result of [await generator.preview({ input, output }), ...await verify({ input, output })]
  ) {
    isSnakeFree(result);
  }
});

function isSnakeFree(result: object): void {
  const names: string[] = [];
  JSON.stringify(result, (name, value) => {
    names.push(name);
    return ["wastedByReason", "actions", "request", "requests"].includes(name) ? undefined : value;
  });
  assertEquals(names.filter((name) => name.includes("_")), []);
}

Deno.test("run(), preview(), verify() and exportResults() take strings and URLs", async () => {
  await using dir = await tempDir();
  const path = await dir.write("in.jsonl", [{ prompt: "one" }]);
  for (const input of [path, pathToFileURL(path), [path], [pathToFileURL(path)]]) {
    const output = pathToFileURL(dir.path("out/"));
    const generator = new ResponseGenerator({ teacher });
    assertEquals((await generator.preview({ input, output })).total, 1);
    assertEquals((await generator.run({ input, output })).files[0].succeeded, 1);
    assertEquals((await verify({ input, output }))[0].succeeded, 1);
  }
  const results = pathToFileURL(dir.path("out/in.jsonl"));
  const output = pathToFileURL(dir.path("train.jsonl"));
  assertEquals((await exportResults({ results, output, format: "messages" })).rows, 1);
});

Deno.test("files: misuse is named, with the nearest option", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", [{ prompt: "one" }]);
  const output = dir.path("out/");
  const wrong = [
    [{ teacher, skipBadRow: true }, 'Did you mean "skipBadRows"?'],
    [{ teacher, fsync: "sometimes" }, '"always" or "never"'],
    [{ teacher, retry: ["rate_limt"] }, "failure types"],
    [{ teacher, limit: "3" }, 'limit "3": it must be a whole number'],
    [{ teacher, input }, 'option "input"'],
    [{ teacher, apiKey: "k" }, "as in openai({ apiKey: … })"],
    [{ teacher, validate: () => true }, 'option "validate"'],
  ] as const;
  for (const [options, words] of wrong) {
    const call = () => distillFiles(input, output, options as unknown as DistillFilesOptions);
    await assertRejects(call, TypeError, words);
  }
  const generator = new ResponseGenerator({ teacher });
  for (const run of [{ inputs: input, output }, { input: 3, output }, { output }]) {
    const call = () => generator.run(run as unknown as RunOptions);
    await assertRejects(call, TypeError, "input");
  }
  const other: [() => Promise<unknown>, string][] = [
    [() => verify({ input } as RunOptions), 'Cannot verify without "output"'],
    [() => exportResults({} as ExportOptions), 'Cannot export without "results"'],
    [() => mergeRuns({ output } as MergeOptions), 'Cannot merge without "outputs"'],
    [
      () => exportResults({ results: 3, output, format: "raw" } as unknown as ExportOptions),
      "results 3: it must be a path",
    ],
    [
      () => exportResults({ results: input, output, format: "raw", dedup: true } as ExportOptions),
      'Did you mean "dedupe"?',
    ],
    [() => runStatuses(null as unknown as string), "Cannot use a value of type object as a path"],
    [() => convertFiles({ input, output, columns: "id" } as unknown as ConvertOptions), "columns"],
  ];
  for (const [call, words] of other) await assertRejects(call, TypeError, words);
  const remote = new URL("https://user:secret@example.com/in.jsonl");
  const error = await assertRejects(() => distillFiles(remote, output, { teacher }), TypeError);
  assert(!error.message.includes("secret"), error.message);
  await assertRejects(
    () => verify({ input, output, sample: 2 } as unknown as RunOptions),
    TypeError,
    'Did you mean "samples"?',
  );
});

Deno.test("a SourceError has the place of the only problem", async () => {
  await using dir = await tempDir();
  const place = async (...inputs: string[]) => {
    const call = () => distillFiles(inputs, dir.path("out/"), { teacher });
    const { path, line, cause } = await assertRejects(call, SourceError);
    return [path, line, cause !== undefined];
  };
  const good = await dir.write("good.jsonl", [{ prompt: "one" }]);
  const bad = await dir.write("bad.jsonl", '{"prompt":"x"}\n{bad\n');
  assertEquals(await place(good, bad), [bad, 2, false]);
  const missing = dir.path("missing.jsonl");
  assertEquals(await place(good, missing), [missing, undefined, true]);
  assertEquals(await place(missing, bad), [undefined, undefined, false]);
  const worse = await dir.write("worse.jsonl", "{bad\n{}\n");
  assertEquals(await place(worse), [undefined, undefined, false]);
});

Deno.test("distillFiles() throws the reason of an abort, and a halt, with the answers on disk", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", [{ prompt: "one" }, { prompt: "two" }]);
  const output = dir.path("out/");
  const reason = new Error("enough");
  const abort = new AbortController();
  const slow: Teacher = {
    complete: (request, signal) => {
      if (request.messages[0].content === "one") return teacher.complete(request, signal);
      queueMicrotask(() => abort.abort(reason));
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    },
  };
  const { signal } = abort;
  const thrown = await assertRejects(() => distillFiles(input, output, { teacher: slow, signal }));
  assertStrictEquals(thrown, reason);
  assertEquals((await dir.rows("out/in.jsonl")).length, 1);
  const refusing: Teacher = {
    complete: () => Promise.reject(new TeacherError("Incorrect API key", { status: 401 })),
  };
  await assertRejects(() => distillFiles(input, output, { teacher: refusing }), HaltedError, "key");
  assertEquals((await distillFiles(input, output, { teacher })).files[0].succeeded, 2);
});
