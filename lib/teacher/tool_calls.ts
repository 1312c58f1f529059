/** Converts tool calls to OpenAI's form, both in complete answers and in streams. @module */

import { asText, isTooDeep } from "../json.ts";
import {
  asObject,
  assignStated,
  isCompleteJson,
  type JsonObject,
  type JsonPath,
  type JsonPlace,
  parseJson,
  placeIn,
  shallowMembers,
  textAt,
} from "./json.ts";

/**
 * Returns the tool calls of a message; undefined if it has none.
 *
 * @param text The JSON text of the answer.
 * @param path The path to the message in `text`.
 */
export function toolCallsOf(
  message: JsonObject,
  text: string,
  path: JsonPath,
): readonly unknown[] | undefined {
  const { tool_calls: calls, function_call: legacy } = message;
  // This is on the hot path, and most messages have no calls.
  if (!calls && !legacy) return undefined;
  const place: JsonPlace = { text, path };
  if (Array.isArray(calls) && calls.length > 0) {
    return calls.map((call, i) => toolCall(call, place, ["tool_calls", i]));
  }
  if (typeof calls === "string") {
    const list = parseJson(calls);
    const messageText = `{"tool_calls":${calls}}`;
    return Array.isArray(list) ? toolCallsOf({ tool_calls: list }, messageText, []) : undefined;
  }
  // Older versions of TGI send a single call without a list.
  if (asObject(calls) !== undefined) return [toolCall(calls, place, ["tool_calls"])];
  const callee = asObject(legacy);
  if (callee === undefined) return undefined;
  return [legacyCall(openaiFunction(callee, placeIn(place, "function_call")))];
}

function legacyCall(callee: unknown): unknown {
  return { id: "call_0", type: "function", function: callee };
}

/**
 * Returns arguments as JSON text, as OpenAI sends them; `{}` if there are none. TGI, Ollama and
 * others send an object.
 *
 * @param place The place of `value` in the JSON text, where numbers have all their digits.
 */
function argumentsText(value: unknown, place: JsonPlace): string {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return "{}";
  return textAt(place) ?? JSON.stringify(value);
}

/** Converts a call. A value in an unknown form is returned unchanged, or as JSON text if it is
 * nested too deeply. */
function toolCall(value: unknown, messagePlace: JsonPlace, path: JsonPath): unknown {
  const call = withTextId(asObject(value));
  const callee = asObject(call?.function);
  const hasOpenAiForm = typeof callee?.arguments === "string" && !isTooDeep(call);
  if (hasOpenAiForm) return call;
  const place = placeIn(messagePlace, ...path);
  if (call === undefined) return isTooDeep(value) ? textAt(place) : value;
  if (callee !== undefined) {
    const { function: _, ...rest } = call;
    return {
      ...shallowMembers(rest, place),
      function: openaiFunction(callee, placeIn(place, "function")),
    };
  }
  // Some servers omit the `function` level.
  if (asText(call.name) !== "" && ("arguments" in call || "parameters" in call)) {
    const { id, type: _, ...callee } = call;
    const withId = asText(id) === "" ? {} : { id };
    return { ...withId, type: "function", function: openaiFunction(callee, place) };
  }
  return shallowMembers(call, place);
}

/** Converts a numeric id, which TGI sends, to text. */
function withTextId(call: JsonObject | undefined): JsonObject | undefined {
  return typeof call?.id === "number" ? { ...call, id: String(call.id) } : call;
}

function openaiFunction(callee: JsonObject, place: JsonPlace): JsonObject {
  const name = argumentsName(callee);
  const { [name]: args, ...rest } = callee;
  return {
    ...shallowMembers(rest, place),
    arguments: argumentsText(args, placeIn(place, name)),
  };
}

/** Returns the name of the field with the arguments. Cohere and some versions of TGI call it
 * `parameters`. */
function argumentsName({ arguments: args, parameters }: JsonObject): "arguments" | "parameters" {
  return args === undefined && parameters !== undefined ? "parameters" : "arguments";
}

export function hasToolCalls({ tool_calls: calls, function_call: legacy }: JsonObject): boolean {
  return (calls !== undefined && calls !== null) || (legacy !== undefined && legacy !== null);
}

interface Call {
  id: string;
  name: string;
  /** Undefined until the stream has sent arguments. Empty arguments also count as sent. */
  arguments: string | undefined;
  /** The other fields of the call. Calls of custom tools contain `custom` instead of `function`. */
  readonly fields: JsonObject;
  /** The other fields of the call's `function`. */
  readonly functionFields: JsonObject;
}

interface CallPart {
  readonly index: string | undefined;
  readonly id: string;
  readonly name: string;
  readonly arguments: string | undefined;
}

export class ToolCallDeltas {
  readonly #calls: Call[] = [];
  // Some servers give all calls the same index, which then points to the last call.
  readonly #byIndex = new Map<string, Call>();
  #legacy: { name: string; arguments: string } | undefined;

