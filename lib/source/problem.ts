/**
 * What is wrong with one row. It is data, not an exception: the rows beside it go on.
 *
 * @module
 */

const NO_HINT = () => "";

/** A row that cannot be sent. */
export class BadRow {
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
export function mustBe(name: string, wanted: string, value: unknown): BadRow {
  return new BadRow(`"${name}" must be ${wanted}: ${currentValue(value)}`);
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
