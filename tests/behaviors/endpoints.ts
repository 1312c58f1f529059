/** The endpoints other than chat completions. @module */

import type { ServerGroup } from "./case.ts";
import { DONE, events, json } from "./replies.ts";

const BASE = ["--endpoint", "completions", "--max-tokens", "64"];
const RESPONSES = ["--endpoint", "responses"];
const CALL = {
  type: "function_call",
  id: "fc_1",
  call_id: "call_1",
  name: "look",
  arguments: '{"x":1}',
};
const TOOL_CALLS = [{
  id: "call_1",
  type: "function",
  function: { name: "look", arguments: '{"x":1}' },
}];

function text(value: string, choice: Readonly<Record<string, unknown>> = {}) {
  return {
    id: "cmpl-1",
    object: "text_completion",
    model: "base",
    choices: [{ index: 0, text: value, finish_reason: "stop", ...choice }],
    usage: { prompt_tokens: 7, completion_tokens: 11 },
  };
}

function said(value: string) {
  return {
    type: "message",
    role: "assistant",
    content: [{ type: "output_text", text: value, annotations: [] }],
  };
}

function response(output: unknown[], rest: Readonly<Record<string, unknown>> = {}) {
  return {
    id: "resp_1",
    object: "response",
    status: "completed",
    model: "gpt-5",
    error: null,
    incomplete_details: null,
    output,
    usage: {
      input_tokens: 7,
      output_tokens: 11,
      output_tokens_details: { reasoning_tokens: 5 },
    },
    ...rest,
  };
}

