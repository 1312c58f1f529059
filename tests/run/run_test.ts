/** Whole runs in this process: what controls, refuses or ends them. @module */

import {
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { basename } from "../../lib/deps/std_path.ts";
import {
  type Completion,
  mergeRuns,
  ResponseGenerator,
  type ResponseGeneratorOptions,
  type RunOptions,
  type RunState,
  type Snapshot,
  SourceError,
  type Teacher,
  TeacherError,
  type TeacherRequest,
  verify,
} from "../../mod.ts";
import { LockedError, UsageError } from "../../lib/errors.ts";
import { POSIX } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

/** Answers at once by default, and records the rows that were sent. */
class TestTeacher implements Teacher {
  readonly model = "test";
  readonly asked: string[] = [];
  inFlight = 0;
  peak = 0;
  answer: (request: TeacherRequest) => Promise<void> | void = () => {};

  async complete(request: TeacherRequest): Promise<Completion> {
    this.asked.push(request.uid);
    this.peak = Math.max(this.peak, ++this.inFlight);
    try {
      await this.answer(request);
      return { response: `to ${request.uid}`, finishReason: "stop", usage: null, model: "test" };
    } finally {
      this.inFlight--;
    }
  }
}

function generatorOf(teacher: Teacher, options: Partial<ResponseGeneratorOptions> = {}) {
  return new ResponseGenerator({ teacher, ...options });
}

function rowsOf(...ids: string[]): { id: string; prompt: string }[] {
  return ids.map((id) => ({ id, prompt: `What is ${id}?` }));
}

function refuse(): never {
  throw new TeacherError("no", { status: 400 });
}

Deno.test("a run that is refused for the lock leaves the spool of the run that holds it", async () => {
  await using dir = await tempDir();
  const output = dir.path("out/");
  const started = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const teacher = new TestTeacher();
  teacher.answer = () => (started.resolve(), goOn.promise);
  const stdin = () => new Blob([JSON.stringify({ id: "a", prompt: "?" })]).stream();
  const first = generatorOf(teacher).run({ input: ["-"], output, stdin: stdin() });
  await started.promise;
  const second = generatorOf(teacher).run({ input: ["-"], output, stdin: stdin() });
  await assertRejects(() => second, LockedError);
  const isSpool = (name: string) => /^stdin\.input\.[0-9a-f]{16}$/.test(name);
  assertEquals((await dir.names("out")).filter(isSpool).length, 1);
  goOn.resolve();
  assertEquals((await first).state, "done");
  assertEquals((await dir.names("out")).filter(isSpool), []);
});

Deno.test("a run that starts over deletes nothing before its input is validated", async () => {
  await using dir = await tempDir();
  const options = { input: [await dir.write("in.jsonl", rowsOf("a"))], output: dir.path("out/") };
  await generatorOf(new TestTeacher()).run(options);
  const before = [await dir.read("out/in.jsonl"), await dir.read("out/in.run.json")];
  await dir.write("in.jsonl", "not JSON\n");
  const again = { ...options, resume: false, overwrite: true };
  await assertRejects(() => generatorOf(new TestTeacher()).run(again), SourceError);
  assertEquals([await dir.read("out/in.jsonl"), await dir.read("out/in.run.json")], before);
});

Deno.test("a run that starts over keeps no old results", async () => {
  await using dir = await tempDir();
  const options = { input: [await dir.write("in.jsonl", rowsOf("a"))], output: dir.path("out/") };
  await generatorOf(new TestTeacher(), { params: { seed: 1 } }).run(options);
  const teacher = new TestTeacher();
  const again = { ...options, resume: false, overwrite: true };
  await generatorOf(teacher, { params: { seed: 2 } }).run(again);
  assertEquals(teacher.asked, ["a"]);
  assertEquals((await dir.rows("out/in.jsonl")).length, 1);
  const { params } = JSON.parse(await dir.read("out/in.run.json"));
  assertEquals(Object.values(params), [{ seed: 2 }]);
});

Deno.test("--retry with other parameters does not make them those of the results", async () => {
  await using dir = await tempDir();
  const options = {
    input: [await dir.write("in.jsonl", rowsOf("a", "b", "c"))],
    output: dir.path("out/"),
  };
  const teacher = new TestTeacher();
  teacher.answer = ({ uid }) => uid === "b" ? refuse() : undefined;
  await generatorOf(teacher, { params: { seed: 1 } }).run({ ...options, limit: 2 });
  teacher.answer = () => {};
  const retry = { ...options, retry: true };
  assertEquals((await generatorOf(teacher, { params: { seed: 2 } }).run(retry)).succeeded, 1);
  const summary = await generatorOf(teacher, { params: { seed: 1 } }).run(options);
  assertEquals([summary.state, summary.pending], ["done", 0]);
  assertEquals(teacher.asked, ["a", "b", "b", "c"]);
  const { params } = JSON.parse(await dir.read("out/in.run.json"));
  for (const { distill } of await dir.rows("out/in.jsonl")) {
    assertEquals(params[distill.params], { seed: distill.source.endsWith(":2") ? 2 : 1 });
  }
});

Deno.test("the error about inputs has the place of the only problem, and none if there are several", async () => {
  await using dir = await tempDir();
  const good = await dir.write("good.jsonl", rowsOf("a"));
  const one = await dir.write("one.jsonl", '{"prompt":"p"}\n5\n');
  const two = await dir.write("two.jsonl", "5\n6\n");
  const missing = dir.path("missing.jsonl");
  const placeOf = async (...input: string[]) => {
    const run = generatorOf(new TestTeacher()).run({ input, output: dir.path("out/") });
    const { path, line } = await assertRejects(() => run, SourceError);
    return [path, line];
  };
  assertEquals(await placeOf(good, one), [one, 2]);
  assertEquals(await placeOf(good, missing), [missing, undefined]);
  for (const inputs of [[two], [one, two], [one, missing]]) {
    assertEquals(await placeOf(...inputs), [undefined, undefined]);
  }
});

Deno.test("stop() while a run claims its outputs ends the claiming", async () => {
  await using dir = await tempDir();
  const input = [];
  for (const name of ["a", "b", "c"]) input.push(await dir.write(`${name}.jsonl`, rowsOf(name)));
  const generator = generatorOf(new TestTeacher());
  const { open } = Deno;
  Deno.open = (path, options) => {
    if (String(path).endsWith("a.lock")) generator.stop();
    return open(path, options);
  };
  try {
    const { state } = await generator.run({ input, output: dir.path("out/") });
    assertEquals(state, "interrupted");
  } finally {
    Deno.open = open;
  }
  assertEquals((await dir.names("out")).filter((name) => name.endsWith(".lock")), ["a.lock"]);
});

Deno.test("stop() between the first pass and the first call makes no call", async () => {
  await using dir = await tempDir();
  const teacher = new TestTeacher();
  const generator = generatorOf(teacher);
  generator.on((event) => {
    if (event.type === "run-start") generator.stop();
  });
  const input = [await dir.write("in.jsonl", rowsOf("a", "b"))];
  const summary = await generator.run({ input, output: dir.path("out/") });
  assertEquals([summary.state, summary.pending, teacher.asked.length], ["interrupted", 2, 0]);
});

Deno.test("stop() after the last row was sent makes a run that is done", async () => {
  await using dir = await tempDir();
  const teacher = new TestTeacher();
  const generator = generatorOf(teacher, { concurrency: 1 });
  const snapshots: Snapshot[] = [];
  generator.on((event) => {
    if (event.type === "snapshot") snapshots.push(event);
  });
  teacher.answer = ({ uid }) => {
    if (uid === "b") generator.stop();
  };
  const input = [await dir.write("in.jsonl", rowsOf("a", "b"))];
  const summary = await generator.run({ input, output: dir.path("out/") });
  assertEquals([summary.state, summary.succeeded, summary.pending], ["done", 2, 0]);
  assertEquals(snapshots.at(-1)!.state, "done");
});

Deno.test("stop() before all bad rows are in the failures file makes a run that is interrupted", async () => {
  await using dir = await tempDir();
  const teacher = new TestTeacher();
  const generator = generatorOf(teacher, { concurrency: 1 });
  const states: RunState[] = [];
  generator.on((event) => {
    if (event.type === "snapshot") states.push(event.state);
  });
  teacher.answer = () => generator.stop();
  // Bad lines over many chunks of the file, without a row among them.
  const bad = `${"x".repeat(1_000)}\n`;
  const [first, last] = rowsOf("a", "b").map((row) => JSON.stringify(row));
  const input = [await dir.write("in.jsonl", `${first}\n${bad.repeat(1_000)}${last}\n`)];
  const options = { input, output: dir.path("out/"), skipBadRows: true };
  assertEquals((await generator.run(options)).state, "interrupted");
  assertEquals(states.at(-1), "halted");
  const written = (await dir.rows("out/in_error.jsonl")).length;
  assertEquals(written < 500, true, `${written} were written after the stop`);
  assertEquals((await generatorOf(teacher).run(options)).state, "done");
  assertEquals((await dir.rows("out/in_error.jsonl")).length, 1_000);
  assertEquals(teacher.asked, ["a", "b"]);
});

Deno.test("setConcurrency() and pause() take effect while a run is being prepared", async () => {
  await using dir = await tempDir();
  const teacher = new TestTeacher();
  const generator = generatorOf(teacher);
  const started = Promise.withResolvers<void>();
  generator.on((event) => {
    if (event.type === "run-start") started.resolve();
  });
  teacher.answer = () => new Promise((resolve) => setTimeout(resolve, 0));
  const input = [await dir.write("in.jsonl", rowsOf("a", "b", "c"))];
  const run = generator.run({ input, output: dir.path("out/") });
  generator.setConcurrency(1);
  generator.pause();
  await started.promise;
  while (generator.state !== "paused") await new Promise((resolve) => setTimeout(resolve, 1));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(teacher.asked.length, 0);
  generator.resume();
  assertEquals((await run).succeeded, 3);
  assertEquals(teacher.peak, 1);
});

Deno.test("setConcurrency() may be called to the end of a run, when its files are closed", async () => {
  await using dir = await tempDir();
  await dir.write("in.jsonl", rowsOf("a", "b"));
  const generator = generatorOf(new TestTeacher());
  const events: string[] = [];
  generator.on(({ type }) => {
    generator.setConcurrency(3);
    events.push(type);
  });
  await generator.run({ input: [dir.path("in.jsonl")], output: dir.path("out/") });
  assertEquals(events.slice(-2), ["snapshot", "run-end"]);
});

Deno.test("a row's failure stays after its outdated answer was moved away", async () => {
  await using dir = await tempDir();
  const teacher = new TestTeacher();
  const options = { input: [await dir.write("in.jsonl", rowsOf("a"))], output: dir.path("out/") };
  teacher.answer = refuse;
  await generatorOf(teacher).run(options);
  const failure = await dir.read("out/in_error.jsonl");
  teacher.answer = () => {};
  await generatorOf(teacher).run({ ...options, retry: true });
  // As if the retry had been killed before its cleanup: the row has a result and a failure.
  await dir.write("out/in_error.jsonl", failure);
  await dir.write("in.jsonl", [{ id: "a", prompt: "edited" }]);
  teacher.answer = refuse;
  const summary = await generatorOf(teacher).run({ ...options, changed: "reask" });
  assertEquals([summary.failures_on_disk, summary.pending], [1, 0]);
  assertEquals((await dir.rows("out/in_error.jsonl")).map(({ prompt }) => prompt), ["edited"]);
});

Deno.test("a retry sends a failed row as it is in the input now, and an edited answer is still protected", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", rowsOf("a", "b")), output = dir.path("out.jsonl");
  const teacher = new TestTeacher();
  teacher.answer = ({ uid }) => {
    if (uid === "a") refuse();
  };
  await generatorOf(teacher).run({ input, output });
  teacher.answer = () => {};
  const [, b] = rowsOf("a", "b");
  await dir.write("in.jsonl", [{ id: "a", prompt: "edited" }, { ...b, prompt: "edited" }]);
  const retry = () => generatorOf(teacher).run({ input, output, retry: true });
  await assertRejects(retry, UsageError, "1 row was edited");
  await dir.write("in.jsonl", [{ id: "a", prompt: "edited" }, b]);
  assertEquals((await retry()).succeeded, 1);
  const prompts = (await dir.rows("out.jsonl")).map(({ prompt }) => prompt);
  assertEquals(prompts, [b.prompt, "edited"]);
});

