/**
 * What is said of a teacher that will not be asked again.
 *
 * @module
 */

import type { Failure } from "../../row.ts";
import type { Teacher } from "../../teacher/mod.ts";
import { FIRST_LIMIT } from "./repeated_rejections.ts";

/** The same in two lengths. */
export interface HaltReason {
  /** Beside the teacher's name, with the cause first: `401: Incorrect API key provided`. */
  readonly cause: string;
  /** By itself: who does what, why, and the way out. */
  readonly sentence: string;
}

/**
 * Puts it into words.
 *
 * @param what What the teacher does, as in `refuses all rows`.
 * @param advice The way out, a sentence without a final period.
 */
export function haltReason(
  teacher: Teacher,
  what: string,
  { status, message }: Failure,
  advice: string | undefined,
): HaltReason {
  const place = teacher.address ? ` at ${teacher.address}` : "";
  const [cause, beside] = status === null
    ? [message, ""]
    : [`${status}: ${message}`, ` (${status})`];
  const words = `The teacher${place} ${what}${beside}: ${message}`;
  return { cause, sentence: advice === undefined ? words : joined(words, advice) };
}

/** The way out where `count` rows were refused with the same words. */
export function adviceForRefusals(count: number): string {
  const rows = count > FIRST_LIMIT ? "mend them or leave them out" : "add --no-careful-start";
  return `If a parameter is to blame, change or remove it (-p, --params); if the rows are, ${rows}`;
}

/** Two sentences, whatever the first ends with. */
function joined(first: string, second: string): string {
  const words = first.trimEnd();
  return /[!?。]$/.test(words) ? `${words} ${second}` : `${words.replace(/\.+$/, "")}. ${second}`;
}
