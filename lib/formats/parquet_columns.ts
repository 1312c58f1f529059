/**
 * The columns of a Parquet file: its schema as a tree of leaves, structs, lists and maps, and the
 * JSON text of a column, row by row. The text comes straight from the levels and values of the
 * leaves, without objects for rows.
 *
 * For a list column, the entries of its leaf are, for example:
 *
 * ```txt
 * repetition  definition  value
 * 0           3           1      first row: [1,2]
 * 1           3           2
 * 0           1                  second row: []
 * 0           0                  third row: null
 * ```
 *
 * @module
 */

import type { SchemaElement } from "../deps/hyparquet.ts";
import type { LeafColumn } from "./parquet_leaf.ts";

/**
 * A column, a field of a struct, or an element of a list or map. If the value is null, the
 * definition level of a leaf's entry is below `definition`. If a list or map is empty, the level is
 * equal to `definition`. Each further element of a list or map has the repetition level
 * `repetition`.
 */
export type SchemaNode = LeafNode | StructNode | ListNode | MapNode;

interface StructNode {
  readonly kind: "struct";
  readonly definition: number;
  readonly fields: readonly Field[];
}

interface ListNode {
  readonly kind: "list";
  readonly definition: number;
  readonly repetition: number;
  readonly element: SchemaNode;
}

interface MapNode {
  readonly kind: "map";
  readonly definition: number;
  readonly repetition: number;
  readonly key: SchemaNode;
  readonly value: SchemaNode | undefined;
}

export interface LeafNode {
  readonly kind: "leaf";
  readonly definition: number;
  readonly repetition: number;
  /** The index of the leaf in the schema, and of its column chunk in each row group. */
  readonly index: number;
  readonly elements: readonly SchemaElement[];
  /** The path in the form that users know: `price`, `items.price`. */
  readonly path: string;
}

interface Field {
  readonly name: string;
  readonly node: SchemaNode;
}

export interface FileSchema {
  readonly columns: readonly Field[];
  readonly leaves: readonly LeafNode[];
}

/** @param schema The elements in the order of the footer, depth first. */
export function fileSchemaOf(schema: readonly SchemaElement[]): FileSchema {
  const root = new SchemaReader(schema);
  return { columns: root.readColumns(), leaves: root.leaves };
}

/** The levels and the path of an element, accumulated from the root. */
interface Position {
  readonly definition: number;
  readonly repetition: number;
  readonly elements: readonly SchemaElement[];
  readonly path: readonly string[];
}

class SchemaReader {
  readonly leaves: LeafNode[] = [];
  readonly #schema: readonly SchemaElement[];
  /** The index of the next element. The first element is the root. */
  #next = 1;

  constructor(schema: readonly SchemaElement[]) {
    this.#schema = schema;
  }

