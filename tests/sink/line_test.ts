import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "../../lib/deps/std_assert.ts";
import { originOf } from "../../lib/answer.ts";
import { SinkError } from "../../lib/errors.ts";
import type { Outcome } from "../../lib/row.ts";
import { badRowLine, failureLine, resultLine } from "../../lib/sink/line.ts";
import { lastModelsOf, restoreRow } from "../../lib/sink/read_line.ts";
import { tempDir } from "../support/temp.ts";
import type { Completion } from "../../lib/teacher/teacher.ts";
import { completionOf, failureOf, FORMAT, rowOf, successOf } from "./outcomes.ts";

/** Values that JSON.parse changes. */
const ODD = String
  .raw`"f":1.0,"big":1e400,"id19":1234567890123456789,"7":7,"__proto__":{"x":1},"half":"\ud800"`;

Deno.test("resultLine() writes every field of the results, with one type each", () => {
  const line = resultLine(successOf(rowOf('{"prompt":"Hi","id":1.0}')), FORMAT);
  assertEquals(
    line,
    '{"uid":"u1","prompt_hash":"0123456789abcdef","prompt":"Hi","id":1.0,"response":"Hello",' +
      '"reasoning":"","tool_calls":"[]","distill":{"model":"asked-model","model_returned":"m-1","response_id":"",' +
      '"teacher":"http://127.0.0.1:1/v1","finish_reason":"stop","prompt_tokens":0,' +
      '"completion_tokens":0,"reasoning_tokens":0,"cached_tokens":0,"attempts":2,"latency_ms":13,' +
      '"ttft_ms":13,"cost_usd":-1.0,"created":"2026-01-02T00:00:00.000Z","source":"in.jsonl:7","params":"p1",' +
      '"refusal":false,"kept":"{}","replaced":"{}"}}',
  );
});

Deno.test("resultLine() copies the fields of the completion", () => {
  const completion = completionOf({
    reasoning: "hm",
    usage: { promptTokens: 5, completionTokens: 6, reasoningTokens: 2, cachedTokens: 1 },
    modelAsked: "other",
    teacher: "http://second",
    id: "r1",
    ttftMs: 3.4,
    toolCalls: [{ id: "c" }],
    kept: { logprobs: [1] },
  });
  const line = JSON.parse(resultLine(successOf(rowOf('{"prompt":"Hi"}'), { completion }), FORMAT));
  assertEquals(line.reasoning, "hm");
  assertEquals(line.tool_calls, '[{"id":"c"}]');
  const { model, teacher, response_id, ttft_ms, kept } = line.distill;
  assertEquals([model, teacher, response_id, ttft_ms], ["other", "http://second", "r1", 3]);
  assertEquals(kept, '{"logprobs":[1]}');
  const { prompt_tokens, completion_tokens, reasoning_tokens, cached_tokens } = line.distill;
  assertEquals([prompt_tokens, completion_tokens, reasoning_tokens, cached_tokens], [5, 6, 2, 1]);
});

Deno.test("resultLine() keeps every byte of the row's own fields", () => {
  const line = resultLine(successOf(rowOf(`{${ODD}}`)), FORMAT);
  assertStringIncludes(line, `,${ODD},"response":`);
  JSON.parse(line);
});

Deno.test("resultLine() handles a row without fields and with white space", () => {
  for (const text of ["{}", " { \t } "]) {
    const line = resultLine(successOf(rowOf(text)), FORMAT);
    assertStringIncludes(line, '"prompt_hash":"0123456789abcdef","response":"Hello"');
    JSON.parse(line);
  }
  const line = resultLine(successOf(rowOf(' { "a" : 1 } ')), FORMAT);
  assertEquals(JSON.parse(line).a, 1);
});

Deno.test("resultLine() tells a row's own uid from that of a sample", () => {
  const parsed = (text: string, uid: string) =>
    JSON.parse(resultLine(successOf(rowOf(text, { uid })), FORMAT));
  const own = parsed('{"id":"doc","uid":"doc#3"}', "doc#3");
  assertEquals(originOf(own), { inputUid: "doc#3", rowUid: "doc#3", sample: 0 });
  assertEquals(restoreRow(JSON.stringify(own)).text, '{"id":"doc","uid":"doc#3"}');
  const sample = parsed('{"id":"doc"}', "doc#3");
  assertEquals(originOf(sample), { inputUid: "doc", rowUid: "doc", sample: 3 });
});

