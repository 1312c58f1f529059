/**
 * From a line of text to a row that can be sent: the hot path of the source.
 *
 * @module
 */

import { xxHash64Hex } from "../hash.ts";
import type { Row } from "../row.ts";
import { RESERVED_FIELDS } from "../row_fields.ts";
import type { Message, Params } from "../teacher/mod.ts";
import { canonicalJson } from "./canonical.ts";
import { holdsNumber, parseLossless } from "./lossless.ts";
import { BadRow, currentValue } from "./problem.ts";
import { rowParams } from "./row_params.ts";
import {
  detectShape,
  messagesOf,
  type ParsedJson,
  type PromptOptions,
  type Shape,
} from "./shape.ts";
import { compileTemplate } from "./template.ts";
import { derivedUid, givenUid, uidFieldsOf } from "./uid.ts";

export { BadRow } from "./problem.ts";
export type { Shape } from "./shape.ts";

/** How rows are read; the part of the run's `RowOptions` that one row alone needs. */
export interface RowParserOptions {
  /** Adds this system message where a row has none. */
  readonly system?: string;
  /** Makes the prompt of every row that is an object; comes before `promptField`. */
  readonly template?: string;
  /** The prompt of every row that has this field. */
  readonly promptField?: string;
  /** More fields that may name a row, after `uid`, `custom_id` and `id`. */
  readonly uidField?: readonly string[];
  /** The run's parameters; only `continue_final_message` is looked at. */
  readonly runParams?: Params;
  /** Why a row that is one cannot be sent to the teachers of the run. `params` are its own. @default each
   * one can */
  readonly problemOf?: (messages: readonly Message[], params: Params) => string | undefined;
}

/** Reads rows. */
export interface RowParser {
  /** Reads one row from its JSON text. Never throws. `uid` is its identity where that is known already. */
  parse(text: string, uid?: string): ParsedRow | BadRow;
}

/** What one row sends. */
interface Sent {
  readonly messages: Message[];
  readonly params: Params | undefined;
}

interface ParsedFields extends Sent {
  readonly uid: string;
  readonly shape: Shape;
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
  readonly #json: ParsedJson;

  /** For `RowParser` to call. */
  constructor(fields: ParsedFields) {
    this.uid = fields.uid;
    this.shape = fields.shape;
    this.messages = fields.messages;
    this.params = fields.params;
    this.text = fields.text;
    this.clashes = fields.clashes;
    this.#json = fields.json;
    this.isUidDerived = fields.isUidDerived;
  }

