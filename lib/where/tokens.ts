/**
 * The tokens of conditions and their meaning: numbers, fields, operators and regular expressions.
 *
 * @module
 */

import { UsageError } from "../errors.ts";

export interface Token {
  /** `value`, `path` or `end`, or else the operator, bracket or keyword itself, such as `==` or
   * `and`. */
  readonly kind: string;
  /** The index of the token's first character in the condition. */
  readonly start: number;
  readonly value?: unknown;
  readonly path?: readonly string[];
}

const KEYWORDS = ["and", "or", "not", "in", "contains"];
const CONSTANTS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["true", true],
  ["false", false],
  ["null", null],
]);
const TEXT = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/;
const NUMBER = /-?(?:\d[\d_]*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/;
const PATH =
  /(?:[\p{L}_$][\p{L}\p{N}_$-]*|`(?:[^`]|``)*`)(?:\.[\p{L}\p{N}_$-]+|\.`(?:[^`]|``)*`|\[\d+\]|\["(?:[^"\\]|\\.)*"\])*/u;
const OPERATOR = /==|!=|<=|>=|<|>|\(|\)|\[|\]|,|=|&&|\|\||!/;
/** Matches a token. It always matches at `lastIndex`, because its last group matches any character
 * that begins no token. */
const TOKEN = new RegExp(
  `\\s*(?:(${TEXT.source})|(${NUMBER.source})|(${PATH.source})|(${OPERATOR.source})|(.)|$)`,
  "suy",
);
const SYNONYMS: Readonly<Record<string, string>> = {
  "=": "==",
  "&&": "and",
  "||": "or",
  "!": "not",
};

/** @throws {UsageError} if a part of the condition is not a token */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (true) {
    const [matched, quoted, number, word, operator, other] = TOKEN.exec(text)!;
    const start = TOKEN.lastIndex - matched.trimStart().length;
    if (quoted !== undefined) {
      const value = isNamed(tokens.at(-1), "matches")
        ? patternIn(quoted)
        : unquote(quoted, text, start);
      tokens.push({ kind: "value", start, value });
    } else if (number !== undefined) {
      tokens.push({ kind: "value", start, value: numberIn(number) });
    } else if (word !== undefined) {
      tokens.push(wordToken(word, text, start));
    } else if (operator !== undefined) {
      tokens.push({ kind: SYNONYMS[operator] ?? operator, start });
    } else if (other !== undefined) {
      const isQuote = /["'`]/.test(other);
      const problem = isQuote ? `${other} is never closed` : `"${other}" has no meaning here`;
      throw whereError(text, start, problem);
    } else {
      tokens.push({ kind: "end", start });
      return tokens;
    }
  }
}

/** @param index The index of the problem in the condition. */
export function whereError(text: string, index: number, problem: string): UsageError {
  return new UsageError(
    `Cannot use the condition ${JSON.stringify(text)}: at character ${index + 1}: ${problem}`,
  );
}

export function isNumber(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

/** Parses a number. Whole numbers beyond 2^53 become `bigint`, as in the rows that conditions
 * read. */
export function numberIn(text: string): number | bigint {
  const digits = text.replaceAll("_", "");
  const number = Number(digits);
  return /^-?\d+$/.test(digits) && !Number.isSafeInteger(number) ? BigInt(digits) : number;
}

function wordToken(word: string, text: string, start: number): Token {
  const lower = word.toLowerCase();
  if (KEYWORDS.includes(lower)) return { kind: lower, start };
  if (CONSTANTS.has(word)) return { kind: "value", start, value: CONSTANTS.get(word) };
  const path = [...word.matchAll(/`((?:[^`]|``)*)`|\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)]
    .map(
      ([, backquoted, quoted, index, name]) =>
        quoted !== undefined
          ? unquote(`"${quoted}"`, text, start)
          : backquoted?.replaceAll("``", "`") ?? index ?? name,
    );
  return { kind: "path", start, path };
}

function unquote(quoted: string, text: string, start: number): string {
  if (quoted[0] === "'") {
    return quoted.slice(1, -1).replaceAll(/\\(.)/gs, "$1");
  }
  try {
    return JSON.parse(quoted);
  } catch {
    throw whereError(text, start, `${quoted} is not a JSON string`);
  }
}

/** Returns the source of a regular expression. Its backslashes are kept, so that `"\b"` is not a
 * backspace. A doubled backslash means a single one, as in JSON: the page of `view` writes `"\\b"`
 * for `\b`. */
