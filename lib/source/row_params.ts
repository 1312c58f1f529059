/**
 * Reads the parameters and tools that a row sets, and decides whether the row itself is a request
 * body. A row with columns that no request has is not a request body.
 *
 * @module
 */

import { isObject } from "../json.ts";
import { asksForSeveral, BODY_PARAMS, secretParam } from "../params.ts";
import type { Params } from "../teacher/mod.ts";
import {
  isRawJson,
  isSet,
  parsedLossless,
  setField,
  toolsWithoutNulls,
  withoutNulls,
} from "./json_values.ts";
import { currentValue, mustBe, RowProblem } from "./parsed_row.ts";
import type { ParsedJson, RowObject, Shape } from "./shape.ts";
import { hasText, isEmptyCell } from "./tool_calls.ts";

/** Fields of a raw request body that are not sent. OpenAI accepts the parameter `metadata` only
 * together with `store`. */
const ROW_FIELDS: ReadonlySet<string> = new Set(["uid", "custom_id", "id", "metadata"]);

/** Returns the parameters of a raw request body. Returns undefined if it has no parameters, and
 * `false` if the row is not a request body. Rows of LMSYS and WildChat contain a `model`, which is
 * the model that answered, but also columns that no request has. */
export function requestParams(row: RowObject): Record<string, unknown> | undefined | false {
  let params: Record<string, unknown> | undefined;
  for (const name in row) {
    if (name === "messages" || ROW_FIELDS.has(name)) continue;
    if (!BODY_PARAMS.has(name)) return false;
    const value = row[name];
    if (value === null) continue;
    const type = BODY_PARAMS.get(name);
    if (type !== undefined && type !== typeOf(value)) return false;
    setField(params ??= {}, name, value);
  }
  if (sendsMetadata(row)) setField(params ??= {}, "metadata", row.metadata);
  return params;
}

export function isSentInRequest(name: string, row: RowObject): boolean {
  if (name === "metadata") return sendsMetadata(row);
  return !ROW_FIELDS.has(name) && !isIgnored(name, row[name]);
}

/** Parameters that are ignored in rows, because the run decides whether answers are streamed. */
const STREAM_PARAMS = ["stream", "stream_options"];

/** Whether the parameter is ignored and would have an effect. `false`, the default, has no
 * effect. */
function isIgnored(name: string, value: unknown): boolean {
  return STREAM_PARAMS.includes(name) && isSet(value) && value !== false;
}

/** Returns the paths of ignored parameters in the row, such as `body.stream`. */
export function unsentParams(shape: Shape, row: RowObject): readonly string[] {
  const holder = shape === "openai-batch" ? "body" : "params";
  const params = row[holder];
  if (!isObject(params)) return [];
  const holders = [[holder, params], [`${holder}.extra_body`, params.extra_body]] as const;
  return holders.flatMap(([path, fields]) =>
    STREAM_PARAMS.filter((name) => isObject(fields) && isIgnored(name, fields[name]))
      .map((name) => `${path}.${name}`)
  );
}

function sendsMetadata(row: RowObject): boolean {
  return row.store === true && isSet(row.metadata);
}

function typeOf(value: unknown): string {
  return Array.isArray(value) ? "array" : typeof value;
}

/** Returns the parameters of a row. In an OpenAI Batch row, these are `body` without the messages.
 * In a raw request body, these are all fields except the messages, the ids, and `metadata` if there
 * is no `store`. In other rows, these are `params` and `tools`. Members of `extra_body` are
 * parameters too. */
export function rowParams(shape: Shape, row: ParsedJson): Params | undefined | RowProblem {
  if (shape === "message-array") return undefined;
  const object = row as RowObject;
  if (shape === "openai-batch") {
    const { messages: _messages, ...rest } = object.body as Record<string, unknown>;
    return checkedParams(rest, "body");
  }
  const bodyParams = shape === "messages" && requestParams(object);
  if (bodyParams !== false) return bodyParams && checkedParams(bodyParams, "");
  const { params, tools } = object;
  if (!isSet(params) && !isSet(tools)) return undefined;
  if (isSet(params) && !isObject(params)) return mustBe("params", "an object", params);
  return checkedParams({ ...params as object, ...isSet(tools) && { tools } }, "params");
}

