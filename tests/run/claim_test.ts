/** Tests of lib/run/claim.ts. @module */

import { assertRejects } from "../../lib/deps/std_assert.ts";
import { UsageError } from "../../lib/errors.ts";
import { claimOutput } from "../../lib/run/claim.ts";
import { filesOf } from "../../lib/run/mod.ts";
import { tempDir } from "../support/temp.ts";

const FAILURE = { uid: "a", prompt_hash: "", error: { type: "truncated", final: false } };
const RESULT = { uid: "a", prompt_hash: "", response: "b", distill: {} };

for (
  const [name, line] of [
    ["x.jsonl", RESULT],
    ["x_error.jsonl", FAILURE],
    ["x.rescued-1.jsonl", RESULT],
    ["x_error.rescued-1.jsonl", FAILURE],
  ] as const
) {
  Deno.test(`a run does not start over without --overwrite if only ${name} holds answers`, async () => {
    await using dir = await tempDir();
    const path = await dir.write(name, [line]);
    const files = filesOf(dir.path("in.jsonl"), dir.path("x"));
    const options = { options: { resume: false }, notices: { add() {} } };
    const message = `Cannot start over: "${path}" holds answers`;
    await assertRejects(() => claimOutput(files, options), UsageError, message);
  });
}