function patternIn(quoted: string): string {
  const escapes = quoted[0] === "'" ? /\\(\\|')/g : /\\(\\|")/g;
  return quoted.slice(1, -1).replaceAll(escapes, "$1");
}

/** Whether a token is a path that consists only of this name, ignoring case. `matches` and
 * `icontains` may be operators or fields. */
export function isNamed(token: Token | undefined, name: string): boolean {
  return token?.path?.length === 1 && token.path[0].toLowerCase() === name;
}

const PLAIN_NAME = /^[\p{L}_$][\p{L}\p{N}_$-]*$/u;

/** Writes a path as a field of a condition. This is the reverse of `parsePath`. */
export function fieldName([column, ...members]: readonly string[]): string {
  const needsQuotes = !PLAIN_NAME.test(column) || KEYWORDS.includes(column.toLowerCase()) ||
    CONSTANTS.has(column);
  const start = needsQuotes ? `\`${column.replaceAll("`", "``")}\`` : column;
  const rest = members.map((name) =>
    PLAIN_NAME.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`
  );
  return start + rest.join("");
}

/**
 * Parses the name of a field, such as `completion_tokens`, `meta.score` or `meta["odd name"]`. A
 * first name that is not a plain word must be in backquotes.
 *
 * @throws {UsageError} if the text is not the name of exactly one field
 */
export function parsePath(text: string): readonly string[] {
  const [token, end] = tokensOf(text);
  if (token.kind !== "path" || end.kind !== "end") {
    throw whereError(text, token.start, "it must be the name of one field");
  }
  return token.path!;
}

/** Reads the value from the first object that has the first name of the path. Returns null if there
 * is no such value. */
export function valueAt(
  objects: readonly (object | undefined)[],
  path: readonly string[],
): unknown {
  let value: unknown = objects.find((object) =>
    object !== undefined && Object.hasOwn(object, path[0])
  );
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return null;
    value = (value as Record<string, unknown>)[name];
  }
  return value ?? null;
}

export const COMPARISONS: Readonly<Record<string, (a: unknown, b: unknown) => boolean>> = {
  "==": isEqual,
  "!=": (a, b) => !isEqual(a, b),
  "<": (a, b) => order(a, b) < 0,
  "<=": (a, b) => order(a, b) <= 0,
  ">": (a, b) => order(a, b) > 0,
  ">=": (a, b) => order(a, b) >= 0,
  "contains": (a, b) =>
    typeof a === "string"
      ? typeof b === "string" && a.includes(b)
      : Array.isArray(a) && a.some((item) => isEqual(item, b)),
  "icontains": (a, b) =>
    typeof b === "string" &&
    (typeof a === "string" ? a.toLowerCase().includes(b.toLowerCase()) : Array.isArray(a) &&
      a.some((item) => typeof item === "string" && item.toLowerCase() === b.toLowerCase())),
};

export function isEqual(a: unknown, b: unknown): boolean {
  return a === b || (isNumber(a) && isNumber(b) && order(a, b) === 0);
}

/** Compares two numbers or two texts. Returns NaN for other values, so that `<`, `<=`, `>` and `>=`
 * are false. */
function order(a: unknown, b: unknown): number {
  if (typeof a === "bigint" && typeof b === "bigint") return a < b ? -1 : a > b ? 1 : 0;
  // The numbers are compared as floats because the page of `view` rounds floats: it shows
  // 1.2345678901234568e20 as 123456789012345680000, although the exact value is
  // 123456789012345683968.
  if (isNumber(a) && isNumber(b)) return Number(a) - Number(b);
  if (typeof a !== "string" || typeof b !== "string") return NaN;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A regular expression, and a text that is searched for first because that is faster. */
export interface Pattern {
  readonly regExp: RegExp;
  /** A text that every match contains; "" if there is none. */
  readonly requiredText: string;
  readonly ignoresCase: boolean;
}

/**
 * Parses the regular expression of `matches`. Dots also match line feeds. The text may begin with
 * flags: `(?i)` ignores case, and `(?m)` lets `^` and `$` match at each line.
 *
 * @throws {SyntaxError} if the text is not a regular expression
 */
export function patternOf(text: string): Pattern {
  const flag = /^\(\?([ims]+)\)/.exec(text);
  const flags = [...new Set(`${flag?.[1] ?? ""}su`)].join("");
  const source = flag === null ? text : text.slice(flag[0].length);
  const facts = { requiredText: requiredIn(source), ignoresCase: flags.includes("i") };
  try {
    return { ...facts, regExp: new RegExp(source, flags) };
  } catch (error) {
    // Escapes such as \- are common but not valid with the flag "u".
    if (!(error instanceof SyntaxError)) throw error;
    return { ...facts, regExp: new RegExp(source, flags.replace("u", "")) };
  }
}

/** The minimum length of the required text, in characters. Nearly every line contains a shorter
 * text, so searching for it would save nothing. */
const MIN_REQUIRED_LENGTH = 3;
/** Matches a character that stands for itself, escaped or not. */
const LITERAL = /\\(?:[^\p{L}\p{N}_]|[nt])|[^\\()[\]{}.^$|*+?]/u;
/** Matches any other atom or token, such as a class or a bracket. Its text is treated as unknown.
 * This includes `\12`, which may be a back reference or an octal number. */
const OTHER =
  /\[(?:\\.|[^\]\\])*\]|\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|u[\da-fA-F]{4}|x[\da-fA-F]{2}|k<[^>]*>|\d+|c?.)|./su;
const QUANTIFIER = /(?:[*+?]|\{\d+(?:,\d*)?\})\??/;
const ATOM = new RegExp(
  `(?:(${LITERAL.source})|(${OTHER.source}))(${QUANTIFIER.source})?`,
  "gsu",
);

/** Returns the longest run of plain characters that every match contains; "" if it is too short. */
function requiredIn(source: string): string {
  let longest = "", run: string[] = [], depth = 0;
  const endRun = () => {
    const text = run.join("");
    if (text.length > longest.length) longest = text;
    run = [];
  };
  for (const [, literal, other, quantifier] of source.matchAll(ATOM)) {
    if (other === "|" && depth === 0) return "";
    if (other === "(") depth++;
    if (other === ")") depth--;
    if (literal !== undefined && depth === 0) {
      run.push(UNESCAPED[literal] ?? literal.replace(/^\\/, ""));
    }
    if (quantifier !== undefined && /^[*?]|^\{0/.test(quantifier)) run.pop();
    // After a repeated or unknown atom, the next character need not follow the run directly.
    if (other !== undefined || quantifier !== undefined) endRun();
  }
  endRun();
  return longest.length < MIN_REQUIRED_LENGTH ? "" : longest;
}

const UNESCAPED: Readonly<Record<string, string>> = { "\\n": "\n", "\\t": "\t" };