/** @param holder The field that contains the parameters; "" for the row itself. */
function checkedParams(
  fields: Record<string, unknown>,
  holder: string,
): Params | undefined | RowProblem {
  const { extra_body: extra, ...direct } = fields;
  const prefix = holder === "" ? "" : `${holder}.`;
  if (extra !== undefined && extra !== null && !isObject(extra)) {
    return mustBe(`${prefix}extra_body`, "an object", extra);
  }
  // `extra_body` overrides the other fields, as in OpenAI's own client.
  const { stream: _stream, stream_options: _options, ...params } = { ...direct, ...extra };
  const secret = secretParam(params);
  if (secret !== undefined) {
    return new RowProblem(`"${prefix}${secret}" must not be in a row: it is a credential`);
  }
  if (Object.hasOwn(params, "messages")) {
    const field = holder === "" ? "extra_body" : holder;
    return new RowProblem(`"${field}" must not contain "messages": they belong in the row itself`);
  }
  if (asksForSeveral(params)) {
    return new RowProblem(
      `"${prefix}n" must be 1 (use --samples for several answers): ${currentValue(params.n)}`,
    );
  }
  const withTools = isSet(params.tools) ? withParsedTools(params, holder) : params;
  if (withTools instanceof RowProblem) return withTools;
  // In files created from tables, every row has every column, and null stands for an unset
  // parameter.
  const result = withoutNulls(withTools, (object) => object !== withTools);
  return Object.keys(result).length === 0 ? undefined : result;
}

function withParsedTools(params: Record<string, unknown>, holder: string): Params | RowProblem {
  const tools = toolsOf(params.tools, holder === "body" ? "body.tools" : "tools");
  if (tools instanceof RowProblem) return tools;
  if (tools !== undefined) return { ...params, tools: toolsWithoutNulls(tools) };
  const { tools: _none, ...rest } = params;
  return rest;
}

const TOOL_FORM = 'an object such as {"type":"function","function":{…}}';

/**
 * Reads a list of tools or of bare functions (LLaMA-Factory), or the JSON text of the list. Returns
 * undefined for an empty list or cell, because the API rejects an empty list.
 */
function toolsOf(value: unknown, name: string): unknown[] | undefined | RowProblem {
  if (typeof value === "string" && isEmptyCell(value)) return undefined;
  const tools = typeof value === "string" ? parsedLossless(value) : value;
  if (!Array.isArray(tools)) return mustBe(name, "an array of tools, or its JSON text", value);
  if (tools.length === 0) return undefined;
  const converted: unknown[] = [];
  for (let i = 0; i < tools.length; i++) {
    const tool = typeof tools[i] === "string" ? parsedLossless(tools[i]) : tools[i];
    if (!isObject(tool)) return mustBe(`${name}[${i}]`, TOOL_FORM, tools[i]);
    const isBare = typeof tool.name === "string" && !hasText(tool.type) && !tool.function;
    converted.push(isBare ? { type: "function", function: withSchema(tool) } : tool);
  }
  return converted;
}

/** The types of JSON Schema by their names in Python. */
const JSON_TYPES: ReadonlyMap<string, string> = new Map(Object.entries({
  str: "string",
  int: "integer",
  float: "number",
  bool: "boolean",
  list: "array",
  set: "array",
  tuple: "array",
  dict: "object",
}));

/** Converts `parameters` to a JSON schema. The sources are Anthropic's `input_schema`, BFCL's
 * schemas with Python types, and the parameters of xLAM and APIGen
 * (`{"x":{"type":"int, optional","default":…}}`). */
function withSchema(tool: Record<string, unknown>): Record<string, unknown> {
  if (isObject(tool.input_schema) && !isSet(tool.parameters)) {
    const { input_schema: parameters, ...rest } = tool;
    return { ...rest, parameters };
  }
  const { parameters } = tool;
  if (!isObject(parameters)) return tool;
  if (parameters.type === "dict") return { ...tool, parameters: withJsonTypes(parameters) };
  if (typeof parameters.type === "string") return tool;
  const entries = Object.entries(parameters);
  const isByName = entries.length > 0 &&
    entries.every(([, parameter]) => isObject(parameter) && typeof parameter.type === "string");
  if (!isByName) return tool;
  const required: string[] = [];
  const properties = entries.map(([name, parameter]) => {
    const { type, ...rest } = parameter as Record<string, unknown> & { type: string };
    const [, typeName] = /^\s*(\w*)/.exec(type)!;
    if (!/\boptional\b/i.test(type) && !isSet(rest.default)) required.push(name);
    return [name, { type: JSON_TYPES.get(typeName.toLowerCase()) ?? type, ...rest }];
  });
  const schema = { type: "object", properties: Object.fromEntries(properties) };
  return { ...tool, parameters: required.length === 0 ? schema : { ...schema, required } };
}

function withJsonTypes(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withJsonTypes);
  if (!isObject(schema) || isRawJson(schema)) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [
      name,
      name === "type" && typeof value === "string"
        ? JSON_TYPES.get(value) ?? value
        : withJsonTypes(value),
    ]),
  );
}
