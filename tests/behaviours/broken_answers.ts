/** Answers of status 200 that are none. @module */

import type { ServerGroup } from "./case.ts";
import { answer, json } from "./replies.ts";

/** Answers of status 200 that are none. */
export const BROKEN_ANSWERS: ServerGroup = {
  title: "Status 200 without an answer",
  cases: [
    {
      who: "any server",
      sends: "500, then an answer",
      script: [json({ error: { message: "oops" } }, { status: 500 }), answer("42")],
      expected: { result: { response: "42", distill: { attempts: 2 } }, posts: 2 },
    },
  ],
};
