/** Lines of results and failures files for tests of lib/data/. @module */

/** The fields of a line that a test sets; the others have defaults. */
export interface LineOptions {
  readonly uid: string;
  /** For a further sample: the uid of the input row. @default `uid` */
  readonly inputUid?: string;
  readonly prompt?: string;
  readonly response?: string;
  readonly own?: Record<string, unknown>;
  readonly distill?: Record<string, unknown>;
  readonly reasoning?: string;
}

/** A results line with its line feed. */
export function resultLine(
  { uid, inputUid = uid, prompt = `prompt of ${uid}`, response, own, distill, reasoning }:
    LineOptions,
): string {
  return JSON.stringify({
    uid,
    prompt_hash: hashOf(prompt),
    prompt,
    ...own,
    response: response ?? `The answer to ${uid} is a whole sentence.`,
    reasoning: reasoning ?? "",
    tool_calls: "[]",
    distill: {
      model: "qwen3",
      model_returned: "qwen3",
      response_id: "",
      teacher: "http://127.0.0.1:8000/v1",
      finish_reason: "stop",
      prompt_tokens: 10,
      completion_tokens: 20,
      reasoning_tokens: 0,
      cached_tokens: 0,
      attempts: 1,
      latency_ms: 100,
      ttft_ms: 100,
      created: "2026-01-01T00:00:00.000Z",
      source: "in.jsonl:1",
      params: "44136fa3",
      refusal: false,
      kept: "{}",
      replaced: inputUid === uid ? "{}" : JSON.stringify({ uid: inputUid }),
      ...distill,
    },
  }) + "\n";
}

/** A failures line with its line feed. */
export function failureLine(uid: string, error: Record<string, unknown> = {}): string {
  return JSON.stringify({
    uid,
    prompt_hash: hashOf(uid),
    prompt: `prompt of ${uid}`,
    error: {
      type: "timeout",
      message: "No answer within 1 s",
      status: null,
      attempts: 5,
      final: true,
      first_seen: "2026-01-01T00:00:00.000Z",
      created: "2026-01-01T00:00:00.000Z",
      ...error,
    },
    distill: { source: "in.jsonl:2", params: "44136fa3", replaced: "{}" },
  }) + "\n";
}

function hashOf(text: string): string {
  let hash = 7n;
  for (const char of text) {
    hash = (hash * 31n + BigInt(char.codePointAt(0)!)) & 0xffff_ffff_ffff_ffffn;
  }
  return hash.toString(16).padStart(16, "0");
}
