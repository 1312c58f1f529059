/** Rows and answers for tests of checks. @module */

import type { Row } from "../../lib/row.ts";
import type { Completion, Params } from "../../lib/teacher/teacher.ts";

/** A row with these fields, as JSON text, and these parameters of its own. */
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

/** A good answer, or one that differs from it in some fields. */
export function completionOf(fields: Partial<Completion> = {}): Completion {
  return { response: "42", finishReason: "stop", usage: null, model: "fake", ...fields };
}

/** The tool calls of an answer that is one. */
export const TOOL_CALLS = [{
  id: "1",
  type: "function",
  function: { name: "add", arguments: "{}" },
}];
