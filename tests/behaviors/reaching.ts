/** How a teacher is reached: addresses, keys, header fields, Retort's own requests. @module */

import type { ServerGroup } from "./case.ts";
import { answer, delta, DONE, events, finish, json } from "./replies.ts";

const SCHEMA = { type: "object", properties: { a: { type: "integer" } }, required: ["a"] };
const FILES = { "answer.json": SCHEMA };
const ASKED = { type: "json_schema", json_schema: { name: "answer", schema: SCHEMA } };
const GOOD = answer('{"a":1}');

function refusal(status: number, message: string, type = "invalid_request_error") {
  return json({ error: { message, type, param: null, code: String(status) } }, { status });
}

/** How a teacher is reached: addresses, keys, header fields, and what Retort requests by itself. */
export const REACHING: ServerGroup = {
  title: "Addresses, headers and response formats",
  cases: [
    {
      who: "Azure OpenAI, by deployment",
      sends: "nothing unusual; the key goes into `api-key`",
      // No other key: what goes to Azure is for Azure.
      script: ({ head }) => /sk-other/.test(head) ? refusal(401, "Unauthorized") : answer("42"),
      path: "/openai/deployments/my-gpt?api-version=2024-10-21",
      flags: ["--header", "api-key=@env:AZURE_API_KEY"],
      env: { AZURE_API_KEY: "azure-secret", OPENAI_API_KEY: "sk-other" },
      expected: {
        head: [
          "POST /openai/deployments/my-gpt/chat/completions?api-version=2024-10-21 ",
          "api-key: azure-secret",
        ],
        result: { response: "42" },
      },
    },
    {
      who: "Azure OpenAI, v1",
      sends: "nothing unusual",
      script: [answer("42")],
      path: "/openai/v1",
      flags: ["--header", "api-key=@env:AZURE_API_KEY"],
      env: { AZURE_API_KEY: "azure-secret" },
      expected: {
        head: ["POST /openai/v1/chat/completions ", "api-key: azure-secret"],
        result: { response: "42" },
      },
    },
    {
      who: "Azure OpenAI",
      sends: "404 for an address without `api-version`",
      script: [json({ error: { code: "404", message: "Resource not found" } }, { status: 404 })],
      path: "/openai/deployments/my-gpt",
      expected: {
        counts: [0, 0, 1],
        says: /Resource not found .*has no "\/v1" in it/,
      },
    },
    {
      who: "gateways with header fields of their own",
      sends: "401 where a field is missing",
      script: ({ head }) =>
        /authorization: Bearer tok-1/i.test(head) && /x-team: search/i.test(head)
          ? answer("42")
          : refusal(401, "Unauthorized"),
      flags: ["--header", "X-Team=search", "--header", "Authorization=Bearer @env:TOKEN"],
      env: { TOKEN: "tok-1" },
      expected: { result: { response: "42" } },
    },
    {
      who: "gateways that quote the key",
      sends: "401 with the value of a header field in its words",
      script: [refusal(401, "No team for s3cr3t-value-of-mine")],
      flags: ["--header", "X-Team=@env:TEAM"],
      env: { TEAM: "s3cr3t-value-of-mine" },
      expected: { counts: [0, 0, 1], says: /No team for \[redacted\]/ },
    },
    {
      who: "LiteLLM without a database",
      sends: "400 `no_db_connection` for a wrong key",
      script: [refusal(400, "No connected db.", "no_db_connection")],
      env: { OPENAI_API_KEY: "sk-wrong" },
      expected: { counts: [0, 0, 1], says: /No connected db\. Check the API key/ },
    },
    {
      who: "LiteLLM",
      sends: "400 `expired_key`",
      script: [refusal(400, "Authentication Error - Expired Key.", "expired_key")],
      expected: { counts: [0, 0, 1], says: /Expired Key\. Check the API key/ },
    },
    {
      who: "vLLM, SGLang, llama.cpp, OpenAI",
      sends: "JSON of the schema that was requested",
      script: [GOOD],
      files: FILES,
      flags: ["--json-schema", "answer.json"],
      expected: { sent: { response_format: ASKED }, result: { response: '{"a":1}' } },
    },
    {
      who: "any server",
      sends: "JSON; the schema is in a `response_format`",
      script: [GOOD],
      files: {
        "format.json": {
          type: "json_schema",
          json_schema: { name: "mine", schema: SCHEMA, strict: true },
        },
      },
      flags: ["--json-schema", "format.json"],
      expected: {
        sent: {
          response_format: {
            type: "json_schema",
            json_schema: { name: "mine", schema: SCHEMA, strict: true },
          },
        },
        result: { response: '{"a":1}' },
      },
    },
    {
      who: "any server",
      sends: "JSON; no schema is to be requested",
      script: [GOOD],
      files: FILES,
      flags: ["--json-schema", "answer.json", "--no-response-format"],
      expected: { sent: { response_format: undefined }, result: { response: '{"a":1}' } },
    },
    {
      who: "any server",
      sends: "JSON; the parameters ask for another form",
      script: [GOOD],
      files: FILES,
      flags: ["--json-schema", "answer.json", "-p", 'response_format={"type":"json_object"}'],
      expected: {
        sent: { response_format: { type: "json_object", json_schema: undefined } },
        result: { response: '{"a":1}' },
      },
    },
    {
      who: "DeepSeek",
      sends: "400: `This response_format type is unavailable now`",
      script: [refusal(400, "This response_format type is unavailable now"), GOOD],
      files: FILES,
      flags: ["--json-schema", "answer.json", "--max-attempts", "1"],
      expected: {
        sentLast: { response_format: undefined },
        result: { response: '{"a":1}', distill: { attempts: 2 } },
        posts: 2,
        says: /rejects response_format .*later requests omit it/,
      },
    },
    {
      who: "Groq",
      sends: "400: `This model does not support response format`, to 4 rows",
      script: ({ body }) =>
        body.response_format === undefined
          ? GOOD
          : refusal(400, "This model does not support response format `json_schema`."),
      files: FILES,
      rows: 4,
      flags: ["--json-schema", "answer.json", "-c", "1"],
      expected: { counts: [4, 0, 0], posts: 5, result: { response: '{"a":1}' } },
    },
    {
      who: "vLLM with a schema that its grammar has no words for",
      sends: "400: `The provided JSON schema contains features not supported by xgrammar.`",
      script: [
        refusal(400, "The provided JSON schema contains features not supported by xgrammar."),
        GOOD,
      ],
      files: FILES,
      flags: ["--json-schema", "answer.json"],
      expected: {
        sentLast: { response_format: undefined },
        result: { response: '{"a":1}' },
        posts: 2,
      },
    },
    {
      who: "older servers",
      sends: "422 for `stream_options`, which it does not know",
      script: [
        json({
          detail: [{ loc: ["body", "stream_options"], msg: "Extra inputs are not permitted" }],
        }, {
          status: 422,
        }),
        events([delta("42"), finish(), DONE]),
      ],
      flags: ["--stream"],
      expected: {
        sentLast: { stream: true, stream_options: undefined },
        result: { response: "42" },
        posts: 2,
        says: /rejects stream_options .*tokens may not be counted/,
      },
    },
    {
      who: "any server",
      sends: "log probabilities, asked for",
      script: [
        answer("42", { choice: { logprobs: { content: [{ token: "42", logprob: -0.1 }] } } }),
      ],
      flags: ["--keep", "logprobs", "-p", "logprobs=true"],
      expected: {
        sent: { logprobs: true },
        result: { distill: { kept: { logprobs: { content: [{ token: "42", logprob: -0.1 }] } } } },
      },
    },
    {
      who: "any server",
      sends: "no log probabilities: nothing asks for them",
      script: [answer("42")],
      flags: ["--keep", "logprobs"],
      expected: {
        result: { response: "42" },
        says: /no parameter asks it for logprobs: add -p logprobs=true/,
      },
    },
    {
      who: "servers that know no log probabilities",
      sends: "none, although asked, to 11 rows",
      script: [answer("42")],
      rows: 11,
      flags: ["--keep", "logprobs", "-p", "logprobs=true"],
      expected: {
        counts: [11, 0, 0],
        posts: 11,
        says: /None of the first 10 answers of the teacher at .* contains "logprobs"/,
      },
    },
  ],
};
