/** The library as a program uses it, with a teacher of its own. @module */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLessOrEqual,
  assertRejects,
  assertThrows,
} from "../../lib/deps/std_assert.ts";
import {
  type Completion,
  type GeneratedOutcome,
  openaiCompatible,
  ResponseGenerator,
  type RunEvent,
  type Snapshot,
  type Teacher,
  TeacherError,
  type TeacherRequest,
  verify,
} from "../../mod.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { tempDir } from "../support/temp.ts";
import { numberedRows } from "./fixture.ts";

function textOf({ messages }: TeacherRequest): string {
  return String(messages.at(-1)!.content);
}

function answerTo(request: TeacherRequest): Completion {
  const response = `answer to ${textOf(request)}`;
  return { response, finishReason: "stop", usage: null, model: "in-process" };
}

/** A teacher that counts and answers at the next turn of the event loop, by default. */
class CountingTeacher implements Teacher {
  readonly model = "in-process";
  asked = 0;
  inFlight = 0;
  peak = 0;
  aborted = 0;
  readonly #waiting: { count: number; resolve: () => void }[] = [];
  readonly #answer: (request: TeacherRequest) => Promise<Completion> | Completion | undefined;

  /** `answer` may give undefined, which never answers. */
  constructor(answer: (request: TeacherRequest) => Promise<Completion> | Completion | undefined) {
    this.#answer = answer;
  }

