/**
 * Columns of a Parquet file as JSON text, nested as the schema says. The text is written row by
 * row, from the levels of the values: no row is ever an object.
 *
 * @module
 */

import type { LeafColumn } from "./parquet_leaf.ts";
import type { SchemaNode } from "./parquet_schema.ts";

/** Writes the values of a column one after the other. */
interface ColumnText {
  /** Returns the JSON of the next value, and moves past it. */
  next(): string;
}

/** Creates the writer of a column, or of a part of one. */
export function columnTextOf(node: SchemaNode, leaves: readonly LeafColumn[]): ColumnText {
  if (node.kind === "leaf") return leaves[node.index];
  const inner = leavesUnder(node, leaves);
  switch (node.kind) {
    case "struct":
      return new StructText(
        node.definition,
        inner,
        node.fields.map(({ name, node: field }) => ({
          key: `${JSON.stringify(name)}:`,
          text: columnTextOf(field, leaves),
        })),
      );
    case "list":
      return new ListText(node, inner, columnTextOf(node.element, leaves));
    case "map":
      return new MapText(
        node,
        inner,
        columnTextOf(node.key, leaves),
        node.value && columnTextOf(node.value, leaves),
      );
  }
}

function leavesUnder(node: SchemaNode, leaves: readonly LeafColumn[]): LeafColumn[] {
  switch (node.kind) {
    case "leaf":
      return [leaves[node.index]];
    case "struct":
      return node.fields.flatMap((field) => leavesUnder(field.node, leaves));
    case "list":
      return leavesUnder(node.element, leaves);
    case "map":
      return [node.key, node.value].flatMap((child) => child ? leavesUnder(child, leaves) : []);
  }
}

/** Moves past a value that is null or empty, for which each leaf has an entry. Returns `text`. */
function movePast(leaves: readonly LeafColumn[], text: string): string {
  for (const leaf of leaves) leaf.next();
  return text;
}

type Fields = readonly { readonly key: string; readonly text: ColumnText }[];

class StructText implements ColumnText {
  readonly #definition: number;
  readonly #leaves: readonly LeafColumn[];
  readonly #fields: Fields;

  constructor(definition: number, leaves: readonly LeafColumn[], fields: Fields) {
    this.#definition = definition;
    this.#leaves = leaves;
    this.#fields = fields;
  }

  next(): string {
    if (this.#leaves[0].definition < this.#definition) return movePast(this.#leaves, "null");
    let members = "";
    for (const { key, text } of this.#fields) {
      members += members === "" ? key + text.next() : `,${key}${text.next()}`;
    }
    return `{${members}}`;
  }
}

/** Levels of a list or map. */
interface Repeated {
  readonly definition: number;
  readonly repetition: number;
}

class ListText implements ColumnText {
  readonly #levels: Repeated;
  readonly #leaves: readonly LeafColumn[];
  readonly #element: ColumnText;

  constructor(levels: Repeated, leaves: readonly LeafColumn[], element: ColumnText) {
    this.#levels = levels;
    this.#leaves = leaves;
    this.#element = element;
  }

  next(): string {
    const [first] = this.#leaves, { definition, repetition } = this.#levels;
    if (first.definition <= definition) {
      return movePast(this.#leaves, first.definition < definition ? "null" : "[]");
    }
    let text = `[${this.#element.next()}`;
    while (first.repetition === repetition) text += `,${this.#element.next()}`;
    return `${text}]`;
  }
}

class MapText implements ColumnText {
  readonly #levels: Repeated;
  readonly #leaves: readonly LeafColumn[];
  readonly #key: ColumnText;
  readonly #value: ColumnText | undefined;

  constructor(
    levels: Repeated,
    leaves: readonly LeafColumn[],
    key: ColumnText,
    value: ColumnText | undefined,
  ) {
    this.#levels = levels;
    this.#leaves = leaves;
    this.#key = key;
    this.#value = value;
  }

  next(): string {
    const [first] = this.#leaves, { definition, repetition } = this.#levels;
    if (first.definition <= definition) {
      return movePast(this.#leaves, first.definition < definition ? "null" : "{}");
    }
    let text = "{";
    do {
      const key = this.#key.next();
      const name = key.startsWith('"') ? key : JSON.stringify(key);
      text += `${text === "{" ? "" : ","}${name}:${this.#value?.next() ?? "null"}`;
    } while (first.repetition === repetition);
    return `${text}}`;
  }
}
