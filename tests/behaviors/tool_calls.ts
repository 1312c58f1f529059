/** How servers send tool calls. @module */

import type { Part, ServerCase, ServerGroup } from "./case.ts";
import { answer, delta, DONE, events, finish, json } from "./replies.ts";

interface Called {
  readonly id?: string;
  readonly name?: string;
  readonly args: string;
}

function expected(...calls: readonly Called[]): Part {
  return {
    tool_calls: calls.map(({ id = "a", name = "f", args }) => ({
      id,
      type: "function",
      function: { name, arguments: args },
    })),
  };
}

function whole(who: string, sends: string, calls: readonly unknown[], result: Part): ServerCase {
  const choice = { finish_reason: "tool_calls" };
  const script = [answer(null, { message: { tool_calls: calls }, choice })];
  return { who, sends, script, expected: { result } };
}

/** Each list is the calls of one delta. */
function streamed(
  who: string,
  sends: string,
  deltas: readonly (readonly unknown[])[],
  result: Part,
): ServerCase {
  const script = [events([
    ...deltas.map((calls) => delta(null, { delta: { tool_calls: calls } })),
    finish("tool_calls"),
    DONE,
  ])];
  return { who, sends: `${sends}, streamed`, flags: ["--stream"], script, expected: { result } };
}

function call(args: unknown, fields: Part = {}): Part {
  return { id: "a", type: "function", ...fields, function: { name: "f", arguments: args } };
}

function part(fields: Part, called: Part): Part {
  return { ...fields, function: called };
}

/** A body with the arguments as this very text. */
function withArguments(text: string): ServerCase["script"] {
  const body = answer(null, {
    message: { tool_calls: [call("ARGS")] },
    choice: { finish_reason: "tool_calls" },
  }).body as string;
  return [json(body.replace('"ARGS"', text))];
}

const DEEP = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
const ODD = '{"id":12345678901234567890,"x":1.0}';

