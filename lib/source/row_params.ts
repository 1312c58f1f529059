/**
 * The parameters that a row sets for itself.
 *
 * @module
 */

import type { Params } from "../teacher/mod.ts";
import { isObject } from "./messages.ts";
import { BadRow, currentValue, mustBe } from "./problem.ts";
import type { Shape } from "./shape.ts";

/**
 * A row's own parameters, undefined when it has none. Of an OpenAI Batch row these are all of `body`
 * but its messages; of any other row its `params` with its `tools` over them (an empty list of tools
 * is none: the API refuses it). `extra_body` is flattened into them. Whether answers are streamed is
 * for the client to say, so `stream` and `stream_options` are left out.
 */
export function rowParams(
  shape: Shape,
  row: Readonly<Record<string, unknown>>,
): Params | undefined | BadRow {
  if (shape === "message-array") return undefined;
  if (shape === "openai-batch") {
    const { messages: _messages, ...rest } = row.body as Record<string, unknown>;
    return settle(rest, "body");
  }
  const params = row.params ?? undefined;
  const tools = row.tools ?? undefined;
  if (params === undefined && tools === undefined) return undefined;
  if (params !== undefined && !isObject(params)) return mustBe("params", "an object", params);
  if (tools !== undefined && !Array.isArray(tools)) return mustBe("tools", "an array", tools);
  return settle(tools?.length ? { ...params, tools } : { ...params }, "params");
}

function settle(all: Record<string, unknown>, name: string): Params | undefined | BadRow {
  const { extra_body: extra, ...direct } = all;
  if (extra !== undefined && extra !== null && !isObject(extra)) {
    return mustBe(`${name}.extra_body`, "an object", extra);
  }
  // OpenAI's own client lays `extra_body` over the rest, too.
  const { stream: _stream, stream_options: _options, ...params } = { ...direct, ...extra };
  if (Object.hasOwn(params, "messages")) {
    return new BadRow(`"${name}" must not hold "messages": they stand in the row itself`);
  }
  // As text, too: vLLM reads "4" as 4.
  if ((typeof params.n === "number" || typeof params.n === "string") && Number(params.n) > 1) {
    return new BadRow(
      `"${name}.n" must be 1, for samples are rows of their own: ${currentValue(params.n)}`,
    );
  }
  return Object.keys(params).length === 0 ? undefined : params;
}
