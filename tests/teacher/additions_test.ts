import { assertEquals } from "../../lib/deps/std_assert.ts";
import type { AskedSchema, Params, Teacher } from "../../lib/teacher/teacher.ts";
import { chatAnswer, errorAnswer } from "../support/ledger_server.ts";
import { ask, failure, pair, stream, token } from "./pair.ts";

const SCHEMA: AskedSchema = { name: "answer", schema: { type: "object" } };
const never = new AbortController().signal;

function askFor(teacher: Teacher, params: Params = {}, jsonSchema: AskedSchema = SCHEMA) {
  const messages = [{ role: "user", content: "hi" }];
  return teacher.complete({ uid: "1", messages, params, jsonSchema }, never);
}

Deno.test("a schema is requested, unless parameters set the response format", async () => {
  await using it = pair();
  const format = {
    type: "json_schema",
    json_schema: { name: "answer", schema: { type: "object" } },
  };
  const params: Params = { temperature: 0 };
  await askFor(it.teacher, params);
  await askFor(it.teacher, params, { ...SCHEMA, strict: true });
  await askFor(it.teacher, { response_format: { type: "json_object" } });
  await askFor(it.teacher, { response_format: null });
  await askFor(it.teacher, { tools: [] });
  await ask(it.teacher, params);
  assertEquals(it.server.requests.map(({ body }) => body.response_format), [
    format,
    { ...format, json_schema: { ...format.json_schema, strict: true } },
    { type: "json_object" },
    null,
    undefined,
    undefined,
  ]);
});

/** The servers' errors, verbatim. */
const REFUSALS: readonly (readonly [status: number, message: string])[] = [
  [400, "This response_format type is unavailable now"],
  [
    422,
    "Failed to deserialize the JSON body into the target type: response_format: response_format.type " +
    "`json_schema` is unavailable now at line 1 column 1193",
  ],
  [400, "This model does not support response format `json_schema`. See supported models at …"],
  [
    400,
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
  ],
  [400, "The provided JSON schema contains features not supported by xgrammar."],
  [500, 'Grammar error: Unimplemented keys: ["propertyNames"]'],
];

for (const [status, message] of REFUSALS) {
  Deno.test(`a schema is left out after ${status} ${message}`, async () => {
    await using it = pair(({ n }) => n === 1 ? errorAnswer(status, message) : undefined);
    const error = await failure(askFor(it.teacher));
    assertEquals([error.isAdjusted, error.message], [true, message]);
    assertEquals(
      error.notice,
      `The teacher at ${it.server.url} rejects response_format (${message}): ` +
        "later requests omit it; answers are still checked against the schema",
    );
    await askFor(it.teacher);
    assertEquals("response_format" in it.server.requests[1].body, false);
  });
}

Deno.test("a refused field is left out of later requests, and is reported once even if many were in flight", async () => {
  const gate = Promise.withResolvers<void>();
  await using it = pair(async ({ body }) => {
    if (body.response_format === undefined) return;
    await gate.promise;
    return errorAnswer(400, "response_format is not supported");
  });
  const attempts = Promise.all([1, 2, 3].map(() => failure(askFor(it.teacher))));
  await it.server.untilPosts(3);
  gate.resolve();
  const errors = await attempts;
  assertEquals(errors.map(({ isAdjusted }) => isAdjusted), [true, true, true]);
  assertEquals(errors.filter(({ notice }) => notice !== undefined).length, 1);
});

Deno.test("a refusal of the user's parameters fails the row", async () => {
  await using it = pair(() => errorAnswer(400, "response_format is not supported"));
  const params = { response_format: { type: "json_object" } };
  assertEquals((await failure(askFor(it.teacher, params))).isAdjusted, false);
});

Deno.test("a refusal that names no field fails the row, and so does a wrong key", async () => {
  const answers: [number, string][] = [[400, "temperature must be below 2"], [
    401,
    "response_format of your key",
  ]];
  await using it = pair(({ n }) => errorAnswer(...answers[n - 1]));
  for (const _ of answers) assertEquals((await failure(askFor(it.teacher))).isAdjusted, false);
});

