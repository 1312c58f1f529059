/**
 * A teacher and the server that it calls, for the tests of this folder.
 *
 * @module
 */

import { assertInstanceOf, assertRejects } from "../../lib/deps/std_assert.ts";
import { TeacherError } from "../../lib/errors.ts";
import { openaiCompatible, type OpenAICompatibleOptions } from "../../lib/teacher/mod.ts";
import type { Completion, Params, Teacher } from "../../lib/teacher/teacher.ts";
import { type LedgerHandler, serveLedger } from "../support/ledger_server.ts";

const never = new AbortController().signal;

/** Sends one request. */
export function ask(teacher: Teacher, params: Params = {}, signal = never): Promise<Completion> {
  return teacher.complete(
    { uid: "1", messages: [{ role: "user", content: "Größe?" }], params },
    signal,
  );
}

/** Asserts that an attempt fails with a `TeacherError`, and returns it. */
export async function failure(attempt: Promise<unknown>): Promise<TeacherError> {
  const error = await assertRejects(() => attempt);
  assertInstanceOf(error, TeacherError);
  return error;
}

/** A server, and a teacher that calls it. */
export function pair(handler?: LedgerHandler, options: Partial<OpenAICompatibleOptions> = {}) {
  const server = serveLedger(handler);
  const teacher = openaiCompatible({ model: "m", baseUrl: server.url, ...options });
  return {
    server,
    teacher,
    async [Symbol.asyncDispose]() {
      await teacher.close?.();
      await server.close();
    },
  };
}

/**
 * A streamed answer in these pieces.
 *
 * @param end What follows the pieces.
 * @param late A piece that comes a second later. @default none
 */
export function stream(
  pieces: Iterable<string>,
  end: "close" | "hang" | "break" = "close",
  late?: string,
): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(encoder.encode(piece));
      if (end === "close") controller.close();
      if (late !== undefined) setTimeout(() => controller.enqueue(encoder.encode(late)), 1_000);
    },
    pull(controller) {
      if (end === "break") controller.error(new Error("broken"));
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

export function token(content: string, finish: string | null = null): string {
  return `data: ${
    JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: finish }] })
  }\n\n`;
}
