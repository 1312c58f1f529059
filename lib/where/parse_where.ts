/**
 * The grammar of conditions, and what they mean.
 *
 * ```text
 * condition  = conjunction { "or" conjunction }
 * conjunction = negation { "and" negation }
 * negation   = "not" negation | comparison
 * comparison = "(" condition ")"
 *            | operand [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "contains") operand ]
 *            | operand [ "not" ] "in" ( "(" | "[" ) operand { "," operand } ( ")" | "]" )
 * operand    = path | text | number | true | false | null
 * ```
 *
 * @module
 */

import { type Token, tokensOf, whereError } from "./tokens.ts";

/** Gives the value at a path of a row; undefined where there is none. */
type Lookup = (path: readonly string[]) => unknown;
type Operand = (lookup: Lookup) => unknown;
type Condition = (lookup: Lookup) => boolean;

/** A condition that was understood. */
export interface Where {
  /** Whether an object meets it. A name that the object does not have is looked for in `others`. */
  matches(row: object, ...others: readonly (object | undefined)[]): boolean;
  /** The paths that it looks at. */
  readonly paths: readonly (readonly string[])[];
}

/**
 * Understands a condition.
 *
 * A missing field is null. Numbers are compared with numbers and texts with texts; any other comparison
 * by size is false. An operand alone is met by all but null, false, 0 and "".
 *
 * @throws {UsageError} with the place where the text stops making sense
 */
export function parseWhere(text: string): Where {
  const parser = new Parser(text);
  const condition = parser.condition();
  parser.expect("end", "the condition should end here");
  return {
    paths: parser.paths,
    matches: (row, ...others) => condition((path) => valueAt([row, ...others], path)),
  };
}

/** Gives the value of one field; a name that the object does not have is looked for in `others`. */
export type Field = (row: object, ...others: readonly (object | undefined)[]) => unknown;

/**
 * Understands the name of one field: `completion_tokens`, `meta.score`, `meta["odd name"]`.
 *
 * @throws {UsageError} where it is anything else
 */
export function parseField(text: string): Field {
  const [token, end] = tokensOf(text);
  if (token.kind !== "path" || end.kind !== "end") {
    throw whereError(text, token.at, "it must be the name of one field");
  }
  return (row, ...others) => valueAt([row, ...others], token.path!);
}

function valueAt(rows: readonly (object | undefined)[], path: readonly string[]): unknown {
  const row = rows.find((one) => one !== undefined && Object.hasOwn(one, path[0]));
  let value: unknown = row;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return null;
    value = (value as Record<string, unknown>)[name];
  }
  return value ?? null;
}

const COMPARISONS: Readonly<Record<string, (a: unknown, b: unknown) => boolean>> = {
  "==": isEqual,
  "!=": (a, b) => !isEqual(a, b),
  "<": (a, b) => order(a, b) < 0,
  "<=": (a, b) => order(a, b) <= 0,
  ">": (a, b) => order(a, b) > 0,
  ">=": (a, b) => order(a, b) >= 0,
  "contains": (a, b) =>
    typeof a === "string"
      ? typeof b === "string" && a.includes(b)
      : Array.isArray(a) && a.some((one) => isEqual(one, b)),
};

/** Brackets deeper than this are no condition that a user writes; the stack holds some thousands. */
const MOST_DEPTH = 200;

class Parser {
  readonly paths: (readonly string[])[] = [];
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  condition(): Condition {
    let left = this.#conjunction();
    while (this.#take("or")) {
      const [first, second] = [left, this.#conjunction()];
      left = (lookup) => first(lookup) || second(lookup);
    }
    return left;
  }

  expect(kind: string, problem: string): Token {
    const token = this.#tokens[this.#next];
    if (token.kind !== kind) throw whereError(this.#text, token.at, problem);
    this.#next++;
    return token;
  }

  #conjunction(): Condition {
    let left = this.#negation();
    while (this.#take("and")) {
      const [first, second] = [left, this.#negation()];
      left = (lookup) => first(lookup) && second(lookup);
    }
    return left;
  }

  #negation(): Condition {
    const { at } = this.#tokens[this.#next];
    if (++this.#depth > MOST_DEPTH) throw whereError(this.#text, at, "it is nested too deeply");
    try {
      if (!this.#take("not")) return this.#comparison();
      const condition = this.#negation();
      return (lookup) => !condition(lookup);
    } finally {
      this.#depth--;
    }
  }

  #comparison(): Condition {
    if (this.#take("(")) {
      const condition = this.condition();
      this.expect(")", 'a ")" is missing');
      return condition;
    }
    const left = this.#operand();
    const { kind } = this.#tokens[this.#next];
    if (Object.hasOwn(COMPARISONS, kind)) {
      this.#next++;
      const compare = COMPARISONS[kind];
      const right = this.#operand();
      return (lookup) => compare(left(lookup), right(lookup));
    }
    const isNegated = kind === "not" && this.#tokens[this.#next + 1].kind === "in";
    if (isNegated) this.#next++;
    if (this.#take("in")) {
      const choices = this.#choices();
      return (lookup) => {
        const value = left(lookup);
        return choices.some((choice) => isEqual(value, choice(lookup))) !== isNegated;
      };
    }
    return (lookup) => Boolean(left(lookup));
  }

  #choices(): Operand[] {
    const closing = this.#take("[") ? "]" : ")";
    if (closing === ")") this.expect("(", '"in" needs a list, as in ("a", "b")');
    const choices = [this.#operand()];
    while (this.#take(",")) choices.push(this.#operand());
    this.expect(closing, `a "${closing}" is missing`);
    return choices;
  }

  #operand(): Operand {
    const token = this.#tokens[this.#next];
    if (token.kind === "value") {
      this.#next++;
      return () => token.value;
    }
    const { path } = this.expect("path", "a field, a text in quotes or a number is missing");
    this.paths.push(path!);
    return (lookup) => lookup(path!);
  }

  #take(kind: string): boolean {
    if (this.#tokens[this.#next].kind !== kind) return false;
    this.#next++;
    return true;
  }
}

/** Below 0, 0 or above it; NaN where the two cannot be compared. */
function order(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a !== "string" || typeof b !== "string") return NaN;
  return a < b ? -1 : a > b ? 1 : 0;
}

function isEqual(a: unknown, b: unknown): boolean {
  return a === b;
}
