/**
 * The parameters that a row sets for itself.
 *
 * @module
 */

import { secretParam } from "../secret_names.ts";
import type { Params } from "../teacher/mod.ts";
import { requestParams } from "./chat_fields.ts";
import { has, isObject, toolsWithoutNulls } from "./json_values.ts";
import { BadRow, currentValue, mustBe } from "./problem.ts";
import type { ParsedJson, RowObject, Shape } from "./shape.ts";
import { toolsOf } from "./tool_calls.ts";

/**
 * A row's own parameters, undefined when it has none. Of an OpenAI Batch row these are all of `body`
 * but its messages; of a raw request body all of it but messages and ids; of any other row its `params`
 * with its `tools` over them. `extra_body` is flattened into them. Whether answers are streamed is for
 * the client to say, so `stream` and `stream_options` are left out.
 */
export function rowParams(shape: Shape, row: ParsedJson): Params | undefined | BadRow {
  if (shape === "message-array") return undefined;
  const object = row as RowObject;
  if (shape === "openai-batch") {
    const { messages: _messages, ...rest } = object.body as Record<string, unknown>;
    return settle(rest, "body");
  }
  const own = shape === "messages" && requestParams(object);
  if (own !== false) return own === undefined ? undefined : settle(own, "");
  const params = object.params ?? undefined;
  const tools = object.tools ?? undefined;
  if (params === undefined && tools === undefined) return undefined;
  if (params !== undefined && !isObject(params)) return mustBe("params", "an object", params);
  return settle(tools === undefined ? { ...params } : { ...params, tools }, "params");
}

function settle(all: Record<string, unknown>, name: string): Params | undefined | BadRow {
  const { extra_body: extra, ...direct } = all;
  const prefix = name === "" ? "" : `${name}.`;
  if (extra !== undefined && extra !== null && !isObject(extra)) {
    return mustBe(`${prefix}extra_body`, "an object", extra);
  }
  // OpenAI's own client lays `extra_body` over the rest, too.
  const { stream: _stream, stream_options: _options, ...params } = { ...direct, ...extra };
  const secret = secretParam(params);
  if (secret !== undefined) {
    return new BadRow(`"${prefix}${secret}" must not stand in a row: it holds a credential`);
  }
  if (Object.hasOwn(params, "messages")) {
    const holder = name === "" ? "extra_body" : name;
    return new BadRow(`"${holder}" must not hold "messages": they stand in the row itself`);
  }
  // As text, too: vLLM reads "4" as 4.
  if ((typeof params.n === "number" || typeof params.n === "string") && Number(params.n) > 1) {
    return new BadRow(
      `"${prefix}n" must be 1, for samples are rows of their own: ${currentValue(params.n)}`,
    );
  }
  const checked = has(params.tools) ? withTools(params, name) : params;
  if (checked instanceof BadRow) return checked;
  return Object.keys(checked).length === 0 ? undefined : checked;
}

function withTools(params: Record<string, unknown>, name: string): Params | BadRow {
  const tools = toolsOf(params.tools, name === "body" ? "body.tools" : "tools");
  if (tools instanceof BadRow) return tools;
  if (tools !== undefined) return { ...params, tools: toolsWithoutNulls(tools) };
  const { tools: _none, ...rest } = params;
  return rest;
}
