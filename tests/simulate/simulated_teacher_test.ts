/** Tests of lib/simulate/simulated_teacher.ts. @module */

import { assert, assertEquals, assertRejects, assertThrows } from "../../lib/deps/std_assert.ts";
import { UsageError } from "../../lib/errors.ts";
import {
  serveSimulatedTeacher,
  type SimulatedTeacher,
  type SimulatedTeacherOptions,
} from "../../lib/simulate/simulated_teacher.ts";

/** Answers briefly and at once, unless `options` say otherwise. */
function serve(options: SimulatedTeacherOptions = {}): SimulatedTeacher {
  return serveSimulatedTeacher({ latency: 0, tokens: 40, ...options });
}

function post(teacher: SimulatedTeacher, body: unknown): Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(`${teacher.url}/chat/completions`, { method: "POST", body: text });
}

function chat(prompt: string, more: object = {}): object {
  return { model: "m", messages: [{ role: "user", content: prompt }], ...more };
}

async function statusOf(response: Promise<Response>): Promise<number> {
  const { status, body } = await response;
  await body?.cancel();
  return status;
}

/** The data of each event of a stream. */
async function eventsOf(response: Response): Promise<string[]> {
  const events = (await response.text()).split("\n\n");
  assertEquals(events.pop(), "");
  return events.map((event) => event.replace(/^data: /, ""));
}

Deno.test("serveSimulatedTeacher() answers a prompt with its own answer, the same each time", async () => {
  await using teacher = serve();
  const ask = async (prompt: string) => await (await post(teacher, chat(prompt))).json();
  const [first, again, other] = [await ask("one"), await ask("one"), await ask("two")];
  const { content } = first.choices[0].message;
  assert(content.includes('You asked: "one"'));
  assertEquals(again.choices, first.choices);
  assertEquals(again.usage, first.usage);
  assert(other.choices[0].message.content.includes('You asked: "two"'));
  assert(other.id !== first.id);
  assertEquals(first.model, "m");
  assertEquals(first.object, "chat.completion");
  assertEquals(first.choices[0].finish_reason, "stop");
  assertEquals(first.usage.completion_tokens, Math.round(content.length / 4));
  assertEquals(teacher.posts, 3);
});

Deno.test("serveSimulatedTeacher() reasons before it answers, and stops at max_tokens", async () => {
  await using teacher = serve({ reasoning: 50 });
  const whole = await (await post(teacher, chat("one"))).json();
  assertEquals(whole.choices[0].message.reasoning_content.length, 200);
  assertEquals(whole.usage.completion_tokens_details.reasoning_tokens, 50);
  for (const name of ["max_tokens", "max_completion_tokens"]) {
    const cut = await (await post(teacher, chat("one", { [name]: 52 }))).json();
    assertEquals(cut.choices[0].message.content.length, 8);
    assertEquals(cut.choices[0].finish_reason, "length");
    assertEquals(cut.usage.completion_tokens, 52);
  }
});

for (const latency of [0, 20]) {
  Deno.test(`serveSimulatedTeacher() streams the same answer as without streaming, latency ${latency}`, async () => {
    await using teacher = serve({ latency, reasoning: 60, tokens: 200 });
    const whole = await (await post(teacher, chat("one"))).json();
    const options = { stream: true, stream_options: { include_usage: true } };
    const response = await post(teacher, chat("one", options));
    assertEquals(response.headers.get("content-type"), "text/event-stream");
    const events = await eventsOf(response);
    assertEquals(events.pop(), "[DONE]");
    const chunks = events.map((event) => JSON.parse(event));
    const joined = (key: string) =>
      chunks.map((chunk) => chunk.choices[0]?.delta[key] ?? "").join("");
    const { message, finish_reason } = whole.choices[0];
    assertEquals(joined("content"), message.content);
    assertEquals(joined("reasoning_content"), message.reasoning_content);
    assert(chunks.length > 8);
    assertEquals(chunks.at(-2).choices[0].finish_reason, finish_reason);
    assertEquals([chunks.at(-1).choices, chunks.at(-1).usage], [[], whole.usage]);
  });
}