  /** The row on its way to the teacher for its first answer, under the id and from the place that the
   * run gives it. */
  at(place: Pick<Row, "uid" | "input" | "source">): Row {
    const { promptHash, messages, params, text, clashes } = this;
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
    };
  }

  /** Whether the row itself has a field with a value. */
  has(field: string): boolean {
    const json = this.#json;
    return !Array.isArray(json) && Object.hasOwn(json, field) && (json[field] ?? null) !== null;
  }

  /** 16 hex digits of xxHash64 over the messages and the row's parameters as sent: tells that a
   * prompt was edited. Made each time it is asked for, which is once for most rows. */
  get promptHash(): string {
    const params = this.params === undefined ? "" : JSON.stringify(this.params);
    return xxHash64Hex(`${JSON.stringify(this.messages)}\n${params}`);
  }

  /** 16 hex digits that tell two rows of one uid apart: xxHash64 over the row's canonical JSON, or
   * the start of the uid where that was made from the row itself. */
  get contentHash(): string {
    if (this.isUidDerived) return this.uid.slice(0, HASH_LENGTH);
    return xxHash64Hex(canonicalJson(this.text, this.#json));
  }
}

const HASH_LENGTH = 16;
const MAX_DEPTH = 1_000;
const NO_PARAMS: Params = Object.freeze({});
const NO_CLASHES: readonly string[] = Object.freeze([]);

/**
 * Makes a parser.
 *
 * @throws {RangeError} when the template is malformed
 */
export function createRowParser(options: RowParserOptions = {}): RowParser {
  const { system, promptField, runParams, problemOf } = options;
  const template = options.template === undefined ? undefined : compileTemplate(options.template);
  const prompts: PromptOptions = { system, promptField, template };
  const runKeepsPrefill = runParams?.continue_final_message;
  const uidFields = uidFieldsOf(options.uidField);

  function sentOf(json: ParsedJson, text: string, shape: Shape): Sent | BadRow {
    const params = rowParams(shape, json as Readonly<Record<string, unknown>>);
    if (params instanceof BadRow) return params;
    const keepsPrefill = (params?.continue_final_message ?? runKeepsPrefill) === true;
    const messages = messagesOf(json, { ...prompts, shape, text, keepsPrefill });
    if (messages instanceof BadRow) return messages;
    const problem = problemOf?.(messages, params ?? NO_PARAMS);
    return problem === undefined ? { messages, params } : new BadRow(problem);
  }

  function parse(text: string, known?: string): ParsedRow | BadRow {
    const json = parseJson(text);
    if (json instanceof BadRow) return json;
    const shape = detectShape(json, prompts);
    if (shape instanceof BadRow) return shape;
    let sent = sentOf(json, text, shape);
    if (sent instanceof BadRow) return sent;
    if (holdsNumber(sent.params) || holdsNumber(sent.messages)) {
      sent = sentOf(parseLossless(text) as ParsedJson, text, shape);
      if (sent instanceof BadRow) return sent;
    }
    const isArray = Array.isArray(json);
    const given = known ?? (isArray ? undefined : givenUid(json, text, uidFields));
    if (given instanceof BadRow) return given;
    const trimmed = text.trim();
    return new ParsedRow({
      uid: given ?? derivedUid(json, text),
      shape,
      messages: sent.messages,
      params: sent.params,
      text: isArray ? `{"messages":${trimmed}}` : trimmed,
      clashes: isArray ? NO_CLASHES : clashesOf(json),
      json,
      isUidDerived: given === undefined,
    });
  }

  return { parse };
}

function parseJson(text: string): ParsedJson | BadRow {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // The engine's own line and column are those of the one line; the file's line stands before.
    const reason = (error as Error).message.replace(/ \(line 1 column \d+\)$/, "");
    return new BadRow(`not JSON: ${reason}`, () => notJsonHint(text));
  }
  if (typeof value !== "object" || value === null) {
    return new BadRow(`must be an object or an array: ${currentValue(value)}`);
  }
  // Whether a deep row fits on the stack would depend on who calls; a fixed limit does not.
  if (text.length > MAX_DEPTH && isDeeperThan(value, MAX_DEPTH)) {
    return new BadRow(`nested too deeply: the limit is ${MAX_DEPTH} levels`);
  }
  return value as ParsedJson;
}

/** What other programs write in place of JSON. */
function notJsonHint(text: string): string {
  if (text.includes("\0")) return "NUL bytes: the file was not written whole";
  if (/^\s*[{[]\s*[{['].*'\s*:/s.test(text)) {
    return "written as Python: write rows with json.dumps";
  }
  if (/[\[:,]\s*(NaN|-?Infinity)\b/.test(text)) return "NaN and Infinity are no JSON: use null";
  if (/,\s*$/.test(text)) return "lines must not end with a comma";
  return "";
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) return value.some((element) => isDeeperThan(element, levels - 1));
  const object = value as Record<string, unknown>;
  for (const key in object) {
    if (isDeeperThan(object[key], levels - 1)) return true;
  }
  return false;
}

function clashesOf(row: Readonly<Record<string, unknown>>): readonly string[] {
  for (const name of RESERVED_FIELDS) {
    if (Object.hasOwn(row, name)) {
      return RESERVED_FIELDS.filter((other) => Object.hasOwn(row, other));
    }
  }
  return NO_CLASHES;
}
