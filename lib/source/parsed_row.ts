/**
 * The result of reading a row: either a row to send, with its uid and hashes, or a problem.
 * Problems are returned instead of thrown, so that the other rows are still sent.
 *
 * @module
 */

import { sha256Start, xxHash64Hex } from "../hash.ts";
import { RESERVED_FIELDS, type Row } from "../row.ts";
import type { Message, Params } from "../teacher/mod.ts";
import { NO_IMAGES } from "./image_files.ts";
import { canonicalJson, isRawJson, isSet, ownField, parseLossless } from "./json_values.ts";
import type { ParsedJson, Shape } from "./shape.ts";

const NO_HINT = () => "";

export class RowProblem {
  /** What is wrong, in words that follow `file:line: `. */
  readonly problem: string;
  /** Returns what to do about all rows with this problem, which often is a flag to add; "" if there
   * is no advice. */
  readonly hint: () => string;

  constructor(problem: string, hint: () => string = NO_HINT) {
    this.problem = problem;
    this.hint = hint;
  }
}

const MAX_SHOWN_CHARS = 40;

/** Returns the problem `"NAME" must be WANTED: current value is …`, or `…: it is missing`. */
export function mustBe(
  name: string,
  wanted: string,
  value: unknown,
  hint?: () => string,
): RowProblem {
  return new RowProblem(`"${name}" must be ${wanted}: ${currentValue(value)}`, hint);
}

/** Returns `current value is …` or `it is missing`. Long texts are shortened, because prompts are
 * long. */
export function currentValue(value: unknown): string {
  return value === undefined ? "it is missing" : `current value is ${describe(value)}`;
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array";
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  if (value.length <= MAX_SHOWN_CHARS) return JSON.stringify(value);
  return `${JSON.stringify(value.slice(0, MAX_SHOWN_CHARS))}…`;
}

/** The state of reading one row: how to read the row, and what was found in addition to its
 * messages. */
export class Reading {
  readonly shape: Shape;
  readonly text: string;
  /** Whether a trailing assistant turn is sent as the start of the answer. */
  readonly keepsPrefill: boolean;
  /** The fields that the run's template names. They are parts of the prompt. */
  readonly templateFields: ReadonlySet<string>;
  /** Whether arguments that contain numbers were converted to JSON text. If so, the row must be
   * parsed again, so that the numbers stay as they were written. */
  hasNumber = false;
  /** Whether turns of tool calls are reduced to their calls, as in an earlier version. */
  readsCallsOnly = false;
  /** The fields of this row that are not sent although other rows of its shape send them. Includes
   * fields of turns, such as `messages[].id`. */
  unsent: Set<string> | undefined;
  /** The paths of images, which are read when the row is sent. */
  files: string[] | undefined;

  constructor(
    shape: Shape,
    text: string,
    keepsPrefill: boolean,
    templateFields: ReadonlySet<string>,
  ) {
    this.shape = shape;
    this.text = text;
    this.keepsPrefill = keepsPrefill;
    this.templateFields = templateFields;
  }

  /** Whether the row is a recorded conversation (ShareGPT, LMSYS). Its turns may contain metadata,
   * so only their message fields are sent. */
  get isLog(): boolean {
    return this.shape === "conversations" || this.shape === "conversation";
  }

  leaveOut(field: string): void {
    (this.unsent ??= new Set()).add(field);
  }
}

/** What a row sends, without the parameters of the run. */
export interface RowRequest {
  readonly messages: Message[];
  readonly params: Params | undefined;
}

/** Returns 16 hex digits that later show whether the messages or parameters of a row were
 * edited. */
export function requestHash({ messages, params }: RowRequest): string {
  return xxHash64Hex(
    `${JSON.stringify(messages)}\n${params === undefined ? "" : JSON.stringify(params)}`,
  );
}

const NO_NAMES: readonly string[] = Object.freeze([]);
const HASH_LENGTH = 16;
const RESERVED: ReadonlySet<string> = new Set(RESERVED_FIELDS);

