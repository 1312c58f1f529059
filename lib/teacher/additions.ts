/**
 * Fields that Retort adds to requests by itself. A teacher that refuses one in words is asked without
 * it from then on: no row is to blame, and none fails of it.
 *
 * @module
 */

import { TeacherError } from "../errors.ts";
import type { Addition } from "./api_format.ts";
import type { BodyWriter } from "./body.ts";

interface Words {
  /** How teachers name it. */
  readonly pattern: RegExp;
  /** What it is, for the user. */
  readonly what: string;
  /** What is lost without it. */
  readonly loss: string;
}

const WORDS: Readonly<Record<Addition, Words>> = {
  response_format: {
    // Of DeepSeek, Groq, OpenAI, vLLM (xgrammar), llama.cpp, in that order.
    pattern:
      /response[ _.]?format|json[ _]?schema|text\.format|xgrammar|structured[ _]?output|guided|\bgrammar\b/i,
    what: "response_format",
    loss: "answers are still checked against the schema",
  },
  stream_options: {
    pattern: /stream[ _]?options|include[ _]?usage/i,
    what: "stream_options",
    loss: "it may count no tokens",
  },
  "reasoning.summary": {
    pattern: /\breasoning\b/i,
    what: "reasoning.summary",
    loss: "answers may come without their reasoning",
  },
  store: {
    pattern: /\bstore\b/i,
    what: "store",
    loss: "it may keep what it is asked",
  },
};

/** Statuses at which a field may be to blame. Some servers fail with 500 over a schema. */
const STATUSES = new Set([400, 404, 415, 422, 500, 501]);
/** Beyond that, servers quote what they were sent. */
const OWN_WORDS = 300;

/**
 * What an error means for the fields that were added to its request. Where it names one of them,
 * `bodies` leaves that out from now on, and the error says that the same row is to be asked again.
 *
 * @param error What the attempt failed with.
 * @param added What was added to its request.
 * @param address The teacher, for the notice.
 */
export function withoutRefused(
  error: unknown,
  added: readonly Addition[],
  bodies: BodyWriter,
  address: string,
): unknown {
  if (!(error instanceof TeacherError) || !mayBlameField(error)) return error;
  const words = error.message.slice(0, OWN_WORDS);
  const field = added.find((one) => WORDS[one].pattern.test(words));
  if (field === undefined) return error;
  // Others may have been under way with it: only the first tells the user.
  const isFirst = bodies.leaveOut(field);
  const { what, loss } = WORDS[field];
  return new TeacherError(error.message, {
    type: error.type,
    status: error.status,
    code: error.code,
    cause: error.cause,
    isAdjusted: true,
    notice: isFirst
      ? `The teacher at ${address} refuses ${what} (${error.message}): ` +
        `it is asked without it from now on; ${loss}`
      : undefined,
  });
}

function mayBlameField({ status, type }: TeacherError): boolean {
  return status === undefined ? type === "response" : status < 300 || STATUSES.has(status);
}
