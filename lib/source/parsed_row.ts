/**
 * A row that was read and can be sent.
 *
 * @module
 */

import { xxHash64Hex } from "../hash.ts";
import type { Row } from "../row.ts";
import type { Message, Params } from "../teacher/mod.ts";
import { canonicalJson } from "./canonical.ts";
import type { Reading } from "./reading.ts";
import { NO_IMAGES } from "./row_images.ts";
import type { ParsedJson, Shape } from "./shape.ts";

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

/** What holds no names. */
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
  /** What it looked like. */
  readonly shape: Shape;
  /** What is sent, oldest first. */
  readonly messages: Message[];
  /** The parameters that the row sets for itself. */
  readonly params: Params | undefined;
  /** Its JSON object as it stood in the input; a bare array stands here as `{"messages":[…]}`. */
  readonly text: string;
  /** Names in it that Retort writes too. */
  readonly clashes: readonly string[];
  /** Whether its identity was made from the row itself. */
  readonly isUidDerived: boolean;
  /** Local files that its messages name as images. */
  readonly files: readonly string[];
  /** Fields that rows of its shape send, but this one does not, and fields of its turns. */
  readonly unsent: ReadonlySet<string> | undefined;
  /** What its text holds. */
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

  /** The row on its way to the teacher for its first answer, under the id and from the place that the
   * run gives it. `images` is where the files are that it names. */
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

  /** 16 hex digits of xxHash64 over the messages and the row's parameters as sent: tells that a
   * prompt was edited. Made each time it is asked for, which is once for most rows. */
  get promptHash(): string {
    return requestHash(this);
  }

  /** 16 hex digits that tell two rows of one uid apart: xxHash64 over the row's canonical JSON, or
   * the start of the uid where that was made from the row itself. */
  get contentHash(): string {
    if (this.isUidDerived) return this.uid.slice(0, HASH_LENGTH);
    return xxHash64Hex(canonicalJson(this.text, this.json));
  }
}