Deno.test("resultLine() moves the row's fields with reserved names to distill.replaced, as written", () => {
  const text = '{"uid":7,"response": 1.0,"a":2,"distill":{"x":1e400},"error":null,"partial":[]}';
  const line = resultLine(successOf(rowOf(text, { uid: "7" })), FORMAT);
  assert(
    line.endsWith(
      String
        .raw`,"replaced":"{\"uid\":7,\"response\":1.0,\"distill\":{\"x\":1e400},\"error\":null,\"partial\":[]}"}}`,
    ),
    line,
  );
  assert(line.startsWith('{"uid":"7","prompt_hash":"0123456789abcdef","a":2,"response":"Hello"'));
});

Deno.test("resultLine() drops the row's uid field if it is the same", () => {
  const line = resultLine(successOf(rowOf(String.raw`{"uid":"\u00751","a":1}`)), FORMAT);
  assertEquals(line.match(/"uid"/g)?.length, 1);
  assertEquals(JSON.parse(line).distill.replaced, "{}");
});

Deno.test("resultLine() is one line that parses, whatever the teacher says", () => {
  const response = 'a\n\r\u2028\u2029\0\u007f"\\\ud800 \udc00 é 😀';
  const completion = completionOf({ response, reasoning: response, finishReason: response });
  const row = rowOf('{"a":1}', { uid: '"\n\ud800' });
  const line = resultLine(successOf(row, { completion }), FORMAT);
  assertEquals(line.includes("\n"), false);
  assert(line.isWellFormed());
  const parsed = JSON.parse(line);
  const whole = response.toWellFormed();
  assertEquals([parsed.uid, parsed.response, parsed.reasoning], [row.uid, whole, whole]);
});

Deno.test("resultLine() is valid JSON even if an untyped teacher omits fields", () => {
  const completion = JSON.parse('{"usage":{"promptTokens":null}}');
  const line = resultLine(successOf(rowOf('{"a":1}'), { completion, latencyMs: NaN }), FORMAT);
  const parsed = JSON.parse(line);
  assertEquals([parsed.response, parsed.distill.finish_reason], ["", ""]);
  assertEquals([parsed.distill.prompt_tokens, parsed.distill.latency_ms], [0, 0]);
});

Deno.test("resultLine() adds final_messages if requested", () => {
  const completion = completionOf({ reasoning: "hm" });
  const format = { ...FORMAT, finalMessages: true };
  const line = resultLine(successOf(rowOf('{"a":1}'), { completion }), format);
  assertEquals(JSON.parse(line).final_messages, [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "<think>\nhm\n</think>\n\nHello" },
  ]);
});

Deno.test("failureLine() writes the error", () => {
  assertEquals(
    failureLine(failureOf(rowOf('{"a":1.0}')), FORMAT),
    '{"uid":"u1","prompt_hash":"0123456789abcdef","a":1.0,"error":{"type":"request",' +
      String.raw`"message":"No \"thing\"\n","status":400,"attempts":2,"final":true,` +
      '"first_seen":"2026-01-01T00:00:00.000Z","created":"2026-01-02T00:00:00.000Z"},' +
      '"distill":{"cost_usd":-1.0,"source":"in.jsonl:7","params":"p1","replaced":"{}"}}',
  );
});

Deno.test("lines hold the cost of all attempts, -1 if it is not known, always as a decimal number", () => {
  const usage = { promptTokens: 1, completionTokens: 2 };
  const row = rowOf('{"a":1}');
  const cases: [
    cost: number | null,
    completion: Completion,
    isPriced: boolean,
    expected: string,
  ][] = [
    [0.00125, completionOf({ usage }), true, "0.00125"],
    [2, completionOf({ usage }), true, "2.0"],
    [0, completionOf({ usage }), true, "0.0"],
    [null, completionOf({ usage }), true, "-1.0"],
    [0, completionOf({ usage }), false, "-1.0"],
  ];
  for (const [costUsd, completion, isPriced, expected] of cases) {
    const line = resultLine(successOf(row, { costUsd, completion }), { ...FORMAT, isPriced });
    assertStringIncludes(line, `"cost_usd":${expected},`);
  }
  const failure = failureOf(row, { costUsd: 0.5 });
  assertStringIncludes(failureLine(failure, { ...FORMAT, isPriced: true }), '"cost_usd":0.5,');
});

