/**
 * Teachers in this process. Their cost is part of the measurement, so they do almost nothing.
 *
 * @module
 */

import type { Completion, Teacher } from "../lib/teacher/teacher.ts";
import { COMPLETION } from "./rows.ts";

const ANSWERED: Promise<Completion> = Promise.resolve(COMPLETION);

export function instantTeacher(): Teacher {
  return { model: "zero", complete: () => ANSWERED };
}

/** Answers after `latencyMs`, with one timer per call. */
export function slowTeacher(latencyMs: number): Teacher {
  return {
    model: "zero",
    complete: () => new Promise((resolve) => setTimeout(() => resolve(COMPLETION), latencyMs)),
  };
}
