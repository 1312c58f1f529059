/** How servers say that an answer has ended. @module */

import type { Reply, Script } from "../support/scripted_server.ts";
import type { Expected, Part, ServerCase, ServerGroup } from "./case.ts";
import { answer, delta, DONE, events, finish } from "./replies.ts";

/** A whole answer of one JSON object. `choice` replaces fields of its choice. */
function ended(choice: Part, rest: Part = {}): Reply {
  return answer("42", { choice, ...rest });
}

/** Answers that are whole: one POST, a result with this finish reason. */
function whole(who: string, sends: string, reply: Reply, reason: string): ServerCase {
  const result = { response: "42", distill: { finish_reason: reason, attempts: 1 } };
  return { who, sends, script: [reply], expected: { result } };
}

/** Answers that are cut: one POST, a failure that keeps them. */
function cut(who: string, reason: string, type: string): ServerCase {
  const partial = { response: "42", finish_reason: reason };
  const expected = { failure: { error: { type, attempts: 1 }, partial } };
  return { who, sends: `\`${reason}\``, script: [ended({ finish_reason: reason })], expected };
}

/** Answers that broke off: asked for again, and a failure that keeps the last of them. */
function broken(who: string, reason: string): ServerCase {
  const error = { type: "unfinished", attempts: 2, message: /aborted the answer/ };
  return {
    who,
    sends: `\`${reason}\``,
    script: [ended({ finish_reason: reason })],
    flags: ["--max-attempts", "2"],
    expected: { failure: { error, partial: { response: "42", finish_reason: reason } }, posts: 2 },
  };
}

const ONE_AT_A_TIME = ["-c", "1"];

/** A teacher that never proves an answer whole: three rows, each sent twice, and it is halted. */
function unproven(
  who: string,
  sends: string,
  reply: Reply,
  says: RegExp,
  flags: string[] = [],
  /** Rows that had their turn before the third has been sent twice. */
  asked = 3,
) {
  const expected: Expected = {
    counts: [0, 0, 4],
    kept: [{ partial: { response: "42" } }, ...Array(asked - 1).fill({})],
    says,
    posts: asked + 3,
  };
  return {
    who,
    sends: `${sends}, for every row`,
    script: [reply],
    rows: 4,
    flags: [...ONE_AT_A_TIME, ...flags],
    expected,
  };
}

/** The same teacher, when the user accepts its endings. */
function accepted(who: string, sends: string, reply: Reply, word: string, flags: string[] = []) {
  return {
    who,
    sends,
    script: [reply],
    flags: ["--accept-ending", word, ...flags],
    expected: { result: { response: "42", distill: { attempts: 1 } } },
  };
}

/** llama-cpp-python, by default: a stream ends when another request waits. */
function oneAtATime(): Script {
  let interrupt = () => {};
  return ({ prompt, asked }) => {
    interrupt();
    const interrupted = new Promise<void>((resolve) => interrupt = resolve);
    const isFirst = prompt === "prompt 0" && asked === 1;
    const body = async function* () {
      yield `data: ${JSON.stringify(delta("year cups "))}\n\n`;
      if (isFirst) await interrupted;
      else yield `data: ${JSON.stringify(finish())}\n\n`;
      yield DONE;
    }();
    return { headers: { "content-type": "text/event-stream" }, framing: "chunked", body };
  };
}

const IN_PARTS = [delta("4"), delta("2")];
const STREAM = ["--stream"];