  /** Adds the calls of a delta. `place` is where the delta is in its event. Returns whether there
   * were any calls. */
  add(delta: JsonObject, place: JsonPlace): boolean {
    const { tool_calls: parts, function_call: legacy } = delta;
    if (Array.isArray(parts)) {
      parts.forEach((part, i) => this.#add(part, placeIn(place, "tool_calls", i), i));
      return parts.length > 0;
    }
    if (asObject(parts) !== undefined) {
      this.#add(parts, placeIn(place, "tool_calls"), 0);
      return true;
    }
    const call = asObject(legacy);
    if (call === undefined) return false;
    this.#legacy ??= { name: "", arguments: "" };
    this.#legacy.name += asText(call.name);
    const { arguments: args } = call;
    if (args !== undefined && args !== null) {
      this.#legacy.arguments += argumentsText(args, placeIn(place, "function_call", "arguments"));
    }
    return true;
  }

  list(): unknown[] | undefined {
    if (this.#calls.length === 0) {
      return this.#legacy === undefined ? undefined : [legacyCall(this.#legacy)];
    }
    return this.#calls.map(({ id, name, arguments: args, fields, functionFields }) => ({
      id,
      type: "function",
      ...fields,
      ...asObject(fields.custom)?.name === name && !args
        ? {}
        : { function: { name, ...functionFields, arguments: args ?? "{}" } },
    }));
  }

  #add(raw: unknown, place: JsonPlace, position: number): void {
    const object = asObject(raw);
    if (object === undefined) return this.#addFormless(raw, place);
    const { index, id, function: callee, custom, calleePlace, ...fields } = wrapped(object, place);
    const argsName = argumentsName(callee);
    const { name, [argsName]: args, ...functionFields } = callee;
    const givenName = asText(name) || asText(asObject(custom)?.name);
    const part = callPartOf(index, id, givenName, args, placeIn(calleePlace, argsName));
    const previous = this.#callFor(part, position);
    // Some servers repeat a complete call at the end.
    if (previous !== undefined && isRepetition(previous, part)) return;
    const isContinued = previous !== undefined && !beginsAnother(previous, part);
    const call = isContinued ? previous : this.#addCall(part, previous);
    if (call.id === "") call.id = part.id;
    if (call.name === "") call.name = part.name;
    if (part.arguments !== undefined) call.arguments = (call.arguments ?? "") + part.arguments;
    assignStated(call.fields, fields, place);
    addCustom(call.fields, custom);
    assignStated(call.functionFields, functionFields, calleePlace);
  }

  /** Adds a value in an unknown form, as the arguments of a call without a name. */
  #addFormless(raw: unknown, place: JsonPlace): void {
    if (raw === null) return;
    const part = { index: undefined, id: "", name: "", arguments: undefined };
    this.#addCall(part, undefined).arguments = argumentsText(raw, place);
  }

  /** Returns the call that a part continues, which is found by index, id or position; undefined if
   * the part begins a new call. */
  #callFor({ index, id, name }: CallPart, position: number): Call | undefined {
    if (index !== undefined) return this.#byIndex.get(index);
    if (id !== "") {
      const call = this.#calls.findLast((call) => call.id === id);
      if (call !== undefined || name !== "") return call ?? this.#lastWithoutId();
    }
    // If there are no indexes, several parts in one delta are several calls.
    return position > 0 ? undefined : this.#calls.at(-1);
  }

  #lastWithoutId(): Call | undefined {
    const last = this.#calls.at(-1);
    return last?.id === "" ? last : undefined;
  }

  #addCall({ index, id, name }: CallPart, previous: Call | undefined): Call {
    const call: Call = {
      id,
      // Gateways that lose the start of a second call also lose its name.
      name: name === "" ? previous?.name ?? "" : name,
      arguments: undefined,
      fields: {},
      functionFields: {},
    };
    this.#calls.push(call);
    if (index !== undefined) this.#byIndex.set(index, call);
    return call;
  }
}

/** Adds the `function` level, which some servers omit. */
function wrapped(part: JsonObject, place: JsonPlace) {
  const callee = asObject(part.function);
  const isBare = part.function === undefined &&
    ("name" in part || "arguments" in part || "parameters" in part);
  if (!isBare) {
    const { custom } = part;
    return { ...part, custom, function: callee ?? {}, calleePlace: placeIn(place, "function") };
  }
  const { index, id, type: _, ...members } = part;
  return { index, id, custom: undefined, function: members, calleePlace: place };
}

function callPartOf(
  index: unknown,
  id: unknown,
  name: unknown,
  args: unknown,
  place: JsonPlace,
): CallPart {
  const isIndex = typeof index === "number" || typeof index === "string";
  return {
    index: isIndex ? String(index) : undefined,
    id: typeof id === "number" ? String(id) : asText(id),
    name: asText(name),
    arguments: args === undefined || args === null ? undefined : argumentsText(args, place),
  };
}

/** Whether a part begins another call although its index, id or position points to `previous`. */
function beginsAnother(
  previous: Call,
  { index, id, name, arguments: args = "" }: CallPart,
): boolean {
  const isRenamed = name !== "" && previous.name !== "" && name !== previous.name;
  // Another id with a name means another call, whatever the index is, unless the previous call has
  // no id, no arguments and no other name.
  if (id !== "" && name !== "" && id !== previous.id) {
    return previous.id !== "" || previous.arguments !== undefined || isRenamed;
  }
  if (index === undefined && id === "" && isRenamed) return true;
  // Arguments are a single JSON value, so text after a complete value belongs to the next call.
  return /^\s*[{[]/.test(args) && isCompleteJson(previous.arguments);
}

function isRepetition(previous: Call, { id, name, arguments: args = "" }: CallPart): boolean {
  if (id === "" || id !== previous.id || args === "" || args !== previous.arguments) return false;
  return (name === "" || name === previous.name) && isCompleteJson(args);
}

/** Adds a part of a call of a custom tool. OpenAI sends the `input` of such calls in pieces. */
function addCustom(fields: JsonObject, custom: unknown): void {
  const part = asObject(custom);
  if (part === undefined) return;
  const before = asObject(fields.custom) ?? {};
  const name = asText(before.name) || asText(part.name);
  fields.custom = { ...before, ...part, name, input: asText(before.input) + asText(part.input) };
}
