/**
 * Notices about fields of a condition: a misspelt name is null in every row, and a number is never
 * less or greater than a text.
 *
 * @module
 */

import { similarName } from "../similar_name.ts";
import type { Comparison, Part, Where } from "./parse_where.ts";
import { fieldName, valueAt } from "./tokens.ts";

/** Collects, row by row, which fields of a condition the rows of an export have. */
export class FieldNotes {
  /** Names of fields that no row has had so far, with `distill.` if the condition says so. */
  readonly #absent: Map<string, readonly string[]>;
  /** Comparisons with numbers whose field has held no number so far. */
  readonly #comparisons: Set<Comparison>;
  readonly #texts = new Set<Comparison>();
  readonly #known = new Set<string>();

  constructor(where: Where) {
    this.#absent = new Map(where.paths.map((path) => [checkedName(path), path]));
    this.#comparisons = new Set(comparisonsIn(where.parts));
  }

  /** @param objects Where the condition looks for a field, in this order. */
  add(objects: readonly (object | undefined)[]): void {
    for (const [name, path] of this.#absent) {
      if (objects.some((object) => object !== undefined && hasField(object, path))) {
        this.#absent.delete(name);
      }
    }
    if (this.#absent.size > 0) { for (const object of objects) this.#addKnown(object); }
    for (const comparison of this.#comparisons) {
      const value = valueAt(objects, comparison.path);
      if (typeof value === "string") this.#texts.add(comparison);
      else if (typeof value === "number") this.#comparisons.delete(comparison);
    }
  }

  notes(): string[] {
    return [
      ...[...this.#absent.keys()].map((name) => absentNote(name, this.#known)),
      ...[...this.#comparisons].filter((comparison) => this.#texts.has(comparison)).map(textNote),
    ];
  }

  #addKnown(object: object | undefined): void {
    if (this.#known.size > MAX_KNOWN) return;
    for (const name in object) this.#known.add(name);
  }
}

const MAX_KNOWN = 1_000;

export function absentNote(name: string, known: Iterable<string>): string {
  const bare = name.replace(/^distill\./, "");
  const similar = similarName(bare, [...known].filter((other) => other !== bare));
  const hint = similar === undefined ? "" : ` (did you mean ${JSON.stringify(similar)}?)`;
  return `No row has the field ${JSON.stringify(name)}${hint}`;
}

export function textNote({ path, operator, value }: Comparison): string {
  const name = fieldName(path);
  const advice = /[<>]/.test(operator)
    ? "no text is less or greater than a number"
    : `compare it with a text: ${name} ${operator} "${value}"`;
  return `The field "${path.join(".")}" in ${name} ${operator} ${value} holds only texts, as ` +
    `columns of CSV do: ${advice}`;
}

/** The comparisons with numbers, also those within alternatives. */
export function comparisonsIn(parts: readonly Part[]): Comparison[] {
  return parts.flatMap(({ comparison, alternatives = [] }) => [
    ...comparison === undefined ? [] : [comparison],
    ...alternatives.flatMap(comparisonsIn),
  ]);
}

/** The first name of a path: `distill.x` for a field of `distill`. */
export function checkedName(path: readonly string[]): string {
  return path[0] === "distill" && path.length > 1 ? `distill.${path[1]}` : path[0];
}

function hasField(object: object, path: readonly string[]): boolean {
  if (path[0] !== "distill" || path.length === 1) return Object.hasOwn(object, path[0]);
  const { distill } = object as { distill?: unknown };
  return typeof distill === "object" && distill !== null && Object.hasOwn(distill, path[1]);
}