/** How servers say that an answer has ended. */
export const ENDINGS: ServerGroup = {
  title: "How an answer ends",
  cases: [
    {
      who: "OpenAI, vLLM and most others",
      sends: "`stop`",
      script: [answer("42")],
      expected: {
        sent: { model: "test-model", messages: [{ role: "user", content: "hi" }] },
        result: { response: "42", distill: { finish_reason: "stop", attempts: 1 } },
      },
    },
    {
      who: "OpenAI, vLLM and most others",
      sends: "a stream that ends with `stop` and `[DONE]`",
      script: [events([...IN_PARTS, finish(), DONE])],
      flags: STREAM,
      expected: {
        sent: { stream: true, stream_options: { include_usage: true } },
        result: { response: "42", distill: { finish_reason: "stop", attempts: 1 } },
      },
    },
    whole(
      "Anthropic, through a gateway",
      "`end_turn`",
      ended({ finish_reason: "end_turn" }),
      "end_turn",
    ),
    whole("Gemini, through a gateway", "`STOP`", ended({ finish_reason: "STOP" }), "STOP"),
    whole(
      "Vertex, through a gateway",
      "`FinishReason.STOP`",
      ended({ finish_reason: "FinishReason.STOP" }),
      "FinishReason.STOP",
    ),
    whole("Cohere", "`COMPLETE`", ended({ finish_reason: "COMPLETE" }), "COMPLETE"),
    whole("TGI", "`eos_token`", ended({ finish_reason: "eos_token" }), "eos_token"),
    whole("LM Studio", "`eosFound`", ended({ finish_reason: "eosFound" }), "eosFound"),
    whole("Baidu", "`normal`", ended({ finish_reason: "normal" }), "normal"),
    whole(
      "SGLang's own form",
      "an object with a type",
      ended({ finish_reason: { type: "stop", matched: 2 } }),
      "stop",
    ),
    whole(
      "Gemini's OpenAI-compatible API",
      "`finish_reason: null` with `finishReason`",
      ended({ finish_reason: null, finishReason: "stop" }),
      "stop",
    ),
    whole(
      "Anthropic, through a gateway",
      '`finish_reason: ""` with `stop_reason`',
      ended({ finish_reason: "", stop_reason: "end_turn" }),
      "end_turn",
    ),
    whole(
      "OpenRouter",
      '`finish_reason: "null"` with `native_finish_reason`',
      ended({ finish_reason: "null", native_finish_reason: "completed" }),
      "completed",
    ),
    whole(
      "Ollama, through a gateway",
      "`done_reason` next to the choices",
      ended({ finish_reason: undefined }, { done_reason: "stop" }),
      "stop",
    ),
    cut("OpenAI, vLLM and most others", "length", "truncated"),
    cut("Anthropic, through a gateway", "max_tokens", "truncated"),
    cut("Gemini, through a gateway", "MAX_TOKENS", "truncated"),
    cut("watsonx", "TOKEN_LIMIT", "truncated"),
    cut("Mistral", "model_length", "truncated"),
    {
      who: "one-api and other gateways",
      sends: "a stream with `stop` after the `length` of the upstream",
      script: [events([...IN_PARTS, finish("length"), finish(), DONE])],
      flags: STREAM,
      expected: {
        failure: { error: { type: "truncated", attempts: 1 }, partial: { response: "42" } },
      },
    },
    {
      who: "llama.cpp, which takes `n_predict` as well",
      sends: "`stop` after as many tokens as it",
      script: [ended({})],
      flags: ["-p", "n_predict=11"],
      expected: { failure: { error: { type: "truncated", message: /n_predict 11/ } } },
    },
    {
      who: "vLLM, which takes a limit as text",
      sends: "`stop` after as many tokens as it",
      script: [ended({})],
      rows: [{ id: "row-0", prompt: "hi", params: { max_tokens: "11" } }],
      expected: { failure: { error: { type: "truncated", message: /max_tokens 11/ } } },
    },
    whole(
      "servers that send a number",
      "a number next to the word in `stop_reason`",
      ended({ finish_reason: 0, stop_reason: "end_turn" }),
      "end_turn",
    ),
    unproven(
      "servers that send a number",
      "the number of a word",
      ended({ finish_reason: 1 }),
      /an unknown finish reason \("1"\)[^]*--accept-ending 1/,
    ),
    cut("OpenAI, Azure", "content_filter", "filtered"),
    cut("Gemini's OpenAI-compatible API", "content_filter: RECITATION", "filtered"),
    cut("Zhipu", "sensitive", "filtered"),
    cut("Bedrock, through a gateway", "guardrail_intervened", "filtered"),
    {
      who: "Gemini's OpenAI-compatible API",
      sends: "`length` in a choice without a message: reasoning has used up the limit",
      script: [ended({ message: undefined, finish_reason: "length" })],
      expected: { failure: { error: { type: "truncated", attempts: 1 } } },
    },
    {
      who: "a server that counts wrongly",
      sends: "`stop` after as many tokens as the limit that was sent",
      script: [answer("4")],
      flags: ["--max-tokens", "11"],
      expected: {
        sent: { max_tokens: 11 },
        failure: {
          error: { type: "truncated", message: /max_tokens 11/ },
          partial: { response: "4", finish_reason: "stop", completion_tokens: 11 },
        },
      },
    },
    broken("vLLM, SGLang", "abort"),
    broken("OpenRouter, Mistral", "error"),
    broken("TensorRT-LLM", "timeout"),
    broken("TensorRT-LLM", "cancelled"),
    broken("vLLM", "repetition"),
    broken("Gemini, through a gateway", "OTHER"),
    broken("Gemini, through a gateway", "MALFORMED_FUNCTION_CALL"),
    broken("DeepSeek", "insufficient_system_resource"),
    broken("Zhipu", "network_error"),
    {
      who: "vLLM, SGLang",
      sends: "`abort`, then an answer",
      script: [ended({ finish_reason: "abort" }), answer("43")],
      expected: { result: { response: "43", distill: { attempts: 2 } }, posts: 2 },
    },
    {
      who: "vLLM, SGLang",
      sends: "`abort`, for every row: its tokens count in the budget",
      script: [ended({ finish_reason: "abort" })],
      rows: 4,
      flags: [...ONE_AT_A_TIME, "--max-completion-tokens-total", "30"],
      expected: { counts: [0, 0, 4], says: /33 completion tokens of at most 30/, posts: 3 },
    },
    {
      who: "LocalAI, KoboldCpp, some versions of Azure",
      sends: "no finish reason, then an answer with one",
      script: [ended({ finish_reason: null }), answer("43")],
      expected: { result: { response: "43", distill: { attempts: 2 } }, posts: 2 },
    },
    {
      who: "LocalAI, KoboldCpp, some versions of Azure",
      sends: "no finish reason for one row of several",
      script: ({ prompt }) => prompt === "prompt 0" ? ended({ finish_reason: null }) : answer("43"),
      rows: 4,
      flags: [...ONE_AT_A_TIME, "--max-attempts", "3"],
      expected: {
        counts: [3, 1, 0],
        failure: {
          error: { type: "unfinished", attempts: 3, message: /without a finish reason/ },
          partial: { response: "42", finish_reason: "" },
        },
        posts: 6,
      },
    },
    unproven(
      "LocalAI, KoboldCpp, some versions of Azure",
      "no finish reason",
      ended({ finish_reason: undefined }),
      /--accept-ending none/,
    ),
    accepted(
      "LocalAI, KoboldCpp, some versions of Azure",
      "no finish reason",
      ended({ finish_reason: undefined }),
      "none",
    ),
    unproven(
      "a server with words of its own",
      "`natural_end`",
      ended({ finish_reason: "natural_end" }),
      /--accept-ending natural_end/,
    ),
    accepted(
      "a server with words of its own",
      "`natural_end`",
      ended({ finish_reason: "natural_end" }),
      "NATURAL_END",
    ),
    unproven(
      "a server with words of its own",
      "`natural_end`",
      ended({ finish_reason: "natural_end" }),
      /--accept-ending natural_end/,
      ["--max-attempts", "2"],
      4,
    ),
    {
      who: "a server with words of its own",
      sends: "`natural_end`, for every row, and a row may be sent only once",
      script: [ended({ finish_reason: "natural_end" })],
      rows: 4,
      flags: [...ONE_AT_A_TIME, "--max-attempts", "1"],
      expected: {
        counts: [0, 0, 4],
        kept: [{ partial: { response: "42" } }, {}, {}],
        says: /--accept-ending natural_end/,
        posts: 3,
      },
    },
    {
      who: "a server with words of its own",
      sends: "`stop`, then `natural_end` for all others",
      script: ({ prompt }) =>
        ended({ finish_reason: prompt === "prompt 0" ? "stop" : "natural_end" }),
      rows: 24,
      flags: [...ONE_AT_A_TIME, "--max-attempts", "1"],
      expected: {
        counts: [1, 0, 23],
        says: /answers to 20 rows as complete.*--accept-ending natural_end/,
        posts: 21,
      },
    },
    unproven(
      "a server that ends its streams so",
      "a stream that ends without a finish reason and without `[DONE]`",
      events(IN_PARTS),
      /--accept-ending none/,
      STREAM,
    ),
    accepted(
      "a server that ends its streams so",
      "a stream that ends without a finish reason and without `[DONE]`",
      events(IN_PARTS),
      "none",
      STREAM,
    ),
    unproven(
      "one-api and other gateways",
      "a stream that ends with `[DONE]`, without a finish reason",
      events([...IN_PARTS, DONE]),
      /--accept-ending none/,
      STREAM,
    ),
    {
      who: "one-api and other gateways",
      sends: "`stop` in every chunk of a stream, and `[DONE]`",
      script: [events([
        delta("4", { finish_reason: "stop" }),
        delta("2", { finish_reason: "stop" }),
        DONE,
      ])],
      flags: STREAM,
      expected: { result: { response: "42", distill: { finish_reason: "stop" } } },
    },
    {
      who: "one-api and other gateways",
      sends: "`stop` in every chunk of a stream, whose end is missing the second time",
      script: ({ n }) =>
        events([
          delta("4", { finish_reason: "stop" }),
          ...(n === 2 ? [] : [delta("2", { finish_reason: "stop" }), DONE]),
        ]),
      rows: 2,
      flags: [...STREAM, ...ONE_AT_A_TIME],
      expected: { counts: [2, 0, 0], result: { response: "42" }, posts: 3 },
    },
    {
      who: "llama-cpp-python",
      sends: "`[DONE]` in the middle of a stream, when another request waits",
      script: oneAtATime(),
      rows: 2,
      flags: [...STREAM, "-c", "2", "--no-careful-start", "--max-attempts", "1"],
      expected: {
        counts: [1, 1, 0],
        failure: {
          error: {
            type: "unfinished",
            message: /serves one stream at a time: use -c 1 or leave out --stream/,
          },
          partial: { response: "year cups ", finish_reason: "" },
        },
        posts: 2,
      },
    },
    {
      who: "llama-cpp-python",
      sends: "`[DONE]` in the middle of a stream, when another request waits",
      script: oneAtATime(),
      rows: 2,
      flags: [...STREAM, "-c", "2", "--no-careful-start"],
      expected: { counts: [2, 0, 0], result: { response: "year cups " }, posts: 3 },
    },
  ],
};
