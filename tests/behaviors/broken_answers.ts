/** Answers of status 200 that are none, and streams that break. @module */

import type { Reply } from "../support/scripted_server.ts";
import type { ServerCase, ServerGroup } from "./case.ts";
import { answer, delta, DONE, events, finish, json } from "./replies.ts";

/** Something broken, then an answer: the row is sent again. */
function passing(who: string, sends: string, reply: Reply, flags: string[] = []): ServerCase {
  return {
    who,
    sends: `${sends}, then an answer`,
    script: [reply, answer("42")],
    flags,
    expected: { result: { response: "42", distill: { attempts: 2 } }, posts: 2 },
  };
}

/** Something that no row gets past: the run halts and says so. */
function halting(
  who: string,
  sends: string,
  reply: Reply,
  says: RegExp,
  posts = 1,
  flags: string[] = [],
): ServerCase {
  return {
    who,
    sends,
    script: [reply],
    rows: 5,
    flags: ["-c", "1", ...flags],
    expected: { counts: [0, 0, 5], says, posts },
  };
}

/** Something that only looks odd: one POST, a result. */
function whole(who: string, sends: string, reply: Reply, flags: string[] = []): ServerCase {
  const expected = { result: { response: "42", distill: { attempts: 1 } } };
  return { who, sends, script: [reply], flags, expected };
}

function crlf(): Reply {
  const reply = events(STREAMED);
  const lines = (reply.body as string[]).map((line) => line.replaceAll("\n", "\r\n"));
  return { ...reply, body: lines };
}

function minimax(code: number, message: string): Reply {
  return json({ id: "1", choices: null, base_resp: { status_code: code, status_msg: message } });
}

const PAGE: Reply = {
  headers: { "content-type": "text/html" },
  body: "<!DOCTYPE html><html><title>Welcome to nginx!</title></html>",
};
const STREAM = ["--stream"];
const EVENTS = { "content-type": "text/event-stream" };
const ONCE = ["--max-attempts", "1"];
const STREAMED = [delta("4"), delta("2"), finish(), DONE];
const HALF = JSON.stringify(
  { id: "1", choices: [{ index: 0, message: { content: "4".repeat(300) } }] },
).slice(0, 300);

