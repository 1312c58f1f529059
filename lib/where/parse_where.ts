/**
 * Grammar of conditions.
 *
 * ```text
 * condition   = conjunction { "or" conjunction }
 * conjunction = negation { "and" negation }
 * negation    = "not" negation | "(" condition ")" | comparison
 * comparison  = operand [ ( "==" | "!=" | "<" | "<=" | ">" | ">="
 *                         | "contains" | "icontains" ) operand ]
 *             | operand "matches" text
 *             | operand [ "not" ] "in" ( "(" | "[" ) operand { "," operand } ( ")" | "]" )
 * operand     = path | text | number | true | false | null
 * ```
 *
 * A name that is not a plain word is written in backquotes, in which a backquote is doubled. After
 * the first name of a path, it may also be written in `["…"]`.
 *
 * @module
 */

import {
  COMPARISONS,
  isEqual,
  isNamed,
  isNumber,
  patternOf,
  type Token,
  tokensOf,
  valueAt,
  whereError,
} from "./tokens.ts";

/** Returns the value of a field in a row, or null. */
export type Lookup = (path: readonly string[]) => unknown;

/** A condition that is joined to others by `and`, or an entire condition without `and`. */
export interface Part {
  /** The text of the part as the user wrote it. */
  readonly text: string;
  /** All fields that the part reads. */
  readonly paths: readonly (readonly string[])[];
  readonly test: (lookup: Lookup) => boolean;
  /** A text that a row must contain for the part to be true, if there is any. */
  readonly needle?: Needle;
  /** Set if the part compares a field on the left with a number or text on the right. */
  readonly comparison?: Comparison;
  /** The parts of each condition, if the part consists of several conditions joined by `or`. */
  readonly alternatives?: readonly (readonly Part[])[];
}

export interface Comparison {
  readonly path: readonly string[];
  /** `==`, `!=`, `<`, `<=`, `>` or `>=`. In `Where.comparisons`, also `in` and `not in`. */
  readonly operator: string;
  /** The constant on the right. For `in`, this is the first value of the list. */
  readonly value: number | bigint | string;
  /** The value or the list as the user wrote it. */
  readonly valueText: string;
}

export interface Needle {
  readonly path: readonly string[];
  readonly text: string;
  readonly ignoresCase: boolean;
}

export interface Where {
  /** Whether a row meets the condition. Fields that the row lacks are read from `others`. */
  matches(row: object, ...others: readonly (object | undefined)[]): boolean;
  readonly paths: readonly (readonly string[])[];
  /** The parts of the condition. All of them must be true. */
  readonly parts: readonly Part[];
  /** All comparisons of a field with numbers or texts, including those in alternatives and under
   * `not`. */
  readonly comparisons: readonly Comparison[];
}

/**
 * Parses a condition.
 *
 * A missing field is null. Numbers are compared with numbers, and texts with texts. For other
 * values, `<`, `<=`, `>` and `>=` are false. An operand alone is true unless it is null, false, 0
 * or "". `contains` searches a text for another text or a list for an item, and `icontains` does
 * the same ignoring case. `matches` takes a JavaScript regular expression, and `"(?i)…"` ignores
 * case.
 *
 * Texts in double quotes are JSON strings. In single quotes, a backslash stands for the character
 * after it. The backslashes of a regular expression may be single or doubled: `"\d"` and `"\\d"`
 * both match a digit, and `"\\\\"` matches a backslash.
 *
 * @throws {UsageError} if the text is not a condition. The message names the character at fault
 */
export function parseWhere(text: string): Where {
  const parser = new Parser(text);
  const parts = parser.condition();
  parser.expect("end", "the condition should end here");
  const test = allOf(parts);
  return {
    paths: parser.paths,
    parts,
    comparisons: parser.comparisons,
    matches: (row, ...others) => test((path) => valueAt([row, ...others], path)),
  };
}

/** Maximum depth of brackets and `not`. The stack has room for a few thousand levels. */
const MAX_DEPTH = 200;

/** One side of a comparison: a constant, or the field at `path`. */
interface Operand {
  readonly read: (lookup: Lookup) => unknown;
  readonly constant?: unknown;
  /** The constant as the user wrote it. */
  readonly valueText?: string;
  readonly path?: readonly string[];
}

type BarePart = Omit<Part, "text" | "paths">;

