/**
 * Grammar and evaluation of conditions.
 *
 * ```text
 * condition   = conjunction { "or" conjunction }
 * conjunction = negation { "and" negation }
 * negation    = "not" negation | comparison
 * comparison  = "(" condition ")"
 *             | operand [ ( "==" | "!=" | "<" | "<=" | ">" | ">="
 *                         | "contains" | "icontains" ) operand ]
 *             | operand "matches" text
 *             | operand [ "not" ] "in" ( "(" | "[" ) operand { "," operand } ( ")" | "]" )
 * operand     = path | text | number | true | false | null
 * ```
 *
 * Names in a path that are not plain words are in backquotes; a backquote in a name is doubled.
 *
 * @module
 */

import { type Pattern, patternOf, type Token, tokensOf, valueAt, whereError } from "./tokens.ts";

/** Returns the value at a path of a row; null if there is none. */
export type Lookup = (path: readonly string[]) => unknown;
/** Returns the value of one side of a comparison: of a `constant`, or of the field at `path`. */
type Operand = ((lookup: Lookup) => unknown) & {
  constant?: unknown;
  path?: readonly string[];
};
/** Returns whether a condition holds, and what is known about the condition. */
type Condition = ((lookup: Lookup) => boolean) & Omit<Part, "text" | "paths" | "test"> & {
  /** For a conjunction: its members, all of which must hold. */
  parts?: readonly Part[];
};

/** A member of a conjunction, or a whole condition that is not a conjunction. */
export interface Part {
  /** As the user wrote it. */
  readonly text: string;
  /** The paths of all fields that the condition reads. */
  readonly paths: readonly (readonly string[])[];
  /** Whether the condition holds for a row. */
  readonly test: (lookup: Lookup) => boolean;
  /** A text without which the condition cannot hold; undefined if none is known. */
  readonly needle?: Needle;
  /** Set if the condition compares a field on the left with a number on the right. */
  readonly comparison?: Comparison;
  /** For a disjunction: its alternatives, each a list of parts that must all hold. */
  readonly alternatives?: readonly (readonly Part[])[];
}

/** A comparison of a field with a number, the field on the left. */
export interface Comparison {
  /** Path of the field. */
  readonly path: readonly string[];
  /** `==`, `!=`, `<`, `<=`, `>` or `>=`. */
  readonly operator: string;
  readonly value: number;
}

/** A text that the value of a field must contain. */
export interface Needle {
  /** Path of the field. */
  readonly path: readonly string[];
  readonly text: string;
  /** Whether the value may contain it in other upper and lower case. */
  readonly ignoresCase: boolean;
}

/** A parsed condition. */
export interface Where {
  /** Whether a row meets the condition. Fields that it lacks are read from `others`, in order. */
  matches(row: object, ...others: readonly (object | undefined)[]): boolean;
  /** Paths of all fields that the condition reads. */
  readonly paths: readonly (readonly string[])[];
  /** Conditions that must all hold: the members of a conjunction, or the whole condition. */
  readonly parts: readonly Part[];
}

/**
 * Parses a condition.
 *
 * A missing field is null. Numbers are compared with numbers and texts with texts; any other
 * comparison by size is false. A lone operand is true unless it is null, false, 0 or "".
 * `contains` searches a text for a text, or a list for an item; `icontains` ignores case. `matches`
 * takes a JavaScript regular expression, `"(?i)…"` to ignore case.
 *
 * @throws {UsageError} If the text is not a condition. The message says at which character.
 */
export function parseWhere(text: string): Where {
  const parser = new Parser(text);
  const condition = parser.condition();
  parser.expect("end", "the condition should end here");
  return {
    paths: parser.paths,
    parts: condition.parts ?? [partOf(text, parser.paths, condition)],
    matches: (row, ...others) => condition((path) => valueAt([row, ...others], path)),
  };
}

const COMPARISONS: Readonly<Record<string, (a: unknown, b: unknown) => boolean>> = {
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  "<": (a, b) => order(a, b) < 0,
  "<=": (a, b) => order(a, b) <= 0,
  ">": (a, b) => order(a, b) > 0,
  ">=": (a, b) => order(a, b) >= 0,
  "contains": (a, b) =>
    typeof a === "string"
      ? typeof b === "string" && a.includes(b)
      : Array.isArray(a) && a.some((item) => item === b),
  "icontains": (a, b) =>
    typeof b === "string" &&
    (typeof a === "string" ? a.toLowerCase().includes(b.toLowerCase()) : Array.isArray(a) &&
      a.some((item) => typeof item === "string" && item.toLowerCase() === b.toLowerCase())),
};

/** Limit for the depth of brackets and `not`: the stack has room for a few thousand levels. */
const MAX_DEPTH = 200;