Deno.test("an input that can be read only once is refused before a call", POSIX, async () => {
  await using dir = await tempDir();
  const run = generatorOf(new TestTeacher()).run({
    input: ["/dev/null"],
    output: dir.path("out/"),
  });
  const { message } = await assertRejects(() => run, SourceError);
  assertStringIncludes(message, 'Cannot read "/dev/null"');
  assertMatch(message, /twice/);
});

Deno.test("verify() reads a prefill as the run did", async () => {
  await using dir = await tempDir();
  const messages = [{ role: "user", content: "Count" }, { role: "assistant", content: "One," }];
  const options = {
    input: [await dir.write("in.jsonl", [{ id: "a", messages }])],
    output: dir.path("out/"),
  };
  await generatorOf(new TestTeacher(), { params: { continue_final_message: true } }).run(options);
  const [found] = await verify(options);
  assertEquals([found.succeeded, found.changed], [1, 0]);
});

Deno.test("an early break ends the reading of rows that are all bad", async () => {
  let read = 0;
  const leftAt = Promise.withResolvers<number>();
  async function* bad() {
    try {
      for (; read < 10_000; read++) {
        await Promise.resolve();
        yield 42;
      }
    } finally {
      leftAt.resolve(read);
    }
  }
  for await (const outcome of generatorOf(new TestTeacher()).generate(bad())) {
    assertEquals(outcome.ok, false);
    break;
  }
  assertEquals(await leftAt.promise < 100, true);
});

