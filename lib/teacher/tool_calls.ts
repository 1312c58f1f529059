/**
 * Converts tool calls to OpenAI's form, from a complete answer or from the deltas of a stream.
 *
 * @module
 */

import { isTooDeep } from "../json.ts";
import {
  asObject,
  asText,
  inside,
  type JsonObject,
  type JsonPath,
  type JsonPlace,
  parseJson,
  textAt,
} from "./json.ts";

/**
 * The tool calls of a message; undefined if it has none.
 *
 * @param text The JSON text of the answer that holds the message.
 * @param path The path to the message in `text`.
 */
export function toolCallsOf(
  message: JsonObject,
  text: string,
  path: JsonPath,
): readonly unknown[] | undefined {
  const { tool_calls: calls, function_call: legacy } = message;
  // On the hot path: most messages have none.
  if (!calls && !legacy) return undefined;
  const place: JsonPlace = { text, path };
  if (Array.isArray(calls) && calls.length > 0) {
    return calls.map((call, i) => toolCall(call, place, ["tool_calls", i]));
  }
  if (typeof calls === "string") {
    const list = parseJson(calls);
    const whole = `{"tool_calls":${calls}}`;
    return Array.isArray(list) ? toolCallsOf({ tool_calls: list }, whole, []) : undefined;
  }
  // Older versions of TGI send a single call without a list.
  if (asObject(calls) !== undefined) return [toolCall(calls, place, ["tool_calls"])];
  const called = asObject(legacy);
  if (called === undefined) return undefined;
  return [legacyCall(openaiFunction(called, inside(place, "function_call")))];
}

/** Converts the deprecated `function_call`. */
function legacyCall(called: unknown): unknown {
  return { id: "call_0", type: "function", function: called };
}

/**
 * The arguments of a call as text, OpenAI's form: TGI, Ollama and others send an object.
 *
 * @param place The place of `value`, whose original text keeps all digits of numbers.
 */
function argumentsText(value: unknown, place: JsonPlace): string {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return "{}";
  return textAt(place) ?? JSON.stringify(value);
}

/** The members of an object, with deeply nested ones as JSON text. */
function shallowMembers(object: JsonObject, place: JsonPlace): JsonObject {
  const members = { ...object };
  for (const [name, value] of Object.entries(object)) {
    if (isTooDeep(value)) members[name] = textAt(inside(place, name));
  }
  return members;
}

function toolCall(value: unknown, message: JsonPlace, path: JsonPath): unknown {
  const call = withTextId(asObject(value));
  const called = asObject(call?.function);
  const isOpenAIs = typeof called?.arguments === "string" && !isTooDeep(call);
  if (isOpenAIs) return call;
  const place = inside(message, ...path);
  if (call === undefined) return isTooDeep(value) ? textAt(place) : value;
  if (called !== undefined) {
    const { function: _, ...rest } = call;
    return {
      ...shallowMembers(rest, place),
      function: openaiFunction(called, inside(place, "function")),
    };
  }
  // Some servers omit the `function` level.
  if (asText(call.name) !== "" && ("arguments" in call || "parameters" in call)) {
    const { id, type: _, ...called } = call;
    const named = asText(id) === "" ? {} : { id };
    return { ...named, type: "function", function: openaiFunction(called, place) };
  }
  return shallowMembers(call, place);
}

/** TGI sends numbers as ids. */
function withTextId(call: JsonObject | undefined): JsonObject | undefined {
  return typeof call?.id === "number" ? { ...call, id: String(call.id) } : call;
}

/** Cohere and some versions of TGI call the arguments `parameters`. */
function openaiFunction(called: JsonObject, place: JsonPlace): JsonObject {
  const name = called.arguments === undefined && called.parameters !== undefined
    ? "parameters"
    : "arguments";
  const { [name]: args, ...rest } = called;
  return {
    ...shallowMembers(rest, place),
    arguments: argumentsText(args, inside(place, name)),
  };
}

interface Call {
  id: string;
  name: string;
  /** Undefined until the stream sends arguments, which may be empty. */
  arguments: string | undefined;
  readonly fields: JsonObject;
  readonly functionFields: JsonObject;
}

/** What one delta holds of a call. */
interface Part {
  /** Undefined if the server sends no index. */
  readonly index: string | undefined;
  readonly id: string;
  readonly name: string;
  readonly arguments: string | undefined;
}

/** Collects the tool calls of one streamed answer. */
export class ToolCallDeltas {
  readonly #calls: Call[] = [];
  // By the server's index; some servers give all calls the same one.
  readonly #byIndex = new Map<string, Call>();
  #legacy: { name: string; arguments: string } | undefined;