Deno.test("serveSimulatedTeacher() sends no usage in a stream unless requested", async () => {
  await using teacher = serve();
  const events = await eventsOf(await post(teacher, chat("one", { stream: true })));
  assert(events.every((event) => !event.includes('"usage"')));
});

Deno.test("serveSimulatedTeacher() keeps characters whole in a stream", async () => {
  await using teacher = serve({ tokens: 100 });
  const events = await eventsOf(await post(teacher, chat("😀".repeat(40), { stream: true })));
  assert(!events.join("").includes("\\ud"));
  assert(events.join("").includes("😀"));
});

Deno.test("serveSimulatedTeacher() refuses the same prompts always", async () => {
  await using teacher = serve({ refusals: 0.5 });
  const ask = (i: number) => statusOf(post(teacher, chat(`prompt ${i}`)));
  const prompts = Array.from({ length: 40 }, (_, i) => i);
  const first = await Promise.all(prompts.map(ask));
  assertEquals(await Promise.all(prompts.map(ask)), first);
  assert(first.includes(400) && first.includes(200));
});

Deno.test("serveSimulatedTeacher() fails by prompt and attempt, the same way for a seed", async () => {
  const history = async (seed: number) => {
    await using teacher = serve({ errors: 0.5, seed });
    const statuses: number[] = [];
    for (let i = 0; i < 60; i++) {
      statuses.push(await statusOf(post(teacher, chat(`prompt ${i % 4}`))));
    }
    return statuses;
  };
  const first = await history(1);
  assertEquals(await history(1), first);
  assert((await history(2)).join() !== first.join());
  for (let prompt = 0; prompt < 4; prompt++) {
    const own = first.filter((_, i) => i % 4 === prompt);
    assert(own.includes(500) && own.includes(200));
  }
});

Deno.test("serveSimulatedTeacher() answers 429 with retry-after past its rpm", async () => {
  let nowMs = 0;
  await using teacher = serve({ rpm: 120, now: () => nowMs });
  assertEquals(await statusOf(post(teacher, chat("1"))), 200);
  assertEquals(await statusOf(post(teacher, chat("2"))), 200);
  const late = await post(teacher, chat("3"));
  assertEquals([late.status, late.headers.get("retry-after")], [429, "1"]);
  assertEquals((await late.json()).error.code, "rate_limit_exceeded");
  nowMs = 500;
  assertEquals(await statusOf(post(teacher, chat("3"))), 200);
});

Deno.test("serveSimulatedTeacher() answers 429 past its capacity, and frees it again", async () => {
  // Longer than the next request takes on a busy machine.
  await using teacher = serve({ capacity: 2, latency: 1_000 });
  const streamed = await post(teacher, chat("1", { stream: true }));
  const whole = statusOf(post(teacher, chat("2")));
  while (teacher.posts < 2) await statusOf(fetch(`${teacher.url}/models`));
  assertEquals(await statusOf(post(teacher, chat("3"))), 429);
  assertEquals(await whole, 200);
  await streamed.text();
  const both = [statusOf(post(teacher, chat("4"))), statusOf(post(teacher, chat("5")))];
  assertEquals(await Promise.all(both), [200, 200]);
});

Deno.test("serveSimulatedTeacher() frees the capacity of a stream that is not read further", async () => {
  await using teacher = serve({ capacity: 1, latency: 1_000 });
  const streamed = await post(teacher, chat("1", { stream: true }));
  assertEquals(await statusOf(post(teacher, chat("2"))), 429);
  await streamed.body?.cancel();
  while (await statusOf(post(teacher, chat("2"))) !== 200);
  const both = [statusOf(post(teacher, chat("4"))), statusOf(post(teacher, chat("5")))];
  assertEquals((await Promise.all(both)).sort(), [200, 429]);
});

Deno.test("serveSimulatedTeacher() takes the latency that a prompt was given", async () => {
  await using teacher = serve({ latency: 60, jitter: 0 });
  for (const stream of [false, true]) {
    const started = performance.now();
    await (await post(teacher, chat("1", { stream }))).text();
    assert(performance.now() - started >= 59);
  }
});