/** The endpoints other than chat completions. */
export const ENDPOINTS: ServerGroup = {
  title: "Other endpoints",
  intro: "`--endpoint completions` is for base models, `--endpoint responses` for reasoning " +
    "summaries.",
  cases: [
    {
      who: "vLLM, llama.cpp: `/completions`",
      sends: "the text of its choice",
      script: [json(text(" a time"))],
      flags: BASE,
      expected: {
        head: ["POST /v1/completions "],
        sent: { prompt: "hi", max_tokens: 64, messages: undefined },
        result: { response: " a time", distill: { finish_reason: "stop" } },
      },
    },
    {
      who: "vLLM, llama.cpp: `/completions`",
      sends: "a stream of texts",
      script: [
        events([text(" a", { finish_reason: null }), text(" time"), DONE]),
      ],
      flags: [...BASE, "--stream"],
      expected: {
        sent: { prompt: "hi", stream: true, stream_options: { include_usage: true } },
        result: { response: " a time", distill: { finish_reason: "stop" } },
      },
    },
    {
      who: "vLLM: `/completions`",
      sends: "log probabilities by token",
      script: [json(text(" a", { logprobs: { tokens: [" a"], token_logprobs: [-0.5] } }))],
      flags: [...BASE, "--keep", "logprobs", "-p", "logprobs=1"],
      expected: {
        sent: { logprobs: 1 },
        result: { distill: { kept: { logprobs: { tokens: [" a"], token_logprobs: [-0.5] } } } },
      },
    },
    {
      who: "OpenAI, vLLM: `/completions`",
      sends: "16 tokens, and `length`, where no limit is set",
      script: [json(text(" a", { finish_reason: "length" }))],
      flags: ["--endpoint", "completions"],
      expected: {
        failure: { error: { type: "truncated" }, partial: { response: " a" } },
        says: /16 tokens by default: add --max-tokens N/,
      },
    },
    {
      who: "any: `/completions`",
      sends: "nothing: a row has two messages",
      script: [json(text(" a"))],
      flags: BASE,
      rows: [{
        messages: [{ role: "system", content: "be brief" }, { role: "user", content: "hi" }],
      }],
      expected: {
        counts: [0, 0, 1],
        exit: 2,
        posts: 0,
        says: /has 2 messages: the completions endpoint takes one text/,
      },
    },
    {
      who: "any: `/completions`",
      sends: "nothing: a system message is added to all rows",
      script: [json(text(" a"))],
      flags: [...BASE, "--system", "be brief"],
      expected: {
        counts: [0, 0, 1],
        exit: 2,
        posts: 0,
        says: /Cannot send any row: it has 2 messages/,
      },
    },
    {
      who: "OpenAI: `/responses`",
      sends: "text, and a summary of the reasoning",
      script: [
        json(response([
          {
            type: "reasoning",
            summary: [{ type: "summary_text", text: "First." }, {
              type: "summary_text",
              text: "So.",
            }],
          },
          said("42"),
        ])),
      ],
      flags: [...RESPONSES, "--max-tokens", "64", "--system", "be brief"],
      expected: {
        head: ["POST /v1/responses "],
        sent: {
          instructions: "be brief",
          input: [{ role: "user", content: "hi" }],
          max_output_tokens: 64,
          reasoning: { summary: "auto" },
          store: false,
        },
        result: { response: "42", reasoning: "First.\n\nSo." },
      },
    },
    {
      who: "vLLM with gpt-oss: `/responses`",
      sends: "the reasoning itself",
      script: [
        json(response([
          { type: "reasoning", summary: [], content: [{ type: "reasoning_text", text: "deep" }] },
          said("42"),
        ])),
      ],
      flags: RESPONSES,
      expected: { result: { response: "42", reasoning: "deep" } },
    },
    {
      who: "OpenAI: `/responses`",
      sends: "a stream of deltas",
      script: [
        events([
          { type: "response.created", response: response([], { status: "in_progress" }) },
          { type: "response.reasoning_summary_text.delta", summary_index: 0, delta: "First." },
          { type: "response.output_text.delta", delta: "4" },
          { type: "response.output_text.delta", delta: "2" },
          { type: "response.completed", response: response([said("42")]) },
        ]),
      ],
      flags: [...RESPONSES, "--stream"],
      expected: {
        sent: { stream: true, stream_options: undefined },
        result: { response: "42", reasoning: "First.", distill: { finish_reason: "stop" } },
      },
    },
    {
      who: "OpenAI: `/responses`",
      sends: "a function call",
      script: [json(response([CALL]))],
      flags: RESPONSES,
      rows: [{
        id: "row-0",
        messages: [{ role: "user", content: "hi" }],
        tools: [{ type: "function", function: { name: "look", parameters: {} } }],
      }],
      expected: {
        sent: { tools: [{ type: "function", name: "look", parameters: {}, strict: false }] },
        result: { tool_calls: TOOL_CALLS, distill: { finish_reason: "tool_calls" } },
      },
    },
    {
      who: "OpenAI: `/responses`",
      sends: "a function call in a stream",
      script: [
        events([
          { type: "response.output_item.added", output_index: 0, item: { ...CALL, arguments: "" } },
          { type: "response.function_call_arguments.delta", item_id: "fc_1", delta: '{"x":' },
          { type: "response.function_call_arguments.delta", item_id: "fc_1", delta: "1}" },
          { type: "response.output_item.done", output_index: 0, item: CALL },
          { type: "response.completed", response: response([CALL]) },
        ]),
      ],
      flags: [...RESPONSES, "--stream"],
      expected: { result: { tool_calls: TOOL_CALLS, distill: { finish_reason: "tool_calls" } } },
    },
    {
      who: "OpenAI: `/responses`",
      sends: "a call of a custom tool, whose input is a text",
      script: [
        json(response([{ ...CALL, type: "custom_tool_call", arguments: undefined, input: "abc" }])),
      ],
      flags: RESPONSES,
      expected: {
        result: { tool_calls: [{ id: "call_1", function: { name: "look", arguments: "abc" } }] },
      },
    },
    {
      who: "OpenAI: `/responses`",
      sends: "`status: incomplete` for `max_output_tokens`",
      script: [
        json(response([said("4")], {
          status: "incomplete",
          incomplete_details: { reason: "max_output_tokens" },
        })),
      ],
      flags: RESPONSES,
      expected: { failure: { error: { type: "truncated" }, partial: { response: "4" } } },
    },
    {
      who: "OpenAI: `/responses`",
      sends: "`status: incomplete` for `content_filter`",
      script: [
        json(response([said("4")], {
          status: "incomplete",
          incomplete_details: { reason: "content_filter" },
        })),
      ],
      flags: RESPONSES,
      expected: { failure: { error: { type: "filtered" } } },
    },
    {
      who: "OpenAI: `/responses`",
      sends: "`status: failed` with `server_error`, then an answer",
      script: [
        json(response([], {
          status: "failed",
          error: { code: "server_error", message: "The model broke" },
        })),
        json(response([said("42")])),
      ],
      flags: RESPONSES,
      expected: { result: { response: "42", distill: { attempts: 2 } }, posts: 2 },
    },
    {
      who: "OpenAI: `/responses`",
      sends: "`response.failed` in a stream, then an answer",
      script: [
        events([
          {
            type: "response.failed",
            response: response([], {
              status: "failed",
              error: { code: "server_error", message: "The model broke" },
            }),
          },
        ]),
        events([{ type: "response.completed", response: response([said("42")]) }]),
      ],
      flags: [...RESPONSES, "--stream"],
      expected: { result: { response: "42", distill: { attempts: 2 } }, posts: 2 },
    },
    {
      who: "OpenAI: `/responses`",
      sends: "the refusal of the model",
      script: [
        json(response([{
          type: "message",
          content: [{ type: "refusal", refusal: "I cannot help" }],
        }])),
      ],
      flags: RESPONSES,
      expected: { result: { response: "I cannot help" } },
    },
    {
      who: "OpenAI: `/responses`",
      sends: "400 for an effort of the user's own: the summary stays",
      flags: [...RESPONSES, "-p", "reasoning_effort=xhigh", "--max-attempts", "1"],
      script: [{
        ...json({
          error: {
            message:
              "Unsupported value: 'reasoning.effort' does not support 'xhigh' with this model.",
            type: "invalid_request_error",
            param: "reasoning.effort",
            code: "unsupported_value",
          },
        }),
        status: 400,
      }],
      expected: {
        sent: { reasoning: { effort: "xhigh", summary: "auto" } },
        failure: { error: { type: "request", message: /reasoning\.effort/ } },
        posts: 1,
      },
    },
    {
      who: "OpenAI: `/responses`, account not verified",
      sends: "400 for `reasoning.summary`, which Retort requests by itself",
      script: [
        json({
          error: {
            message: "Your organization must be verified to generate reasoning summaries.",
            type: "invalid_request_error",
            param: "reasoning.summary",
            code: "unsupported_value",
          },
        }, { status: 400 }),
        json(response([said("42")])),
      ],
      flags: RESPONSES,
      expected: {
        sentLast: { reasoning: undefined },
        result: { response: "42" },
        posts: 2,
        says: /rejects reasoning\.summary/,
      },
    },
    {
      who: "OpenAI: `/responses`",
      sends: "JSON of the schema that was requested",
      script: [json(response([said('{"a":1}')]))],
      files: { "answer.json": { type: "object", required: ["a"] } },
      flags: [...RESPONSES, "--json-schema", "answer.json"],
      expected: {
        sent: {
          text: {
            format: {
              type: "json_schema",
              name: "answer",
              schema: { type: "object", required: ["a"] },
            },
          },
          response_format: undefined,
        },
        result: { response: '{"a":1}' },
      },
    },
    {
      who: "servers without `/responses`",
      sends: "404",
      script: [json({ detail: "Not Found" }, { status: 404 })],
      flags: RESPONSES,
      expected: { counts: [0, 0, 1], says: /Not Found\. Check the address .*--endpoint/ },
    },
  ],
};
