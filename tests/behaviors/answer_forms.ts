/** Whole answers in unusual forms: encodings, labels, numbers that are not JSON. @module */

import * as zlib from "node:zlib";
import type { Reply } from "../support/scripted_server.ts";
import type { ServerCase, ServerGroup } from "./case.ts";
import { answer, delta, DONE, events, finish, json, USAGE } from "./replies.ts";

const RESULT = { result: { response: "42" } } as const;

/** The text of an answer with something put into its choice. */
function withLogprobs(text: string): string {
  const body = answer("42", { choice: { logprobs: "HERE" } }).body as string;
  return body.replace('"HERE"', text);
}

const WHOLE = answer("42"), STREAM = events([delta("4"), delta("2"), finish(), DONE]);

/** The same bytes in another coding, whatever the label says. */
function coded(
  reply: Reply,
  label: string | undefined,
  encode: (bytes: string | Uint8Array) => Uint8Array,
): Reply {
  const bytes = [reply.body].flat().join("");
  const headers: Record<string, string> = { ...reply.headers };
  if (label !== undefined) headers["content-encoding"] = label;
  return { ...reply, headers, body: encode(bytes) };
}

function typed(reply: Reply, type: string): Reply {
  return { ...reply, headers: { "content-type": type } };
}

const CODINGS: readonly ServerCase[] = [
  ["gzip", zlib.gzipSync],
  ["br", zlib.brotliCompressSync],
  ["deflate", zlib.deflateSync],
  ["zstd", zlib.zstdCompressSync],
  ["gzip, br", (bytes: string | Uint8Array) => zlib.brotliCompressSync(zlib.gzipSync(bytes))],
].map(([label, encode]) => ({
  who: "gateways that always compress",
  sends: `\`content-encoding: ${label}\``,
  script: [coded(WHOLE, label as string, encode as typeof zlib.gzipSync)],
  expected: RESULT,
}));

const ENCODED: readonly ServerCase[] = [
  ...CODINGS,
  {
    who: "gateways that always compress",
    sends: "a stream in gzip",
    flags: ["--stream"],
    script: [coded(STREAM, "gzip", zlib.gzipSync)],
    expected: RESULT,
  },
  {
    who: "gateways that always compress",
    sends: "a refusal in gzip, then an answer",
    script: [
      coded(json({ error: { message: "busy" } }, { status: 503 }), "gzip", zlib.gzipSync),
      WHOLE,
    ],
    expected: { ...RESULT, posts: 2 },
  },
  {
    who: "Cloudflare, at times",
    sends: "gzip without a label",
    script: [coded(WHOLE, undefined, zlib.gzipSync)],
    expected: RESULT,
  },
  {
    who: "proxies that decode and keep the label",
    sends: "plain JSON labeled `gzip`",
    script: [coded(WHOLE, "gzip", (bytes) => new TextEncoder().encode(bytes as string))],
    expected: RESULT,
  },
  {
    who: "gateways with one label for everything",
    sends: "events labeled `application/json`",
    flags: ["--stream"],
    script: [typed(STREAM, "application/json")],
    expected: RESULT,
  },
  {
    who: "gateways that stream unasked",
    sends: "events labeled `application/json`",
    script: [typed(STREAM, "application/json")],
    expected: RESULT,
  },
  {
    who: "gateways with one label for everything",
    sends: "JSON labeled `text/event-stream`",
    flags: ["--stream"],
    script: [typed(WHOLE, "text/event-stream")],
    expected: RESULT,
  },
  {
    who: "gateways with one label for everything",
    sends: "JSON labeled `text/plain`, over several lines",
    flags: ["--stream"],
    script: [typed(
      { body: JSON.stringify(JSON.parse(WHOLE.body as string), null, 2) },
      "text/plain",
    )],
    expected: RESULT,
  },
  {
    who: "DeepSeek under load",
    sends: "empty lines before the answer",
    script: [{ ...WHOLE, body: ["\n\n", "\n", WHOLE.body as string], framing: "chunked" }],
    expected: RESULT,
  },
  {
    who: "gateways that close early",
    sends: "whole JSON, and a connection that closes before the end of its chunks",
    script: [{ ...WHOLE, framing: "chunked", breaks: true }],
    expected: RESULT,
  },
];

