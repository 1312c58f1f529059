/** How servers say that an answer has ended. @module */

import type { ServerGroup } from "./case.ts";
import { answer, delta, DONE, events, finish } from "./replies.ts";

/** How servers say that an answer has ended. */
export const ENDINGS: ServerGroup = {
  title: "How an answer ends",
  cases: [
    {
      who: "OpenAI, vLLM and most others",
      sends: '`finish_reason: "stop"`',
      script: [answer("42")],
      expected: {
        sent: { model: "test-model", messages: [{ role: "user", content: "hi" }] },
        result: { response: "42", distill: { finish_reason: "stop", attempts: 1 } },
      },
    },
    {
      who: "OpenAI, vLLM and most others",
      sends: "a stream that ends with `[DONE]`",
      script: [events([delta("4"), delta("2"), finish(), DONE])],
      flags: ["--stream"],
      expected: {
        sent: { stream: true, stream_options: { include_usage: true } },
        result: { response: "42", distill: { finish_reason: "stop", attempts: 1 } },
      },
    },
    {
      who: "OpenAI, vLLM and most others",
      sends: '`finish_reason: "length"`',
      script: [answer("4", { choice: { finish_reason: "length" } })],
      expected: {
        failure: { error: { type: "truncated", attempts: 1 }, partial: { response: "4" } },
      },
    },
  ],
};
