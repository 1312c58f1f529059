/**
 * Validates the options of functions for callers in JavaScript: rejects unknown names, wrong types
 * and wrong values.
 *
 * @module
 */

import { isObject } from "./json.ts";
import { BODY_PARAMS } from "./params.ts";
import { similarName, suggestion } from "./similar_name.ts";

export interface OptionRule {
  /** The words that follow `it must be` in messages. */
  readonly expected: string;
  readonly isType: (value: unknown) => boolean;
  /** Whether messages must not quote the value. @default false */
  readonly isSecret?: boolean;
  /** Whether a value of the right type is in range. @default every value is in range */
  readonly isInRange?: (value: never) => boolean;
}

export type OptionRules<T> = { readonly [Name in keyof Required<T>]: OptionRule };

/** The rule for values that are checked elsewhere. */
export const anything: OptionRule = { expected: "any value", isType: () => true };
export const text: OptionRule = {
  expected: "a string",
  isType: (value) => typeof value === "string",
};
export const flag: OptionRule = {
  expected: "true or false",
  isType: (value) => typeof value === "boolean",
};
export const callback: OptionRule = {
  expected: "a function",
  isType: (value) => typeof value === "function",
};
/** The rule for objects. A `Map` or `Headers` is rejected, because it has no fields and would be
 * read as an empty object. */
export const record: OptionRule = {
  expected: "an object with a field for each name",
  isType: (value) => isObject(value) && !(Symbol.iterator in value),
};
export const texts: OptionRule = {
  expected: "an array of strings",
  isType: (value) => Array.isArray(value) && value.every((item) => typeof item === "string"),
};
/** The rule for JSON Schemas, which may be booleans. The run validates the schema before any
 * call. */
export const schema: OptionRule = {
  expected: "a JSON Schema: an object, true or false",
  isType: (value) => typeof value === "boolean" || isObject(value),
};
export const number: OptionRule = {
  expected: "a number",
  isType: (value) => typeof value === "number",
};
export const amount: OptionRule = {
  ...number,
  expected: "a number, 0 or more",
  isInRange: (value: number) => value >= 0 && value < Infinity,
};
export const aboveZero: OptionRule = {
  ...number,
  expected: "a number above 0",
  isInRange: (value: number) => value > 0 && value < Infinity,
};
export const path: OptionRule = { expected: "a path or a file: URL", isType: isPath };
export const paths: OptionRule = {
  expected: "a path or a file: URL, or an array of them",
  isType: (value) => isPath(value) || (Array.isArray(value) && value.every(isPath)),
};
/** The rule for signals. It accepts any object with the members of an `AbortSignal`, because
 * polyfills are not instances of the class. */
export const signal: OptionRule = {
  expected: "an AbortSignal",
  isType: (value) =>
    value instanceof EventTarget && "aborted" in value && "throwIfAborted" in value,
};

export function wholeNumberFrom(min: number, max = Infinity): OptionRule {
  return {
    ...number,
    expected: max === Infinity
      ? `a whole number, ${min} or more`
      : `a whole number from ${min} to ${max}`,
    isInRange: (value: number) => Number.isSafeInteger(value) && value >= min && value <= max,
  };
}

export function oneOf(values: readonly string[]): OptionRule {
  return {
    expected: values.map((value) => `"${value}"`).join(" or "),
    isType: (value) => typeof value === "string" && values.includes(value),
  };
}

export function accepts({ isType, isInRange }: OptionRule, value: unknown): boolean {
  return isType(value) && (isInRange === undefined || isInRange(value as never));
}

const TOP_LEVEL = "options";

/**
 * Checks options. `undefined` stands for the default.
 *
 * @param place Where the options are, for messages: `teachers[0]`. @default at the top level
 * @param adviceFor Returns where an unknown option belongs, in words that follow a colon.
 * @throws {TypeError} if the options are not an object, a name is unknown, or a value has the wrong
 * type
 * @throws {RangeError} if a value of the right type is out of range
 */
export function checkOptions(
  options: unknown,
  rules: Readonly<Record<string, OptionRule>>,
  place = TOP_LEVEL,
  adviceFor: (name: string) => string | undefined = () => undefined,
): void {
  if (!isObject(options)) {
    throw new TypeError(`Cannot use ${place} ${shown(options)}: it must be an object`);
  }
  const prefix = place === TOP_LEVEL ? "" : `${place}.`;
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(rules, name)) {
      throw new TypeError(unknownOption(name, prefix, Object.keys(rules), adviceFor(name)));
    }
    if (value === undefined) continue;
    const { expected, isType, isSecret = false } = rules[name];
    if (accepts(rules[name], value)) continue;
    const current = isSecret && value !== null ? `(of type ${typeof value})` : shown(value);
    const message = `Cannot use ${prefix}${name} ${current}: it must be ${expected}`;
    throw isType(value) ? new RangeError(message) : new TypeError(message);
  }
}

/**
 * Checks that required options are set.
 *
 * @param operation The words that follow `Cannot`.
 * @throws {TypeError} if an option is missing
 */
export function requireOptions<Name extends string>(
  operation: string,
  options: { readonly [N in Name]?: unknown },
  names: readonly Name[],
  rules: { readonly [N in Name]: OptionRule },
): void {
  const missing = names.find((name) => options[name] === undefined);
  if (missing === undefined) return;
  throw new TypeError(
    `Cannot ${operation} without "${missing}": it must be ${rules[missing].expected}`,
  );
}

function unknownOption(
  name: string,
  prefix: string,
  options: readonly string[],
  advice: string | undefined,
): string {
  if (advice !== undefined) return `Cannot use option "${prefix}${name}" here: ${advice}`;
  const problem = `Cannot use option "${prefix}${name}": there is no such option`;
  const hint = suggestion(name, options);
  const param = options.includes("params") ? paramMeant(name, hint) : undefined;
  if (param !== undefined) {
    return `${problem}${hint || "."} Parameters of the request belong in "params", as in ` +
      `{ params: { ${param}: … } }`;
  }
  if (hint !== "") return problem + hint;
  return options.length <= MAX_LISTED_OPTIONS
    ? `${problem}. The options are ${options.join(", ")}`
    : `${problem}. The types that mod.ts exports list all options`;
}

const MAX_LISTED_OPTIONS = 25;

/** Returns the parameter of the request that an unknown option stands for: `maxTokens` is
 * `max_tokens`. Returns undefined if no parameter fits, or if an option fits better. A name with an
 * underscore is a parameter of a server, because no option has one. */
function paramMeant(name: string, hint: string): string | undefined {
  if (BODY_PARAMS.has(name)) return name;
  if (hint !== "") return undefined;
  return name.includes("_") ? name : similarName(name, BODY_PARAMS.keys());
}

const MAX_SHOWN_CHARS = 60;

/** Returns how messages show a value. Of objects and long strings, only the type is shown, because
 * they may contain secrets. */
export function shown(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "string") {
    return value.length > MAX_SHOWN_CHARS ? "(a long string)" : `"${value}"`;
  }
  if (Array.isArray(value)) return "(an array)";
  if (typeof value === "object" || typeof value === "function") {
    return `(of type ${typeName(value)})`;
  }
  return String(value);
}

function typeName(value: object): string {
  return typeof value === "function" ? "function" : value.constructor?.name ?? "object";
}

function isPath(value: unknown): boolean {
  return value instanceof URL || typeof value === "string";
}
