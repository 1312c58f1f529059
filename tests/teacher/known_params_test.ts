/** Parameters that servers support. @module */

import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { textParamNotices, unknownParamNotices } from "../../lib/params.ts";
import { assertExit, distill, numberedRows } from "../e2e/fixture.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { tempDir } from "../support/temp.ts";

Deno.test("unknownParamNotices() names the parameter that was probably meant", () => {
  const cases: [name: string, meant: string | undefined][] = [
    ["temprature", "temperature"],
    ["Temperature", "temperature"],
    ["tempature", "temperature"],
    ["max_token", "max_tokens"],
    ["maxTokens", "max_tokens"],
    ["max-tokens", "max_tokens"],
    ["maxCompletionTokens", "max_completion_tokens"],
    ["topp", "top_p"],
    ["top-k", "top_k"],
    ["frequncy_penalty", "frequency_penalty"],
    ["reponse_format", "response_format"],
    ["service_teir", "service_tier"],
    ["enable_thinkng", "enable_thinking"],
    ["chat_template_kwarg", "chat_template_kwargs"],
    ["reasonig_effort", "reasoning_effort"],
    ["my_own_switch", undefined],
    ["x", undefined],
    ["__proto__", undefined],
  ];
  for (const [name, meant] of cases) {
    const hint = meant === undefined ? "" : `. Did you mean "${meant}"?`;
    assertEquals(unknownParamNotices([name]), [
      `Retort does not know the parameter "${name}", and sends it as it is${hint}`,
    ]);
  }
});

Deno.test("unknownParamNotices() is silent about parameters that servers support", () => {
  const names =
    "temperature top_k min_p seed tools response_format chat_template_kwargs thinking " +
    "guided_json repetition_penalty repeat_penalty provider reasoning service_tier enable_thinking " +
    "extra_body num_ctx structured_outputs cache_salt logprobs prompt_cache_key stop_token_ids";
  assertEquals(unknownParamNotices(names.split(" ")), []);
});

Deno.test("an unknown parameter is announced at the start and by --dry-run, and sent", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const rows = [...numberedRows(2), { prompt: "own", params: { topp: 0.5, seed: 1 } }];
  const input = await dir.write("in.jsonl", rows);
  const args = [input, "-o", dir.path("out/"), "-p", "temprature=0.7", "-p", "top_k=5"];
  for (const more of [["--dry-run"], []]) {
    const result = await distill(server, [...args, ...more]);
    assertExit(result, 0);
    for (const [name, meant] of [["temprature", "temperature"], ["topp", "top_p"]]) {
      assertStringIncludes(
        result.stderr,
        `Retort does not know the parameter "${name}", and sends it as it is. Did you mean ` +
          `"${meant}"?`,
      );
    }
    assert(!/parameter "(top_k|seed)"/.test(result.stderr), result.stderr);
  }
  assertEquals(server.requests.map(({ body }) => body.temprature), [0.7, 0.7, 0.7]);
});

Deno.test("the start names the successors of parameters that vLLM ignores, also those of rows", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const row = { prompt: "own", params: { guided_json: { type: "object" } } };
  const input = await dir.write("in.jsonl", [...numberedRows(2), row]);
  const params = ['guided_choice=["a","b"]', "structural_tag={}", 'structured_outputs.choice=["a"]']
    .flatMap((param) => ["-p", param]);
  const result = await distill(server, [input, "-o", dir.path("out/"), ...params]);
  assertExit(result, 0);
  assertEquals(
    result.stderr.match(/The parameter .*/g),
    ["guided_json", "guided_choice", "structural_tag"].map((name) =>
      `The parameter "${name}" has no effect on vLLM since version 0.12: ` +
      `there it is "structured_outputs.${name.replace("guided_", "")}"`
    ),
  );
  assertEquals(server.requests.map(({ body }) => body.guided_choice), Array(3).fill(["a", "b"]));
});

Deno.test("textParamNotices() names numbers, lists and blocks that a slip has made a text", () => {
  const slips = {
    temperature: "0,7",
    max_tokens: "4k",
    stop: '["a", "b"',
    logit_bias: '{"5": 1',
    chat_template_kwargs: "{enable_thinking: false}",
  };
  assertEquals(textParamNotices(slips), [
    'The parameter "temperature" is sent as the text "0,7": expected a number',
    'The parameter "max_tokens" is sent as the text "4k": expected a number',
    String
      .raw`The parameter "stop" is sent as the text "[\"a\", \"b\"": expected a list or an object`,
    String
      .raw`The parameter "logit_bias" is sent as the text "{\"5\": 1": expected a list or an object`,
    'The parameter "chat_template_kwargs" is sent as the text "{enable_thinking: false}": expected ' +
    "a list or an object",
  ]);
  assertEquals(textParamNotices({ tools: "[]" }), [
    'The parameter "tools" is sent as the text "[]": expected a list or an object',
  ]);
  const words = { enable_thinking: "no", chat_template_kwargs: { enable_thinking: "False" } };
  assertEquals(textParamNotices(words), [
    'The parameter "enable_thinking" is sent as the text "no": expected true or false',
    'The parameter "chat_template_kwargs.enable_thinking" is sent as the text "False": expected ' +
    "true or false",
  ]);
  const kwargs = { enable_thinking: false, reasoning_effort: "none", lang: "no" };
  assertEquals(textParamNotices({ chat_template_kwargs: kwargs }), []);
  const meant = { temperature: 0.7, stop: "[END]", guided_regex: "[a-z]+", tool_choice: "auto" };
  assertEquals(textParamNotices(meant), []);
  assertEquals(textParamNotices({ chat_template: "{% if a %}", thinking: "on" }), []);
});