  /**
   * Reads the calls in a delta. Returns whether there were any.
   *
   * @param place The place of `delta` in its event.
   */
  add(delta: JsonObject, place: JsonPlace): boolean {
    const { tool_calls: parts, function_call: legacy } = delta;
    if (Array.isArray(parts)) {
      parts.forEach((part, i) => this.#add(part, inside(place, "tool_calls", i), i));
      return parts.length > 0;
    }
    if (asObject(parts) !== undefined) {
      this.#add(parts, inside(place, "tool_calls"), 0);
      return true;
    }
    const call = asObject(legacy);
    if (call === undefined) return false;
    this.#legacy ??= { name: "", arguments: "" };
    this.#legacy.name += asText(call.name);
    const { arguments: args } = call;
    if (args !== undefined && args !== null) {
      this.#legacy.arguments += argumentsText(args, inside(place, "function_call", "arguments"));
    }
    return true;
  }

  /** The calls in OpenAI's form; undefined if there are none. */
  list(): unknown[] | undefined {
    if (this.#calls.length === 0) {
      return this.#legacy === undefined ? undefined : [legacyCall(this.#legacy)];
    }
    return this.#calls.map(({ id, name, arguments: args = "{}", fields, functionFields }) => ({
      id,
      type: "function",
      ...fields,
      function: { name, ...functionFields, arguments: args },
    }));
  }

  #add(raw: unknown, place: JsonPlace, position: number): void {
    const object = asObject(raw);
    if (object === undefined) return this.#addFormless(raw, place);
    const { index: _, id: __, function: called, ...fields } = object;
    const { name: ___, arguments: args, ...more } = asObject(called) ?? {};
    const part = partOf(object, args, place);
    const known = this.#known(part, position);
    // Some servers repeat a complete call at the end.
    if (known !== undefined && repeats(known, part)) return;
    const isOfKnown = known !== undefined && !isAnother(known, part);
    const call = isOfKnown ? known : this.#make(part, known);
    if (call.id === "") call.id = part.id;
    if (call.name === "") call.name = part.name;
    if (part.arguments !== undefined) call.arguments = (call.arguments ?? "") + part.arguments;
    assignTold(call.fields, fields, place);
    assignTold(call.functionFields, more, inside(place, "function"));
  }

  /** Keeps the text of something that does not have the form of a call. */
  #addFormless(raw: unknown, place: JsonPlace): void {
    if (raw === null) return;
    const part = { index: undefined, id: "", name: "", arguments: undefined };
    this.#make(part, undefined).arguments = argumentsText(raw, place);
  }

  /** The call that a part continues, by its index or id; undefined if none. */
  #known({ index, id, name }: Part, position: number): Call | undefined {
    if (index !== undefined) return this.#byIndex.get(index);
    if (id !== "") {
      const call = this.#calls.findLast((call) => call.id === id);
      if (call !== undefined || name !== "") return call ?? this.#nameless();
    }
    // Without indexes, several parts in one delta are several calls.
    return position > 0 ? undefined : this.#calls.at(-1);
  }

  /** The last call, if it has no id yet. */
  #nameless(): Call | undefined {
    const last = this.#calls.at(-1);
    return last?.id === "" ? last : undefined;
  }

  #make({ index, id, name }: Part, before: Call | undefined): Call {
    const call: Call = {
      id,
      // Gateways that lose the start of a second call lose its name too.
      name: name === "" ? before?.name ?? "" : name,
      arguments: undefined,
      fields: {},
      functionFields: {},
    };
    this.#calls.push(call);
    if (index !== undefined) this.#byIndex.set(index, call);
    return call;
  }
}

function partOf(
  { index, id, function: called }: JsonObject,
  args: unknown,
  place: JsonPlace,
): Part {
  const isIndex = typeof index === "number" || typeof index === "string";
  const isTold = args !== undefined && args !== null;
  return {
    index: isIndex ? String(index) : undefined,
    id: typeof id === "number" ? String(id) : asText(id),
    name: asText(asObject(called)?.name),
    arguments: isTold ? argumentsText(args, inside(place, "function", "arguments")) : undefined,
  };
}

/** Whether a part begins another call although its index or position says that it continues
 * `known`. */
function isAnother(known: Call, { index, id, name, arguments: args = "" }: Part): boolean {
  // Another id with a name is another call, whatever the index says.
  if (id !== "" && name !== "" && id !== known.id) {
    return known.id !== "" || known.arguments !== undefined ||
      (known.name !== "" && known.name !== name);
  }
  if (index === undefined && id === "" && name !== "" && known.name !== "" && name !== known.name) {
    return true;
  }
  // Arguments are one JSON value: text after a complete value belongs to the next call.
  return /^\s*[{[]/.test(args) && isWhole(known.arguments);
}

function repeats(known: Call, { id, name, arguments: args = "" }: Part): boolean {
  if (id === "" || id !== known.id || args === "" || args !== known.arguments) return false;
  return (name === "" || name === known.name) && isWhole(args);
}

function isWhole(args = ""): boolean {
  if (!/[}\]]\s*$/.test(args.slice(-8))) return false;
  try {
    JSON.parse(args);
    return true;
  } catch {
    return false;
  }
}

/**
 * Copies fields; later values replace earlier ones, except null and "", which some servers repeat.
 */
function assignTold(fields: JsonObject, told: JsonObject, place: JsonPlace): void {
  const names = Object.keys(told);
  if (names.length === 0) return;
  if (names.every((name) => typeof told[name] !== "object")) {
    for (const name of names) if (told[name] !== "") fields[name] = told[name];
    return;
  }
  for (const [name, value] of Object.entries(shallowMembers(told, place))) {
    if (value !== null && value !== undefined && value !== "") fields[name] = value;
  }
}
