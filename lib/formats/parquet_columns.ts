/**
 * Columns of a Parquet file, nested as its schema says: lists, maps and structs. A row group is
 * written as JSON text, row by row, from the levels of its values. No row is ever an object.
 *
 * @module
 */

import type { SchemaElement } from "../deps/hyparquet.ts";
import type { LeafColumn } from "./parquet_leaf.ts";

/** A column, an element or a field. It is null below the definition level `definition`. */
export type SchemaNode =
  | LeafNode
  | { readonly kind: "struct"; readonly definition: number; readonly fields: readonly Field[] }
  | {
    readonly kind: "list";
    readonly definition: number;
    readonly repetition: number;
    readonly element: SchemaNode;
  }
  | {
    readonly kind: "map";
    readonly definition: number;
    readonly repetition: number;
    readonly key: SchemaNode;
    readonly value: SchemaNode | undefined;
  };

/** A column or a nested field with values of its own. */
export interface LeafNode {
  readonly kind: "leaf";
  readonly definition: number;
  readonly repetition: number;
  /** Place among the leaves, which is also that of its chunk in a row group. */
  readonly index: number;
  /** Schema elements from the root to this one. */
  readonly elements: readonly SchemaElement[];
  /** Name for users: `price`, `items.price`. */
  readonly path: string;
}

interface Field {
  readonly name: string;
  readonly node: SchemaNode;
}

/** Columns of a file, and all leaves below them. */
export interface FileSchema {
  readonly columns: readonly Field[];
  /** In the order of the file. */
  readonly leaves: readonly LeafNode[];
}

/** Builds the tree from the flat list of elements in the footer. */
export function fileSchemaOf(schema: readonly SchemaElement[]): FileSchema {
  const root = new SchemaReader(schema);
  return { columns: root.readColumns(), leaves: root.leaves };
}

/** Levels and path of an element. */
interface Place {
  readonly definition: number;
  readonly repetition: number;
  readonly elements: readonly SchemaElement[];
  readonly path: readonly string[];
}

class SchemaReader {
  readonly leaves: LeafNode[] = [];
  readonly #schema: readonly SchemaElement[];
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

  #field(parent: Place): Field {
    const { name } = this.#schema[this.#next];
    return { name, node: this.#node({ ...parent, path: [...parent.path, name] }) };
  }

  /**
   * Reads the next element. If it is repeated without a list around it, as older writers store
   * lists, it becomes a list.
   */
  #node(parent: Place): SchemaNode {
    const element = this.#schema[this.#next++];
    const place = within(parent, element);
    if (element.repetition_type !== "REPEATED") return this.#content(element, place);
    const { definition, repetition } = place;
    const list = { kind: "list", definition: definition - 1, repetition } as const;
    return { ...list, element: this.#content(element, place) };
  }

  #content(element: SchemaElement, place: Place): SchemaNode {
    const { definition, repetition, elements, path } = place;
    const count = element.num_children ?? 0;
    if (element.type !== undefined || count === 0) {
      const leaf: LeafNode = {
        ...{ kind: "leaf", definition, repetition, elements },
        index: this.leaves.length,
        path: path.join("."),
      };
      this.leaves.push(leaf);
      return leaf;
    }
    const inner = this.#schema[this.#next];
    if (count === 1 && inner.repetition_type === "REPEATED") {
      if (isMap(element) && inner.num_children !== undefined) return this.#map(place);
      if (isList(element)) return this.#list(element, place);
    }
    const fields = Array.from({ length: count }, () => this.#field(place));
    return { kind: "struct", definition, fields };
  }

  /**
   * Applies the backward-compatibility rules of lists:
   * https://github.com/apache/parquet-format/blob/master/LogicalTypes.md
   */
  #list({ name }: SchemaElement, place: Place): SchemaNode {
    const inner = this.#schema[this.#next];
    const isElement = inner.num_children !== 1 || inner.name === "array" ||
      inner.name === `${name}_tuple` || isList(inner) || isMap(inner);
    if (isElement) return this.#node(place);
    this.#next++;
    const repeated = within(place, inner);
    const { definition } = place, { repetition } = repeated;
    return { kind: "list", definition, repetition, element: this.#node(repeated) };
  }

  #map(place: Place): SchemaNode {
    const inner = this.#schema[this.#next++];
    const repeated = within(place, inner);
    const { definition } = place, { repetition } = repeated;
    const key = this.#node(repeated);
    const value = inner.num_children === 2 ? this.#node(repeated) : undefined;
    return { kind: "map", definition, repetition, key, value };
  }
}

function within(parent: Place, element: SchemaElement): Place {
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

/** Writes the next value of a column. */
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
      return [node.key, node.value].flatMap((one) => one ? leavesUnder(one, leaves) : []);
  }
}

/** Moves past a value that is null or empty: each leaf has an entry for it. */
function passed(leaves: readonly LeafColumn[], text: string): string {
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
    if (this.#leaves[0].definition < this.#definition) return passed(this.#leaves, "null");
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