  async complete(request: TeacherRequest, signal: AbortSignal): Promise<Completion> {
    this.asked++;
    this.peak = Math.max(this.peak, ++this.inFlight);
    for (const { count, resolve } of this.#waiting) if (this.asked >= count) resolve();
    try {
      await turn();
      return await (this.#answer(request) ?? untilAborted(signal));
    } catch (error) {
      if (signal.aborted) this.aborted++;
      throw error;
    } finally {
      this.inFlight--;
    }
  }

  untilAsked(count: number): Promise<void> {
    if (this.asked >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

async function collect(outcomes: AsyncIterable<GeneratedOutcome>): Promise<GeneratedOutcome[]> {
  return await Array.fromAsync(outcomes);
}

Deno.test("generate() gives an outcome for each row of an iterable, whatever its shape", async () => {
  const teacher = new CountingTeacher(answerTo);
  const generator = new ResponseGenerator({ teacher, mixedShapes: true });
  const outcomes = await collect(generator.generate([
    { id: 7, prompt: "one", note: 1.5 },
    [{ role: "user", content: "two" }],
    { conversations: [{ from: "human", value: "three" }] },
    { id: 7, prompt: "one", note: 1.5 },
  ]));
  const found = outcomes.map((outcome) => outcome.ok && outcome.row.response).sort();
  assertEquals(found, ["answer to one", "answer to three", "answer to two"]);
  const first = outcomes.find(({ uid }) => uid === "7")!;
  assertEquals([first.row.note, first.row.prompt, first.row.reasoning], [1.5, "one", ""]);
  assertEquals((first.row.distill as { source: string }).source, "rows:1");
});

Deno.test("generate() takes an async iterable and reports bad and failed rows as outcomes", async () => {
  const teacher = new CountingTeacher((request) => {
    if (textOf(request) === "refused") throw new TeacherError("no", { status: 400 });
    return answerTo(request);
  });
  async function* rows() {
    yield { prompt: "fine" };
    await turn();
    yield { answer: "no prompt" };
    yield { id: "a", prompt: "refused" };
    yield { id: "a", prompt: "clash" };
    yield 42;
    yield undefined;
    yield 10n;
    // As node:sqlite reads a row.
    yield Object.assign(Object.create(null), { id: 10n, prompt: "fine" });
    yield {
      toJSON() {
        throw undefined;
      },
    };
  }
  const generator = new ResponseGenerator({ teacher, concurrency: 1 });
  const outcomes = await collect(generator.generate(rows()));
  const types = outcomes.map((outcome) => [
    outcome.uid.length === 32 ? "derived" : outcome.uid,
    outcome.ok ? "ok" : outcome.error.type,
  ]);
  assertEquals(types.sort(), [
    ["a", "request"],
    ["bad_row:rows:2", "bad_row"],
    ["bad_row:rows:4", "bad_row"],
    ["bad_row:rows:5", "bad_row"],
    ["bad_row:rows:6", "bad_row"],
    ["bad_row:rows:7", "bad_row"],
    ["bad_row:rows:8", "bad_row"],
    ["bad_row:rows:9", "bad_row"],
    ["derived", "ok"],
  ]);
  assertEquals(teacher.asked, 2);
});

Deno.test("generate() never runs ahead of its consumer by more than the concurrency", async () => {
  const concurrency = 5;
  const teacher = new CountingTeacher(answerTo);
  let pulled = 0, taken = 0, mostAhead = 0, mostPulled = 0;
  function* endless() {
    while (true) yield { prompt: `prompt ${pulled++}` };
  }
  const generator = new ResponseGenerator({ teacher, concurrency, carefulStart: false });
  for await (const outcome of generator.generate(endless())) {
    assert(outcome.ok);
    // As many turns as it would take to run away.
    for (let i = 0; i < 4; i++) await turn();
    mostAhead = Math.max(mostAhead, teacher.asked - taken);
    mostPulled = Math.max(mostPulled, pulled - taken);
    if (++taken === 50) break;
  }
  assertGreaterOrEqual(mostAhead, concurrency);
  assertLessOrEqual(mostAhead, concurrency + 1); // the one in the consumer's hands counts, too
  assertLessOrEqual(mostPulled, concurrency + 2);
  assertEquals([teacher.peak, teacher.inFlight], [concurrency, 0]);
});

Deno.test("an early break aborts the calls, closes the rows, and leaves the generator ready for more", async () => {
  const teacher = new CountingTeacher((request) =>
    textOf(request) === "prompt 0" ? answerTo(request) : undefined
  );
  const closed = Promise.withResolvers<void>();
  async function* rows() {
    try {
      for (let i = 0; i < 100; i++) yield { prompt: `prompt ${i}` };
    } finally {
      await turn();
      closed.resolve();
    }
  }
  const generator = new ResponseGenerator({ teacher, concurrency: 8, carefulStart: false });
  for await (const outcome of generator.generate(rows())) {
    assertEquals(outcome.ok, true);
    await teacher.untilAsked(8);
    break;
  }
  assertEquals([teacher.inFlight, generator.state], [0, "done"]);
  // The run does not wait for a pull in progress, which closes the rows when it ends.
  await closed.promise;
  assertGreaterOrEqual(teacher.aborted, 7);
  const asked = teacher.asked;
  assertEquals((await collect(generator.generate([{ prompt: "prompt 0" }]))).length, 1);
  assertEquals(teacher.asked, asked + 1);
});

Deno.test("rows that never arrive hold up neither a break nor an abort", async () => {
  async function* rows() {
    yield { prompt: "one" };
    await new Promise(() => {});
  }
  const controller = new AbortController();
  const teacher = new CountingTeacher(answerTo);
  const generator = new ResponseGenerator({ teacher, signal: controller.signal });
  for await (const { ok } of generator.generate(rows())) {
    assert(ok);
    break;
  }
  const outcomes = generator.generate(rows());
  assertEquals((await outcomes.next()).done, false);
  const next = outcomes.next();
  controller.abort(new Error("enough"));
  await assertRejects(() => next, Error, "enough");
});

Deno.test("an error of the rows is thrown after the outcomes of the calls in flight", async () => {
  const held = Promise.withResolvers<void>();
  const teacher = new CountingTeacher(async (request) => {
    await held.promise;
    return answerTo(request);
  });
  function* rows() {
    yield { prompt: "paid for" };
    held.resolve();
    throw new Error("The database has gone away");
  }
  const generator = new ResponseGenerator({ teacher, concurrency: 2 });
  const responses: unknown[] = [];
  const taken = (async () => {
    for await (const { row } of generator.generate(rows())) responses.push(row.response);
  })();
  await assertRejects(() => taken, Error, "The database has gone away");
  assertEquals(responses, ["answer to paid for"]);
  assertEquals([teacher.inFlight, generator.state], [0, "done"]);
});

Deno.test("generate() gives a refused row at once to a consumer that waits for it before the next one", async () => {
  const teacher = new CountingTeacher((request) => {
    if (textOf(request) === "prompt 0") throw new TeacherError("Not this", { status: 400 });
    return answerTo(request);
  });
  const taken: boolean[] = [];
  let next = Promise.withResolvers<void>();
  async function* rows() {
    for (let i = 0; i < 3; i++) {
      yield { prompt: `prompt ${i}` };
      await next.promise;
      next = Promise.withResolvers();
    }
  }
  const generator = new ResponseGenerator({ teacher });
  for await (const { ok } of generator.generate(rows())) {
    taken.push(ok);
    next.resolve();
  }
  assertEquals(taken, [false, true, true]);
});

Deno.test("an aborted signal ends generate() with its reason, before and while it works", async () => {
  const teacher = new CountingTeacher(() => undefined);
  const controller = new AbortController();
  const generator = new ResponseGenerator({
    teacher,
    signal: controller.signal,
    carefulStart: false,
  });
  const taken = collect(generator.generate(numberedRows(3)));
  await teacher.untilAsked(3);
  controller.abort(new Error("enough"));
  await assertRejects(() => taken, Error, "enough");
  assertEquals([teacher.inFlight, teacher.aborted], [0, 3]);
  await assertRejects(() => collect(generator.generate(numberedRows(3))), Error, "enough");
  assertEquals(teacher.asked, 3);
});

Deno.test("pause, resume, setConcurrency and stop control generate() while it works", async () => {
  const held = new Map<string, () => void>();
  const teacher = new CountingTeacher(async (request) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    held.set(textOf(request), resolve);
    await promise;
    return answerTo(request);
  });
  const release = () => held.forEach((resolve, prompt) => held.delete(prompt) && resolve());
  const generator = new ResponseGenerator({ teacher, concurrency: 2, carefulStart: false });
  const taken = collect(generator.generate(numberedRows(100)));
  await teacher.untilAsked(2);
  await turns();
  assertEquals([teacher.inFlight, generator.snapshot()!.in_flight], [2, 2]);

  generator.pause();
  release();
  await turns();
  assertEquals([teacher.asked, teacher.inFlight, generator.state], [2, 0, "paused"]);
  generator.resume();
  await teacher.untilAsked(4);
  generator.setConcurrency(7);
  await teacher.untilAsked(9);
  await turns();
  assertEquals([teacher.asked, teacher.inFlight, generator.concurrency], [9, 7, 7]);
  generator.setConcurrency(1);
  release();
  await teacher.untilAsked(10);
  await turns();
  assertEquals([teacher.asked, teacher.inFlight], [10, 1]);
  generator.stop();
  release();
  assertEquals((await taken).length, 10);
  assertEquals([teacher.asked, generator.state], [10, "done"]);

  async function turns(): Promise<void> {
    for (let i = 0; i < 5; i++) await turn();
  }
});

Deno.test("run() does the same as the command line, and calls its listeners", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(undefined, { keep: false });
  await using stack = new AsyncDisposableStack();
  const teacher = openaiCompatible({ baseUrl: server.url, model: "test-model" });
  stack.defer(() => teacher.close());
  const generator = new ResponseGenerator({ teacher, concurrency: 10 });
  const events: RunEvent[] = [];
  generator.on((event) => {
    events.push(event);
  });
  const options = {
    input: [await dir.write("in.jsonl", numberedRows(60))],
    output: dir.path("out/"),
  };
  const summary = await generator.run(options);
  assertEquals([summary.state, summary.succeeded, summary.pending], ["done", 60, 0]);
  assertEquals(events[0].type, "run-start");
  const end = events.at(-1)!;
  assertEquals(end.type === "run-end" && [end.ended, end.elapsed_ms], [
    summary.ended,
    summary.elapsedMs,
  ]);
  const last = events.findLast((event): event is Snapshot => event.type === "snapshot")!;
  assertEquals([last.state, last.succeeded, last.in_flight, last.total], ["done", 60, 0, 60]);
  const [found] = await verify(options);
  assertEquals([found.total, found.succeeded, found.damageCount], [60, 60, 0]);
  assertEquals((await generator.run(options)).skipped, 60);
  assertEquals(server.posts, 60);
});

Deno.test("listeners that throw, reject or never resolve neither stop nor slow a run", async () => {
  await using dir = await tempDir();
  const teacher = new CountingTeacher(answerTo);
  const generator = new ResponseGenerator({ teacher, concurrency: 10, updateInterval: 1 });
  let heard = 0;
  generator.on(() => {
    heard++;
    throw new Error("a listener that throws");
  });
  generator.on(() => Promise.reject(new Error("a listener that rejects")) as unknown as void);
  generator.on(() => new Promise(() => {}) as unknown as void);
  const input = [await dir.write("in.jsonl", numberedRows(200))];
  const summary = await generator.run({ input, output: dir.path("out/") });
  assertEquals([summary.succeeded, summary.failed], [200, 0]);
  assertGreaterOrEqual(heard, 3);
});

Deno.test("run() that is aborted resolves as interrupted, keeps what is done, and continues later", async () => {
  await using dir = await tempDir();
  const teacher = new CountingTeacher((request) =>
    /prompt \d$/.test(textOf(request)) ? answerTo(request) : undefined
  );
  const controller = new AbortController();
  const options = {
    input: [await dir.write("in.jsonl", numberedRows(40))],
    output: dir.path("out/"),
  };
  const stopped = new ResponseGenerator({ teacher, signal: controller.signal, concurrency: 5 });
  const running = stopped.run(options);
  await teacher.untilAsked(15);
  controller.abort();
  const summary = await running;
  assertEquals([summary.state, summary.succeeded, summary.pending], ["interrupted", 10, 30]);
  assertEquals((await dir.rows("out/in.jsonl")).length, 10);
  assertEquals((await stopped.run(options)).state, "interrupted");
  assertEquals(teacher.asked, 15);

  const other = new ResponseGenerator({ teacher: new CountingTeacher(answerTo) });
  const rest = await other.run(options);
  assertEquals([rest.state, rest.skipped, rest.succeeded], ["done", 10, 30]);
});

Deno.test("a teacher that throws another error fails only its row, and at once", async () => {
  const teacher = new CountingTeacher((request) => {
    if (textOf(request) === "prompt 1") throw new RangeError("out of cheese");
    if (textOf(request) === "prompt 2") return "cheese" as unknown as Completion;
    return answerTo(request);
  });
  const generator = new ResponseGenerator({ teacher });
  const outcomes = await collect(generator.generate(numberedRows(4)));
  const failed = outcomes.filter((outcome) => !outcome.ok);
  assertEquals(failed.map(({ uid, error }) => [uid, error.type, error.attempts]).sort(), [
    ["row-1", "teacher", 1],
    ["row-2", "response", 1],
  ]);
  assertEquals(teacher.asked, 4);
});

Deno.test("misuse throws at once", async () => {
  const teacher = new CountingTeacher(answerTo);
  assertThrows(() => new ResponseGenerator({} as { teacher: Teacher }), TypeError, "teacher");
  assertThrows(() => new ResponseGenerator({ teacher, concurrency: 0 }), RangeError, "0");
  assertThrows(() => new ResponseGenerator({ teacher, maxAttempts: 0 }), RangeError, "0");
  assertThrows(() => new ResponseGenerator({ teacher, params: { n: 2 } }), RangeError, "samples");
  assertThrows(() => new ResponseGenerator({ teacher, template: "{{" }), RangeError);
  const generator = new ResponseGenerator({ teacher });
  for (const wrong of [0, 1.5, 100_001]) {
    assertThrows(() => generator.setConcurrency(wrong), RangeError, `concurrency ${wrong}`);
  }
  assertEquals(generator.concurrency, 20);
  assertThrows(() => generator.setMaxCost(0), RangeError, "value is 0");
  const first = generator.generate([{ prompt: "p" }]);
  await first.next();
  await assertRejects(() => generator.generate([]).next(), TypeError, "already running");
  await first.return();
});
