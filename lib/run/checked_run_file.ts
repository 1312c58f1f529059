/**
 * Checks what was read as `<name>.run.json`: the file lies beside the results, where anything can happen
 * to it, and what it says decides how rows are read.
 *
 * @module
 */

import { INPUT_FORMATS } from "../formats/mod.ts";
import { isTooDeep } from "../json_depth.ts";
import type { RunFile } from "./identity.ts";
import { MOST_SAMPLES } from "./samples.ts";

/** What a value must be. */
interface Rule {
  readonly what: string;
  readonly takes: (value: unknown) => boolean;
}

/** Schemas in parameters are nested; what is much deeper cannot be compared. */
const MOST_LEVELS = 500;

const BLOCK: Rule = { what: "an object", takes: isObject };
const TEXT: Rule = { what: "a text", takes: (value) => typeof value === "string" };
const SWITCH: Rule = { what: "true or false", takes: (value) => typeof value === "boolean" };
const NAMES: Rule = {
  what: "a list of names",
  takes: (value) => Array.isArray(value) && value.every(TEXT.takes),
};
const SAMPLES: Rule = {
  what: `a whole number, between 1 and ${MOST_SAMPLES}`,
  takes: (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MOST_SAMPLES,
};
const PARAM_SETS: Rule = {
  what: "an object of objects",
  takes: (value) => isObject(value) && Object.values(value).every(isObject),
};

/** Fields that must be there. */
const REQUIRED: readonly (readonly [path: string, rule: Rule])[] = [
  ["identity", BLOCK],
  ["identity.model", TEXT],
  ["rows", BLOCK],
];

/** Fields that an earlier version may have left out, or written as null. */
const OPTIONAL: readonly (readonly [path: string, rule: Rule])[] = [
  ["input", TEXT],
  ["identity.params", BLOCK],
  ["identity.system", TEXT],
  ["identity.template", TEXT],
  ["identity.prompt_field", TEXT],
  ["identity.uid_field", NAMES],
  ["identity.think", oneOf("wrap", "field", "drop")],
  ["rows.duplicates", oneOf("merge", "keep")],
  ["rows.mixedShapes", SWITCH],
  ["rows.samples", SAMPLES],
  ["rows.uidFieldFirst", SWITCH],
  ["rows.inputFormat", oneOf(...INPUT_FORMATS)],
  ["rows.jsonColumns", NAMES],
  ["rows.binaryColumns", NAMES],
  ["params", PARAM_SETS],
];

/**
 * The content of a `run.json`.
 *
 * @throws {SyntaxError} with the field that is wrong
 */
export function checkedRunFile(value: unknown): RunFile {
  if (!isObject(value)) throw new SyntaxError("it must hold an object");
  if (isTooDeep(value, MOST_LEVELS)) throw new SyntaxError("it is nested too deeply");
  for (const [path, rule] of REQUIRED) check(path, fieldAt(value, path), rule);
  for (const [path, rule] of OPTIONAL) {
    const field = fieldAt(value, path);
    if (field !== undefined && field !== null) check(path, field, rule);
  }
  // Each field has passed its rule.
  return value as unknown as RunFile;
}

function check(path: string, value: unknown, { what, takes }: Rule): void {
  if (takes(value)) return;
  if (value === undefined) throw new SyntaxError(`it has no "${path}"`);
  throw new SyntaxError(`"${path}" must be ${what}`);
}

function fieldAt(value: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>(
    (holder, name) => isObject(holder) && Object.hasOwn(holder, name) ? holder[name] : undefined,
    value,
  );
}

function oneOf(...words: string[]): Rule {
  return { what: `one of ${words.join(", ")}`, takes: (value) => words.includes(value as string) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
