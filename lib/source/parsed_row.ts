/**
 * A row that can be sent, with its uid and its hashes, and the interface that reads its images.
 *
 * @module
 */

import { sha256Start, xxHash64Hex } from "../hash.ts";
import type { Row } from "../row.ts";
import type { Message, Params } from "../teacher/mod.ts";
import { canonicalJson, isRawJson, parseLossless } from "./json_values.ts";
import { mustBe, type Reading, type RowProblem } from "./problem.ts";
import type { ParsedJson, Shape } from "./shape.ts";
import { TeacherError, UNREADABLE_FILE } from "../errors.ts";

/** What is sent for a row, apart from the parameters of the run. */
export interface RowRequest {
  /** Oldest first. */
  readonly messages: Message[];
  /** The parameters that the row sets for itself. */
  readonly params: Params | undefined;
}

/** 16 hex digits: the xxHash64 of a row's messages and own parameters, as sent. */
export function requestHash({ messages, params }: RowRequest): string {
  return xxHash64Hex(
    `${JSON.stringify(messages)}\n${params === undefined ? "" : JSON.stringify(params)}`,
  );
}

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
  readonly uid: string;
  readonly shape: Shape;
  /** What is sent, oldest first. */
  readonly messages: Message[];
  /** The parameters that the row sets for itself. */
  readonly params: Params | undefined;
  /** The row's JSON object as in the input; a bare array becomes `{"messages":[…]}`. */
  readonly text: string;
  /** The row's fields that have the name of a field that Retort writes in results. */
  readonly clashes: readonly string[];
  /** Whether the uid is a hash of the row, because no field holds a uid. */
  readonly isUidDerived: boolean;
  /** The paths of the image files in `messages`. */
  readonly files: readonly string[];
  /**
   * Fields that this row does not send, although other rows of its shape do; also fields of turns
   * that are not sent, such as `messages[].id`.
   */
  readonly unsent: ReadonlySet<string> | undefined;
  /** The parsed input: an array if `text` wraps one. */
  readonly json: ParsedJson;

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

  /** The row for the engine, with its place in the run. Its images are read when it is sent. */
  toRow(place: Pick<Row, "uid" | "input" | "source" | "given">, images = NO_IMAGES): Row {
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
      readFiles: files.length === 0 ? undefined : () => images.inlineImages(messages, files),
    };
  }

  /** Whether the row has this field, with a value other than null. */
  has(field: string): boolean {
    const { json } = this;
    return !Array.isArray(json) && Object.hasOwn(json, field) && (json[field] ?? null) !== null;
  }

  /**
   * The `requestHash`, which shows later whether a prompt was edited. Computed on each access: most
   * rows need it once.
   */
  get promptHash(): string {
    return requestHash(this);
  }

  /**
   * 16 hex digits that distinguish rows with the same uid: the xxHash64 of the row's canonical
   * JSON, or the start of a derived uid.
   */
  get contentHash(): string {
    if (this.isUidDerived) return this.uid.slice(0, HASH_LENGTH);
    return xxHash64Hex(canonicalJson(this.text, this.json));
  }
}

const DEFAULT_FIELDS: readonly string[] = ["uid", "custom_id", "id"];

/**
 * The fields that may hold the uid, in the order in which they are tried.
 *
 * @param uidFieldLast Puts the user's fields last, as an earlier version did.
 */
export function uidFieldsOf(
  userFields: readonly string[] = [],
  { uidFieldLast = false }: { uidFieldLast?: boolean } = {},
): readonly string[] {
  return uidFieldLast ? [...DEFAULT_FIELDS, ...userFields] : [...userFields, ...DEFAULT_FIELDS];
}

/**
 * The uid in the first of `fields` that a row has; undefined if it has none. Null and "" count as
 * absent. A number becomes the text that it was written as, so `1` and `"1"` are one uid and `1.0`
 * is another.
 *
 * @param text The JSON text of `row`.
 */
export function givenUid(
  row: Readonly<Record<string, unknown>>,
  text: string,
  fields: readonly string[],
): string | undefined | RowProblem {
  for (const field of fields) {
    // `hasOwn`: a user's field may be called "constructor", which every object inherits.
    const value = Object.hasOwn(row, field) ? row[field] : undefined;
    if (value === undefined || value === null || value === "") continue;
    if (typeof value === "number") return findNumber(text, field) ?? exactNumber(text, field);
    return typeof value === "string" ? value : mustBe(field, "a string or a number", value);
  }
  return undefined;
}

/** The uid of a row without one: the first 32 hex digits of SHA-256 over its canonical JSON. */
export function derivedUid(row: unknown, text: string): string {
  return sha256Start(canonicalJson(text, row));
}

const PLAIN_NAME = /^\w+$/;
/** An ASCII character, as in a name, that is written as an escape. */
const ESCAPED_ASCII = /\\u00[2-7]/;
/** A colon and a number, after the name of a field. */
const NUMBER = /\s*:\s*(-?\d[\d.eE+-]*)/y;

/**
 * Finds the text of a number field without parsing the row a second time; returns undefined if that
 * is not safe. It is safe if the quoted name occurs once, and no key can be spelled with escapes.
 */
function findNumber(text: string, field: string): string | undefined {
  if (!PLAIN_NAME.test(field) || ESCAPED_ASCII.test(text)) return undefined;
  const quoted = `"${field}"`;
  const start = text.indexOf(quoted);
  if (text.indexOf(quoted, start + 1) !== -1) return undefined;
  NUMBER.lastIndex = start + quoted.length;
  return NUMBER.exec(text)?.[1];
}

function exactNumber(text: string, field: string): string {
  const value = (parseLossless(text) as Record<string, unknown>)[field];
  return isRawJson(value) ? value.rawJSON : String(value);
}

/** Checks and reads the images whose paths are in rows. */
export interface RowImages {
  /** Why the image at a path cannot be sent; undefined if it can. */
  problemOf(path: string): string | undefined;
  /**
   * Returns the messages with data URLs in place of `paths`. Reads the files on each call instead
   * of keeping them in memory.
   *
   * @throws {TeacherError} If a file can no longer be read.
   */
  inlineImages(messages: readonly Message[], paths: readonly string[]): Promise<Message[]>;
}

/** Rejects every path, with advice. */
export function withoutImages(advice: string): RowImages {
  return {
    problemOf: (path) => `cannot send the image ${JSON.stringify(path)}: ${advice}`,
    inlineImages: (_messages, [path]) => Promise.reject(unreadableImage(path, advice)),
  };
}

export const NO_IMAGES: RowImages = withoutImages(
  "name the folder of the images (--images-root, imagesRoot)",
);

/** The error of a row whose image cannot be read: the row fails without a retry. */
export function unreadableImage(path: string, reason: string, cause?: unknown): TeacherError {
  return new TeacherError(`Cannot send the image ${JSON.stringify(path)}: ${reason}`, {
    type: "bad_row",
    code: UNREADABLE_FILE,
    cause,
  });
}