/** Whole answers in unusual forms: encodings, labels, numbers that are not JSON. */
export const ANSWER_FORMS: ServerGroup = {
  title: "Unusual forms of a whole answer",
  cases: [
    ...ENCODED,
    {
      who: "vLLM and others in Python",
      sends: "`-Infinity` and `NaN` among the log probabilities",
      flags: ["--keep", "logprobs"],
      script: [
        json(
          withLogprobs('{"content":[{"token":"-Infinity","logprob":-Infinity},{"logprob":NaN}]}'),
        ),
      ],
      expected: {
        result: {
          response: "42",
          distill: {
            kept: {
              logprobs: { content: [{ token: "-Infinity", logprob: null }, { logprob: null }] },
            },
          },
        },
      },
    },
    {
      who: "servers in C++",
      sends: "`-inf` and `nan`",
      script: [json(withLogprobs('{"content":[{"logprob":-inf,"top":[nan]}]}'))],
      expected: RESULT,
    },
    {
      who: "vLLM and others in Python",
      sends: "`-Infinity` in a chunk",
      flags: ["--stream"],
      script: [events([
        'data: {"choices":[{"index":0,"delta":{"content":"4"},"logprobs":{"content":[-Infinity]}}]}\n\n',
        delta("2"),
        finish(),
        DONE,
      ])],
      expected: RESULT,
    },
    {
      who: "models that write half of an emoji",
      sends: "half of a surrogate pair, in the answer and in the row",
      rows: [{ id: "row-0", prompt: "p\ud83d" }],
      script: [answer("4\ud83d2", { message: { reasoning_content: "w\udc00hy" } })],
      expected: {
        sent: { messages: [{ role: "user", content: "p\ud83d" }] },
        result: { prompt: "p\ud83d", response: "4\ufffd2", reasoning: "w\ufffdhy" },
      },
    },
    {
      who: "models that write half of an emoji",
      sends: "half of a surrogate pair in an answer that is cut off",
      script: [answer("4\ud83d", { choice: { finish_reason: "length" } })],
      expected: {
        failure: { error: { type: "truncated" }, partial: { response: "4\ufffd" } },
      },
    },
    {
      who: "servers whose words are cut",
      sends: "half of a surrogate pair in an error",
      script: [json({ error: { message: "no \ud83d" } }, { status: 400 })],
      expected: { failure: { error: { type: "request", message: "no \ufffd" } } },
    },
    {
      who: "servers that stream bytes",
      sends: "a pair in two chunks, one half in each",
      flags: ["--stream"],
      script: [events([delta("4\ud83d"), delta("\ude00"), finish(), DONE])],
      expected: { result: { response: "4\u{1f600}" } },
    },
    {
      who: "gateways that escape nothing",
      sends: "a line end inside of a string",
      script: [json((answer("4#2").body as string).replace("#", "\n"))],
      expected: { result: { response: "4\n2" } },
    },
    ...[
      '""',
      "{}",
      "false",
      "null",
      "[]",
      '{"message":"","code":null}',
    ].map((error) => ({
      who: "gateways that always send an error",
      sends: `\`"error": ${error}\` next to a good choice`,
      script: [answer("42", { error: JSON.parse(error) })],
      expected: RESULT,
    })),
    {
      who: "gateways that always send an error",
      sends: '`"error": ""` in every chunk',
      flags: ["--stream"],
      script: [
        events([{ ...delta("4"), error: "" }, { ...delta("2"), error: {} }, finish(), DONE]),
      ],
      expected: RESULT,
    },
    {
      who: "gateways that ask twice",
      sends: "two choices, streamed in turn",
      flags: ["--stream"],
      script: [events([
        delta("4"),
        delta("no", { index: 1 }),
        {
          choices: [{ index: 1, delta: { content: "pe" } }, { index: 0, delta: { content: "2" } }],
        },
        delta(null, { index: 1, finish_reason: "length" }),
        finish(),
        DONE,
      ])],
      expected: { result: { response: "42", distill: { finish_reason: "stop" } } },
    },
    {
      who: "servers that count wrongly",
      sends: "usage of `1e30`, `-1` and `6.7`",
      script: [answer("42", {
        usage: { prompt_tokens: 1e30, completion_tokens: 6.7, total_tokens: -1 },
      })],
      expected: {
        result: { response: "42", distill: { prompt_tokens: 0, completion_tokens: 7 } },
      },
    },
    {
      who: "DashScope and gateways to it",
      sends: "chunks that each hold the whole text so far",
      flags: ["--stream"],
      script: [events([delta("4"), delta("42"), delta("42!"), delta("42!"), finish(), DONE])],
      expected: { result: { response: "42!" } },
    },
    {
      who: "gateways that leave out empty lines",
      sends: "events one line after the other",
      flags: ["--stream"],
      script: [
        events(
          [delta("4"), delta("2"), finish(), DONE].map((one) =>
            typeof one === "string" ? one : `data: ${JSON.stringify(one)}\n`
          ),
        ),
      ],
      expected: RESULT,
    },
    {
      who: "servers that stream messages",
      sends: "`message` instead of `delta`",
      flags: ["--stream"],
      script: [events([
        { choices: [{ index: 0, message: { content: "4" } }] },
        { choices: [{ index: 0, message: { content: "2" }, finish_reason: "stop" }] },
        DONE,
      ])],
      expected: RESULT,
    },
    {
      who: "servers that repeat the message",
      sends: "the whole `message` after its deltas",
      flags: ["--stream"],
      script: [events([
        delta("4"),
        delta("2"),
        {
          choices: [{ index: 0, delta: {}, message: { content: "42" }, finish_reason: "stop" }],
          usage: USAGE,
        },
        DONE,
      ])],
      expected: RESULT,
    },
  ],
};