/** Answers of status 200 that are none, and streams that break. */
export const BROKEN_ANSWERS: ServerGroup = {
  title: "Status 200 without an answer",
  cases: [
    {
      who: "any server",
      sends: "500, then an answer",
      script: [json({ error: { message: "oops" } }, { status: 500 }), answer("42")],
      expected: { result: { response: "42", distill: { attempts: 2 } }, posts: 2 },
    },
    passing("gateways whose upstream has failed", "`choices: []`", json({ choices: [] })),
    passing("gateways whose upstream has failed", "`choices: null`", json({ choices: null })),
    passing(
      "gateways whose upstream has failed",
      "a choice that is empty",
      json({ choices: [{}] }),
    ),
    passing("gateways whose upstream has failed", "`{}`", json("{}")),
    passing("proxies", "an empty body", json("")),
    passing("proxies", "white space", json(" \n\n")),
    passing("proxies", "JSON truncated at 300 bytes", json(HALF)),
    passing("proxies", "a body that breaks off", json(HALF, { breaks: true })),
    passing("proxies", "plain text", json("upstream connect error or disconnect/reset")),
    passing("proxies", "an empty stream", events([]), STREAM),
    passing("proxies", "a stream of nothing but `[DONE]`", events([DONE]), STREAM),
    passing("proxies", "a stream that breaks off", events([delta("4")], { breaks: true }), STREAM),
    passing(
      "proxies",
      "a stream that breaks off after its finish reason",
      events([delta("4"), finish()], { breaks: true }),
      STREAM,
    ),
    passing("proxies", "a stream with a truncated event", events(['data: {"cho\n\n']), STREAM),
    {
      who: "proxies",
      sends: "a stream that breaks off, each time",
      script: [events([delta("4")], { breaks: true })],
      flags: [...STREAM, "--max-attempts", "2"],
      expected: {
        failure: {
          error: { type: "network", message: /broke in the middle of the answer/ },
          partial: { response: "4", finish_reason: "" },
        },
        posts: 2,
      },
    },
    {
      who: "a server whose connection breaks late",
      sends: "a stream with `[DONE]` that breaks off after it",
      script: [events([delta("42"), finish(), DONE], { breaks: true })],
      flags: STREAM,
      expected: { result: { response: "42", distill: { attempts: 1 } } },
    },
    {
      who: "gateways whose upstream has failed",
      sends: "`choices: []`, every third time",
      script: ({ n }) => n % 3 === 0 ? json({ choices: [] }) : answer("42"),
      rows: 20,
      flags: ["-p", "temperature=0.5"],
      expected: { counts: [20, 0, 0], result: { response: "42" }, posts: 29 },
    },
    {
      who: "gateways whose upstream has failed",
      sends: "`choices: []`, each time",
      script: [json({ choices: [] })],
      flags: ["--max-attempts", "3"],
      expected: {
        failure: { error: { type: "response", status: 200, attempts: 3 } },
        posts: 3,
      },
    },
    halting(
      "a web server",
      "a web page",
      PAGE,
      /not an OpenAI-compatible endpoint.*--base-url/,
      3,
      ONCE,
    ),
    halting(
      "a web server",
      "a web page",
      PAGE,
      /not an OpenAI-compatible endpoint.*--base-url/,
      3,
      [...ONCE, ...STREAM],
    ),
    passing("proxies", "an empty body", json(""), STREAM),
    passing("proxies", "JSON truncated at 300 bytes", json(HALF), STREAM),
    passing(
      "proxies",
      "an error as JSON labeled as events",
      { ...json({ error: { message: "upstream failed", code: 502 } }), headers: EVENTS },
      STREAM,
    ),
    halting(
      "Anthropic's own API",
      "an answer in its own form",
      json({ type: "message", content: [{ type: "text", text: "42" }], stop_reason: "end_turn" }),
      /an answer of Anthropic's own API: its OpenAI-compatible API is at https:\/\/api\.anthropic\.com\/v1/,
      7,
      ["--max-attempts", "2"],
    ),
    {
      who: "Gemini's own API",
      sends: "a stream in its own form, each time",
      script: [events([
        { candidates: [{ content: { parts: [{ text: "4" }] } }] },
        { candidates: [{ content: { parts: [{ text: "2" }] }, finishReason: "STOP" }] },
      ])],
      flags: [...STREAM, "--max-attempts", "2"],
      expected: {
        failure: {
          error: { type: "response", message: /Gemini's own API/ },
          partial: { response: "42" },
        },
        posts: 2,
      },
    },
    halting(
      "a port of another protocol",
      "the greeting of SSH",
      { body: "", raw: "SSH-2.0-OpenSSH_9.6\r\n", closes: true },
      /not an OpenAI-compatible endpoint.*does not match the HTTP\/1\.1 protocol/,
      3,
      ONCE,
    ),
    halting(
      "a server that speaks TLS",
      "an alert to the address `http://`",
      { body: "", raw: Uint8Array.of(0x15, 3, 1, 0, 2, 2, 0x46), closes: true },
      /use https:\/\/ instead of http:\/\//,
    ),
    halting(
      "another API",
      "JSON that is not a completion",
      json({ status: "ok" }),
      /not an OpenAI-compatible endpoint/,
      // A fourth row has its turn before the third is sent again.
      7,
      ["--max-attempts", "2"],
    ),
    {
      who: "a web server",
      sends: "an answer, then a web page, then answers",
      script: ({ n }) => n > 1 && n < 6 ? PAGE : answer("42"),
      rows: 5,
      flags: ["-c", "1"],
      expected: { counts: [5, 0, 0], result: { response: "42" }, posts: 9 },
    },
    halting(
      "MiniMax",
      "`base_resp`: wrong key",
      minimax(1004, "login fail"),
      /login fail.*API key/,
    ),
    halting("MiniMax", "`base_resp`: no credit", minimax(1008, "insufficient balance"), /credit/),
    passing("MiniMax", "`base_resp`: too many requests", minimax(1002, "rate limit")),
    passing("MiniMax", "`base_resp`: unknown error", minimax(1000, "unknown error")),
    {
      who: "MiniMax",
      sends: "`base_resp`: sensitive input",
      script: [minimax(1026, "input new_sensitive")],
      expected: { failure: { error: { type: "filtered", attempts: 1, message: /sensitive/ } } },
    },
    {
      who: "MiniMax",
      sends: "`base_resp`: sensitive output",
      script: [events([delta("4"), {
        choices: null,
        base_resp: { status_code: 1027, status_msg: "output new_sensitive" },
      }])],
      flags: STREAM,
      expected: { failure: { error: { type: "filtered", attempts: 1, message: /sensitive/ } } },
    },
    passing(
      "Groq",
      "`x_groq.error` next to `stop`: why it stopped early",
      events([delta("4"), finish("stop", { x_groq: { id: "r", error: "over_capacity" } }), DONE]),
      STREAM,
    ),
    {
      who: "Gemini, through a gateway",
      sends: "`promptFeedback.blockReason`",
      script: [json({ promptFeedback: { blockReason: "PROHIBITED_CONTENT" } })],
      expected: {
        failure: { error: { type: "filtered", attempts: 1, message: /PROHIBITED_CONTENT/ } },
      },
    },
    halting(
      "gateways",
      "an error with status 200: wrong key",
      json({ error: { message: "Incorrect API key provided", code: "invalid_api_key" } }),
      /Incorrect API key/,
    ),
    passing(
      "gateways",
      "error numbers of their own with status 200: too busy",
      json({ code: 1305, msg: "The system is busy, please try again later" }),
    ),
    {
      who: "llama.cpp's server",
      sends: "`error: {…}` as a line of a stream, after a token",
      script: [events([delta("4"), 'error: {"code":500,"message":"Compute error."}\n\n'])],
      flags: [...STREAM, "--max-attempts", "2"],
      expected: {
        failure: {
          error: { type: "server", status: 500, message: "Compute error.", attempts: 2 },
          partial: { response: "4" },
        },
        posts: 2,
      },
    },
    {
      who: "vLLM, OpenRouter",
      sends: "an error object in a stream, after a token",
      script: [
        events([delta("4"), { error: { message: "Engine died", code: 502 } }, DONE]),
        events([delta("42"), finish(), DONE]),
      ],
      flags: STREAM,
      expected: { result: { response: "42", distill: { attempts: 2 } }, posts: 2 },
    },
    {
      who: "Ollama",
      sends: "an error without a code in a stream, after a token",
      script: [events([delta("4"), { error: "model runner has unexpectedly stopped" }])],
      flags: [...STREAM, "--max-attempts", "2"],
      expected: {
        failure: {
          error: { type: "response", message: "model runner has unexpectedly stopped" },
          partial: { response: "4" },
        },
        posts: 2,
      },
    },
    {
      who: "FastChat, older vLLM",
      sends: '`{"object":"error",…}` as an event of a stream',
      script: [
        events([{ object: "error", message: "Internal Server Error", code: 50001 }]),
        events([delta("42"), finish(), DONE]),
      ],
      flags: STREAM,
      expected: { result: { response: "42", distill: { attempts: 2 } }, posts: 2 },
    },
    passing(
      "TGI",
      "an error with its type next to it, in a stream",
      events([{ error: "Request failed", error_type: "generation" }]),
      STREAM,
    ),
    passing(
      "OpenRouter",
      "an error in a choice",
      answer("4", { choice: { finish_reason: "error", error: { code: 502, message: "oops" } } }),
    ),
    {
      who: "OpenRouter",
      sends: "an error in a choice that holds half an answer, each time",
      script: [
        answer("4", { choice: { finish_reason: "error", error: { code: 502, message: "oops" } } }),
      ],
      flags: ["--max-attempts", "2"],
      expected: {
        failure: {
          error: { type: "server", status: 502, attempts: 2 },
          partial: { response: "4", finish_reason: "error" },
        },
        posts: 2,
      },
    },
    whole("gateways that fail late", "an error after the answer", {
      ...answer("42"),
      body: `${answer("42").body}{"error":{"message":"oops"}}`,
    }),
    whole("gateways that write twice", "the answer, and the same again", {
      ...answer("42"),
      body: `${answer("42").body}\n${answer("42").body}`,
    }),
    whole(
      "small servers",
      "a text in the place of the message",
      answer("", { choice: { message: "42" } }),
    ),
    whole(
      "proxies",
      "`null` and `[]` as signs of life in a stream",
      events(["data: null\n\n", "data: []\n\n", ...STREAMED]),
      STREAM,
    ),
    whole(
      "gateways that send in batches",
      "several chunks in one event",
      events([`data: ${JSON.stringify(STREAMED.slice(0, 3))}\n\n`, DONE]),
      STREAM,
    ),
    whole("gateways with a word of their own", "`DONE` without brackets", {
      ...events([...STREAMED.slice(0, -1), "data: DONE\n\n"]),
    }, STREAM),
    passing("gateways", "204 without a body", { status: 204, body: "", framing: "close" }),
    whole("DeepSeek, under load", "blank lines before the answer", {
      headers: { "content-type": "application/json" },
      body: ["\n\n", "\n", answer("42").body as string],
      framing: "chunked",
    }),
    whole(
      "OpenRouter, under load",
      "comments in a stream",
      events([": OPENROUTER PROCESSING\n\n", ...STREAMED]),
      STREAM,
    ),
    whole(
      "Azure",
      "a chunk without choices before and after the answer",
      events([{ choices: [], prompt_filter_results: [] }, ...STREAMED.slice(0, -1), {
        choices: [{ index: 0, delta: {}, finish_reason: null, content_filter_offsets: {} }],
      }, DONE]),
      STREAM,
    ),
    whole("servers of the SSE standard", "lines that end in CR LF", crlf(), STREAM),
    whole(
      "gateways",
      "`data:[DONE]` without the space",
      events([
        ...STREAMED.slice(0, -1),
        "data:[DONE] \n\n",
      ]),
      STREAM,
    ),
    {
      who: "OpenAI",
      sends: "`message.refusal`",
      script: [answer(null, { message: { refusal: "I can't help with that." } })],
      expected: {
        result: { response: "I can't help with that.", distill: { refusal: true, attempts: 1 } },
      },
    },
    {
      who: "OpenAI",
      sends: "`message.refusal`",
      script: [answer(null, { message: { refusal: "I can't help with that." } })],
      flags: ["--reject-refusals"],
      expected: {
        failure: {
          error: { type: "refused", attempts: 1 },
          partial: { response: "I can't help with that." },
        },
      },
    },
    {
      who: "any model",
      sends: "a refusal in the usual words",
      script: [answer("I’m sorry, but I can’t assist with that request.")],
      flags: ["--reject-refusals"],
      expected: { failure: { error: { type: "refused", attempts: 1 } } },
    },
    {
      who: "any model",
      sends: "a refusal in the usual words",
      script: [answer("I’m sorry, but I can’t assist with that request.")],
      expected: { result: { distill: { refusal: false } } },
    },
  ],
};