Deno.test("an input that was changed after the first pass is refused before a call", async () => {
  await using dir = await tempDir();
  const teacher = new TestTeacher();
  const generator = generatorOf(teacher);
  const input = [await dir.write("in.jsonl", rowsOf("a", "b"))];
  const leave = generator.on((event) => {
    if (event.type === "run-start") Deno.writeTextFileSync(input[0], '{"id":"c","prompt":"?"}\n');
  });
  const options = { input, output: dir.path("out/") };
  await assertRejects(() => generator.run(options), SourceError, "changed while the run read it");
  assertEquals(teacher.asked, []);
  leave();
  assertEquals((await generator.run(options)).succeeded, 1);
});

Deno.test("a listener that leaves during a later run gets no more events", async () => {
  await using dir = await tempDir();
  const options = { input: [await dir.write("in.jsonl", rowsOf("a"))], output: dir.path("out/") };
  const generator = generatorOf(new TestTeacher());
  const types: string[] = [];
  const leave = generator.on(({ type }) => void types.push(type));
  await generator.run(options);
  types.length = 0;
  generator.on(() => leave());
  await generator.run(options);
  assertEquals(types.length, 1);
});

Deno.test("the error of an async listener is ignored", async () => {
  await using dir = await tempDir();
  const options = { input: [await dir.write("in.jsonl", rowsOf("a"))], output: dir.path("out/") };
  const generator = generatorOf(new TestTeacher());
  generator.on(() => Promise.reject(new Error("Of the listener")));
  assertEquals((await generator.run(options)).succeeded, 1);
});

