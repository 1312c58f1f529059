/**
 * Puts tool calls together from the parts in which a stream brings them.
 *
 * @module
 */

import { legacyCall } from "./answer.ts";
import { asObject, asText, type JsonObject } from "./json.ts";

interface Call {
  id: string;
  readonly fields: JsonObject;
  readonly function: JsonObject & { name: string; arguments: string };
}

/** The tool calls of one streamed answer. */
export class ToolCallDeltas {
  readonly #calls: Call[] = [];
  // Where each index of the stream stands in the list; some servers give all calls the same.
  readonly #places = new Map<number, number>();
  #legacy: { name: string; arguments: string } | undefined;

  /** Reads the parts in one delta; returns whether there were any. */
  add(delta: JsonObject): boolean {
    const { tool_calls: parts, function_call: legacy } = delta;
    if (Array.isArray(parts)) {
      for (const part of parts) this.#part(asObject(part) ?? {});
      return parts.length > 0;
    }
    const call = asObject(legacy);
    if (call === undefined) return false;
    this.#legacy ??= { name: "", arguments: "" };
    this.#legacy.name += asText(call.name);
    this.#legacy.arguments += asText(call.arguments);
    return true;
  }

  /** The calls in the OpenAI form, or undefined where there are none. */
  list(): unknown[] | undefined {
    if (this.#calls.length === 0) {
      return this.#legacy === undefined ? undefined : [legacyCall(this.#legacy)];
    }
    return this.#calls.map((call) => ({ id: call.id, ...call.fields, function: call.function }));
  }

  #part(part: JsonObject): void {
    const { index, id, function: called, ...fields } = part;
    const { name, arguments: args, ...more } = asObject(called) ?? {};
    const call = this.#callFor(index, asText(id), asText(name));
    if (call.id === "") call.id = asText(id);
    for (const [key, value] of Object.entries(fields)) {
      if (value !== null) call.fields[key] = value;
    }
    Object.assign(call.function, more);
    if (call.function.name === "") call.function.name = asText(name);
    // A few servers send the arguments as an object.
    call.function.arguments += asObject(args) === undefined ? asText(args) : JSON.stringify(args);
  }

  #callFor(index: unknown, id: string, name: string): Call {
    const key = typeof index === "number" ? index : -1;
    const place = this.#places.get(key);
    const known = place === undefined ? undefined : this.#calls[place];
    // Another id with a name of its own is another call, whatever the index says.
    if (known !== undefined && !(id !== "" && name !== "" && id !== known.id)) return known;
    const made: Call = { id, fields: { type: "function" }, function: { name: "", arguments: "" } };
    this.#places.set(key, this.#calls.push(made) - 1);
    return made;
  }
}