Deno.test("serveSimulatedTeacher() names the problem of an invalid body", async () => {
  await using teacher = serve();
  const refused: [unknown, string][] = [
    ["{", "Cannot parse the body of the request: it must be JSON"],
    ["[]", "Cannot read the body of the request: it must be an object"],
    [{}, '"messages" must be an array of one or more messages with a role'],
    [{ messages: [] }, '"messages" must be'],
    [chat("x", { max_tokens: 0 }), '"max_tokens" must be 1 or more: current value is 0'],
    [chat("x", { max_completion_tokens: 0 }), '"max_completion_tokens" must be 1 or more'],
    [chat("x", { stream: "yes" }), '"stream" must be a boolean: current value is "yes"'],
    [chat("x", { n: 2 }), '"n" must be 1'],
    [chat("x", { model: 3 }), '"model" must be a string'],
  ];
  for (const [body, message] of refused) {
    const response = await post(teacher, body);
    assertEquals(response.status, 400);
    const { error } = await response.json();
    assert(error.message.startsWith(message), error.message);
    assertEquals(error.type, "invalid_request_error");
  }
  const elsewhere = await fetch(`${teacher.url}/embeddings`);
  assertEquals(elsewhere.status, 404);
  assertEquals((await elsewhere.json()).error.code, "not_found");
  const models = await (await fetch(`${teacher.url}/models`)).json();
  assertEquals(models.data[0].id, "simulated");
});

Deno.test("serveSimulatedTeacher() reads content parts and prompts without a user", async () => {
  await using teacher = serve();
  const parts = [{ type: "text", text: "see " }, { type: "image_url" }, {
    type: "text",
    text: "it",
  }];
  for (
    const messages of [[{ role: "user", content: parts }], [{ role: "system", content: "see it" }]]
  ) {
    const { choices } = await (await post(teacher, { messages })).json();
    assert(choices[0].message.content.includes('You asked: "see it"'));
  }
});

Deno.test("close() ends a simulated teacher that still owes answers", async () => {
  const teacher = serve({ latency: 1e9 });
  const whole = post(teacher, chat("1"));
  const stream = await Promise.race([post(teacher, chat("2", { stream: true })), whole]);
  while (teacher.posts < 2) await statusOf(fetch(`${teacher.url}/models`));
  const [first, second] = [assertRejects(() => whole), assertRejects(() => stream.text())];
  await teacher.close();
  await Promise.all([first, second]);
});

Deno.test("serveSimulatedTeacher() refuses options that it does not know, and wrong values", () => {
  assertThrows(() => serve({ latenci: 1 } as SimulatedTeacherOptions), TypeError, "latency");
  assertThrows(() => serve({ prot: 1 } as SimulatedTeacherOptions), TypeError, '"port"');
  assertThrows(() => serve({ banana: 1 } as SimulatedTeacherOptions), TypeError, "seed, port, now");
  assertThrows(() => serve({ port: 1.5 }), RangeError, "a whole number from 0 to 65535");
});

Deno.test("serveSimulatedTeacher() says when its port is taken", async () => {
  await using teacher = serve();
  const message = `Cannot listen on port ${teacher.port}: another program uses it`;
  assertThrows(() => serve({ port: teacher.port }), UsageError, message);
});

Deno.test("serveSimulatedTeacher() breaks off answers as often as configured", async () => {
  await using teacher = serve({ broken: 0.3, aborted: 0.3 });
  const seen = { broken: 0, abort: 0, stop: 0 };
  for (let i = 0; i < 100; i++) {
    const response = await post(teacher, chat(`prompt ${i}`));
    const [choice] = (await response.json()).choices;
    if (choice === undefined) seen.broken++;
    else seen[choice.finish_reason as "abort" | "stop"]++;
  }
  assertEquals(seen.broken + seen.abort + seen.stop, 100);
  for (const count of Object.values(seen)) assert(count > 15 && count < 55, JSON.stringify(seen));
  await using aborting = serve({ aborted: 1 });
  const events = await eventsOf(await post(aborting, chat("one", { stream: true })));
  assert(events.some((event) => event.includes('"finish_reason":"abort"')));
});
