/**
 * Columns of a Parquet file: its schema as a tree of lists, maps and structs, and their JSON text.
 * The text is written row by row, from the levels of the values: no row is ever an object.
 *
 * @module
 */

import type { SchemaElement } from "../deps/hyparquet.ts";
import type { LeafColumn } from "./parquet_leaf.ts";

/** A column, an element or a field. A value is null if its definition level is below `definition`.
 * A list or map is empty if the level is exactly `definition`, and has a further element as long as
 * the repetition level is `repetition`. */
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
  /** Place among the leaves, which is also that of its chunk in a row group. */
  readonly index: number;
  readonly elements: readonly SchemaElement[];
  /** Path as users know it: `price`, `items.price`. */
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

/** @param schema The elements as the footer lists them, depth first. */
export function fileSchemaOf(schema: readonly SchemaElement[]): FileSchema {
  const root = new SchemaReader(schema);
  return { columns: root.readColumns(), leaves: root.leaves };
}

interface Place {
  readonly definition: number;
  readonly repetition: number;
  readonly elements: readonly SchemaElement[];
  readonly path: readonly string[];
}

class SchemaReader {
  readonly leaves: LeafNode[] = [];
  readonly #schema: readonly SchemaElement[];
  /** Index of the next element; the first one is the root. */
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

  /** An element that is repeated without a list around it, as older writers store lists, becomes a
   * list. */
  #node(parent: Place): SchemaNode {
    const element = this.#schema[this.#next++];
    const place = within(parent, element);
    if (element.repetition_type !== "REPEATED") return this.#content(element, place);
    const { definition, repetition } = place;
    // Such a list cannot be null: one level below its elements, it is empty.
    const list = { kind: "list", definition: definition - 1, repetition } as const;
    return { ...list, element: this.#content(element, place) };
  }

  /** Reads an element as if it were not repeated. */
  #content(element: SchemaElement, place: Place): SchemaNode {
    const { definition, repetition, elements, path } = place;
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
      if (isMap(element) && inner.num_children !== undefined) return this.#map(place);
      if (isList(element)) return this.#list(element, place);
    }
    const fields = Array.from({ length: count }, () => this.#field(place));
    return { kind: "struct", definition, fields };
  }

  /** Follows the backward-compatibility rules:
   * https://github.com/apache/parquet-format/blob/master/LogicalTypes.md */
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

/** `parent` already has the element's path. */
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

interface ColumnText {
  next(): string;
}

export function columnTextOf(node: SchemaNode, leaves: readonly LeafColumn[]): ColumnText {
  switch (node.kind) {
    case "leaf":
      return leaves[node.index];
    case "struct":
      return structText(node, leaves);
    case "list":
      return listText(node, leaves);
    case "map":
      return mapText(node, leaves);
  }
}

function structText(node: StructNode, leaves: readonly LeafColumn[]): ColumnText {
  const inner = leavesUnder(node, leaves), [first] = inner;
  const fields = node.fields.map(({ name, node: field }) => ({
    key: `${JSON.stringify(name)}:`,
    text: columnTextOf(field, leaves),
  }));
  return {
    next: () => {
      if (first.definition < node.definition) return movePast(inner, "null");
      let members = "";
      for (const { key, text } of fields) {
        members += members === "" ? key + text.next() : `,${key}${text.next()}`;
      }
      return `{${members}}`;
    },
  };
}

function listText(node: ListNode, leaves: readonly LeafColumn[]): ColumnText {
  const inner = leavesUnder(node, leaves), [first] = inner;
  const { definition, repetition } = node, element = columnTextOf(node.element, leaves);
  return {
    next: () => {
      if (first.definition <= definition) {
        return movePast(inner, first.definition < definition ? "null" : "[]");
      }
      let text = `[${element.next()}`;
      while (first.repetition === repetition) text += `,${element.next()}`;
      return `${text}]`;
    },
  };
}

function mapText(node: MapNode, leaves: readonly LeafColumn[]): ColumnText {
  const inner = leavesUnder(node, leaves), [first] = inner;
  const { definition, repetition } = node, keys = columnTextOf(node.key, leaves);
  const values = node.value && columnTextOf(node.value, leaves);
  return {
    next: () => {
      if (first.definition <= definition) {
        return movePast(inner, first.definition < definition ? "null" : "{}");
      }
      let text = "{";
      do {
        const key = keys.next();
        const name = key.startsWith('"') ? key : JSON.stringify(key);
        text += `${text === "{" ? "" : ","}${name}:${values?.next() ?? "null"}`;
      } while (first.repetition === repetition);
      return `${text}}`;
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

/** For a value that is null or empty, each leaf has an entry. */
function movePast(leaves: readonly LeafColumn[], text: string): string {
  for (const leaf of leaves) leaf.next();
  return text;
}
