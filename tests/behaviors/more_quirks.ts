/** Servers and gateways as users reported them, with issue threads: more of `quirks.ts`. @module */

import type { Reply } from "../support/scripted_server.ts";
import type { Expected, Part, ServerCase, ServerGroup } from "./case.ts";
import { answer, delta, DONE, events, finish, json, USAGE } from "./replies.ts";

const ARGUMENTS = '{"x":1}';
const CALLED = { id: "a", type: "function", function: { name: "f", arguments: ARGUMENTS } };

/** A stream where `list` is given, else one body. */
function flagsFor({ body }: Reply): string[] {
  return Array.isArray(body) ? ["--stream"] : [];
}

/** One POST, a result. */
function whole(who: string, sends: string, reply: Reply, result: Part = {}): ServerCase {
  const expected: Expected = { result: { response: "42", ...result } };
  return { who, sends, script: [reply], flags: flagsFor(reply), expected };
}

/** One POST, a failure. */
function refused(who: string, sends: string, reply: Reply, message: RegExp): ServerCase {
  const expected: Expected = { failure: { error: { attempts: 1, message } } };
  return { who, sends, script: [reply], flags: flagsFor(reply), expected };
}

/** The row is sent again. */
function passing(who: string, sends: string, reply: Reply): ServerCase {
  return {
    who,
    sends: `${sends}, then an answer`,
    script: [reply, answer("42")],
    flags: flagsFor(reply),
    expected: { result: { response: "42", distill: { attempts: 2 } }, posts: 2 },
  };
}

/** An answer that calls `f`. */
function calls(who: string, sends: string, toolCalls: unknown): ServerCase {
  const message = { tool_calls: toolCalls };
  const reply = answer(null, { message, choice: { finish_reason: "tool_calls" } });
  return whole(who, sends, reply, { response: "", tool_calls: [CALLED] });
}

function part(fields: Part, choice: Part = {}): Part {
  return { choices: [{ index: 0, delta: fields, finish_reason: null, ...choice }] };
}