Deno.test("verify() uses the last failure of a row, as a run does", async () => {
  await using dir = await tempDir();
  const teacher = new TestTeacher();
  teacher.answer = refuse;
  const options = { input: [await dir.write("in.jsonl", rowsOf("a"))], output: dir.path("out/") };
  await generatorOf(teacher).run(options);
  const older = await dir.read("out/in_error.jsonl");
  await dir.write("in.jsonl", [{ id: "a", prompt: "edited" }]);
  await generatorOf(teacher).run({ ...options, changed: "reask" });
  // As if that run had been killed before its cleanup.
  await dir.write("out/in_error.jsonl", older + await dir.read("out/in_error.jsonl"));
  const [found] = await verify(options);
  assertEquals([found.failed, found.changed], [1, 0]);
});

/** How locking fails on network filesystems without locks. */
const NO_LOCKS: readonly [code: string, message: string][] = [
  ["ENOLCK", "No locks available (os error 37)"],
  ["ENOTSUP", "Operation not supported (os error 95)"],
  ["EIO", "Input/output error (os error 5)"],
];

for (const [code, message] of NO_LOCKS) {
  Deno.test({
    name: `results that cannot be locked (${code}) are written anyway, and this is reported once`,
    ignore: Deno.build.os === "windows",
    async fn() {
      await using dir = await tempDir();
      const input = [
        await dir.write("a.jsonl", rowsOf("1", "2")),
        await dir.write("b.jsonl", rowsOf("3")),
      ];
      const generator = generatorOf(new TestTeacher());
      const notices: string[] = [];
      generator.on((event) => {
        if (event.type === "notice") notices.push(event.message);
      });
      const { open } = Deno;
      Deno.open = async (path, options) => {
        const file = await open(path, options);
        const failing = () => Promise.reject(Object.assign(new Error(message), { code }));
        if (String(path).endsWith(".jsonl")) file.tryLock = failing;
        return file;
      };
      try {
        for (const lock of [true, false]) {
          const output = dir.path(`${lock}/`);
          const { state, succeeded } = await generator.run({ input, output, lock });
          assertEquals([state, succeeded], ["done", 3]);
        }
      } finally {
        Deno.open = open;
      }
      const path = dir.path("true/a");
      assertEquals(notices.filter((notice) => notice.includes("lock")), [
        `Cannot lock "${path}.jsonl": ${message}. Do not remove "${path}.lock", which keeps ` +
        "other runs away",
      ]);
    },
  });
}

