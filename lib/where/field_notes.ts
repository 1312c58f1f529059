/**
 * Notes about likely mistakes in a condition. A misspelled field is null in every row, and
 * comparing a text with a number by `==`, `<` or `>` is always false.
 *
 * @module
 */

import { similarName } from "../similar_name.ts";
import type { Comparison, Where } from "./parse_where.ts";
import { fieldName, isNumber, numberIn, valueAt } from "./tokens.ts";

/** Finds fields of a condition that no row of an export has, and fields whose values never have the
 * type of the value in the condition. */
export class FieldNotes {
  /** The fields that no row has had so far, by name. A name begins with `distill.` if the path in
   * the condition does. */
  readonly #absentFields: Map<string, readonly string[]>;
  /** The comparisons whose field has not had a value of the condition's type so far. The value is
   * true if the field has had a value of the other type: text where the condition has a number, or
   * a number where it has text. */
  readonly #comparisons: Map<Comparison, boolean>;
  readonly #knownNames = new Set<string>();

  constructor(where: Where) {
    this.#absentFields = new Map(where.paths.map((path) => [checkedName(path), path]));
    this.#comparisons = new Map(where.comparisons.map((each) => [each, false]));
  }

  /** @param objects The objects in which the field is looked up, in order of precedence. */
  add(objects: readonly (object | undefined)[]): void {
    for (const [name, path] of this.#absentFields) {
      if (objects.some((object) => object !== undefined && hasField(object, path))) {
        this.#absentFields.delete(name);
      }
    }
    if (this.#absentFields.size > 0) this.#addKnownNames(objects);
    for (const comparison of this.#comparisons.keys()) {
      const value = valueAt(objects, comparison.path);
      if (!isNumber(value) && typeof value !== "string") continue;
      if (isNumber(value) === isNumber(comparison.value)) this.#comparisons.delete(comparison);
      else this.#comparisons.set(comparison, true);
    }
  }

  isAbsent(name: string): boolean {
    return this.#absentFields.has(name);
  }

  notes(): string[] {
    // If no row was seen, no names are known.
    const absent = this.#knownNames.size === 0 ? [] : [...this.#absentFields.keys()];
    const mistyped = [...this.#comparisons].filter(([, isMistyped]) => isMistyped);
    return [
      ...absent.map((name) => absentNote(name, this.#knownNames)),
      ...mistyped.map(([comparison]) => typeNote(comparison)),
    ];
  }

  #addKnownNames(objects: readonly (object | undefined)[]): void {
    for (const object of objects) {
      if (this.#knownNames.size > MAX_KNOWN_NAMES) return;
      for (const name in object) this.#knownNames.add(name);
    }
  }
}

/** Once more names than this are known, the names of further rows are not added. */
const MAX_KNOWN_NAMES = 1_000;

export function absentNote(name: string, knownNames: Iterable<string>): string {
  const bareName = name.replace(/^distill\./, "");
  const similar = similarName(bareName, [...knownNames].filter((other) => other !== bareName));
  const hint = similar === undefined ? "" : ` (did you mean ${JSON.stringify(similar)}?)`;
  return `No row has the field ${JSON.stringify(name)}${hint}`;
}

/** Returns a note about a field that contains only texts but is compared with a number, or contains
 * only numbers but is compared with a text. */
export function typeNote({ path, operator, value, valueText }: Comparison): string {
  const name = fieldName(path), isText = typeof value === "string";
  const found = isText ? "only numbers" : "only texts, like every column of a CSV file";
  const [fieldType, valueType] = isText ? ["number", "text"] : ["text", "number"];
  const isOrdering = /[<>]/.test(operator);
  const quotedNumber = isOrdering ? undefined : `"${valueText.replaceAll("_", "")}"`;
  const isList = /in$/.test(operator);
  const advisedValue = isList ? undefined : isText ? numberOf(value) : quotedNumber;
  const advice = advisedValue === undefined
    ? `no ${fieldType} ${isOrdering ? "is less than or greater than" : "equals"} a ${valueType}`
    : `compare it with a ${fieldType}: ${name} ${operator} ${advisedValue}`;
  const condition = `${name} ${operator} ${valueText}`;
  return `The field "${path.join(".")}" in ${condition} has ${found}: ${advice}`;
}

function numberOf(text: string): number | bigint | undefined {
  const number = text.trim() === "" ? NaN : numberIn(text.trim());
  return typeof number === "bigint" || Number.isFinite(number) ? number : undefined;
}

/** Returns the part of a path that a note mentions: `meta` for `meta.lang`, but the whole path for
 * `distill.model`. */
export function checkedName(path: readonly string[]): string {
  return path[0] === "distill" && path.length > 1 ? `distill.${path[1]}` : path[0];
}

function hasField(object: object, path: readonly string[]): boolean {
  if (path[0] !== "distill" || path.length === 1) return Object.hasOwn(object, path[0]);
  const { distill } = object as { distill?: unknown };
  return typeof distill === "object" && distill !== null && Object.hasOwn(distill, path[1]);
}
