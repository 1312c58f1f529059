/**
 * Parses the JSON text of a row and decides what is sent. This is on the hot path: it runs for
 * every row in both passes over a large input.
 *
 * @module
 */

import { isTooDeep } from "../json.ts";
import type { Message, Params } from "../teacher/mod.ts";
import { earlierRequest } from "./earlier_request.ts";
import {
  contentFlags,
  HOLDS_NULL,
  HOLDS_NUMBER,
  holdsNumber,
  messagesWithoutNulls,
  parseLossless,
} from "./json_values.ts";
import {
  currentValue,
  givenUid,
  ParsedRow,
  Reading,
  type ReadRequest,
  requestHash,
  RowProblem,
  type RowRequest,
  uidFieldsOf,
} from "./parsed_row.ts";
import { compileTemplate } from "./prompt_texts.ts";
import { isSentInRequest, requestParams, rowParams, unsentParams } from "./row_params.ts";
import {
  detectShape,
  fieldsUsed,
  messagesOf,
  type ParsedJson,
  type PromptOptions,
  type RowObject,
  type Shape,
  textFields,
} from "./shape.ts";

export interface RowParserOptions {
  readonly system?: string;
  readonly template?: string;
  readonly promptField?: string;
  /** The fields that may contain the uid. They are tried before `uid`, `custom_id` and `id`. */
  readonly uidField?: readonly string[];
  /** Whether `uidField` is tried after `id`, as in an earlier version. @default false */
  readonly uidFieldLast?: boolean;
  /** The parameters of the run. Only `continue_final_message` is used. */
  readonly runParams?: Params;
  /** Returns why the run's teachers cannot accept a valid row; undefined if they can. `params` are
   * the row's own parameters. */
  readonly problemOf?: (messages: readonly Message[], params: Params) => string | undefined;
}

/** Maximum depth of a row. Results of deeper rows would exceed Python's default recursion limit in
 * `json`. */
const MAX_DEPTH = 1_000;
const NO_PARAMS: Params = Object.freeze({});
const NO_FIELDS: ReadonlySet<string> = new Set();

export class RowParser {
  readonly #promptOptions: PromptOptions;
  readonly #templateFields: ReadonlySet<string>;
  readonly #uidFields: readonly string[];
  /** The value of `continue_final_message` for the run. Rows may override it. */
  readonly #runKeepsPrefill: unknown;
  readonly #problemOf: RowParserOptions["problemOf"];
  readonly #usedFields = new Map<Shape, ReadonlySet<string>>();

  constructor(options: RowParserOptions = {}) {
    const { system, promptField, runParams, uidFieldLast, problemOf } = options;
    const template = options.template === undefined ? undefined : compileTemplate(options.template);
    this.#promptOptions = { system, promptField, template };
    this.#templateFields = template?.fields ?? NO_FIELDS;
    this.#uidFields = uidFieldsOf(options.uidField, uidFieldLast);
    this.#runKeepsPrefill = runParams?.continue_final_message;
    this.#problemOf = problemOf;
  }

