import { assert, assertEquals, assertLessOrEqual } from "../../lib/deps/std_assert.ts";
import type { Outcome } from "../../lib/row.ts";
import { Buffer } from "node:buffer";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  MAX_SAMPLES_BYTES,
  MAX_TEXT,
  sampleOf,
  Samples,
  shortenedToFit,
} from "../../web/samples.ts";
import { makeAnswer } from "./fake_run.ts";

const FAILURE = { type: "truncated", message: "too long", status: null } as const;

function answers(count: number): Outcome[] {
  return Array.from({ length: count }, (_, i) => makeAnswer(`u${i}`));
}

Deno.test("Samples.since() gives the latest 20, newest first, and failures apart", () => {
  const samples = new Samples();
  samples.add(answers(30));
  samples.add([makeAnswer("bad", { failure: FAILURE })]);
  const { latest, failures, added } = samples.since();
  assertEquals(latest, Array.from({ length: 20 }, (_, i) => 30 - i));
  assertEquals(failures, [31]);
  const byId = new Map(added.map((sample) => [sample.id, sample]));
  assertEquals(byId.get(30)?.uid, "u29");
  assertEquals(byId.get(31)?.failure, FAILURE);
  assertEquals(byId.get(31)?.response, "answer to bad", "what was paid for is shown");
});

Deno.test("Samples.add() does not keep the fields of --keep: logprobs take megabytes an answer", async () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage: () => void = runInNewContext("gc");
  const samples = new Samples();
  const logprobs = [undefined, FAILURE].map((failure) => {
    const answer = makeAnswer("u", { failure }), kept = { logprobs: {} };
    samples.add([{ ...answer, completion: { ...answer.completion!, kept } }]);
    return new WeakRef(kept.logprobs);
  });
  // A `WeakRef` keeps its object until the end of the turn.
  await new Promise((resolve) => setTimeout(resolve));
  collectGarbage();
  assertEquals(logprobs.map((reference) => reference.deref()), [undefined, undefined]);
  assertEquals(samples.since().added.map(({ response }) => response), Array(2).fill("answer to u"));
});

Deno.test("Samples.since() adds only the samples after the known version", () => {
  const samples = new Samples(() => 0.999);
  samples.add(answers(25));
  const known = samples.version;
  assertEquals(samples.since(known).added, []);
  samples.add(answers(2));
  const { latest, added } = samples.since(known);
  assertEquals(added.map(({ id }) => id).toSorted(), [26, 27]);
  assertEquals(latest.slice(0, 3), [27, 26, 25]);
});

Deno.test("Samples.add() gives every answer the same chance to be in the reservoir", () => {
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const runs = 2_000, rows = 200;
  const hits = new Uint32Array(rows + 1);
  for (let run = 0; run < runs; run++) {
    const samples = new Samples(random);
    samples.add(answers(rows));
    const { reservoir } = samples.since();
    assertEquals(new Set(reservoir).size, 20);
    for (const id of reservoir) hits[id]++;
  }
  // Each row is hit 200 times on average, with a standard deviation of 13.4.
  for (let id = 1; id <= rows; id++) assert(hits[id] > 140 && hits[id] < 260, `${id}: ${hits[id]}`);
});

Deno.test("sampleOf() shows the last user message, with the types of parts that are not text", () => {
  const row = makeAnswer("u").row;
  const messages = [
    { role: "user", content: "first" },
    { role: "assistant", content: "no" },
    { role: "user", content: [{ type: "text", text: "look" }, { type: "image_url" }, 7] },
    { role: "tool", content: "no" },
  ];
  assertEquals(
    sampleOf(makeAnswer("u", { row: { ...row, messages } }), 1).prompt,
    "look\n[image_url]\n7",
  );
});

Deno.test("sampleOf() takes any values of a custom teacher", () => {
  const loop: unknown[] = [];
  loop.push(loop);
  const completion = { response: "", finishReason: "", usage: null, model: "", toolCalls: loop };
  const sample = sampleOf(makeAnswer("u", { completion }), 1);
  assertEquals([sample.prompt_tokens, sample.reasoning], [null, ""]);
  assertEquals(sampleOf(makeAnswer("u", { completion: undefined }), 1).response, "");
});

Deno.test("sampleOf() cuts long texts and marks them", () => {
  const completion = {
    ...makeAnswer("u").completion!,
    response: "x".repeat(100_000),
    reasoning: "y".repeat(MAX_TEXT),
  };
  const sample = sampleOf(makeAnswer("u", { completion }), 1);
  assertEquals([sample.response.length, sample.reasoning.length], [MAX_TEXT, MAX_TEXT]);
  assertEquals([sample.is_cut, sampleOf(makeAnswer("u"), 1).is_cut], [true, false]);
});

Deno.test("shortenedToFit() keeps 60 samples of long texts below 400 KB", () => {
  const samples = new Samples(() => 0);
  const text = "界".repeat(10_000);
  const completion = { ...makeAnswer("u").completion!, response: text, reasoning: text };
  const long = Array.from({ length: 60 }, (_, i) => makeAnswer(`u${i}`, { completion }));
  samples.add(long);
  samples.add(long.map((one) => ({ ...one, failure: FAILURE })));
  const { added } = shortenedToFit(samples.since());
  assert(added.length >= 40);
  assertLessOrEqual(Buffer.byteLength(JSON.stringify(added)), MAX_SAMPLES_BYTES);
  assert(added.every(({ is_cut: isCut, response }) => isCut && response.length >= 250));
});

Deno.test("Samples.add() does not keep rows of megabytes in memory", () => {
  const samples = new Samples();
  const heavy = makeAnswer("heavy");
  let isRead = false;
  const row = {
    ...heavy.row,
    text: "x".repeat(1_000_000),
    get messages() {
      isRead = true;
      return heavy.row.messages;
    },
  };
  samples.add([makeAnswer("heavy", { row })]);
  assert(isRead, "it is cut when it comes, not when a user looks");
  isRead = false;
  samples.add([makeAnswer("light", {
    row: {
      ...heavy.row,
      get messages() {
        isRead = true;
        return heavy.row.messages;
      },
    },
  })]);
  assert(!isRead, "a small one is cut when a user looks");
});

Deno.test("Samples.add() does not keep tool calls of megabytes in memory", () => {
  const samples = new Samples();
  const call = { type: "function", function: { name: "f", arguments: "x".repeat(1_000_000) } };
  const { completion } = makeAnswer("u");
  assert(completion);
  samples.add([makeAnswer("u", { completion: { ...completion, toolCalls: [call] } })]);
  const [sample] = samples.wholeSamples().added;
  assertLessOrEqual(sample.tool_calls.length, 64 * 1024);
  assert(sample.is_cut);
});
