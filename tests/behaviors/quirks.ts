/** What users have reported of servers and gateways, each with its thread. @module */

import type { Reply } from "../support/scripted_server.ts";
import type { Expected, Part, ServerCase, ServerGroup } from "./case.ts";
import { answer, delta, DONE, events, finish, json } from "./replies.ts";

const STREAM = ["--stream"];
const TWICE = ["--max-attempts", "2"];

/** A whole answer, however it comes: one POST, a result. */
function whole(who: string, sends: string, reply: Reply, result: Part = {}): ServerCase {
  const isStream = Array.isArray(reply.body);
  return {
    who,
    sends: isStream ? `a stream with ${sends}` : sends,
    script: [reply],
    flags: isStream ? STREAM : [],
    expected: { result: { response: "42", reasoning: "", ...result } },
  };
}

/** Something that passes: the row is sent again. */
function passing(who: string, sends: string, reply: Reply): ServerCase {
  return {
    who,
    sends: `${sends}, then an answer`,
    script: [reply, answer("42")],
    expected: { result: { response: "42", distill: { attempts: 2 } }, posts: 2 },
  };
}

/** The same, and it does not pass. */
function lasting(who: string, sends: string, reply: Reply, failure: Part): ServerCase {
  const expected: Expected = { failure, posts: 2 };
  return { who, sends: `${sends}, each time`, script: [reply], flags: TWICE, expected };
}

/** Something that no row gets past. */
function halting(who: string, sends: string, reply: Reply, says: RegExp, posts = 1): ServerCase {
  const expected: Expected = { counts: [0, 0, 5], says, posts };
  return { who, sends, script: [reply], rows: 5, flags: ["-c", "1"], expected };
}

/** Something that speaks of the row: it fails at once. */
function refused(who: string, sends: string, reply: Reply, message: RegExp): ServerCase {
  const expected: Expected = { failure: { error: { attempts: 1, message } } };
  return { who, sends, script: [reply], flags: STREAM, expected };
}

function bad(error: unknown): Reply {
  return json({ error }, { status: 400 });
}

function stream(...list: unknown[]): Reply {
  return events([...list, DONE]);
}

const NOTHING = answer(null, {
  usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
});
const NO_TOKENS = answer("", { usage: { prompt_tokens: 22_649 } });
const FAILED_CALL = bad({
  message: "Failed to call a function. See 'failed_generation' for more details.",
  type: "invalid_request_error",
  code: "tool_use_failed",
  failed_generation: "<function=f>{",
});
const LONG = ["The answer ", "to all of it ", "is forty-two."];
const ALL = LONG.join("");

/** A part of the one call that older versions of TGI stream, without a list around it. */
function callPart(name: string | null, args: string): Part {
  const calls = { index: 0, id: "", type: "function", function: { name, arguments: args } };
  return { choices: [{ index: 0, delta: { role: "assistant", tool_calls: calls } }] };
}

const CALLED = { function: { name: "f", arguments: '{"x":1}' } };
const CALL = { type: "function", function: { name: "f", arguments: { x: 1 } } };

