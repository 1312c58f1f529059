/**
 * What is noted while one row is read, and what is wrong with it. A problem is data, not an exception: the rows
 * beside it are sent anyway.
 *
 * @module
 */

import type { Shape } from "./shape.ts";

const NO_HINT = () => "";

/** A row that cannot be sent. */
export class RowProblem {
  /** What is wrong, fit to stand after `file:line: `. */
  readonly problem: string;
  /** Finds what helps all rows that are like it, often a flag; "" where nothing is known to. */
  readonly hint: () => string;

  /** Makes it from the words. */
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

/** `current value is …`, never long: prompts are. */
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

/** A row that is being read: what is known of it, and what comes out beside its messages. */
export class Reading {
  /** What it looks like. */
  readonly shape: Shape;
  /** Its JSON text. */
  readonly text: string;
  /** Whether a trailing assistant turn is sent, as the start of the answer. */
  readonly keepsPrefill: boolean;
  /** Fields that its prompt is made of because the user has named them. */
  readonly named: ReadonlySet<string>;
  /** Whether numbers became part of a text, which has to be made of them as they were written. */
  hasNumber = false;
  /** Fields that are sent in other rows of this shape, and fields of its turns. */
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

  /** Whether its turns are those of a log, whose fields beside those of a message are not sent. */
  get isLog(): boolean {
    return this.shape === "conversations" || this.shape === "conversation";
  }

  /** Notes a field that is not sent. */
  leaveOut(field: string): void {
    (this.unsent ??= new Set()).add(field);
  }
}
