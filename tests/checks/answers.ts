/** Rows and answers for tests of checks. @module */

import type { AnswerCost } from "../../lib/checks/mod.ts";
import type { Row } from "../../lib/row.ts";
import type { Completion, Params } from "../../lib/teacher/teacher.ts";

/**
 * @param text The row as JSON text.
 * @param params Parameters that the row sets.
 */
export function rowOf(text = `{"prompt":"Hello"}`, params?: Params): Row {
  return {
    uid: "row-1",
    promptHash: "0123456789abcdef",
    messages: [{ role: "user", content: "Hello" }],
    params,
    text,
    clashes: [],
    input: 0,
    source: "in.jsonl:1",
    sample: 0,
  };
}

export const COST: AnswerCost = { attempts: 1, latencyMs: 0, costUsd: 0 };

/** An answer that passes every check, with some fields replaced. */
export function completionOf(fields: Partial<Completion> = {}): Completion {
  return { response: "42", finishReason: "stop", usage: null, model: "fake", ...fields };
}

/** Makes an answer a tool call. */
export const TOOL_CALLS = [{
  id: "1",
  type: "function",
  function: { name: "add", arguments: "{}" },
}];
