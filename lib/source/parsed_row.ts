/**
 * A row that was read and can be sent, and its identity.
 *
 * @module
 */

import { sha256Start, xxHash64Hex } from "../hash.ts";
import type { Row } from "../row.ts";
import type { Message, Params } from "../teacher/mod.ts";
import { canonicalJson, isRawJson, parseLossless } from "./json_values.ts";
import { mustBe, type Reading, type RowProblem } from "./problem.ts";
import type { ParsedJson, Shape } from "./shape.ts";
import { TeacherError } from "../errors.ts";

/** What is sent for a row. */
export interface RowRequest {
  /** Oldest first. */
  readonly messages: Message[];
  /** The parameters that the row sets for itself. */
  readonly params: Params | undefined;
}

/** 16 hex digits of xxHash64 over the messages and the row's parameters as sent. */
export function requestHash({ messages, params }: RowRequest): string {
  return xxHash64Hex(
    `${JSON.stringify(messages)}\n${params === undefined ? "" : JSON.stringify(params)}`,
  );
}

/** An empty list, shared by all rows. */
export const NO_NAMES: readonly string[] = Object.freeze([]);
const HASH_LENGTH = 16;

interface ParsedFields extends RowRequest {
  readonly reading: Reading;
  readonly uid: string;
  readonly text: string;
  readonly clashes: readonly string[];
  readonly json: ParsedJson;
  readonly isUidDerived: boolean;
}

/** A row that can be sent. */
export class ParsedRow {
  /** Its identity. */
  readonly uid: string;
  /** The shape in which it was read. */
  readonly shape: Shape;
  /** What is sent, oldest first. */
  readonly messages: Message[];
  /** The parameters that the row sets for itself. */
  readonly params: Params | undefined;
  /** Its JSON object as in the input; a bare array becomes `{"messages":[…]}`. */
  readonly text: string;
  /** Names in it that Retort writes too. */
  readonly clashes: readonly string[];
  /** Whether its identity was made from the row itself. */
  readonly isUidDerived: boolean;
  /** Local files that its messages name as images. */
  readonly files: readonly string[];
  /**
   * Fields that other rows of this shape send but this one does not, and fields of its turns that
   * are not sent.
   */
  readonly unsent: ReadonlySet<string> | undefined;
  /** Its parsed text. */
  readonly json: ParsedJson;

  /** For `RowParser` to call. */
  constructor(fields: ParsedFields) {
    this.uid = fields.uid;
    this.shape = fields.reading.shape;
    this.messages = fields.messages;
    this.params = fields.params;
    this.text = fields.text;
    this.clashes = fields.clashes;
    this.json = fields.json;
    this.isUidDerived = fields.isUidDerived;
    this.files = fields.reading.files ?? NO_NAMES;
    this.unsent = fields.reading.unsent;
  }

  /**
   * The row for the engine, with the id and the place that the run gives it. `images` reads the
   * files that it names.
   */
  at(place: Pick<Row, "uid" | "input" | "source" | "given">, images = NO_IMAGES): Row {
    const { promptHash, messages, params, text, clashes, files } = this;
    return {
      uid: place.uid,
      promptHash,
      messages,
      params,
      text,
      clashes,
      input: place.input,
      source: place.source,
      sample: 0,
      given: place.given,
      readFiles: files.length === 0 ? undefined : () => images.readIn(messages, files),
    };
  }

  /** Whether the row itself has a field with a value. */
  has(field: string): boolean {
    const { json } = this;
    return !Array.isArray(json) && Object.hasOwn(json, field) && (json[field] ?? null) !== null;
  }

  /**
   * 16 hex digits of xxHash64 over the messages and the row's parameters as sent: it shows that a
   * prompt was edited. Computed on each access, which is once for most rows.
   */
  get promptHash(): string {
    return requestHash(this);
  }