Deno.test("the rows of several inputs are read again, not kept in memory", async () => {
  await using dir = await tempDir();
  const last = await dir.write("d.jsonl", [{ prompt: "old" }]);
  const { mtime } = await Deno.stat(last);
  const teacher = new TestTeacher();
  teacher.answer = async ({ uid }) => {
    if (uid !== "a") return;
    await dir.write("d.jsonl", [{ prompt: "new" }]);
    await Deno.utime(last, mtime!, mtime!);
  };
  // Two inputs are read ahead while the first row is answered, but the last one is not.
  const others = ["a", "b", "c"].map((id) => dir.write(`${id}.jsonl`, rowsOf(id)));
  const input = [...await Promise.all(others), last];
  const run = generatorOf(teacher, { concurrency: 1 }).run({ input, output: dir.path("out/") });
  await assertRejects(() => run, SourceError, "was changed while the run read it");
  assertEquals(teacher.asked, ["a", "b", "c"]);
});

Deno.test("a run without anything to do keeps the summary of the run before, and says so of itself", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", [{ prompt: "a" }, { prompt: "b" }]);
  const run = () =>
    new ResponseGenerator({ teacher: new TestTeacher(), priceIn: 1, priceOut: 1 })
      .run({ input, output: dir.path("out/") });
  const kept = async () => JSON.parse(await dir.read("out/in.run.json")).summary;
  await run();
  const first = await kept();
  assertEquals([first.succeeded, first.attempts], [2, 2]);
  assertEquals((await run()).attempts, 0);
  assertEquals(await kept(), first);
  // Once there is something to do, the summary is that of the last run.
  await dir.write("in.jsonl", [{ prompt: "a" }, { prompt: "b" }, { prompt: "c" }]);
  await run();
  assertEquals((await kept()).attempts, 1);
});

Deno.test("a run that continues says where its answers came from, unless the input is the same file", async () => {
  await using dir = await tempDir();
  const output = dir.path("out.jsonl");
  const noticesOf = async (input: string) => {
    const found: string[] = [];
    const generator = generatorOf(new TestTeacher());
    generator.on((event) => {
      if (event.type === "notice") found.push(event.message);
    });
    await generator.run({ input, output });
    return found.filter((message) => message.includes("until now"));
  };
  const input = await dir.write("in.jsonl", rowsOf("a"));
  assertEquals(await noticesOf(input), []);
  assertEquals(await noticesOf(dir.path("../") + `${basename(dir.root)}/in.jsonl`), []);
  const copy = await dir.write("copy.jsonl", rowsOf("a"));
  const [notice] = await noticesOf(copy);
  assertStringIncludes(notice, `in.jsonl" until now`);
});