/** How servers send tool calls. */
export const TOOL_CALLS: ServerGroup = {
  title: "Tool calls",
  intro:
    "`tool_calls` holds them as JSON text in OpenAI's form. Their `arguments` are JSON text, too.",
  cases: [
    whole("OpenAI", "arguments as text", [call('{"x":1}')], expected({ args: '{"x":1}' })),
    whole(
      "TGI, llama.cpp of March 2026",
      "arguments as an object",
      [call({ x: 1, y: ["a"] })],
      expected({
        args: '{"x":1,"y":["a"]}',
      }),
    ),
    {
      who: "TGI",
      sends: "arguments as an object with numbers that JavaScript cannot hold",
      script: withArguments(ODD),
      expected: { result: expected({ args: ODD }) },
    },
    {
      who: "a model gone astray",
      sends: "arguments nested 20,000 deep",
      script: withArguments(DEEP),
      expected: {
        result: { tool_calls: [{ function: { name: "f", arguments: /^\[{20000}\]{20000}$/ } }] },
      },
    },
    {
      who: "a model gone astray",
      sends: "another field of a call nested 20,000 deep",
      script: [json(
        (answer(null, { message: { tool_calls: [call("{}", { extra: "DEEP" })] } }).body as string)
          .replace('"DEEP"', DEEP),
      )],
      expected: { result: { tool_calls: [{ id: "a", extra: /^\[{20000}\]{20000}$/ }] } },
    },
    {
      who: "a model gone astray",
      sends: "lists nested 20,000 deep instead of calls",
      script: [
        json((answer(null, { message: { tool_calls: ["DEEP"] } }).body as string).replace(
          '"DEEP"',
          DEEP,
        )),
      ],
      expected: { result: { tool_calls: [/^\[{20000}\]{20000}$/] } },
    },
    {
      who: "a model gone astray",
      sends: "lists nested 20,000 deep instead of calls, streamed",
      flags: ["--stream"],
      script: [
        events([
          `data: ${
            JSON.stringify(delta(null, { delta: { tool_calls: ["DEEP"] } })).replace('"DEEP"', DEEP)
          }\n\n`,
          finish("tool_calls"),
          DONE,
        ]),
      ],
      expected: { result: { tool_calls: [{ function: { arguments: /^\[{20000}\]{20000}$/ } }] } },
    },
    whole("some gateways", "no arguments at all", [call(null)], expected({ args: "{}" })),
    whole("some gateways", "a call without its wrapper", [{ name: "f", arguments: { x: 1 } }], {
      tool_calls: [{ type: "function", function: { name: "f", arguments: '{"x":1}' } }],
    }),
    {
      who: "OpenAI of 2023",
      sends: "`function_call`",
      script: [answer(null, {
        message: { function_call: { name: "f", arguments: "{}" } },
        choice: { finish_reason: "function_call" },
      })],
      expected: { result: expected({ id: "call_0", args: "{}" }) },
    },
    streamed("OpenAI", "arguments in pieces", [
      [part({ index: 0, id: "a", type: "function" }, { name: "f", arguments: "" })],
      [part({ index: 0 }, { arguments: '{"x"' })],
      [part({ index: 1, id: "b", type: "function" }, { name: "g", arguments: "{}" })],
      [part({ index: 0 }, { arguments: ":1}" })],
    ], expected({ args: '{"x":1}' }, { id: "b", name: "g", args: "{}" })),
    {
      ...streamed(
        "vLLM (vllm-project/vllm#53269)",
        "arguments that break off, and `tool_calls` as the reason",
        [
          [part({ index: 0, id: "a", type: "function" }, { name: "f", arguments: '{"x": "y' })],
        ],
        {},
      ),
      expected: {
        failure: {
          error: { type: "truncated", message: /arguments of a tool call break off/ },
          partial: expected({ args: '{"x": "y' }),
        },
      },
    },
    streamed("Gemini behind gateways", "calls without index and with empty ids", [
      [part({ id: "", type: "" }, { name: "f", arguments: '{"x":1}' })],
      [part({ id: "", type: "" }, { name: "f", arguments: '{"x":2}' })],
    ], expected({ id: "", args: '{"x":1}' }, { id: "", args: '{"x":2}' })),
    streamed("Gemini behind gateways", "several calls in one delta, without index", [
      [
        part({ id: "" }, { name: "f", arguments: "" }),
        part({ id: "" }, { name: "f", arguments: "" }),
      ],
    ], expected({ id: "", args: "" }, { id: "", args: "" })),
    streamed("Gemini", "pieces without index", [
      [part({ id: "a", type: "function" }, { name: "f", arguments: '{"x"' })],
      [part({}, { arguments: ":1}" })],
      [part({ id: "b", type: "function" }, { name: "f", arguments: "{}" })],
    ], expected({ args: '{"x":1}' }, { id: "b", args: "{}" })),
    streamed("servers that repeat the name", "pieces without index, each with the name", [
      [part({ id: "" }, { name: "f", arguments: '{"x"' })],
      [part({ id: "" }, { name: "f", arguments: ":1}" })],
    ], expected({ id: "", args: '{"x":1}' })),
    streamed("Gemini behind gateways", "two calls with one index, the second without id or name", [
      [part({ index: 0, id: "a", type: "function" }, { name: "f", arguments: "" })],
      [part({ index: 0 }, { name: "", arguments: '{"x":1}' })],
      [part({ index: 0 }, { name: "", arguments: '{"x":2}' })],
    ], expected({ args: '{"x":1}' }, { id: "", args: '{"x":2}' })),
    streamed("older vLLM", "two calls with one index and ids of their own", [
      [part({ index: 0, id: "a" }, { name: "f", arguments: "{}" })],
      [part({ index: 0, id: "b" }, { name: "f", arguments: "{}" })],
    ], expected({ args: "{}" }, { id: "b", args: "{}" })),
    streamed("older SGLang", "another id with each piece", [
      [part({ index: 0, id: "a" }, { name: "f", arguments: "" })],
      [part({ index: 0, id: "b" }, { name: null, arguments: '{"x":' })],
      [part({ index: 0, id: "c" }, { name: null, arguments: "1}" })],
    ], expected({ args: '{"x":1}' })),
    streamed("Ollama", "arguments as an object", [
      [part({ index: 0, id: "a" }, { name: "f", arguments: { x: 1 } })],
      [part({ index: 1, id: "b" }, { name: "f", arguments: { x: 2 } })],
    ], expected({ args: '{"x":1}' }, { id: "b", args: '{"x":2}' })),
    streamed("some gateways", "calls without their wrapper, in pieces", [
      [{ index: 0, id: "a", type: "function", name: "f", arguments: '{"x"' }],
      [{ index: 0, arguments: ":1}" }],
      [{ index: 1, id: "b", type: "function", name: "g", parameters: { y: 1.5 } }],
    ], expected({ args: '{"x":1}' }, { id: "b", name: "g", args: '{"y":1.5}' })),
    streamed("OpenAI", "the input of a custom tool in pieces", [
      [{ index: 0, id: "a", type: "custom", custom: { name: "f", input: "" } }],
      [{ index: 0, custom: { input: "SELECT " } }],
      [part({ index: 1, id: "b", type: "function" }, { name: "g", arguments: "{}" })],
      [{ index: 0, custom: { input: "1" } }],
    ], {
      tool_calls: [
        { id: "a", type: "custom", custom: { name: "f", input: "SELECT 1" } },
        { id: "b", type: "function", function: { name: "g", arguments: "{}" } },
      ],
    }),
    streamed("gateways to OpenAI", "two custom tools with one index", [
      [{ index: 0, id: "a", type: "custom", custom: { name: "f", input: "1" } }],
      [{ index: 0, id: "b", type: "custom", custom: { name: "g", input: "" } }],
      [{ index: 0, custom: { input: "2" } }],
    ], {
      tool_calls: [
        { id: "a", type: "custom", custom: { name: "f", input: "1" } },
        { id: "b", type: "custom", custom: { name: "g", input: "2" } },
      ],
    }),
    streamed("gateways to Cohere", "`parameters` for `arguments`", [
      [part({ index: 0, id: "a" }, { name: "f", parameters: { x: 1 } })],
    ], expected({ args: '{"x":1}' })),
    streamed("servers that send a call twice", "the whole call once more at the end", [
      [part({ index: 0, id: "a" }, { name: "f", arguments: '{"x":' })],
      [part({ index: 0, id: "a" }, { arguments: "1}" })],
      [part({ index: 0, id: "a" }, { name: "f", arguments: '{"x":1}' })],
    ], expected({ args: '{"x":1}' })),
  ],
};
