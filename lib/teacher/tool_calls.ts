/**
 * Tool calls in the form of OpenAI, whatever form they came in.
 *
 * @module
 */

import { isTooDeep } from "../json_depth.ts";
import { asObject, asText, type JsonObject } from "./json.ts";
import { inside, type JsonPath, type JsonPlace, textAt } from "./json_text.ts";

/**
 * The tool calls of a message, or undefined where it has none.
 *
 * @param message The message.
 * @param place Where it stands.
 */
export function toolCallsOf(message: JsonObject, place: JsonPlace): readonly unknown[] | undefined {
  const { tool_calls: calls, function_call: legacy } = message;
  if (Array.isArray(calls) && calls.length > 0) {
    return calls.map((call, i) => toolCall(call, place, ["tool_calls", i]));
  }
  const called = asObject(legacy);
  if (called === undefined) return undefined;
  return [legacyCall(openaiFunction(called, inside(place, "function_call")))];
}

/** The form that tool calls had before there were tools, in today's form. */
export function legacyCall(called: unknown): unknown {
  return { id: "call_0", type: "function", function: called };
}

/**
 * The arguments of a call as the text that OpenAI sends: TGI, Ollama and others send an object.
 *
 * @param place Where they stand; their own text keeps all digits of a number.
 */
export function argumentsText(value: unknown, place: JsonPlace): string {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return "{}";
  return textAt(place) ?? JSON.stringify(value);
}

/** The members of an object; those that are nested too deeply, as text. */
export function shallowMembers(object: JsonObject, place: JsonPlace): JsonObject {
  const members = { ...object };
  for (const [name, value] of Object.entries(object)) {
    if (isTooDeep(value)) members[name] = textAt(inside(place, name));
  }
  return members;
}

function toolCall(value: unknown, message: JsonPlace, path: JsonPath): unknown {
  const call = asObject(value);
  const called = asObject(call?.function);
  const isOpenAIs = typeof called?.arguments === "string" && !isTooDeep(call);
  if (isOpenAIs) return value;
  const place = inside(message, ...path);
  if (call === undefined) return isTooDeep(value) ? textAt(place) : value;
  if (called !== undefined) {
    const { function: _, ...rest } = call;
    return {
      ...shallowMembers(rest, place),
      function: openaiFunction(called, inside(place, "function")),
    };
  }
  // Some leave the wrapper out.
  if (asText(call.name) !== "" && "arguments" in call) return openaiFunction(call, place);
  return shallowMembers(call, place);
}

function openaiFunction({ arguments: args, ...rest }: JsonObject, place: JsonPlace): JsonObject {
  return {
    ...shallowMembers(rest, place),
    arguments: argumentsText(args, inside(place, "arguments")),
  };
}
