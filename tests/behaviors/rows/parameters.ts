/** Rows with parameters of their own. @module */

import type { RowGroup } from "./case.ts";

const HI = '"messages":[{"role":"user","content":"hi"}]';

/** Rows with parameters of their own. */
export const PARAMETERS: RowGroup = {
  title: "Parameters",
  intro: "A row's own parameters override those of the run (`-p`, `--params`). Fields next to " +
    "`messages` are parameters only if each field of the row is a field of a chat completions request " +
    "or `uid`, `custom_id`, `id` or `metadata`: in other rows, `model` may name the model of an old " +
    "answer. Only the run decides whether answers are streamed (`--stream`): a row's `stream` would " +
    "not change its answer.",
  cases: [
    {
      what: "parameters of a row, with its numbers as written",
      rows: ['{"prompt":"hi","params":{"temperature":1.0,"seed":1234567890123456789}}'],
      flags: ["-p", "temperature=0.5", "-p", "top_p=0.90"],
      sent: [`${HI},"temperature":1.0,"top_p":0.90,"seed":1234567890123456789`],
    },
    {
      what: "parameters that hold null, as columns of a table do",
      rows: ['{"prompt":"hi","params":{"temperature":null,"stop":null,"seed":1}}'],
      sent: [`${HI},"seed":1`],
    },
    {
      what: "OpenAI Batch",
      rows: [
        `{"custom_id":"r1","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o",${HI},"max_tokens":5}}`,
      ],
      sent: [`"model":"gpt-4o",${HI},"max_tokens":5`],
      uids: ["r1"],
      says: "1 row (1 openai-batch), 1 sets a model of its own: gpt-4o",
    },
    {
      what: "a raw request body",
      rows: [`{"model":"gpt-4o",${HI},"temperature":0.2,"max_tokens":5,"stream":true}`],
      sent: [`"model":"gpt-4o",${HI},"temperature":0.2,"max_tokens":5`],
      says: "1 row (1 messages), 1 sets a model of its own: gpt-4o",
    },
    {
      what: "a raw request body that asks for a stream: `--stream` of the run decides",
      rows: [`{${HI},"seed":1,"stream":true,"stream_options":{"include_usage":true}}`],
      sent: [`${HI},"seed":1`],
      says: "not sent: stream, stream_options",
    },
    {
      what: "the same in a Batch body, in parameters and in `extra_body`",
      rows: [
        `{"custom_id":"a","body":{${HI},"stream":true}}`,
        `{"prompt":"hi","params":{"stream":true,"extra_body":{"stream":1,"seed":1}}}`,
      ],
      flags: ["--mixed-shapes"],
      sent: [HI, `${HI},"seed":1`],
      says: "not sent: body.stream, params.stream, params.extra_body.stream",
    },
    {
      what: "a body that asks for no stream",
      rows: [`{"custom_id":"a","body":{${HI},"stream":false,"stream_options":null}}`],
      sent: [HI],
      saysNothingOf: "not sent",
    },
    {
      what: "a raw request body with an id and metadata",
      rows: [`{"id":"r1","metadata":{"set":"a"},${HI},"top_k":20,"min_p":0.0,"stop":null}`],
      sent: [`${HI},"top_k":20,"min_p":0.0`],
      uids: ["r1"],
      says: "not sent: metadata",
    },
    {
      what: "metadata with `store`, as OpenAI takes it",
      rows: [`{${HI},"store":true,"metadata":{"set":"a"}}`],
      sent: [`${HI},"store":true,"metadata":{"set":"a"}`],
    },
    {
      what: "a raw request body with `extra_body` (Python)",
      rows: [`{${HI},"extra_body":{"top_k":20}}`],
      sent: [`${HI},"top_k":20`],
    },
    {
      what: "one other column: nothing is a parameter",
      rows: [`{"model":"gpt-4o",${HI},"temperature":0.2,"answer":"42"}`],
      sent: [HI],
      says: "not sent: model, temperature, answer",
    },
    {
      what: "a column that has the name of a parameter, and another type",
      rows: [`{"model":"gpt-4o",${HI},"reasoning":"because"}`],
      sent: [HI],
      says: "not sent: model, reasoning",
    },
    {
      what: "the same parameter as OpenRouter has it",
      rows: [`{"model":"gpt-4o",${HI},"reasoning":{"effort":"high"}}`],
      sent: [`"model":"gpt-4o",${HI},"reasoning":{"effort":"high"}`],
    },
    {
      what: "more than one answer",
      rows: [`{${HI},"n":4}`],
      bad: '"n" must be 1 (use --samples for several answers): current value is 4',
    },
  ],
};