Deno.test("a whole run and its preview say at the start that results belong to none of its rows", async () => {
  await using dir = await tempDir();
  const input = dir.path("in.jsonl");
  const noticesOf = async (
    rows: object[] | "unchanged",
    { output = dir.path("out.jsonl"), ...options }: Partial<RunOptions> = {},
    samples?: number,
  ) => {
    if (rows !== "unchanged") await dir.write("in.jsonl", rows);
    const found: string[] = [];
    const generator = generatorOf(new TestTeacher(), { samples });
    generator.on((event) => {
      if (event.type === "notice") found.push(event.message);
    });
    await generator.run({ input, output, ...options });
    return found.filter((message) => message.includes("without a row"));
  };
  assertEquals(await noticesOf(rowsOf("a", "b", "c")), []);
  assertEquals(await noticesOf(rowsOf("a", "d"), { limit: 2 }), []);
  assertEquals(await noticesOf(rowsOf("a", "d"), { retry: true, uids: ["a"] }), []);
  assertEquals(await noticesOf(rowsOf("a", "d"), { retry: true }), []);
  const [notice, ...others] = await noticesOf(rowsOf("a", "d"));
  assertEquals(others, []);
  assertMatch(notice, /^The output has 2 results without a row or sample in this run/);
  assertEquals(await noticesOf(rowsOf("a", "b", "c", "d")), []);
  assertEquals(await noticesOf(rowsOf("a", "b", "c", "d"), {}, 2), []);
  // Samples beyond those of the run count as well, also once the run file has the lower number.
  for (let run = 0; run < 2; run++) {
    const [surplus] = await noticesOf(rowsOf("a", "b", "c", "d"), {}, 1);
    assertMatch(surplus, /^The output has 4 results without a row or sample in this run/);
  }
  // A shard reads a part of the input only.
  const sharded = { output: dir.path("shards/"), shard: { index: 0, count: 1 } };
  assertEquals(await noticesOf(rowsOf("a", "b"), sharded, 2), []);
  assertEquals(await noticesOf("unchanged", sharded, 1), []);
});

Deno.test("a run with fewer samples does not take the prompts of the others for those of rows with another id", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", rowsOf("a", "b")), output = dir.path("out.jsonl");
  const teacher = new TestTeacher();
  await generatorOf(teacher, { samples: 2 }).run({ input, output });
  const lines = await dir.rows("out.jsonl");
  await dir.write("out.jsonl", lines.filter(({ uid }) => uid !== "a"));
  await generatorOf(teacher, { samples: 1 }).run({ input, output });
  assertEquals(teacher.asked.slice(4), ["a"]);
  // A run that was interrupted after it wrote its own number of samples to the run file.
  await dir.write("out.jsonl", lines.filter(({ uid }) => uid !== "a"));
  await generatorOf(teacher, { samples: 1 }).run({ input, output });
  assertEquals(teacher.asked.slice(5), ["a"]);
  // Rows with other ids are noticed beside further samples.
  await dir.write(
    "in.jsonl",
    rowsOf("a", "b").map((row, i) => i === 0 ? { ...row, id: "c" } : row),
  );
  const rerun = () => generatorOf(teacher, { samples: 1 }).run({ input, output });
  await assertRejects(rerun, UsageError, "for 2 results");
});

Deno.test("a run with fewer samples sends a new row with the prompt of an answered one", async () => {
  await using dir = await tempDir();
  const rows = ["a", "b"].map((id) => ({ id, prompt: "the same" }));
  const input = await dir.write("in.jsonl", rows), output = dir.path("out.jsonl");
  const teacher = new TestTeacher();
  await generatorOf(teacher, { samples: 2 }).run({ input, output, limit: 1 });
  await generatorOf(teacher, { samples: 1 }).run({ input, output });
  assertEquals(teacher.asked, ["a", "a#1", "b"]);
});