Deno.test("failureLine() keeps an answer that was paid for", () => {
  const completion = completionOf({
    response: "half",
    reasoning: "hm",
    finishReason: "length",
    usage: { promptTokens: 5, completionTokens: 2, reasoningTokens: 1, cachedTokens: 4 },
    toolCalls: [{ id: "c" }],
  });
  const line = failureLine(failureOf(rowOf("{}"), { completion }), FORMAT);
  assertEquals(JSON.parse(line).partial, {
    response: "half",
    reasoning: "hm",
    finish_reason: "length",
    prompt_tokens: 5,
    completion_tokens: 2,
    reasoning_tokens: 1,
    cached_tokens: 4,
    model_returned: "m-1",
    tool_calls: [{ id: "c" }],
  });
});

Deno.test("failureLine() says how a row that has not failed is sent next", () => {
  const lineWith = (next: Outcome["next"]) =>
    JSON.parse(failureLine(failureOf(rowOf("{}"), { next }), FORMAT)).error;
  const { final, next } = lineWith({ resample: 2, maxTokens: 800 });
  assertEquals([final, next], [false, { resample: 2, max_tokens: 800 }]);
  assertEquals(lineWith({ resample: 1, maxTokens: undefined }).next, { resample: 1 });
});

Deno.test("badRowLine() keeps what was read, as text or as base64", () => {
  const place = { file: "in.jsonl", line: 3, problem: "it is not JSON" };
  const asText = JSON.parse(badRowLine({ ...place, text: '{"a":' }, 0));
  assertEquals(asText, {
    uid: "bad_row:in.jsonl:3",
    prompt_hash: "",
    raw: '{"a":',
    error: {
      type: "bad_row",
      message: "it is not JSON",
      status: null,
      attempts: 0,
      final: true,
      first_seen: "1970-01-01T00:00:00.000Z",
      created: "1970-01-01T00:00:00.000Z",
    },
    distill: { source: "in.jsonl:3", params: "", replaced: "{}" },
  });
  const asBytes = JSON.parse(badRowLine({ ...place, bytes: new Uint8Array([0xff, 0xfe]) }));
  assertEquals([asBytes.raw_base64, "raw" in asBytes], ["//4=", false]);
});

Deno.test("restoreRow() returns a row as it was", () => {
  const texts = [
    "{}",
    `{${ODD}}`,
    '{"prompt":"Hi","spaced": [ 1.0 ],  "x":2}',
    '{"messages":[{"role":"user","content":"Hi"}]}',
    '{"response":1.0}',
  ];
  for (const text of texts) {
    const row = rowOf(text);
    const restored = { uid: "u1", promptHash: "0123456789abcdef", text };
    const partial = completionOf({ response: '"error":{' });
    assertEquals(restoreRow(failureLine(failureOf(row), FORMAT)), restored);
    assertEquals(
      restoreRow(failureLine(failureOf(row, { completion: partial }), FORMAT)),
      restored,
    );
    assertEquals(restoreRow(resultLine(successOf(row), FORMAT)), restored);
  }
});

Deno.test("restoreRow() restores fields with reserved names, as written", () => {
  const text =
    `{"uid":"own","response": 1.0,${ODD},"error":{"error":1e400},"distill":{"replaced":{"a":1}}}`;
  const back =
    `{${ODD},"uid":"own","response":1.0,"error":{"error":1e400},"distill":{"replaced":{"a":1}}}`;
  const row = rowOf(text);
  assertEquals(restoreRow(failureLine(failureOf(row), FORMAT)).text, back);
  assertEquals(restoreRow(resultLine(successOf(row), FORMAT)).text, back);
  // Earlier versions wrote `replaced` as an object, and left it out if it was empty.
  const earlier = resultLine(successOf(row), FORMAT)
    .replace(/"replaced":("(?:[^"\\]|\\.)*")/, (_, text) => `"replaced":${JSON.parse(text)}`);
  assertEquals(restoreRow(earlier).text, back);
  assertEquals(typeof JSON.parse(earlier).distill.replaced, "object");
  assertEquals(
    restoreRow(failureLine(failureOf(rowOf('{"uid":"u1"}')), FORMAT)).text,
    '{"uid":"u1"}',
  );
});