/** Parses a condition by recursive descent. */
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
    const members = [this.#conjunction()];
    while (this.#take("or")) members.push(this.#conjunction());
    if (members.length === 1) return members[0];
    const condition: Condition = (lookup) => members.some((member) => member(lookup));
    return Object.assign(condition, { alternatives: members.map(({ parts }) => parts!) });
  }

  expect(kind: string, problem: string): Token {
    const token = this.#tokens[this.#next];
    if (token.kind !== kind) throw whereError(this.#text, token.start, problem);
    this.#next++;
    return token;
  }

  #conjunction(): Condition {
    const parts = [...this.#part()];
    while (this.#take("and")) parts.push(...this.#part());
    const [{ test }] = parts;
    const condition: Condition = parts.length === 1
      ? (lookup) => test(lookup)
      : (lookup) => parts.every((part) => part.test(lookup));
    return Object.assign(condition, { parts });
  }

  /** Parses a member of a conjunction. Returns several parts for a conjunction in brackets. */
  #part(): readonly Part[] {
    const { start } = this.#tokens[this.#next];
    const pathCount = this.paths.length;
    const condition = this.#negation();
    if (condition.parts !== undefined) return condition.parts;
    const text = this.#text.slice(start, this.#tokens[this.#next].start).trim();
    return [partOf(text, this.paths.slice(pathCount), condition)];
  }

  #negation(): Condition {
    const { start } = this.#tokens[this.#next];
    if (++this.#depth > MAX_DEPTH) throw whereError(this.#text, start, "it is nested too deeply");
    try {
      if (!this.#take("not")) return this.#comparison();
      const condition = this.#negation();
      return (lookup: Lookup) => !condition(lookup);
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
    const { start } = this.#tokens[this.#next];
    const left = this.#operand();
    const operator = this.#operator();
    if (Object.hasOwn(COMPARISONS, operator)) {
      this.#next++;
      const compare = COMPARISONS[operator];
      const right = this.#operand();
      if (typeof left.constant === "string" && right.path === undefined) {
        const problem = "neither side is a field: write one without quotes, or in `backquotes`";
        throw whereError(this.#text, start, problem);
      }
      const condition: Condition = (lookup) => compare(left(lookup), right(lookup));
      return Object.assign(condition, {
        needle: needleOf(operator, left, right),
        comparison: comparisonOf(operator, left, right),
      });
    }
    if (operator === "matches") return this.#pattern(left);
    const isNegated = operator === "not" && this.#tokens[this.#next + 1].kind === "in";
    if (isNegated) this.#next++;
    if (this.#take("in")) {
      const choices = this.#choices();
      return (lookup) => {
        const value = left(lookup);
        return choices.some((choice) => value === choice(lookup)) !== isNegated;
      };
    }
    return (lookup) => Boolean(left(lookup));
  }

  /**
   * Returns the operator after an operand. `icontains` and `matches` are operators only here;
   * elsewhere they are names of fields.
   */
  #operator(): string {
    const { kind, path } = this.#tokens[this.#next];
    const name = path?.length === 1 ? path[0].toLowerCase() : "";
    return name === "icontains" || name === "matches" ? name : kind;
  }

  #pattern(left: Operand): Condition {
    this.#next++;
    const problem = '"matches" needs a regular expression in quotes';
    const { start, value } = this.expect("value", problem);
    if (typeof value !== "string") throw whereError(this.#text, start, problem);
    let pattern: Pattern;
    try {
      pattern = patternOf(value);
    } catch (error) {
      throw whereError(this.#text, start, (error as Error).message);
    }
    const { regExp, required, ignoresCase } = pattern;
    const condition: Condition = (lookup) => {
      const value = left(lookup);
      return typeof value === "string" && regExp.test(value);
    };
    const { path } = left;
    const needle = path === undefined || required === ""
      ? undefined
      : { path, text: required, ignoresCase };
    return Object.assign(condition, { needle });
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
      return Object.assign(() => token.value, { constant: token.value });
    }
    const { path } = this.expect("path", "a field, a text in quotes or a number is missing");
    this.paths.push(path!);
    return Object.assign((lookup: Lookup) => lookup(path!), { path });
  }

  #take(kind: string): boolean {
    if (this.#tokens[this.#next].kind !== kind) return false;
    this.#next++;
    return true;
  }
}

function partOf(text: string, paths: Part["paths"], condition: Condition): Part {
  const { needle, comparison, alternatives } = condition;
  return { text, paths, test: condition, needle, comparison, alternatives };
}

function comparisonOf(operator: string, left: Operand, right: Operand): Comparison | undefined {
  const { path } = left, { constant: value } = right;
  if (path === undefined || typeof value !== "number") return undefined;
  return operator.endsWith("contains") ? undefined : { path, operator, value };
}

function needleOf(operator: string, left: Operand, right: Operand): Needle | undefined {
  const { path } = left, { constant: text } = right;
  if (path === undefined || typeof text !== "string" || text === "") return undefined;
  if (!["==", "contains", "icontains"].includes(operator)) return undefined;
  return { path, text, ignoresCase: operator === "icontains" };
}

/** The order of two values: below 0, 0 or above 0; NaN unless both are numbers or both texts. */
function order(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a !== "string" || typeof b !== "string") return NaN;
  return a < b ? -1 : a > b ? 1 : 0;
}
