/**
 * The state of reading one row, and what is wrong with it. A problem is data, not an exception: the
 * other rows are still sent.
 *
 * @module
 */

import type { Shape } from "./shape.ts";

const NO_HINT = () => "";

/** A row that cannot be sent. */
export class RowProblem {
  /** What is wrong; it can follow `file:line: `. */
  readonly problem: string;
  /** Returns advice for all rows like it, often a flag; "" where there is none. */
  readonly hint: () => string;

  /** A problem with its text. */
  constructor(problem: string, hint: () => string = NO_HINT) {
    this.problem = problem;
    this.hint = hint;
  }
}

const LONGEST_SHOWN = 40;

/** `"name" must be …: current value is …` */
export function mustBe(
  name: string,
  wanted: string,
  value: unknown,
  help?: () => string,
): RowProblem {
  return new RowProblem(`"${name}" must be ${wanted}: ${currentValue(value)}`, help);
}

/** `current value is …`, shortened: prompts are long. */
export function currentValue(value: unknown): string {
  return value === undefined ? "it is missing" : `current value is ${describe(value)}`;
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array";
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  if (value.length <= LONGEST_SHOWN) return JSON.stringify(value);
  return `${JSON.stringify(value.slice(0, LONGEST_SHOWN))}…`;
}

/**
 * The state of a row that is being read: what is known about it, and what is found in addition to its
 * messages.
 */
export class Reading {
  /** Its shape. */
  readonly shape: Shape;
  /** Its JSON text. */
  readonly text: string;
  /** Whether a trailing assistant turn is sent, as the start of the answer. */
  readonly keepsPrefill: boolean;
  /** Fields that are part of its prompt because the user has named them. */
  readonly named: ReadonlySet<string>;
  /** Whether numbers became part of a text, which then has to use them as they were written. */
  hasNumber = false;
  /**
   * Fields that are not sent, although other rows of this shape send them, and fields of its turns.
   */
  unsent: Set<string> | undefined;
  /** Local files that its messages name as images. */
  files: string[] | undefined;

  /** Nothing was read yet. */
  constructor(shape: Shape, text: string, keepsPrefill: boolean, named: ReadonlySet<string>) {
    this.shape = shape;
    this.text = text;
    this.keepsPrefill = keepsPrefill;
    this.named = named;
  }

  /** Whether its turns come from a log, so that only the fields of a message are sent. */
  get isLog(): boolean {
    return this.shape === "conversations" || this.shape === "conversation";
  }

  /** Records a field that is not sent. */
  leaveOut(field: string): void {
    (this.unsent ??= new Set()).add(field);
  }
}