/** What users reported of servers and gateways. */
export const MORE_QUIRKS: ServerGroup = {
  title: "More from issue threads",
  cases: [
    refused(
      "Vercel's AI Gateway (vercel/ai#18303)",
      "in a stream, an error of its own around the provider's, as text",
      events([delta(""), {
        choices: [],
        error: {
          code: "error",
          message: "Stream error occurred",
          value: {
            error_message: '{"error":{"message":"The maximum context length is 9 tokens."}}',
          },
        },
      }, DONE]),
      /^The maximum context length is 9 tokens\.$/,
    ),
    passing("Open WebUI (open-webui/open-webui#28938)", "`null`", json("null")),
    refused(
      "mlx-openai-server (cubist38/mlx-openai-server#189)",
      "an error inside FastAPI's `detail`",
      json({ detail: { error: { message: "Bad tools", type: "invalid_request_error" } } }, {
        status: 400,
      }),
      /^Bad tools$/,
    ),
    refused(
      "vLLM, SGLang (BerriAI/litellm#32237)",
      "a rejection of the row as an event of status 200",
      events([{
        error: { message: "The model is not multimodal.", type: "BadRequestError", code: 400 },
      }, DONE]),
      /^The model is not multimodal\.$/,
    ),
    passing(
      "OpenRouter (diegosouzapw/OmniRoute#8210)",
      "a chunk with empty choices and an error",
      events([
        { choices: [], error: { code: 502, message: "Worker limit reached (33/32)" } },
        DONE,
      ]),
    ),
    passing(
      "New API (QuantumNous/new-api#1178)",
      "an error as JSON labeled `text/event-stream`",
      json({ error: { message: "bad response", code: 502 } }, {
        headers: { "content-type": "text/event-stream" },
      }),
    ),
    passing("kiro-gateway (jwadow/kiro-gateway#268)", "nothing but `[DONE]`", events([DONE])),
    calls("TGI (huggingface/text-generation-inference#2954)", "`parameters` for `arguments`", [
      { id: "a", type: "function", function: { name: "f", parameters: { x: 1 } } },
    ]),
    calls("gateways to Cohere", "calls without the wrapper `function`", [
      { id: "a", name: "f", parameters: { x: 1 } },
    ]),
    calls("gateways that encode twice", "the list of calls as text", JSON.stringify([CALLED])),
    whole(
      "LiteLLM to Anthropic (BerriAI/litellm#11407)",
      "a call with the index 1 and no other",
      events([
        part({ tool_calls: [{ ...CALLED, index: 1, function: { name: "f", arguments: "" } }] }),
        part({ tool_calls: [{ index: 1, function: { arguments: ARGUMENTS } }] }),
        finish("tool_calls"),
        DONE,
      ]),
      { response: "", tool_calls: [CALLED] },
    ),
    whole(
      "Vertex (earendil-works/pi#6733)",
      "a signature next to the call, which the next turn needs",
      answer(null, {
        message: {
          tool_calls: [{ ...CALLED, extra_content: { google: { thought_signature: "s" } } }],
        },
        choice: { finish_reason: "tool_calls" },
      }),
      { response: "", tool_calls: [{ extra_content: { google: { thought_signature: "s" } } }] },
    ),
    whole(
      "gcli2api (su-kaka/gcli2api#403)",
      "`stop` in every chunk, those of reasoning too",
      events([
        part({ reasoning_content: "t" }, { finish_reason: "stop" }),
        delta("4", { finish_reason: "stop" }),
        delta("2", { finish_reason: "stop" }),
        DONE,
      ]),
      { reasoning: "t" },
    ),
    whole(
      "SGLang (sgl-project/sglang#18335)",
      "a role and a content of null until the answer begins",
      events([
        part({ role: null, content: null }),
        part({ role: null, content: null }),
        delta("42"),
        finish(),
        DONE,
      ]),
    ),
    whole(
      "Groq",
      "its counts in `x_groq`",
      events([
        delta("42"),
        finish("stop", { x_groq: { id: "r", usage: USAGE } }),
        DONE,
      ]),
      { distill: { prompt_tokens: 7, completion_tokens: 11 } },
    ),
    passing(
      "gateways that quote the request",
      "an error next to a text that holds other choices",
      json({ error: { message: "overloaded" }, request: '{"choices":[{"text":"A"}]}' }),
    ),
    whole(
      "vLLM (NousResearch/hermes-agent#91373)",
      "the finish reason on the last token, and counts in a chunk of their own",
      events([
        delta("4"),
        delta("2", { finish_reason: "stop" }),
        { choices: [], usage: USAGE },
        DONE,
      ]),
      { distill: { prompt_tokens: 7, completion_tokens: 11 } },
    ),
    {
      who: "vLLM (vllm-project/vllm#35705)",
      sends: "the last token with `length`",
      script: [events([delta("4"), delta("2", { finish_reason: "length" }), DONE])],
      flags: ["--stream"],
      expected: { failure: { error: { type: "truncated" }, partial: { response: "42" } } },
    },
    {
      who: "LightLLM (ModelTC/LightLLM#130)",
      sends: "no finish reason at all",
      script: [events([delta("42"), DONE])],
      flags: ["--stream", "--accept-ending", "none"],
      expected: { result: { response: "42", distill: { finish_reason: "" } } },
    },
    whole(
      "LocalAI (mudler/LocalAI#648)",
      "chunks of completions at the endpoint of chats",
      events([
        { choices: [{ text: "4" }] },
        { choices: [{ text: "2" }] },
        { choices: [{ finish_reason: "stop" }] },
        DONE,
      ]),
    ),
    whole(
      "Azure's agents",
      "the text in a `value`",
      answer([{ type: "text", text: { value: "42" } }]),
    ),
    whole(
      "OpenAI's audio models",
      "the text as the transcript of a sound",
      answer(null, { message: { audio: { id: "a", transcript: "42" } } }),
    ),
    whole(
      "llama-cpp-python before 0.2.38 (ztjhz/BetterChatGPT#537)",
      "events that end in CR CR",
      events(
        [delta("4"), delta("2"), finish()].map((one) => `data: ${JSON.stringify(one)}\r\r`)
          .concat("data: [DONE]\r\r"),
      ),
    ),
    whole(
      "TGI (huggingface/text-generation-inference#1782)",
      "empty ids",
      events([
        { ...delta("42"), id: "" },
        { ...finish(), id: "" },
        DONE,
      ]),
    ),
    passing("NVIDIA's cloud", "202 while the answer is not ready", { status: 202, body: "" }),
  ],
};
