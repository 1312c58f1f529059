/**
 * Errors of 2xx responses without a usable completion. They quote the server's message if there is
 * one.
 *
 * @module
 */

import { TeacherError } from "../errors.ts";
import { asObject, type JsonObject, parseJson } from "./json.ts";
import type { Redact } from "./secrets.ts";
import {
  codeOf,
  errorJson,
  errorMessage,
  innermost,
  isPage,
  MAX_MESSAGE_CHARS,
  MAX_QUOTED_CHARS,
  relayedError,
  statedDelayMs,
  statedStatus,
} from "./error_body.ts";

/** Codes that `classify()` knows: a completion that arrived broken, a web page, and an answer of
 * another kind of server. */
export type BrokenCode = "broken_answer" | "web_page" | "other_api";

/** The most bytes of an answer after decompression. */
export const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/** The error of an answer above `MAX_ANSWER_BYTES`. */
export function tooLongError(status: number): TeacherError {
  const what = `The answer is longer than ${MAX_ANSWER_BYTES / 1024 / 1024} MiB`;
  return new TeacherError(what, { type: "response", status });
}

/**
 * The error that an answer or a stream reports.
 *
 * @param error The value of the `error` field.
 * @param envelope The object around it, whose fields count too (TGI: `"error_type": "overloaded"`).
 */
export function statedError(
  error: unknown,
  status: number,
  redact: Redact,
  envelope: JsonObject = {},
): TeacherError {
  return errorFrom({ ...envelope, error }, statedStatus(error), status, redact);
}

/** The error of a body that is not a JSON object. */
export function notAnObjectError(text: string, status: number, redact: Redact): TeacherError {
  const start = text.trimStart();
  if (start === "") return brokenAnswerError("The answer has no body", "", status, redact);
  if (isPage(start)) {
    return brokenAnswerError("The answer is a web page", text, status, redact, "web_page");
  }
  const [firstLine] = start.split("\n", 1);
  const first = firstLine.length < start.trimEnd().length
    ? asObject(parseJson(firstLine))
    : undefined;
  if (first !== undefined && !("choices" in first)) {
    // One JSON object per line.
    return missingChoiceError(first, "choice", text, status, redact);
  }
  const isJson = /^[[{"]/.test(start);
  // Some gateways report errors in plain text.
  if (!isJson && start.length <= MAX_MESSAGE_CHARS) {
    return errorFrom({ error: start.trimEnd() }, undefined, status, redact, true);
  }
  const what = "The answer is not a JSON object";
  return brokenAnswerError(what, text, status, redact, isJson ? "broken_answer" : "other_api");
}

/** Messages by which gateways report success, the empty one included. */
const SAYS_SUCCESS = /^\s*(?:ok|(?:request )?succe(?:ss|eded|ssful|ssfully))?[.!]?\s*$/i;

/**
 * The error of a JSON object without a choice, or with one that lacks its message. Many servers
 * report errors in this form. One that states no status may be retried: it does not count as a
 * rejection of the row.
 *
 * @param missing What the object lacks, in words that follow "no".
 */
export function missingChoiceError(
  answer: JsonObject,
  missing: string,
  text: string,
  status: number,
  redact: Redact,
): TeacherError {
  if (!SAYS_SUCCESS.test(errorMessage(answer) ?? "")) {
    return errorFrom(answer, statedStatus(answer), status, redact, true);
  }
  const isKnownApi = "choices" in answer || "output" in answer;
  const code = isKnownApi ? "broken_answer" : "other_api";
  return brokenAnswerError(`The answer has no ${missing}`, text, status, redact, code);
}

/** The error of an unreadable answer, which quotes its beginning. */
export function brokenAnswerError(
  what: string,
  text: string,
  status: number,
  redact: Redact,
  code: BrokenCode = "broken_answer",
): TeacherError {
  // Redact before shortening: half a key would not be found.
  const start = redact(text).trim().slice(0, MAX_QUOTED_CHARS);
  const message = start === "" ? what : `${what}: it starts with ${start}`;
  return new TeacherError(message, { type: "response", status, code });
}

/**
 * The error that a body reports.
 *
 * @param reportedStatus The status that the body states, which counts instead of that of the
 * response; undefined if it states none.
 * @param isRetryable Whether an error without a reported status may be retried.
 */
function errorFrom(
  body: JsonObject,
  reportedStatus: number | undefined,
  status: number,
  redact: Redact,
  isRetryable = false,
): TeacherError {
  const relayed = relayedError(body, reportedStatus);
  const inner = innermost(relayed?.body ?? body);
  const message = relayed?.message ?? errorMessage(inner) ?? errorJson(body.error ?? body);
  return new TeacherError(redact(message).slice(0, MAX_MESSAGE_CHARS), {
    isRelayed: relayed?.isWithRouterKey,
    ...(reportedStatus === undefined
      ? { type: "response", status, retryable: isRetryable || undefined }
      : { status: reportedStatus, retryAfterMs: statedDelayMs(inner) }),
    code: codeOf(inner, redact) ?? codeOf(body, redact),
  });
}