  /** 16 hex digits that distinguish two rows of one uid: xxHash64 over the row's canonical JSON, or
   * the start of the uid where that was derived from the row. */
  get contentHash(): string {
    if (this.isUidDerived) return this.uid.slice(0, HASH_LENGTH);
    return xxHash64Hex(canonicalJson(this.text, this.json));
  }
}

const DEFAULT_FIELDS: readonly string[] = ["uid", "custom_id", "id"];

/**
 * The fields that may hold the uid, in order. `namedLast` is the order of an earlier version, in
 * which the user's fields came after the others.
 */
export function uidFieldsOf(
  named: readonly string[] = [],
  { namedLast = false }: { namedLast?: boolean } = {},
): readonly string[] {
  return namedLast ? [...DEFAULT_FIELDS, ...named] : [...named, ...DEFAULT_FIELDS];
}

/**
 * The uid in a row's own field, always as a string; undefined without one. A field that is null or
 * empty counts as absent. A number becomes the text that it was written as, so `1` and `"1"` are
 * one uid and `1.0` is another.
 */
export function givenUid(
  row: Readonly<Record<string, unknown>>,
  text: string,
  fields: readonly string[],
): string | undefined | RowProblem {
  for (const field of fields) {
    // Every object inherits `constructor`; only the row's own fields count.
    const value = Object.hasOwn(row, field) ? row[field] : undefined;
    if (value === undefined || value === null || value === "") continue;
    if (typeof value === "number") return findNumber(text, field) ?? exactNumber(text, field);
    return typeof value === "string" ? value : mustBe(field, "a string or a number", value);
  }
  return undefined;
}

/**
 * The uid of a row without a field for it: the first 32 hex digits of SHA-256 over its canonical
 * JSON.
 */
export function derivedUid(row: unknown, text: string): string {
  return sha256Start(canonicalJson(text, row));
}

const PLAIN_NAME = /^\w+$/;
const ESCAPED_ASCII = /\\u00[2-7]/;
const NUMBER = /\s*:\s*(-?\d[\d.eE+-]*)/y;

/**
 * The text of a number field, where it can be found without parsing the row a second time. If the
 * quoted name occurs in the text only once, and cannot be spelled with escapes, that place is the
 * field.
 */
function findNumber(text: string, field: string): string | undefined {
  if (!PLAIN_NAME.test(field) || ESCAPED_ASCII.test(text)) return undefined;
  const quoted = `"${field}"`;
  const at = text.indexOf(quoted);
  if (text.indexOf(quoted, at + 1) !== -1) return undefined;
  NUMBER.lastIndex = at + quoted.length;
  return NUMBER.exec(text)?.[1];
}

function exactNumber(text: string, field: string): string {
  const value = (parseLossless(text) as Record<string, unknown>)[field];
  return isRawJson(value) ? value.rawJSON : String(value);
}

/** Reads images by the paths in rows. */
export interface RowImages {
  /** What is wrong with a path, or undefined. */
  problemOf(path: string): string | undefined;
  /**
   * Messages with the files that they name as data URLs. The files are read each time, so that they
   * are not kept in memory.
   *
   * @throws {TeacherError} If one can no longer be read.
   */
  readIn(messages: readonly Message[], paths: readonly string[]): Promise<Message[]>;
}

/** Refuses all paths, with advice. */
export function withoutImages(advice: string): RowImages {
  return {
    problemOf: (path) => `cannot send the image ${JSON.stringify(path)}: ${advice}`,
    readIn: (_messages, [path]) => Promise.reject(unreadableImage(path, advice)),
  };
}

/** No folder was named: paths are refused. */
export const NO_IMAGES: RowImages = withoutImages(
  "name the folder of the images (--images-root, imagesRoot)",
);

/** The failure of a row whose image cannot be read. */
export function unreadableImage(path: string, reason: string, cause?: unknown): TeacherError {
  return new TeacherError(`Cannot send the image ${JSON.stringify(path)}: ${reason}`, {
    type: "bad_row",
    code: "unreadable_file",
    cause,
  });
}
