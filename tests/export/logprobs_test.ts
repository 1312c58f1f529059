/** Log probabilities of the shapes that servers send, as columns. @module */

import { assert, assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { UsageError } from "../../lib/errors.ts";
import { convertFiles, exportResults } from "../../lib/export/mod.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { resultLineOf } from "./results.ts";

const bytesOf = (text: string) => [...new TextEncoder().encode(text)];

/** A token as OpenAI and vLLM send it. */
function token(text: string, logprob: number, extra: object = {}) {
  return { token: text, logprob, bytes: bytesOf(text), ...extra };
}

interface Case {
  readonly response: string;
  readonly reasoning?: string;
  readonly kept: Record<string, unknown> | undefined;
}

async function exported(dir: TempDir, cases: readonly Case[], name = "x.jsonl") {
  const lines = cases.map(({ response, reasoning, kept }, i) =>
    resultLineOf({ id: i, prompt: `p${i}` }, {
      response,
      reasoning,
      kept,
      source: `p.jsonl:${i + 1}`,
    })
  );
  const results = await dir.write("out.jsonl", lines.join("\n") + "\n");
  const output = dir.path(name);
  return await exportResults({ results, output, format: "logprobs", replace: true });
}

const TOP = [token("Hi", -0.1), token("He", -2.5)];

Deno.test("chat completions of OpenAI and vLLM: tokens, logprobs and alternatives as lists", async () => {
  await using dir = await tempDir();
  const content = [
    token("Hi", -0.1, { top_logprobs: TOP }),
    token(" there", -0, { top_logprobs: [token(" there", 0)] }),
    token("<|im_end|>", -0.5, { top_logprobs: [] }),
  ];
  const kept = { logprobs: { content }, token_ids: [1, 2, 3] };
  await exported(dir, [{ response: "Hi there", kept }]);
  const [{ messages, ...columns }] = await dir.rows("x.jsonl");
  assertEquals(messages.length, 2);
  assertEquals(columns, {
    tokens: ["Hi", " there", "<|im_end|>"],
    token_ids: [1, 2, 3],
    logprobs: [-0.1, 0, -0.5],
    top_tokens: [["Hi", "He"], [" there"], []],
    top_logprobs: [[-0.1, -2.5], [0], []],
  });
});

Deno.test("llama.cpp reports ids, vLLM may name tokens by ids, completions have lists", async () => {
  await using dir = await tempDir();
  const llama = {
    id: 7,
    top_logprobs: [{ ...token("A", -1), id: 7 }, { ...token("B", -2), id: 8 }],
  };
  const named = { token: "token_id:9", logprob: -1, bytes: bytesOf("B"), top_logprobs: [] };
  const legacy = {
    tokens: ["C", "D"],
    token_logprobs: [null, -2],
    top_logprobs: [null, { D: -2, E: -3 }],
    text_offset: [0, 1],
  };
  const cases = [
    { response: "A", kept: { logprobs: { content: [token("A", -1, llama)] } } },
    { response: "B", kept: { logprobs: { content: [named] } } },
    { response: "CD", kept: { logprobs: legacy } },
  ];
  assertEquals((await exported(dir, cases)).notes, []);
  const rows = (await dir.rows("x.jsonl")).map(({ messages: _messages, ...rest }) => rest);
  assertEquals(rows, [
    {
      tokens: ["A"],
      token_ids: [7],
      logprobs: [-1],
      top_tokens: [["A", "B"]],
      top_token_ids: [[7, 8]],
      top_logprobs: [[-1, -2]],
    },
    { tokens: ["B"], token_ids: [9], logprobs: [-1] },
    {
      tokens: ["C", "D"],
      logprobs: [null, -2],
      top_tokens: [[], ["D", "E"]],
      top_logprobs: [[], [-2, -3]],
    },
  ]);
  await exported(dir, cases, "x.parquet");
  await convertFiles({ input: dir.path("x.parquet"), output: dir.path("y.jsonl") });
  const read = await dir.rows("y.jsonl");
  assertEquals(read.map(({ token_ids: ids }) => ids), [[7], [9], null]);
  assertEquals(read[2].top_logprobs, [[], [-2, -3]]);
});

Deno.test("tokens are checked against the text: bytes of split characters, reasoning, and omitted texts", async () => {
  await using dir = await tempDir();
  const [first, second] = [bytesOf("é").slice(0, 1), bytesOf("é").slice(1)];
  const halves = [{ token: "\ufffd", bytes: first }, { token: "\ufffd", bytes: second }]
    .map((one) => ({ ...one, logprob: -1 }));
  const thought = ["<think>", "\n", "why", "\n", "</think>", "\n\n", "yes"].map((one) =>
    token(one, -1)
  );
  const cases = [
    { response: "é", kept: { logprobs: { content: halves } } },
    { response: "yes", reasoning: "why", kept: { logprobs: { content: thought } } },
    { response: "no", kept: { logprobs: { content: [token("yes", -1)] } } },
    { response: "none", kept: undefined },
    { response: "null", kept: { logprobs: null } },
  ];
  const { rows, notes } = await exported(dir, cases);
  assertEquals(rows, 2);
  assert(notes.some((note) => note.startsWith("Left out 2 rows without log probabilities")));
  assert(notes.some((note) => note.startsWith("Left out 1 row whose tokens")));
  const error = await assertRejects(() => exported(dir, cases.slice(3)), UsageError);
  assert(error.message.includes("--keep logprobs"), error.message);
});
