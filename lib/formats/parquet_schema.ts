/**
 * The footer of a Parquet file, checked, and its schema as what is written of it: columns of values, lists, maps and
 * structs.
 *
 * @module
 */

import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  type SchemaElement,
} from "../deps/hyparquet.ts";
import { SourceError } from "../errors.ts";
import { foreignFormatError } from "./bytes.ts";
import { foreignBytes } from "./foreign_format.ts";

/** Names the file where its bytes cannot be read or decoded. */
export async function reading<T>(
  name: string,
  problem: string,
  read: () => Promise<T>,
): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof SourceError) throw cause;
    throw cannotRead(name, `${problem}${reasonOf(cause)}`, cause);
  }
}

/** What a package says of damaged bytes; not that a value in its own code is undefined. */
export function reasonOf(cause: unknown): string {
  const isOfCode = cause instanceof TypeError || cause instanceof RangeError;
  return `${isOfCode ? "" : ` (${(cause as Error).message})`}. Copy it again`;
}

/** The error for a file that is not what it should be. */
export function cannotRead(name: string, problem: string, cause?: unknown): SourceError {
  return new SourceError(`Cannot read "${name}": ${problem}`, { path: name, cause });
}

const HEAD_BYTES = 512;
const MARK = "PAR1", ENCRYPTED_MARK = "PARE";
/** The codecs that can be decompressed. */
const CODECS = new Set(["UNCOMPRESSED", "SNAPPY", "GZIP", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"]);

/**
 * Reads the footer of a file.
 *
 * @throws {SourceError} where the file cannot be read, with the reason
 */
export async function metadataOf(buffer: AsyncBuffer, name: string): Promise<FileMetaData> {
  const { byteLength: size } = buffer;
  if (size === 0) throw cannotRead(name, "it is empty, so it is not a Parquet file");
  const head = new Uint8Array(await buffer.slice(0, Math.min(size, HEAD_BYTES)));
  const textOf = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
  const start = textOf(head.subarray(0, 4));
  const end = textOf(new Uint8Array(await buffer.slice(Math.max(0, size - 4), size)));
  if (end === ENCRYPTED_MARK) throw cannotRead(name, ENCRYPTED);
  if (start !== MARK && end !== MARK) {
    const foreign = foreignBytes(head);
    if (foreign !== undefined) {
      const what = foreign.what.replace(" twice", "");
      throw foreignFormatError(name, { ...foreign, what });
    }
    throw cannotRead(name, "it is not a Parquet file. Name its format with --input-format");
  }
  if (end !== MARK || size < 12) {
    throw cannotRead(name, "it is not a complete Parquet file: its end is missing. Copy it again");
  }
  const problem = "its footer is damaged";
  const metadata = await reading(
    name,
    problem,
    () => parquetMetadataAsync(buffer, { geoparquet: false }),
  );
  for (const { columns } of metadata.row_groups) {
    for (const { meta_data: meta, crypto_metadata: crypto } of columns) {
      if (crypto !== undefined || meta === undefined) throw cannotRead(name, ENCRYPTED);
      if (CODECS.has(meta.codec)) continue;
      const column = JSON.stringify(meta.path_in_schema?.join("."));
      throw cannotRead(
        name,
        `column ${column} is compressed with ${meta.codec}, which is not supported`,
      );
    }
  }
  return metadata;
}

/** @throws {SourceError} where columns are not what a row can be made of */
export function schemaOf({ schema, row_groups: groups }: FileMetaData, name: string): FileSchema {
  let found: FileSchema;
  try {
    found = fileSchemaOf(schema);
  } catch (cause) {
    throw cannotRead(name, `its footer is damaged${reasonOf(cause)}`, cause);
  }
  const { columns, leaves } = found;
  const names = columns.map((column) => column.name);
  const twice = names.find((one, index) => names.indexOf(one) !== index);
  if (twice !== undefined) {
    throw cannotRead(name, `two columns are called ${JSON.stringify(twice)}. Rename one`);
  }
  for (const group of groups) {
    if (group.columns.length === leaves.length) continue;
    throw cannotRead(name, "its footer is damaged (a row group lacks columns)");
  }
  return found;
}

const ENCRYPTED = "it is encrypted. Write it again without encryption";

/** A column, an element or a field, with the definition level from which on it is not null. */
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

/** A node that holds values. */
export interface LeafNode {
  readonly kind: "leaf";
  readonly definition: number;
  readonly repetition: number;
  /** Its place among the leaves, which is that of its chunk in a row group. */
  readonly index: number;
  /** The elements from the root to this one. */
  readonly elements: readonly SchemaElement[];
  /** What users call it: `price`, `items.price`. */
  readonly path: string;
}

/** A node with its name. */
export interface Field {
  readonly name: string;
  readonly node: SchemaNode;
}

/** What stands in a file. */
export interface FileSchema {
  readonly columns: readonly Field[];
  /** In the order of the file. */
  readonly leaves: readonly LeafNode[];
}

/** Reads the schema of a file. */
export function fileSchemaOf(schema: readonly SchemaElement[]): FileSchema {
  const root = new SchemaReader(schema);
  return { columns: root.readColumns(), leaves: root.leaves };
}

/** Where an element stands. */
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

  /** Reads the next element as one that may be repeated by itself, as older writers have lists. */
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

  /** https://github.com/apache/parquet-format/blob/master/LogicalTypes.md, backward-compatibility rules of lists */
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