Deno.test("token counts of a stream are not requested if the server does not support them", async () => {
  await using it = pair(
    ({ body }) =>
      body.stream_options === undefined
        ? stream([token("hi", "stop"), "data: [DONE]\n\n"])
        : errorAnswer(400, "Unknown field: stream_options"),
    { stream: true },
  );
  assertEquals((await failure(ask(it.teacher))).isAdjusted, true);
  assertEquals((await ask(it.teacher)).response, "hi");
});

Deno.test("summaries of reasoning are not requested if the account may not have them", async () => {
  const message = "Your organization must be verified to generate reasoning summaries.";
  await using it = pair(
    ({ body }) =>
      body.reasoning === undefined
        ? Response.json({ status: "completed", output: [] })
        : errorAnswer(400, message),
    { endpoint: "responses" },
  );
  assertEquals((await failure(ask(it.teacher))).isAdjusted, true);
  assertEquals((await ask(it.teacher)).finishReason, "stop");
});

Deno.test("keep warns after ten answers without the field", async () => {
  await using it = pair(({ n }) => Response.json(chatAnswer("a", n < 5 ? { b: 1 } : {})), {
    keep: ["logprobs", "b"],
  });
  const notices: (string | undefined)[] = [];
  for (let n = 0; n < 12; n++) notices.push((await ask(it.teacher)).notice);
  assertEquals(notices.filter((notice) => notice !== undefined), [
    `None of the first 10 answers of the teacher at ${it.server.url} contains "logprobs" (--keep): ` +
    "the teacher may not support it",
  ]);
  assertEquals(notices.findIndex((notice) => notice !== undefined), 9);
});

Deno.test("keep warns once of several fields that no answer contains", async () => {
  await using it = pair(() => Response.json(chatAnswer("a")), { keep: ["logprobs", "b"] });
  let notice: string | undefined;
  for (let n = 0; n < 10; n++) notice = (await ask(it.teacher)).notice;
  assertEquals(
    notice,
    `None of the first 10 answers of the teacher at ${it.server.url} contains "logprobs" or "b" ` +
      "(--keep): the teacher may not support them",
  );
});

Deno.test("notices() reports what would be missing and what is dangerous", async () => {
  await using it = pair(undefined, { keep: ["logprobs"] });
  const missing = "--keep logprobs keeps what the teacher sends, and no parameter asks it for " +
    "logprobs: add -p logprobs=true";
  assertEquals(it.teacher.notices({}), [missing]);
  assertEquals(it.teacher.notices({ logprobs: false }), [missing]);
  assertEquals(it.teacher.notices({ logprobs: true }), []);
  await using responses = pair(undefined, { keep: ["logprobs"], endpoint: "responses" });
  assertEquals(responses.teacher.notices({ include: ["message.output_text.logprobs"] }), []);
  const baseUrl = "https://h.example/v1";
  await using base = pair(undefined, { endpoint: "completions", insecureTls: true, baseUrl });
  assertEquals(base.teacher.notices({}).length, 2);
  assertEquals(base.teacher.notices({ max_tokens: 9 }), [
    `The certificate of ${baseUrl} is not checked (--insecure-tls): anyone in ` +
    "between can read the prompts, the answers and the key",
  ]);
  await using plain = pair(undefined, { insecureTls: true });
  assertEquals(plain.teacher.notices({}), [
    `${plain.server.url} is called without TLS (http://): certificates have no effect there`,
  ]);
});

Deno.test("a refusal of a field keeps the answer that came with it", async () => {
  await using it = pair(() =>
    Response.json({
      error: { message: "Generated JSON does not match the JSON schema", failed_generation: "{}" },
    }, { status: 400, headers: { "retry-after": "60" } })
  );
  const error = await failure(askFor(it.teacher));
  assertEquals([error.isAdjusted, error.partial?.response], [true, "{}"]);
  assertEquals(error.retryAfterMs, undefined);
});
