/**
 * Outcomes to write.
 *
 * @module
 */

import { type Outcome, RESERVED_FIELDS, type Row } from "../../lib/row.ts";
import type { LineFormat } from "../../lib/sink/line.ts";
import type { Completion, Teacher } from "../../lib/teacher/teacher.ts";

/** Fields that all lines of a test share. */
export const FORMAT: LineFormat = {
  paramsId: "p1",
  finalMessages: false,
  think: "wrap",
};

/** A teacher that never answers. */
const TEACHER: Teacher = {
  model: "asked-model",
  address: "http://127.0.0.1:1/v1",
  complete: () => Promise.reject(new Error("No one asks")),
};

/** A row with this JSON text, from which `clashes` follow. */
export function rowOf(text: string, overrides: Partial<Row> = {}): Row {
  const names = Object.keys(JSON.parse(text));
  return {
    uid: "u1",
    promptHash: "0123456789abcdef",
    messages: [{ role: "user", content: "Hi" }],
    params: undefined,
    text,
    clashes: RESERVED_FIELDS.filter((name) => names.includes(name)),
    input: 0,
    source: "in.jsonl:7",
    sample: 0,
    ...overrides,
  };
}

export function completionOf(overrides: Partial<Completion> = {}): Completion {
  return { response: "Hello", finishReason: "stop", usage: null, model: "m-1", ...overrides };
}

/** A row that succeeded. */
export function successOf(row: Row, overrides: Partial<Outcome> = {}): Outcome {
  return {
    row,
    sequence: 0,
    attempts: 2,
    busyMs: 20,
    latencyMs: 12.6,
    firstFailedAt: undefined,
    settledAt: Date.UTC(2026, 0, 2),
    completion: completionOf(),
    failure: undefined,
    teacher: TEACHER,
    costUsd: 0,
    ...overrides,
  };
}

/** A row that failed, without an answer unless one is given. */
export function failureOf(row: Row, overrides: Partial<Outcome> = {}): Outcome {
  return successOf(row, {
    completion: undefined,
    failure: { type: "request", message: 'No "thing"\n', status: 400 },
    firstFailedAt: Date.UTC(2026, 0, 1),
    ...overrides,
  });
}