  /**
   * Reads a row. Never throws.
   *
   * @param knownUid The uid, if the caller already knows it.
   */
  parse(text: string, knownUid?: string): ParsedRow | RowProblem {
    const json = parseRowJson(text);
    if (json instanceof RowProblem) return json;
    const request = this.#requestOf(json, text);
    if (request instanceof RowProblem) return request;
    const problem = this.#problemOf?.(request.messages, request.params ?? NO_PARAMS);
    if (problem !== undefined) return new RowProblem(problem);
    const uid = knownUid ??
      (Array.isArray(json) ? undefined : givenUid(json, text, this.#uidFields));
    return uid instanceof RowProblem ? uid : new ParsedRow(json, text, request, uid);
  }

  /**
   * Returns what earlier versions sent for a row, starting with the latest version. Versions that
   * could not read the row are skipped.
   *
   * @param text The row's JSON object, as in a results line.
   * @param isArray Whether the row was a bare array of messages, which `text` wraps in an object.
   */
  earlierRequests(text: string, isArray = false): RowRequest[] {
    // Templates and prompt fields do not apply to bare arrays.
    const options = isArray ? { system: this.#promptOptions.system } : this.#promptOptions;
    const oldest = earlierRequest(text, {
      ...options,
      keepsPrefill: this.#runKeepsPrefill === true,
    });
    const source = isArray ? text.slice('{"messages":'.length, -1) : text;
    const json = parseRowJson(source);
    const callsOnly = json instanceof RowProblem ? json : this.#requestOf(json, source, true);
    return [
      ...callsOnly instanceof RowProblem ? [] : [callsOnly],
      ...oldest === undefined ? [] : [oldest],
    ];
  }

  /** Returns what this version or an earlier one sent for a row, given its `prompt_hash`. Returns
   * undefined if none of the possible `texts` of the row has that hash. */
  requestWithHash(texts: readonly string[], promptHash: unknown): RowRequest | undefined {
    for (const text of texts) {
      const row = this.parse(text);
      if (row instanceof ParsedRow && row.promptHash === promptHash) return row;
      const earlier = this.earlierRequests(text)
        .find((request) => requestHash(request) === promptHash);
      if (earlier !== undefined) return earlier;
    }
    return undefined;
  }

  /** Adds to `names` the fields of a row that have a value but are neither sent nor read for a uid.
   * Stops once there are `maxNames` names. */
  addUnsent({ json, shape, unsent }: ParsedRow, names: Set<string>, maxNames: number): void {
    if (Array.isArray(json)) return;
    const row = json as RowObject;
    const used = this.#usedFieldsOf(shape);
    let isRawRequest: boolean | undefined;
    for (const name in row) {
      if (names.size >= maxNames) return;
      if (used.has(name) || row[name] === null || names.has(name)) continue;
      isRawRequest ??= shape === "messages" && requestParams(row) !== false;
      if (!isRawRequest || !isSentInRequest(name, row)) names.add(name);
    }
    for (const name of [...unsent ?? [], ...unsentParams(shape, row)]) {
      if (names.size < maxNames) names.add(name);
    }
  }

  /** Returns the fields that the messages contain in full, apart from old answers at their end. */
  textFieldsOf({ shape, unsent }: ParsedRow): string[] {
    const names = textFields(shape, this.#promptOptions);
    // A template that names `a.b` lists `a` among its fields, but sends only a part of `a`.
    const isPart = (name: string) => names.some((other) => other.startsWith(`${name}.`));
    return names.filter((name) => !unsent?.has(name) && !isPart(name));
  }

  /**
   * Creates the request of a row. Numbers stay as they were written, and keys with null are
   * removed.
   *
   * @param readsCallsOnly See `Reading`.
   */
  #requestOf(
    json: ParsedJson,
    text: string,
    readsCallsOnly = false,
  ): ReadRequest | RowProblem {
    const shape = detectShape(json, this.#promptOptions);
    if (shape instanceof RowProblem) return shape;
    const plain = this.#read(json, text, shape, readsCallsOnly);
    if (plain instanceof RowProblem) return plain;
    const flags = contentFlags(plain.messages);
    const hasNumber = (flags & HOLDS_NUMBER) !== 0 || plain.reading.hasNumber ||
      holdsNumber(plain.params);
    const request = hasNumber
      ? this.#read(parseLossless(text) as ParsedJson, text, shape, readsCallsOnly)
      : plain;
    if (request instanceof RowProblem || (flags & HOLDS_NULL) === 0) return request;
    return { ...request, messages: messagesWithoutNulls(request.messages) };
  }

  #read(
    json: ParsedJson,
    text: string,
    shape: Shape,
    readsCallsOnly: boolean,
  ): ReadRequest | RowProblem {
    const params = rowParams(shape, json);
    if (params instanceof RowProblem) return params;
    const keepsPrefill = (params?.continue_final_message ?? this.#runKeepsPrefill) === true;
    const reading = new Reading(shape, text, keepsPrefill, this.#templateFields);
    reading.readsCallsOnly = readsCallsOnly;
    const messages = messagesOf(json, this.#promptOptions, reading);
    return messages instanceof RowProblem ? messages : { messages, params, reading };
  }

  #usedFieldsOf(shape: Shape): ReadonlySet<string> {
    let used = this.#usedFields.get(shape);
    if (used === undefined) {
      const parameters = shape === "openai-batch" ? [] : ["params", "tools"];
      const prompts = fieldsUsed(shape, this.#promptOptions);
      used = new Set([...this.#uidFields, ...parameters, ...prompts]);
      this.#usedFields.set(shape, used);
    }
    return used;
  }
}

export function parseRowJson(text: string): ParsedJson | RowProblem {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // V8 counts lines within the row, but the message already names the line in the file.
    const reason = (error as Error).message.replace(/ \(line 1 column \d+\)$/, "");
    return new RowProblem(`not JSON: ${reason}`, () => notJsonHint(text));
  }
  if (typeof value !== "object" || value === null) {
    const problem = `must be an object or an array: ${currentValue(value)}`;
    return new RowProblem(problem, () => typeof value === "string" ? TEXTS_HINT : "");
  }
  // The limit is fixed because the depth that fits on the stack depends on the caller.
  if (text.length > MAX_DEPTH && isTooDeep(value, MAX_DEPTH)) {
    return new RowProblem(`nested too deeply: the limit is ${MAX_DEPTH} levels`);
  }
  return value as ParsedJson;
}

/** The command in this advice accepts a list of texts or one text per line. */
const TEXTS_HINT =
  "if the texts are prompts, make rows of them with jq -c '(.[]? // .) | {prompt: .}'";

function notJsonHint(text: string): string {
  if (text.includes("\0")) return "NUL bytes: the file was not written completely";
  if (/^\s*[{[]\s*[{['].*'\s*:/s.test(text)) {
    return "written as Python: write rows with json.dumps";
  }
  if (/[\[:,]\s*(NaN|-?Infinity)\b/.test(text)) return "NaN and Infinity are not JSON: use null";
  if (/,\s*$/.test(text)) return "lines must not end with a comma";
  return "";
}
