/** Where servers put the reasoning. @module */

import type { Part, ServerCase, ServerGroup } from "./case.ts";
import { answer, delta, DONE, events, finish } from "./replies.ts";

const EXPECTED: Part = { response: "42", reasoning: "why" };

/** A case whose answer is 42 and whose reasoning is "why". */
function one(
  who: string,
  sends: string,
  message: Part,
  rest: Partial<ServerCase> = {},
): ServerCase {
  const { content = "42", ...fields } = message;
  return {
    who,
    sends,
    script: [answer(content, { message: fields })],
    expected: { result: EXPECTED },
    ...rest,
  };
}

/** The same in a stream. Each delta holds what is not the text in `message`. */
function streamed(
  who: string,
  sends: string,
  deltas: readonly Part[],
  flags: readonly string[] = [],
): ServerCase {
  return {
    who,
    sends: `${sends}, streamed`,
    flags: ["--stream", ...flags],
    script: [events([
      ...deltas.map(({ content, ...fields }) => delta(null, { delta: { content, ...fields } })),
      finish(),
      DONE,
    ])],
    expected: { result: EXPECTED },
  };
}

function thinking(text: string): Part {
  return { type: "thinking", thinking: [{ type: "text", text }] };
}

function detail(text: string): Part {
  return { type: "reasoning.text", text, index: 0 };
}

const HARMONY = "<|channel|>analysis<|message|>why<|end|>" +
  "<|start|>assistant<|channel|>final<|message|>42<|return|>";

/** Where servers put the reasoning. */
export const REASONING: ServerGroup = {
  title: "Reasoning",
  intro: "`reasoning` holds all of it exactly once, and `response` none of it.",
  cases: [
    one("DeepSeek, Qwen, SGLang", "`reasoning_content`", { reasoning_content: "why" }),
    one("OpenRouter, Ollama, newer vLLM", "`reasoning`", { reasoning: "why" }),
    streamed("newer vLLM", "`reasoning`", [{ reasoning: "w" }, { reasoning: "hy" }, {
      content: "42",
    }]),
    one("gateways between the two", "`reasoning` and `reasoning_content`, alike", {
      reasoning: "why",
      reasoning_content: "why",
    }),
    one("Mistral", "content parts of type `thinking`", {
      content: [thinking("why"), { type: "text", text: "42" }],
    }),
    streamed("Mistral", "content parts of type `thinking`", [
      { content: [thinking("w")] },
      { content: [thinking("hy")] },
      { content: [{ type: "text", text: "4" }] },
      { content: "2" },
    ]),
    one("Anthropic behind a gateway", "content parts of type `thinking` and `redacted_thinking`", {
      content: [
        { type: "thinking", thinking: "why", signature: "x" },
        { type: "redacted_thinking", data: "x" },
        { type: "text", text: "42" },
      ],
    }),
    one("MiniMax", "`reasoning_details`", { reasoning_details: [detail("why")] }),
    streamed("MiniMax", "`reasoning_details`", [
      { reasoning_details: [detail("w")] },
      { reasoning_details: [detail("hy")] },
      { content: "42" },
    ]),
    streamed("MiniMax", "`reasoning_details`, each with the whole text so far", [
      { reasoning_details: [detail("w")] },
      { reasoning_details: [detail("wh")] },
      { reasoning_details: [detail("why")] },
      { content: "42" },
    ]),
    one("OpenRouter", "`reasoning` and the same in `reasoning_details`", {
      reasoning: "why",
      reasoning_details: [detail("why")],
    }),
    streamed(
      "OpenRouter",
      "`reasoning`, the same in `reasoning_details`, and all of it at the end",
      [
        { reasoning: "w", reasoning_details: [detail("w")] },
        { reasoning: "hy", reasoning_details: [detail("hy")] },
        { content: "42", reasoning_details: [detail("why")] },
      ],
    ),
    one("OpenRouter", "`reasoning_details` with a summary and an encrypted part", {
      reasoning_details: [
        { type: "reasoning.summary", summary: "why" },
        { type: "reasoning.encrypted", data: "x" },
      ],
    }),
    one("LiteLLM", "`reasoning_content` and the same in `thinking_blocks`", {
      reasoning_content: "why",
      thinking_blocks: [{ type: "thinking", thinking: "why", signature: "x" }],
    }),
    one("vLLM without a parser", "`<think>…</think>`", { content: "<think>\nwhy\n</think>\n\n42" }),
    one("models whose template opens the block", "`…</think>`", { content: "why\n</think>\n\n42" }),
    streamed("vLLM without a parser", "`<think>…</think>`, its tags cut in two", [
      { content: "<thi" },
      { content: "nk>why</th" },
      { content: "ink>42" },
    ]),
    one("MiniMax without `reasoning_split`", "`<think>…</think>` and the same in a field", {
      content: "<think>\nwhy\n</think>\n42",
      reasoning_content: "why",
    }),
    streamed("MiniMax without `reasoning_split`", "`<think>…</think>` and the same in a field", [
      { content: "<think>w", reasoning_content: "w" },
      { content: "hy</th", reasoning_content: "hy" },
      { content: "ink>\n42" },
    ]),
    one("Qwen without thinking", "an empty `<think></think>` and a field", {
      content: "<think>\n\n</think>\n\n42",
      reasoning_content: "why",
    }),
    one("gateways that add tags", "`reasoning_content` with its tags", {
      reasoning_content: "<think>why</think>",
    }),
    one("Magistral", "`[THINK]…[/THINK]`", { content: "[THINK]why[/THINK]42" }),
    one("Gemini", "`<thought>…</thought>`", { content: "<thought>why</thought>42" }),
    one("Seed-OSS", "`<seed:think>…</seed:think>`", { content: "<seed:think>why</seed:think>42" }),
    one("MiniMax M3", "`<mm:think>…</mm:think>`", { content: "<mm:think>why</mm:think>42" }),
    one("Gemma 4", "`<|channel>thought…<channel|>`", {
      content: "<|channel>thought\nwhy<channel|>42",
    }),
    one("MedGemma", "`<unused94>thought…<unused95>`", {
      content: "<unused94>thought\nwhy<unused95>42",
    }),
    one("gpt-oss, raw", "its channels as text", { content: HARMONY }),
    streamed("gpt-oss, raw", "its channels as text", [
      { content: HARMONY.slice(0, 30) },
      { content: HARMONY.slice(30, 70) },
      { content: HARMONY.slice(70) },
    ]),
    one("gpt-oss without special tokens", "`analysis…assistantfinal…`", {
      content: "analysiswhyassistantfinal42",
    }),
    one("models with tags of their own", "`<reason>…</reason>`", {
      content: "<reason>why</reason>42",
    }, { flags: ["--think-tags", "<reason>,</reason>"] }),
    streamed("models with tags of their own", "`…</reason>`", [
      { content: "why</rea" },
      { content: "son>42" },
    ], ["--think-tags", "<reason>,</reason>"]),
    one("a model asked about tags", "a tag further on in the answer", {
      content: "42. Use <think>a</think> tags",
    }, { expected: { result: { response: "42. Use <think>a</think> tags", reasoning: "" } } }),
  ],
};
