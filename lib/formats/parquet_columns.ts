/**
 * Columns of a row group as JSON text, row by row: lists, maps and structs from the levels of their values. No row is
 * ever an object.
 *
 * @module
 */

import type { LeafColumn } from "./parquet_leaf.ts";
import type { SchemaNode } from "./parquet_schema.ts";

/** Writes the next value of a column. */
export interface ColumnText {
  /** Returns its JSON, and is at the next one then. */
  next(): string;
}

/** What writes a column or a part of it. */
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
      return [node.key, node.value].flatMap((one) => one ? leavesUnder(one, leaves) : []);
  }
}

/** A null or an empty list is in each of its leaves. */
function passed(leaves: readonly LeafColumn[], text: string): string {
  for (const leaf of leaves) leaf.next();
  return text;
}

class StructText implements ColumnText {
  readonly #definition: number;
  readonly #leaves: readonly LeafColumn[];
  readonly #fields: readonly { readonly key: string; readonly text: ColumnText }[];

  constructor(
    definition: number,
    leaves: readonly LeafColumn[],
    fields: readonly { readonly key: string; readonly text: ColumnText }[],
  ) {
    this.#definition = definition;
    this.#leaves = leaves;
    this.#fields = fields;
  }

  next(): string {
    if (this.#leaves[0].definition < this.#definition) return passed(this.#leaves, "null");
    let members = "";
    for (const { key, text } of this.#fields) {
      members += members === "" ? key + text.next() : `,${key}${text.next()}`;
    }
    return `{${members}}`;
  }
}

/** The levels of what is repeated. */
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
      return passed(this.#leaves, first.definition < definition ? "null" : "[]");
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
      return passed(this.#leaves, first.definition < definition ? "null" : "{}");
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
