/** Whole answers in unusual forms: encodings, labels, numbers that are not JSON. @module */

import type { ServerGroup } from "./case.ts";
import { answer, delta, DONE, events, finish, json, USAGE } from "./replies.ts";

const RESULT = { result: { response: "42" } } as const;

/** The text of an answer with something put into its choice. */
function withLogprobs(text: string): string {
  const body = answer("42", { choice: { logprobs: "HERE" } }).body as string;
  return body.replace('"HERE"', text);
}

/** Whole answers in unusual forms: encodings, labels, numbers that are not JSON. */
export const ANSWER_FORMS: ServerGroup = {
  title: "Unusual forms of a whole answer",
  cases: [
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
      sends: `\`"error": ${error}\` beside a good choice`,
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
      who: "servers that stream messages",
      sends: "`message` in place of `delta`",
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