Deno.test("restoreRow() reads a line that another program wrote again", () => {
  const line = JSON.stringify(
    JSON.parse(failureLine(failureOf(rowOf('{"a":1,"error":2}')), FORMAT)),
  );
  const spaced = line.replaceAll('":', '": ').replaceAll(',"', ', "');
  assertEquals(JSON.parse(restoreRow(` ${spaced}\r`).text), { a: 1, error: 2 });
});

Deno.test("restoreRow() refuses lines that are not Retort's", () => {
  for (const line of ["{", "null", "[]", '{"uid":1}', "3"]) {
    assertThrows(() => restoreRow(line), SinkError, "Cannot restore a row");
  }
});

Deno.test("lines replace lone surrogates in our fields by U+FFFD, and keep the row as it was", () => {
  const half = "a\ud800b\\ud800 C:\\udir \ud83d\ude00\udc00", whole = half.toWellFormed();
  const row = rowOf(String.raw`{"prompt":"\ud800","response":"\udc00"}`, {
    messages: [{ role: "user", content: half }],
  });
  const completion = completionOf({
    ...{ response: half, reasoning: half, finishReason: half, model: half, id: half },
    toolCalls: [{ id: half, function: { name: half, arguments: half } }],
    kept: { [half]: [half] },
  });
  const format = { ...FORMAT, finalMessages: true };
  const result = resultLine(successOf(row, { completion }), format);
  assertStringIncludes(result, String.raw`,"prompt":"\ud800","response":"`);
  assertStringIncludes(result, String.raw`"replaced":"{\"response\":\"\\udc00\"}"`);
  const { response, reasoning, tool_calls, final_messages, distill } = JSON.parse(result);
  const { finish_reason, model_returned, response_id } = distill;
  const [[call], kept] = [JSON.parse(tool_calls), JSON.parse(distill.kept)];
  assertEquals([response, reasoning, finish_reason, model_returned], Array(4).fill(whole));
  assertEquals([response_id, kept[whole], call.function.arguments], [whole, [whole], whole]);
  assertEquals(final_messages[0].content, whole);
  const failure = { type: "response", message: half, status: null } as const;
  const failed = JSON.parse(failureLine(failureOf(row, { completion, failure }), FORMAT));
  assertEquals([failed.prompt, failed.error.message], ["\ud800", whole]);
  assertEquals([failed.partial.response, failed.partial.tool_calls[0].id], [whole, whole]);
});

Deno.test("resultLine() writes counts as whole numbers", () => {
  const usage = {
    promptTokens: 1e30,
    completionTokens: 6.5,
    reasoningTokens: -3,
    cachedTokens: NaN,
  };
  const line = resultLine(successOf(rowOf("{}"), { completion: completionOf({ usage }) }), FORMAT);
  const counts = '"prompt_tokens":0,"completion_tokens":7,"reasoning_tokens":0,"cached_tokens":0';
  assertStringIncludes(line, counts);
});

Deno.test("lastModelsOf() returns the model of each teacher's last answer on disk", async () => {
  await using dir = await tempDir();
  const lineOf = (model: string, teacher = "http://127.0.0.1:1/v1") =>
    resultLine(
      successOf(rowOf('{"prompt":"Hi"}'), { completion: completionOf({ model, teacher }) }),
      FORMAT,
    );
  const lines = [lineOf("old"), lineOf("other", "http://b"), lineOf("new"), lineOf("")];
  const path = await dir.write("a.jsonl", `${"x".repeat(70_000)}\n${lines.join("\n")}\n`);
  const lastModelOf = lastModelsOf([dir.path("none.jsonl"), path]);
  const teachers = ["http://127.0.0.1:1/v1", "http://b", "http://c"]
    .map((address) => ({ address, model: "asked-model" }));
  assertEquals(teachers.map(lastModelOf), ["new", "other", undefined]);
  assertEquals(lastModelOf({ address: "http://b", model: "x" }), undefined);
});