/** What users have reported of servers and gateways. */
export const QUIRKS: ServerGroup = {
  title: "Seen in issue threads",
  intro:
    "Problems that users of other projects have reported. `tests/behaviors/quirks.ts` names the thread of each.",
  cases: [
    passing(
      "OpenRouter (open-webui/computer#293)",
      "a provider's error at 400 without a reason",
      bad({ message: "Provider returned error", code: 400, metadata: { provider_name: "Chutes" } }),
    ),
    refused(
      "OpenRouter (OmniRoute#3044)",
      "a provider's words about the row at 400",
      bad({
        message: "Provider returned error",
        code: 400,
        metadata: {
          raw: '{"error":{"message":"Model \'x\' supports at most 1 image per prompt."}}',
          provider_name: "Crucible",
        },
      }),
      /^Model 'x' supports at most 1 image per prompt\. \(from Crucible\)$/,
    ),
    passing(
      "Cloudflare's AI gateway (cloudflare/ai#436)",
      "a provider's failure at 400, in a list",
      json({
        success: false,
        error: [{ code: 2005, message: "Failed to get response from provider" }],
      }, {
        status: 400,
      }),
    ),
    // ollama/ollama#13371
    passing("Ollama's cloud", "`stop`, no content, and counts of 0", NOTHING),
    // googleapis/js-genai#1769, BerriAI/litellm#24462
    passing(
      "Gemini, through a gateway",
      "`stop` with an empty text and no completion tokens",
      NO_TOKENS,
    ),
    {
      who: "LiteLLM",
      sends: "a stream of nothing but `stop` where its upstream has broken off, then an answer",
      script: [
        stream(finish(), { choices: [{ index: 0, delta: {} }] }),
        stream(delta("42"), finish()),
      ],
      flags: STREAM,
      expected: { result: { response: "42", distill: { attempts: 2 } }, posts: 2 },
    },
    lasting("Ollama's cloud", "`stop`, no content, and counts of 0", NOTHING, {
      error: { type: "empty", attempts: 2, message: /counted no tokens/ },
      partial: { response: "", finish_reason: "stop" },
    }),
    {
      // ollama/ollama#15288
      who: "Ollama with Gemma 4",
      sends: "the whole answer as reasoning",
      script: [answer("", { message: { reasoning: "Canberra." } })],
      expected: {
        failure: {
          error: { type: "empty", message: /only reasoning/ },
          partial: { response: "", reasoning: "Canberra." },
        },
      },
    },
    // tinyhumansai/openhuman#4181
    halting(
      "LM Studio without a model",
      "400: No models loaded",
      bad({ message: "No models loaded. Please load a model.", type: "invalid_request_error" }),
      /Check the name of the model/,
    ),
    // lmstudio-ai/lmstudio-bug-tracker#1347
    passing(
      "LM Studio",
      "400: the model has crashed",
      bad("The model has crashed without additional information. (Exit code: 6)"),
    ),
    // lmstudio-ai/lmstudio-bug-tracker#1492
    passing("LM Studio", "400: the model was unloaded", bad("Model is unloaded.")),
    // lmstudio-ai/lmstudio-bug-tracker#1680
    halting(
      "LM Studio, at a path that it does not have",
      "status 200 with words of its own",
      json({ error: "Unexpected endpoint or method. (POST /chat/completions)" }),
      /Check the address \(--base-url\)/,
    ),
    halting(
      "Ollama's own API",
      "an object in each line",
      json('{"message":{"content":"4"},"done":false}\n{"message":{"content":"2"},"done":true}\n'),
      /not an OpenAI-compatible endpoint/,
      10,
    ),
    // stanford-crfm/helm#3327
    {
      who: "Azure OpenAI",
      sends: "400 `content_filter`",
      script: [bad({
        message: "The response was filtered due to the prompt triggering Azure OpenAI's policy",
        code: "content_filter",
        innererror: { code: "ResponsibleAIPolicyViolation" },
      })],
      expected: { failure: { error: { type: "filtered", status: 400, attempts: 1 } } },
    },
    passing(
      "gateways",
      "400 with the code of a daily quota",
      bad({ message: "Come back tomorrow", code: "daily_quota_exceeded" }),
    ),
    // groq/groq-typescript#28, gryszzz/open-thymos#97
    passing("Groq", "400 `tool_use_failed`, with what the model wrote", FAILED_CALL),
    lasting("Groq", "400 `tool_use_failed`, with what the model wrote", FAILED_CALL, {
      error: { type: "request", status: 400, attempts: 2 },
      partial: { response: "<function=f>{" },
    }),
    // lucagrippa/obsidian-ai-tagger#34
    passing(
      "Groq",
      "400 `json_validate_failed`, with nothing",
      bad({
        message: "Failed to validate JSON.",
        code: "json_validate_failed",
        failed_generation: "",
      }),
    ),
    // BerriAI/litellm#8448
    passing(
      "OpenRouter, through LiteLLM",
      "a choice without content next to an error with the code 429",
      answer(null, { error: { message: "Provider returned error", code: 429 } }),
    ),
    // continuedev/continue#10560, google-gemini/gemini-cli#15745
    halting(
      "a gateway to Gemini",
      "Google's error as the text of its own",
      bad({ message: '{"error":{"code":400,"message":"API key not valid."}}', code: 400 }),
      /rejects all rows \(400\): API key not valid\. Check the API key/,
    ),
    {
      // earendil-works/pi#2326
      ...whole(
        "mlx-vlm",
        "counts as `input_tokens` and `output_tokens`",
        answer("42", { usage: { input_tokens: 7, output_tokens: 5, total_tokens: 12 } }),
        { distill: { prompt_tokens: 7, completion_tokens: 5 } },
      ),
    },
    whole(
      "gateways",
      "counts as text",
      answer("42", { usage: { prompt_tokens: "7", completion_tokens: "5" } }),
      { distill: { prompt_tokens: 7, completion_tokens: 5 } },
    ),
    // MiXaiLL76/auto_ai_router#142
    whole(
      "CometAPI",
      "counts, and counts of 0 after them",
      stream(
        delta("42"),
        finish("stop", { usage: { prompt_tokens: 7, completion_tokens: 5 } }),
        { choices: [], usage: { prompt_tokens: 0, completion_tokens: 0 } },
      ),
      { distill: { prompt_tokens: 7, completion_tokens: 5 } },
    ),
    // memex-lab/dart_agent_core#23, vercel/ai#2763
    whole(
      "SiliconFlow, LiteLLM",
      "counts in every event, the first without completion tokens",
      stream(
        { ...delta("4"), usage: { prompt_tokens: 7, total_tokens: 7 } },
        { ...delta("2"), usage: { prompt_tokens: 7, completion_tokens: 5 } },
        finish(),
      ),
      { distill: { prompt_tokens: 7, completion_tokens: 5 } },
    ),
    // infiniflow/ragflow#15443
    whole(
      "RAGFlow",
      "the whole text once more as the last piece",
      stream(...[...LONG, ALL].map((text) => delta(text)), finish()),
      { response: ALL },
    ),
    // openclaw/openclaw#142888
    whole(
      "gateways",
      "the whole text once more in the middle",
      stream(...[...LONG, ALL, " Yes."].map((text) => delta(text)), finish()),
      { response: `${ALL} Yes.` },
    ),
    // posit-dev/chatlas#435
    whole(
      "local models",
      "two equal pieces at the start",
      stream(delta("\n"), delta("\n"), delta("42"), finish()),
      { response: "\n\n42" },
    ),
    // jeremychone/rust-genai#164
    whole(
      "Mistral",
      "the last piece with the finish reason",
      stream(delta("4"), delta("2", { finish_reason: "stop" })),
    ),
    // sgl-project/sglang#8417
    whole(
      "SGLang",
      "the finish reason twice",
      stream(delta("42", { finish_reason: "stop" }), finish()),
    ),
    // sgl-project/sglang#3912, ollama/ollama#4357
    whole(
      "SGLang, Ollama",
      '`""` as the finish reason of every event but the last',
      stream(delta("4", { finish_reason: "" }), delta("2", { finish_reason: "" }), finish()),
    ),
    // BerriAI/litellm#376
    whole(
      "LiteLLM",
      "the index 1 for its only choice",
      stream(delta("4", { index: 1 }), delta("2", { index: 1, finish_reason: "stop" })),
    ),
    // microsoft/autogen#6465, langchain-ai/langchain#18977
    whole(
      "Azure with its filter next to the stream",
      "choices without a delta, the last after the finish reason",
      stream(
        { choices: [], prompt_filter_results: [{ prompt_index: 0 }] },
        delta("42"),
        finish(),
        { id: "", choices: [{ index: 0, finish_reason: null, content_filter_results: {} }] },
      ),
    ),
    whole(
      "a framework behind another one",
      "events that are framed twice",
      stream(
        `data: data: ${JSON.stringify(delta("42"))}\n\n`,
        `data: data: ${JSON.stringify(finish())}\n\n`,
      ),
    ),
    whole(
      "gateways",
      '`"[DONE]"` in quotes',
      events([delta("42", { finish_reason: "stop" }), 'data: "[DONE]"\n\n']),
    ),
    // nhatbien/copilot-helper#7
    whole(
      "CLIProxyAPI",
      "reasoning as `thinking_content`",
      answer("42", { message: { thinking_content: "t" } }),
      { reasoning: "t" },
    ),
    whole(
      "CLIProxyAPI",
      "reasoning as `thought`",
      stream({ choices: [{ index: 0, delta: { thought: "t" } }] }, delta("42"), finish()),
      { reasoning: "t" },
    ),
    // BerriAI/litellm#8193
    whole(
      "LiteLLM",
      "reasoning in `provider_specific_fields`",
      answer("42", { message: { provider_specific_fields: { reasoning_content: "t" } } }),
      { reasoning: "t" },
    ),
    // QwenLM/qwen-code#8818
    whole(
      "gateways to Qwen and GLM",
      "reasoning in a field, and its closing tag in the text",
      answer("\n</think>\n\n42", { message: { reasoning_content: "t" } }),
      { reasoning: "t" },
    ),
    // suitenumerique/conversations#51
    whole(
      "Mistral",
      "references between the parts of a text",
      answer([
        { type: "text", text: "4" },
        { type: "reference", reference_ids: [1] },
        { type: "text", text: "2" },
      ]),
    ),
    // huggingface/text-generation-inference#2794
    whole(
      "TGI, older versions",
      "one call without a list around it",
      stream(callPart("f", '{"x":'), callPart(null, "1}"), finish("eos_token")),
      {
        response: "",
        tool_calls: [CALLED],
      },
    ),
    whole(
      "TGI, older versions",
      "one call without a list around it, and a number as its id",
      answer(null, { message: { tool_calls: { ...CALL, id: 0 } } }),
      {
        response: "",
        tool_calls: [{ ...CALLED, id: "0" }],
      },
    ),
    // huggingface/text-generation-inference#2461
    whole(
      "TGI",
      "numbers as the ids of calls",
      answer(null, { message: { tool_calls: [{ ...CALL, id: 0 }] } }),
      {
        response: "",
        tool_calls: [{ ...CALLED, id: "0" }],
      },
    ),
    // huggingface/huggingface_hub#2514
    refused(
      "TGI",
      "that the prompt is too long, as an event of status 200",
      events([{
        error: "Input validation error: `inputs` must have less than 4095 tokens",
        error_type: "validation",
      }]),
      /Input validation error/,
    ),
    // coddy-project/coddy-agent#106
    refused(
      "llama.cpp before late 2025",
      "that the prompt is too long, in a line that is not an event",
      events([
        'error: {"code":400,"message":"the request exceeds the available context size"}\n\n',
        DONE,
      ]),
      /exceeds the available context size/,
    ),
    whole(
      "Ollama, through a gateway",
      "`done_reason` in an event without choices",
      stream(delta("42"), { done: true, done_reason: "stop" }),
    ),
    passing(
      "gateways whose upstream has failed",
      "`stop` in a choice without a message",
      answer("", { choice: { message: null } }),
    ),
    whole(
      "gateways",
      "one chunk of a stream as the whole answer",
      json({ choices: [{ index: 0, delta: { content: "42" }, finish_reason: "stop" }] }),
    ),
    whole("gateways", '`"error": "None"` next to a good choice', answer("42", { error: "None" })),
    whole(
      "gateways",
      "an error of success next to a good choice",
      answer("42", { error: { code: 200, message: "success" } }),
    ),
    whole(
      "OpenAI",
      "a refusal as a part of the content",
      answer([{ type: "refusal", refusal: "No." }]),
      { response: "No.", distill: { refusal: true } },
    ),
    whole(
      "gateways that parse JSON",
      "an object as the content",
      answer({ answer: 42, steps: [] }),
      { response: '{"answer":42,"steps":[]}' },
    ),
    halting(
      "a gateway with words of its own",
      "status 200 with words that say nothing that is known, for every row",
      json({ code: 7, msg: "oh" }),
      /has not answered any row; last error \(200\): oh\. Check the address \(--base-url\), the key/,
      10,
    ),
    passing("gateways to a GPU that is full", "400: out of memory", bad("CUDA out of memory.")),
    // bespokelabsai/curator#463
    passing("DeepSeek under load", "blank lines, and then the end", json("\n\n\n\n")),
  ],
};
