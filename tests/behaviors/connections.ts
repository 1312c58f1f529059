/** How servers treat connections, and limits. @module */

import type { ServerGroup } from "./case.ts";
import { answer, delta, DONE, events, finish, json } from "./replies.ts";

const STREAM = events([delta("42"), finish(), DONE], {
  headers: { "keep-alive": "timeout=5, max=100" },
  closes: true,
  closesAfterMs: 3,
});

/** An HTTP date `seconds` from now, on a clock that is two hours slow. */
function slowDate(seconds: number): string {
  return new Date(Date.now() - 7_200_000 + seconds * 1_000).toUTCString();
}

/** How servers treat connections, and limits. */
export const CONNECTIONS: ServerGroup = {
  title: "Connections",
  cases: [
    {
      who: "llama.cpp",
      sends: "`Keep-Alive: timeout=5, max=100`, and a close right after each streamed answer",
      script: () => STREAM,
      flags: ["--stream", "-c", "1", "--max-attempts", "2"],
      rows: 30,
      expected: { result: { response: "42" }, counts: [30, 0, 0], posts: 30 },
    },
    {
      who: "servers that keep no connections",
      sends: "`Connection: close`",
      script: [{ ...answer("42"), framing: "close" }],
      flags: ["-c", "4", "--max-attempts", "1"],
      rows: 20,
      expected: { result: { response: "42" }, counts: [20, 0, 0], posts: 20 },
    },
    {
      who: "some gateways",
      sends: "`100 Continue` although no request asked for it",
      script: [{ ...answer("42"), interim: "HTTP/1.1 100 Continue\r\n\r\n" }],
      flags: ["-c", "1"],
      rows: 5,
      expected: {
        result: { response: "42", distill: { attempts: 2 } },
        counts: [5, 0, 0],
        posts: 6,
      },
    },
    {
      who: "servers whose clock is wrong",
      sends: "429 with `Retry-After` as a date of their own clock, two hours slow",
      script: ({ n }) =>
        n > 1 ? answer("42") : json({ error: { message: "slow down" } }, {
          status: 429,
          headers: { "retry-after": slowDate(1), date: slowDate(0) },
        }),
      expected: { result: { response: "42", distill: { attempts: 2 } }, posts: 2 },
    },
  ],
};
