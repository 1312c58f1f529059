/**
 * Writes the columns of a Parquet file as JSON, row by row. The text comes straight from the levels
 * and values of the leaves, without objects for rows.
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

import type { LeafColumn } from "./parquet_leaf.ts";
import type { ListNode, MapNode, SchemaNode, StructNode } from "./parquet_schema.ts";

interface ColumnText {
  /** Returns the JSON of the next value, and moves past its entries in all leaves of the column. */
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
      if (first.definition < node.definition) return skip(inner, "null");
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
        return skip(inner, first.definition < definition ? "null" : "[]");
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
        return skip(inner, first.definition < definition ? "null" : "{}");
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

/** Moves past a null or empty value, which has one entry in each leaf. Returns its text. */
function skip(leaves: readonly LeafColumn[], text: string): string {
  for (const leaf of leaves) leaf.next();
  return text;
}