Deno.test("a bad row that was edited and is still bad replaces its line in the failures file", async () => {
  await using dir = await tempDir();
  const output = dir.path("out.jsonl"), input = dir.path("in.jsonl");
  const rawsAfter = async (...lines: string[]) => {
    await dir.write("in.jsonl", ['{"prompt":"a"}', ...lines, ""].join("\n"));
    await generatorOf(new TestTeacher()).run({ input, output, skipBadRows: true });
    return (await dir.rows("out_error.jsonl")).map(({ raw }) => raw);
  };
  assertEquals(await rawsAfter("first", "kept"), ["first", "kept"]);
  assertEquals(await rawsAfter("second", "kept"), ["kept", "second"]);
  assertEquals(await rawsAfter("second", "kept"), ["kept", "second"]);
});

Deno.test("a run over one input of a merge leaves the rows of the other inputs alone", async () => {
  await using dir = await tempDir();
  const lines = (id: string) => `{"id":"${id}","prompt":"same"}\nbad ${id}\n`;
  const a = await dir.write("a.jsonl", lines("a")), b = await dir.write("b.jsonl", lines("b"));
  const options = { skipBadRows: true }, output = dir.path("all.jsonl");
  const shard = { index: 0, count: 1 };
  await generatorOf(new TestTeacher())
    .run({ input: [a, b], output: dir.path("out/"), shard, ...options });
  await mergeRuns({ outputs: dir.path("out"), output });
  await dir.write("b.jsonl", `${lines("b")}{"id":"c","prompt":"same"}\n`);
  const teacher = new TestTeacher(), notices: string[] = [];
  const generator = generatorOf(teacher);
  generator.on((event) => {
    if (event.type === "notice") notices.push(event.message);
  });
  await generator.run({ input: b, output, ...options });
  assertEquals(teacher.asked, ["c"]);
  assertEquals(notices.filter((text) => text.includes("without a row")), []);
  assertEquals((await dir.rows("all_error.jsonl")).map(({ raw }) => raw), ["bad a", "bad b"]);
});

Deno.test("a preview has the notices of a run about left-out files and unknown settings", async () => {
  await using dir = await tempDir();
  await dir.write("in/a.jsonl", rowsOf("a"));
  await dir.write("in/b.jsonl", rowsOf("b"));
  await dir.write("in/notes.md", "");
  const input = dir.path("in/"), output = dir.path("out/");
  const generator = generatorOf(new TestTeacher());
  await generator.run({ input, output });
  await Deno.remove(dir.path("out/a.run.json"));
  const { notes, warnings } = await generator.preview({ input, output });
  assertMatch(notes[0], /2 files read, 1 left out/);
  assertMatch(warnings[0], /are not known, because ".*a\.run\.json" is missing/);
  assertEquals(notes.slice(-warnings.length), warnings);
});

Deno.test("a run says which results are gone since the last one, as after a backup was restored", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", rowsOf("a", "b", "c", "d"));
  const output = dir.path("out.jsonl");
  const teacher = new TestTeacher();
  teacher.answer = ({ uid }) => {
    if (uid === "bad") throw new Error("no answer");
  };
  const warningsOf = async (options: Partial<RunOptions> = {}) => {
    const generator = generatorOf(teacher);
    const { warnings } = await generator.preview({ input, output, ...options });
    await generator.run({ input, output, ...options });
    return warnings.filter((message) => message.includes("lacks"));
  };
  assertEquals(await warningsOf({ limit: 2 }), []);
  const backup = await dir.read("out.jsonl");
  assertEquals(await warningsOf(), []);
  assertEquals(await warningsOf({ limit: 1 }), []);
  assertEquals(await warningsOf(), []);
  await dir.write("out.jsonl", backup);
  assertMatch(
    (await warningsOf()).join(),
    /^The output lacks 2 results of the last run.* restore the newest/,
  );
  assertEquals(await warningsOf(), []);
  // Rows that are gone from the input, too, are not sent.
  await dir.write("out.jsonl", backup);
  await dir.write("in.jsonl", rowsOf("a", "b"));
  assertEquals(await warningsOf(), []);
  await dir.write("in.jsonl", rowsOf("a", "b", "c", "d", "bad"));
  assertEquals(await warningsOf(), []);
  // Nor are rows without a failure in a retry.
  await dir.write("out.jsonl", backup);
  assertEquals(await warningsOf({ retry: true }), []);
  assertEquals(await warningsOf({ resume: false, overwrite: true }), []);
});