class Parser {
  readonly paths: (readonly string[])[] = [];
  readonly comparisons: Comparison[] = [];
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  /** Parses a condition. All of the parts that it returns must be true. */
  condition(): readonly Part[] {
    const makePart = this.#beginPart();
    const alternatives = [this.#conjunction()];
    while (this.#take("or")) alternatives.push(this.#conjunction());
    if (alternatives.length === 1) return alternatives[0];
    const tests = alternatives.map(allOf);
    return [makePart({ test: (lookup) => tests.some((test) => test(lookup)), alternatives })];
  }

  expect(kind: string, problem: string): Token {
    const token = this.#tokens[this.#next];
    if (token.kind !== kind) throw whereError(this.#text, token.start, problem);
    this.#next++;
    return token;
  }

  /** Begins a part at the next token. The returned function must be called when the part has been
   * read, and adds the text and the paths of the part. */
  #beginPart(): (part: BarePart) => Part {
    const { start } = this.#tokens[this.#next];
    const pathCount = this.paths.length;
    return (part) => {
      const text = this.#text.slice(start, this.#tokens[this.#next].start).trim();
      return { ...part, text, paths: this.paths.slice(pathCount) };
    };
  }

  #conjunction(): readonly Part[] {
    const parts = [...this.#negation()];
    while (this.#take("and")) parts.push(...this.#negation());
    return parts;
  }

  #negation(): readonly Part[] {
    const { start } = this.#tokens[this.#next];
    if (++this.#depth > MAX_DEPTH) throw whereError(this.#text, start, "it is nested too deeply");
    const makePart = this.#beginPart();
    let parts: readonly Part[];
    if (this.#take("not")) {
      const test = allOf(this.#negation());
      parts = [makePart({ test: (lookup) => !test(lookup) })];
    } else if (this.#take("(")) {
      parts = this.condition();
      this.expect(")", 'a ")" is missing');
    } else parts = [makePart(this.#comparison())];
    this.#depth--;
    return parts;
  }

  #comparison(): BarePart {
    const { start } = this.#tokens[this.#next];
    const left = this.#operand();
    const operator = this.#operator();
    if (Object.hasOwn(COMPARISONS, operator)) {
      this.#next++;
      const right = this.#operand();
      if (typeof left.constant === "string" && right.path === undefined) {
        const problem = "neither side is a field: write one without quotes, or in `backquotes`";
        throw whereError(this.#text, start, problem);
      }
      const part = comparisonOf(operator, left, right);
      if (part.comparison !== undefined) this.comparisons.push(part.comparison);
      return part;
    }
    if (operator === "matches") return this.#pattern(left);
    const isNegated = operator === "not" && this.#tokens[this.#next + 1].kind === "in";
    if (isNegated) this.#next++;
    if (this.#take("in")) {
      const listStart = this.#tokens[this.#next].start;
      const choices = this.#choices();
      const valueText = this.#text.slice(listStart, this.#tokens[this.#next].start).trim();
      const comparison = typedComparison(left, isNegated ? "not in" : "in", choices, valueText);
      if (comparison !== undefined) this.comparisons.push(comparison);
      const test = (lookup: Lookup) => {
        const value = left.read(lookup);
        return choices.some((choice) => isEqual(value, choice.read(lookup))) !== isNegated;
      };
      return { test };
    }
    return { test: (lookup) => Boolean(left.read(lookup)) };
  }

  /** Returns the kind of the token after an operand, which may be an operator. In other places,
   * `icontains` and `matches` are names of fields. */
  #operator(): string {
    const token = this.#tokens[this.#next];
    return ["icontains", "matches"].find((name) => isNamed(token, name)) ?? token.kind;
  }

  #pattern({ read, path }: Operand): BarePart {
    this.#next++;
    const problem = '"matches" needs a regular expression in quotes';
    const { start, value } = this.expect("value", problem);
    if (typeof value !== "string") throw whereError(this.#text, start, problem);
    let pattern;
    try {
      pattern = patternOf(value);
    } catch (error) {
      throw whereError(this.#text, start, (error as Error).message);
    }
    const { regExp, requiredText, ignoresCase } = pattern;
    const test = (lookup: Lookup) => {
      const value = read(lookup);
      return typeof value === "string" && regExp.test(value);
    };
    if (path === undefined || requiredText === "") return { test };
    return { test, needle: { path, text: requiredText, ignoresCase } };
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
      const valueText = this.#text.slice(token.start, this.#tokens[this.#next].start).trim();
      return { read: () => token.value, constant: token.value, valueText };
    }
    const { path } = this.expect("path", "a field, a text in quotes or a number is missing");
    this.paths.push(path!);
    return { read: (lookup) => lookup(path!), path };
  }

  #take(kind: string): boolean {
    if (this.#tokens[this.#next].kind !== kind) return false;
    this.#next++;
    return true;
  }
}

function allOf(parts: readonly Part[]): Part["test"] {
  return (lookup) => parts.every(({ test }) => test(lookup));
}

function comparisonOf(operator: string, left: Operand, right: Operand): BarePart {
  const compare = COMPARISONS[operator];
  const test = (lookup: Lookup) => compare(left.read(lookup), right.read(lookup));
  const { path } = left, { constant: value, valueText = "" } = right;
  if (path === undefined) return { test };
  const ignoresCase = operator === "icontains", isSearch = operator.endsWith("contains");
  const comparison = isSearch ? undefined : typedComparison(left, operator, [right], valueText);
  const isNeedle = typeof value === "string" && value !== "" && (isSearch || operator === "==");
  const needle = isNeedle ? { path, text: value, ignoresCase } : undefined;
  return { test, comparison, needle };
}

/** Returns the comparison of a field with constants that are all numbers or all texts. */
function typedComparison(
  { path }: Operand,
  operator: string,
  operands: readonly Operand[],
  valueText: string,
): Comparison | undefined {
  const values = operands.map(({ constant }) => constant);
  const areTyped = values.every(isNumber) || values.every((value) => typeof value === "string");
  return path && areTyped ? { path, operator, value: values[0], valueText } : undefined;
}
