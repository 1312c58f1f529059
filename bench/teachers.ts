/**
 * Teachers in this process. What they cost is part of what is measured, so they do next to nothing.
 *
 * @module
 */

import type { Completion, Teacher } from "../lib/teacher/teacher.ts";
import { COMPLETION } from "./rows.ts";

const ANSWERED: Promise<Completion> = Promise.resolve(COMPLETION);

/** Answers at once. */
export function instantTeacher(): Teacher {
  return { model: "zero", complete: () => ANSWERED };
}

/** Answers after `latencyMs`, kept by one timer for each call. */
export function slowTeacher(latencyMs: number): Teacher {
  return {
    model: "zero",
    complete: () => new Promise((resolve) => setTimeout(() => resolve(COMPLETION), latencyMs)),
  };
}