  readColumns(): Field[] {
    const root = { definition: 0, repetition: 0, elements: this.#schema.slice(0, 1), path: [] };
    const columns: Field[] = [];
    while (this.#next < this.#schema.length) columns.push(this.#field(root));
    return columns;
  }

  #field(parent: Position): Field {
    const { name } = this.#schema[this.#next];
    return { name, node: this.#node({ ...parent, path: [...parent.path, name] }) };
  }

  /** Reads an element. A repeated element without a list around it becomes a list, because older
   * writers store lists in this form. */
  #node(parent: Position): SchemaNode {
    const element = this.#schema[this.#next++];
    const position = within(parent, element);
    if (element.repetition_type !== "REPEATED") return this.#content(element, position);
    const { definition, repetition } = position;
    // This list is never null. If it is empty, its level is one below that of its elements.
    const list = { kind: "list", definition: definition - 1, repetition } as const;
    return { ...list, element: this.#content(element, position) };
  }

  /** Reads an element as if it were not repeated. */
  #content(element: SchemaElement, position: Position): SchemaNode {
    const { definition, repetition, elements, path } = position;
    const count = element.num_children ?? 0;
    if (element.type !== undefined || count === 0) {
      const leaf: LeafNode = {
        kind: "leaf",
        definition,
        repetition,
        index: this.leaves.length,
        elements,
        path: path.join("."),
      };
      this.leaves.push(leaf);
      return leaf;
    }
    const inner = this.#schema[this.#next];
    if (count === 1 && inner.repetition_type === "REPEATED") {
      if (isMap(element) && inner.num_children !== undefined) return this.#map(position);
      if (isList(element)) return this.#list(element, position);
    }
    const fields = Array.from({ length: count }, () => this.#field(position));
    return { kind: "struct", definition, fields };
  }

  /** Reads a list, following the backward-compatibility rules:
   * https://github.com/apache/parquet-format/blob/master/LogicalTypes.md */
  #list({ name }: SchemaElement, position: Position): SchemaNode {
    const inner = this.#schema[this.#next];
    const isElement = inner.num_children !== 1 || inner.name === "array" ||
      inner.name === `${name}_tuple` || isList(inner) || isMap(inner);
    if (isElement) return this.#node(position);
    this.#next++;
    const repeated = within(position, inner);
    const { definition } = position, { repetition } = repeated;
    return { kind: "list", definition, repetition, element: this.#node(repeated) };
  }

  #map(position: Position): SchemaNode {
    const inner = this.#schema[this.#next++];
    const repeated = within(position, inner);
    const { definition } = position, { repetition } = repeated;
    const key = this.#node(repeated);
    const value = inner.num_children === 2 ? this.#node(repeated) : undefined;
    return { kind: "map", definition, repetition, key, value };
  }
}

/** Adds the levels of an element to those of its parent. Only `#field` extends the path, because
 * the groups inside lists and maps are not part of it. */
function within(parent: Position, element: SchemaElement): Position {
  const { repetition_type: repetition } = element;
  return {
    definition: parent.definition + (repetition === "REQUIRED" ? 0 : 1),
    repetition: parent.repetition + (repetition === "REPEATED" ? 1 : 0),
    elements: [...parent.elements, element],
    path: parent.path,
  };
}

function isList({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return converted === "LIST" || logical?.type === "LIST";
}

function isMap({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return converted === "MAP" || converted === "MAP_KEY_VALUE" || logical?.type === "MAP";
}

interface ColumnText {
  /** Returns the JSON of the next value, and moves past its entries in all leaves of the column. */
  next(): string;
}

function columnTextOf(node: SchemaNode, leaves: readonly LeafColumn[]): ColumnText {
  switch (node.kind) {
    case "leaf":
      return leaves[node.index];
    case "struct":
      return structText(node, leaves);
    case "list": {
      const element = columnTextOf(node.element, leaves);
      return repeatedText(node, leaves, "[]", () => element.next());
    }
    case "map": {
      const keys = columnTextOf(node.key, leaves);
      const values = node.value && columnTextOf(node.value, leaves);
      return repeatedText(node, leaves, "{}", () => {
        const key = keys.next();
        const name = key.startsWith('"') ? key : JSON.stringify(key);
        return `${name}:${values?.next() ?? "null"}`;
      });
    }
  }
}

function structText(node: StructNode, leaves: readonly LeafColumn[]): ColumnText {
  const inner = leavesUnder(node, leaves), [first] = inner;
  const object = objectText(node.fields, leaves);
  return {
    next: () => first.definition < node.definition ? skip(inner, "null") : object.next(),
  };
}

/** Returns the text of rows, whose fields are the columns, or of structs that are not null. */
export function objectText(
  fields: readonly Field[],
  leaves: readonly LeafColumn[],
): ColumnText {
  const keys = fields.map(({ name }, i) => `${i === 0 ? "" : ","}${JSON.stringify(name)}:`);
  const values = fields.map(({ node }) => columnTextOf(node, leaves));
  return {
    next: () => {
      let members = "";
      for (let i = 0; i < values.length; i++) members += keys[i] + values[i].next();
      return `{${members}}`;
    },
  };
}

function repeatedText(
  node: ListNode | MapNode,
  leaves: readonly LeafColumn[],
  brackets: "[]" | "{}",
  nextItem: () => string,
): ColumnText {
  const inner = leavesUnder(node, leaves), [first] = inner;
  const { definition, repetition } = node, [open, close] = brackets;
  return {
    next: () => {
      if (first.definition <= definition) {
        return skip(inner, first.definition < definition ? "null" : brackets);
      }
      let text = open + nextItem();
      while (first.repetition === repetition) text += `,${nextItem()}`;
      return text + close;
    },
  };
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

/** Moves past a null or empty value, which has one entry in each leaf. Returns its text. */
function skip(leaves: readonly LeafColumn[], text: string): string {
  for (const leaf of leaves) leaf.next();
  return text;
}
