/**
 * Whether a completion is an answer worth training on.
 *
 * @module
 */

import type { Failure } from "../row.ts";
import type { Completion } from "../teacher/teacher.ts";

/** What becomes of an answer that hit the token limit or a filter. */
export type OnTruncated = "error" | "keep";

/** Whether a teacher gave a completion at all; one that was plugged in without types may give anything,
 * and may leave the text out. */
export function isCompletion(value: unknown): value is Completion {
  if (typeof value !== "object" || value === null) return false;
  const { response } = value as { response?: unknown };
  return response === undefined || response === null || typeof response === "string";
}

/** Why this completion is a failure, or undefined when it is an answer. A tool call is an answer. */
export function rejectionOf(
  completion: Completion,
  onTruncated: OnTruncated,
): Failure | undefined {
  if (onTruncated === "error") {
    if (completion.finishReason === "length") {
      return failure("truncated", "The answer stopped at the token limit");
    }
    if (completion.finishReason === "content_filter") {
      return failure("filtered", "The answer was stopped by a content filter");
    }
  }
  const hasToolCall = completion.toolCalls !== undefined && completion.toolCalls.length > 0;
  if (!hasToolCall && (completion.response ?? "").trim() === "") {
    return failure("empty", "The answer holds neither text nor a tool call");
  }
  return undefined;
}

function failure(type: Failure["type"], message: string): Failure {
  return { type, message, status: null };
}
