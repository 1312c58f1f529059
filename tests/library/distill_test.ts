/** Tests of lib/distill.ts. @module */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "../../lib/deps/std_assert.ts";
import {
  type Answer,
  type Completion,
  disposable,
  distill,
  type DistillOptions,
  type DistillOutcome,
  HaltedError,
  openai,
  ResponseGenerator,
  type Teacher,
  TeacherError,
  type TeacherRequest,
} from "../../mod.ts";
import { serveLedger } from "../support/ledger_server.ts";

function textOf({ messages }: TeacherRequest): string {
  return String(messages.at(-1)!.content);
}

function completionOf(request: TeacherRequest): Completion {
  const response = `answer to ${textOf(request)}`;
  return { response, finishReason: "stop", usage: null, model: "in-process" };
}

/** Answers at once, and records requests. */
class Echo implements Teacher {
  readonly requests: TeacherRequest[] = [];
  aborted = 0;
  closed = 0;
  readonly #answer: (request: TeacherRequest) => Completion | Promise<Completion>;

  constructor(
    answer: (request: TeacherRequest) => Completion | Promise<Completion> = completionOf,
  ) {
    this.#answer = answer;
  }

  async complete(request: TeacherRequest, signal: AbortSignal): Promise<Completion> {
    this.requests.push(request);
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([this.#answer(request), aborted.promise]);
    } catch (error) {
      if (signal.aborted) this.aborted++;
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }
}

function byIndex<Row>(outcomes: DistillOutcome<Row>[]): DistillOutcome<Row>[] {
  return outcomes.sort((a, b) => a.index - b.index || a.sample - b.sample);
}

async function all<Row>(
  rows: (Iterable<Row> & object) | AsyncIterable<Row>,
  options: DistillOptions<Row>,
): Promise<DistillOutcome<Row>[]> {
  return byIndex(await Array.fromAsync(distill(rows, options)));
}

function answerOf<Row>(outcome: DistillOutcome<Row>): Answer<Row> {
  assert(outcome.ok, outcome.ok ? "" : outcome.error.message);
  return outcome;
}

const never = () => new Promise<Completion>(() => {});

Deno.test("distill() gives back the value that was given, with its place and a typed answer", async () => {
  const usage = { promptTokens: 3, completionTokens: 5 };
  const teacher = new Echo((request) => ({ ...completionOf(request), usage, reasoning: "hm" }));
  const rows = [{ id: 7, prompt: "one", extra: new Date(0) }, { id: 8, prompt: "two", extra: 1 }];
  const outcomes = await all(rows, { teacher });
  assertEquals(outcomes.length, 2);
  for (const [index, outcome] of outcomes.entries()) {
    assertStrictEquals(outcome.input, rows[index]);
  }
  const { input: _, latencyMs, ...rest } = answerOf(outcomes[0]);
  assert(latencyMs >= 0);
  assertEquals(rest, {
    ok: true,
    index: 0,
    uid: "7",
    sample: 0,
    attempts: 1,
    costUsd: null,
    response: "answer to one",
    reasoning: "hm",
    finishReason: "stop",
    toolCalls: [],
    usage: {
      promptTokens: 3,
      completionTokens: 5,
      reasoningTokens: 0,
      cachedTokens: 0,
      cacheWriteTokens: 0,
      costUsd: 0,
    },
    model: "in-process",
  });
});

Deno.test("a string row is one user message, whatever it says", async () => {
  const teacher = new Echo();
  const rows = ["Hello", '{"prompt":"x"}', "[1]"];
  const outcomes = await all(rows, { teacher, promptField: "q", concurrency: 1 });
  assertEquals(outcomes.map(({ input }) => input), rows);
  assertEquals(
    teacher.requests.map(({ messages }) => messages),
    rows.map((content) => [{ role: "user", content }]),
  );
  assertEquals(answerOf(outcomes[0]).usage.promptTokens, 0);
});

Deno.test("every row yields `samples` outcomes, equal rows and bad rows included", async () => {
  const row = { id: "a", prompt: "p" };
  const bad = { nothing: 1 } as unknown as typeof row;
  const outcomes = await all([row, row, bad, row], { teacher: new Echo(), samples: 2 });
  assertEquals(outcomes.map(({ index, sample, ok }) => [index, sample, ok]), [
    [0, 0, true],
    [0, 1, true],
    [1, 0, true],
    [1, 1, true],
    [2, 0, false],
    [2, 1, false],
    [3, 0, true],
    [3, 1, true],
  ]);
  assertEquals(new Set(outcomes.map(({ uid }) => uid)).size, 8);
  const { ok, ...failed } = outcomes[4];
  assert(!ok && "error" in failed);
  assertEquals([failed.error.type, failed.attempts, failed.error.status], ["bad_row", 0, null]);
  assertStrictEquals(failed.input, bad);
});

Deno.test("a value that is not a row is a bad_row outcome", async () => {
  const circle: Record<string, unknown> = { prompt: "p" };
  circle.self = circle;
  const rows: unknown[] = [null, undefined, 3, circle, { prompt: 1n }, [], "", () => {}];
  const outcomes = await all(rows, { teacher: new Echo() });
  assertEquals(
    outcomes.map((one) => one.ok ? one.response : one.error.type),
    rows.map(() => "bad_row"),
  );
  for (const [index, outcome] of outcomes.entries()) assertStrictEquals(outcome.input, rows[index]);
});

Deno.test("misuse throws at the call, with a similar name of an option", () => {
  const teacher = new Echo();
  const misuse: [unknown, unknown, RegExp][] = [
    ["prompt", { teacher }, /Cannot read rows from a string/],
    [new String("prompt"), { teacher }, /Cannot read rows from a string/],
    [undefined, { teacher }, /must be an iterable/],
    [3, { teacher }, /must be an iterable/],
    [Promise.resolve([]), { teacher }, /from a promise: await it first/],
    [{}, { teacher }, /must be an iterable/],
    [[], undefined, /options/],
    [[], {}, /without a teacher/],
    [
      [],
      { teacher, concurency: 3 },
      /"concurency": there is no such option. Did you mean "concurrency"\?/,
    ],
    [[], { teacher, maxTokenscap: 3 }, /Did you mean "maxTokensCap"/],
    [[], { teacher, maxTokensCap: 900 }, /maxTokensCap alone: set onTruncated to "escalate"/],
    [[], { teacher, maxTokensCap: 900, onTruncated: "keep" }, /maxTokensCap alone/],
    [[], { teacher, zzzzzzzzzz: 3 }, /there is no such option/],
    [[], { teacher, temperature: 1 }, /belong in "params", as in { params: { temperature: … } }/],
    [[], { teacher, max_tokens: 9 }, /belong in "params"/],
    [[], { teacher, max_cost_usd: 9 }, /Did you mean "maxCostUsd"\?$/],
    [[], { teacher, maxTokens: 9 }, /belong in "params", as in { params: { max_tokens: … } }/],
    [[], { teacher, apiKey: "k" }, /"apiKey" here: .* teacher, as in openai\({ apiKey: … }\)$/],
    [[], { teacher, model: "m" }, /as in openai\({ model: … }\)$/],
    [
      [],
      { teacher, input: "a.jsonl" },
      /"input": there is no such option. The types that mod.ts exports list all/,
    ],
    [
      [],
      { teacher: { ...teacher, complete() {}, address: new URL("http://a") } },
      /the address of/,
    ],
    [
      [],
      { teacher, params: new Map([["seed", 1]]) },
      /params \(of type Map\): it must be an object/,
    ],
    [[], { teacher, params: { seed: 10n } }, /parameter "seed" as JSON: it holds 10n/],
    [[], { teacher, teacherList: {} }, /teacherList \(of type Object\): .* with watch\(\)/],
    [[], { teacher, concurrency: "20" }, /concurrency "20": it must be a whole number/],
    [[], { teacher, samples: "2" }, /samples "2"/],
    [[], { teacher, onTruncated: "kept" }, /onTruncated "kept": it must be "error" or "keep"/],
    [[], { teacher, validate: "yes" }, /validate "yes": it must be a function/],
    [[], { teacher, signal: {} }, /AbortSignal/],
    [[], { teacher, carefulStart: "no" }, /true or false/],
    [[], { teachers: [{ teacher, wieght: 2 }] }, /Did you mean "weight"/],
    [[], { teachers: [{ teacher, cost: 2 }] }, /The options are teacher, weight, /],
    [[], { teachers: ["gpt"] }, /teachers\[0\] "gpt": it must be an object/],
    [[], { teachers: [] }, /"teachers" is an empty array/],
    [[], { teachers: [{ teacher }, { weight: 1 }] }, /"teachers\[1\].teacher" is missing/],
    [[], { teacher: "gpt" }, /"teacher" has no complete\(\)/],
    [[], { teacher, jsonSchema: 3 }, /jsonSchema 3: it must be a JSON Schema/],
    [[], { teacher, inputFormat: "xls" }, /inputFormat "xls"/],
    [[], { teacher, teachers: [{ teacher }] }, /give one of them/],
    [[], { teacher, duplicates: "drop" }, /"merge" or "keep"/],
  ];
  for (const [rows, options, words] of misuse) {
    const error = assertThrows(
      () => distill(rows as string[], options as DistillOptions),
      TypeError,
    );
    assert(words.test(error.message), error.message);
  }
  assertThrows(() => distill([], { teacher, concurrency: 0 }), RangeError, "concurrency 0");
  assertThrows(() => distill([], { teacher, resample: -1 }), RangeError, "resample -1");
  for (const usd of [-1, NaN, Infinity]) {
    const prices = { priceIn: 1, priceOut: 1 };
    for (const name of ["priceIn", "priceCached", "priceOut"]) {
      const options = { teacher, ...prices, [name]: usd };
      assertThrows(() => distill([], options), RangeError, `${name} ${usd}`);
    }
  }
  assertThrows(
    () => distill([], { teacher, priceIn: 1 }),
    RangeError,
    "add --price-out (priceOut)",
  );
  assertThrows(() => distill([], { teacher, rejectPattern: "(" }), RangeError, "reject pattern");
  // As from JSON, or a variable that is not set.
  distill([], { teacher: { ...teacher, complete() {}, model: null, address: null } as never });
  const generator = new ResponseGenerator({ teacher });
  for (const rows of ["prompt", undefined, 3] as unknown[]) {
    assertThrows(() => generator.generate(rows as string[]), TypeError, "Cannot read rows from");
  }
  assertEquals(teacher.requests.length, 0);
});

Deno.test("validate() gets the typed answer and rejects it with a reason", async () => {
  const seen: Answer<{ id: string; prompt: string }>[] = [];
  const rows = [{ id: "a", prompt: "p" }, { id: "b", prompt: "q" }];
  const outcomes = await all(rows, {
    teacher: new Echo(),
    validate: (a) => {
      seen.push(a);
      return a.input.id === "a" ? true : "not wanted";
    },
  });
  assertEquals(seen.map(({ attempts }) => attempts), [1, 1]);
  assertEquals(outcomes.map(({ ok }) => ok), [true, false]);
  const failed = outcomes[1];
  assert(!failed.ok);
  assertEquals([failed.error.type, failed.error.message], ["rejected", "not wanted"]);
  assertEquals(failed.partial?.response, "answer to q");
});

Deno.test("the cost is known where prices are", async () => {
  const usage = { promptTokens: 1_000_000, completionTokens: 2_000_000 };
  const teacher = new Echo((request) => ({ ...completionOf(request), usage }));
  const rows = [{ prompt: "p" }, {} as { prompt: string }];
  const outcomes = await all(rows, { teacher, priceIn: 1, priceOut: 3 });
  assertEquals(outcomes.map(({ costUsd }) => costUsd), [7, 0]);
});

Deno.test("an abort throws the reason of the signal, before and during the work", async () => {
  const reason = new Error("enough");
  const before = new Echo();
  await assertRejects(
    () => all(["p"], { teacher: before, signal: AbortSignal.abort(reason) }),
    Error,
    "enough",
  );
  assertEquals(before.requests.length, 0);
  const abort = new AbortController();
  const during = new Echo((request) => {
    queueMicrotask(() => abort.abort(reason));
    return textOf(request) === "a" ? completionOf(request) : never();
  });
  const thrown = await assertRejects(() => all(["b"], { teacher: during, signal: abort.signal }));
  assertStrictEquals(thrown, reason);
  assertEquals([during.aborted, during.closed], [1, 0]);
});

Deno.test("a teacher that does not obey its signal holds up neither an abort nor return()", async () => {
  const asked = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const deaf = (index: number): Teacher => ({
    complete: () => {
      asked[index].resolve();
      return never();
    },
  });
  const reason = new Error("enough");
  const abort = new AbortController();
  const aborted = all(["a"], { teacher: deaf(0), signal: abort.signal });
  const left = distill(["a"], { teacher: deaf(1) });
  const next = left.next();
  await Promise.all(asked.map(({ promise }) => promise));
  abort.abort(reason);
  const returned = left.return();
  assertStrictEquals(await assertRejects(() => aborted), reason);
  await returned;
  assertEquals(await next, { done: true, value: undefined });
});

Deno.test("a teacher that refuses everything throws a HaltedError", async () => {
  const teacher = new Echo(() => {
    throw new TeacherError("Incorrect API key", { status: 401 });
  });
  await assertRejects(() => all(["a", "b"], { teacher }), HaltedError, "Incorrect API key");
});

Deno.test("leaving early aborts the calls in flight and keeps the teacher open", async () => {
  const allSent = Promise.withResolvers<void>();
  const teacher = new Echo((request) => {
    if (teacher.requests.length === 3) allSent.resolve();
    return textOf(request) === "a" ? allSent.promise.then(() => completionOf(request)) : never();
  });
  for await (const outcome of distill(["a", "b", "c"], { teacher, carefulStart: false })) {
    assert(outcome.ok);
    break;
  }
  assertEquals([teacher.requests.length, teacher.aborted, teacher.closed], [3, 2, 0]);
});

Deno.test("a loop that is left has closed its source, unless the source never answers", async () => {
  const closed: string[] = [];
  async function* endless() {
    try {
      while (true) {
        yield "a";
        // The loop is left while a row is being read.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } finally {
      closed.push("endless");
    }
  }
  async function* stuck() {
    yield "a";
    await never();
  }
  for (const concurrency of [1, 20]) {
    for await (const _ of distill(endless(), { teacher: new Echo(), concurrency })) break;
  }
  assertEquals(closed, ["endless", "endless"]);
  for await (const _ of distill(stuck(), { teacher: new Echo() })) break;
});

Deno.test("return() and await using end a generator that waits for an answer", async () => {
  const asked = Promise.withResolvers<void>();
  const teacher = new Echo(() => {
    asked.resolve();
    return never();
  });
  const generator = distill(["a"], { teacher });
  const next = generator.next();
  await asked.promise;
  await generator.return();
  assertEquals(await next, { done: true, value: undefined });
  assertEquals([teacher.aborted, teacher.closed], [1, 0]);
  {
    await using unused = distill(["a"], { teacher });
    const waiting = unused.next();
    waiting.catch(() => {});
  }
  assertEquals([teacher.aborted, teacher.closed], [teacher.requests.length, 0]);
});

Deno.test("what the rows throw is thrown after the outcomes in flight", async () => {
  function* rows() {
    yield "a";
    throw new Error("the source broke");
  }
  const seen: string[] = [];
  await assertRejects(
    async () => {
      for await (const a of distill(rows(), { teacher: new Echo() })) seen.push(a.input);
    },
    Error,
    "the source broke",
  );
  assertEquals(seen, ["a"]);
});

Deno.test("rows that throw nothing at all do not end the loop as if they were complete", async () => {
  async function* rows() {
    yield "a";
    throw undefined;
  }
  const errors = [rows(), new ReadableStream<string>({ pull: (c) => c.error() })].map((source) =>
    all(source, { teacher: new Echo() }).then(() => "ended", (error) => error)
  );
  assertEquals(await Promise.all(errors), [undefined, undefined]);
});

Deno.test("whatever a teacher throws fails its row alone", async () => {
  const fields = { code: 1113, type: "invalid_request_error", status: "400" };
  const thrown: [unknown, string, string][] = [
    [Object.create(null), "teacher", "The teacher threw an object without a message"],
    [{ status: 500, message: "busy", key: "sk-secret" }, "teacher", "busy"],
    [Symbol("s"), "teacher", "Symbol(s)"],
    [new TeacherError("broken", { ...fields, status: 400 } as never), "request", "broken"],
    [new TeacherError("broken", fields as never), "teacher", "broken"],
  ];
  const teacher = new Echo(async (request) => {
    const index = Number(textOf(request));
    if (index < thrown.length) throw thrown[index][0];
    // Answers after the others have failed.
    await new Promise((resolve) => setTimeout(resolve, 0));
    return completionOf(request);
  });
  const rows = [...thrown.map((_, index) => `${index}`), `${thrown.length}`];
  const outcomes = await all(rows, { teacher, carefulStart: false });
  assertEquals(outcomes.pop()?.ok, true);
  assertEquals(
    outcomes.map((one) => one.ok || [one.error.type, one.error.message]),
    thrown.map(([, type, message]) => [type, message]),
  );
});

Deno.test("errors of another copy of the library count as its own", async () => {
  const copy = await import(new URL("../../lib/errors.ts?copy", import.meta.url).href);
  const teacher = new Echo((request) => {
    if (teacher.requests.length > 1) return completionOf(request);
    throw new copy.TeacherError("busy", { status: 429, retryAfterMs: 1 });
  });
  const [outcome] = await all(["a"], { teacher });
  assertEquals([outcome.ok, outcome.attempts], [true, 2]);
});

Deno.test("parameters that the caller changes after the start are sent as they were", async () => {
  const params: Record<string, unknown> = { temperature: 0 };
  const teacher = new Echo((request) => {
    params.temperature = 1;
    return completionOf(request);
  });
  await all(["a", "b"], { teacher, params, concurrency: 1 });
  assertEquals(teacher.requests.map(({ params }) => params), [{ temperature: 0 }, {
    temperature: 0,
  }]);
});

Deno.test("a teacher of one's own is closed by await using", async () => {
  const own = new Echo();
  {
    await using teacher = disposable(own);
    assertStrictEquals(teacher, own);
    assertEquals((await all(["p"], { teacher })).length, 1);
    assertEquals(own.closed, 0);
  }
  assertEquals(own.closed, 1);
  await using _closeless = disposable({ complete: () => Promise.reject(new Error()) });
});

Deno.test("openai() is closed by await using, and checks its options", async () => {
  await using server = serveLedger();
  {
    await using teacher = openai({ baseUrl: server.url, model: "test-model" });
    assertEquals(answerOf((await all(["one"], { teacher }))[0]).response, "answer to one");
  }
  const wrong = { model: "m", baseURL: server.url } as unknown as { model: string };
  assertThrows(() => openai(wrong), TypeError, 'Did you mean "baseUrl"?');
  assertThrows(
    () => openai({ model: "m", temperature: 1 } as { model: string }),
    TypeError,
    "as in distill(rows, { params: { temperature: … } })",
  );
  const headers = new Headers({ "x-key": "sk-secret" });
  assertThrows(
    () => openai({ model: "m", headers } as unknown as { model: string }),
    TypeError,
    "headers (of type object): it must be an object with a field for each name",
  );
  const secret = { model: "m", apiKey: ["sk-secret"] } as unknown as { model: string };
  const error = assertThrows(() => openai(secret), TypeError, "apiKey");
  assert(!error.message.includes("sk-secret"));
  assertThrows(() => openai({ model: "m", apiKey: null } as never), TypeError, "apiKey null");
});
