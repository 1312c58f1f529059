/**
 * What the parser of one row finds: problems, and facts besides the messages. A problem is
 * returned, not thrown, so that the other rows are still sent.
 *
 * @module
 */

import type { Shape } from "./shape.ts";

const NO_HINT = () => "";

/** Why a row cannot be sent. */
export class RowProblem {
  /** What is wrong, worded so that it can follow `file:line: `. */
  readonly problem: string;
  /** Returns what to do about all such rows, often a flag; "" if there is no advice. */
  readonly hint: () => string;

  constructor(problem: string, hint: () => string = NO_HINT) {
    this.problem = problem;
    this.hint = hint;
  }
}

const MAX_SHOWN_CHARS = 40;

/** Makes the problem `"NAME" must be WANTED: current value is …` of the arguments in capitals. */
export function mustBe(
  name: string,
  wanted: string,
  value: unknown,
  hint?: () => string,
): RowProblem {
  return new RowProblem(`"${name}" must be ${wanted}: ${currentValue(value)}`, hint);
}

/** `current value is …`, or `it is missing`. Texts are shortened, since prompts are long. */
export function currentValue(value: unknown): string {
  return value === undefined ? "it is missing" : `current value is ${describe(value)}`;
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array";
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  if (value.length <= MAX_SHOWN_CHARS) return JSON.stringify(value);
  return `${JSON.stringify(value.slice(0, MAX_SHOWN_CHARS))}…`;
}

/** One row while it is read: how to read it, and what is found besides its messages. */
export class Reading {
  readonly shape: Shape;
  /** The row's JSON text. */
  readonly text: string;
  /** Whether a trailing assistant turn is sent, as the start of the answer. */
  readonly keepsPrefill: boolean;
  /** The fields that the run's template names: they are parts of the prompt. */
  readonly templateFields: ReadonlySet<string>;
  /** Whether arguments of calls, with numbers, became JSON text: the row must then be parsed again,
   * with numbers as they were written. */
  hasNumber = false;
  /** Whether turns with tool calls are reduced to the calls, as an earlier version did. */
  readsCallsOnly = false;
  /**
   * Fields that this row does not send, although other rows of its shape do; also fields of turns
   * that are not sent, such as `messages[].id`.
   */
  unsent: Set<string> | undefined;
  /** Paths of image files in the messages. */
  files: string[] | undefined;

  constructor(
    shape: Shape,
    text: string,
    keepsPrefill: boolean,
    templateFields: ReadonlySet<string>,
  ) {
    this.shape = shape;
    this.text = text;
    this.keepsPrefill = keepsPrefill;
    this.templateFields = templateFields;
  }

  /** Whether the turns come from a log, of which only the fields of a message are sent. */
  get isLog(): boolean {
    return this.shape === "conversations" || this.shape === "conversation";
  }

  /** Records that a field is not sent. */
  leaveOut(field: string): void {
    (this.unsent ??= new Set()).add(field);
  }
}