export interface ReadRequest extends RowRequest {
  readonly reading: Reading;
}

export class ParsedRow {
  readonly uid: string;
  readonly shape: Shape;
  readonly messages: Message[];
  readonly params: Params | undefined;
  /** The JSON object as in the input. A bare array becomes `{"messages":[…]}`. */
  readonly text: string;
  /** Fields of the row with names that Retort uses for its own fields in results. */
  readonly clashes: readonly string[];
  /** Whether the uid is derived, because no field contains one. It is then the first 32 hex digits
   * of the SHA-256 of the row's canonical JSON. */
  readonly isUidDerived: boolean;
  readonly files: readonly string[];
  /** The fields that are not sent. See `Reading`. */
  readonly unsent: ReadonlySet<string> | undefined;
  /** The parsed row. It is an array if `text` wraps an array. */
  readonly json: ParsedJson;

  /**
   * @param source The JSON text as in the input.
   * @param uid The uid from a field; undefined if no field contains one.
   */
  constructor(
    json: ParsedJson,
    source: string,
    { messages, params, reading }: ReadRequest,
    uid: string | undefined,
  ) {
    const isArray = Array.isArray(json), text = source.trim();
    this.uid = uid ?? sha256Start(canonicalJson(source, json));
    this.shape = reading.shape;
    this.messages = messages;
    this.params = params;
    this.text = isArray ? `{"messages":${text}}` : text;
    this.clashes = isArray ? NO_NAMES : clashesOf(json);
    this.json = json;
    this.isUidDerived = uid === undefined;
    this.files = reading.files ?? NO_NAMES;
    this.unsent = reading.unsent;
  }

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

  /** Whether the row has the field with a value other than null. */
  has(field: string): boolean {
    return !Array.isArray(this.json) && isSet(ownField(this.json, field));
  }

  /** The hash is computed on each access, because most rows need it only once. */
  get promptHash(): string {
    return requestHash(this);
  }

  /** 16 hex digits that distinguish rows with the same uid. */
  get contentHash(): string {
    if (this.isUidDerived) return this.uid.slice(0, HASH_LENGTH);
    return xxHash64Hex(canonicalJson(this.text, this.json));
  }
}

function clashesOf(row: object): readonly string[] {
  for (const name in row) {
    if (RESERVED.has(name)) return RESERVED_FIELDS.filter((other) => Object.hasOwn(row, other));
  }
  return NO_NAMES;
}

const DEFAULT_FIELDS: readonly string[] = ["uid", "custom_id", "id"];

/** Returns the fields that may contain a uid, in the order in which they are tried. An earlier
 * version tried `userFields` last. */
export function uidFieldsOf(
  userFields: readonly string[] = [],
  areLast = false,
): readonly string[] {
  return areLast ? [...DEFAULT_FIELDS, ...userFields] : [...userFields, ...DEFAULT_FIELDS];
}

/** Returns the uid in the first of `fields` that has a value other than null or "". A number is
 * converted to the text that it has in the row, so `1` and `"1"` are the same uid, whereas `1.0` is
 * a different uid. */
export function givenUid(
  row: Readonly<Record<string, unknown>>,
  text: string,
  fields: readonly string[],
): string | undefined | RowProblem {
  for (const field of fields) {
    const value = ownField(row, field);
    if (!isSet(value) || value === "") continue;
    if (typeof value === "number") return findNumber(text, field) ?? exactNumber(text, field);
    return typeof value === "string" ? value : mustBe(field, "a string or a number", value);
  }
  return undefined;
}

const PLAIN_NAME = /^\w+$/;
/** Matches an escaped ASCII character. The name of a field may be written with such escapes. */
const ESCAPED_ASCII = /\\u00[2-7]/;
const NUMBER = /\s*:\s*(-?\d[\d.eE+-]*)/y;

/** Finds a number without parsing the row again. This is possible only if the quoted name occurs
 * once, and no key can be written with escapes. */
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
