/**
 * Parses the JSON of servers, repairs invalid JSON, and extracts values as text.
 *
 * Python and C++ write numbers that JSON does not have: `-Infinity` is the log probability of a
 * masked token. Some gateways do not escape line ends in strings. `JSON.parse` and
 * `JSON.stringify` would change some values (`1.0`, integers of 19 digits) and fail on others
 * (20,000 levels).
 *
 * @module
 */

import {
  endOfString,
  endOfValue,
  isJson,
  isObject,
  isTooDeep,
  parsedJson,
  skipSpace,
  topLevelMembers,
} from "../json.ts";

export type JsonObject = Record<string, unknown>;

export function asObject(value: unknown): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}

export function firstObject(list: unknown): JsonObject | undefined {
  return Array.isArray(list) ? asObject(list[0]) : undefined;
}

/** Parses JSON, which is repaired if necessary. Returns undefined if the text is not JSON. */
export function parseJson(text: string): unknown {
  const value = parsedJson(text);
  return value === undefined ? parsedJson(repairedJson(text)) : value;
}

/** Parses the body of an error. The body may be an object, a list of one object (Google), or an
 * event: LiteLLM sends the errors of streams as events, regardless of the status. */
export function parseErrorBody(text: string): JsonObject | undefined {
  const event = /^\s*(?:event:[^\n]*\n\s*)?data:([^\r\n]*)/.exec(text)?.[1];
  const body = parseJson(event ?? text);
  return firstObject(body) ?? asObject(body);
}

export function isCompleteJson(text = ""): boolean {
  // This condition rules out most texts without parsing them.
  return /[}\]]\s*$/.test(text.slice(-8)) && isJson(text);
}

const NOT_A_NUMBER = /(?<![\w.$])[-+]?(?:nan(?:\([\w]*\))?|inf(?:inity)?)(?![\w.$])/gi;
// deno-lint-ignore no-control-regex -- JSON requires them to be escaped
const CONTROL = /[\0-\x1f]/g;

/** Replaces numbers that JSON does not have with `null`, and escapes control characters in strings.
 * Valid JSON stays unchanged. */
function repairedJson(text: string): string {
  let repaired = "", index = 0;
  while (index < text.length) {
    const quote = text.indexOf('"', index);
    const stringStart = quote < 0 ? text.length : quote;
    repaired += text.slice(index, stringStart).replace(NOT_A_NUMBER, "null");
    index = endOfString(text, stringStart);
    repaired += text.slice(stringStart, index).replace(CONTROL, escaped);
  }
  return repaired;
}

function escaped(control: string): string {
  return `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

export type JsonPath = readonly (string | number)[];

export interface JsonPlace {
  readonly text: string;
  readonly path: JsonPath;
}

/** Returns the repaired JSON text of a value; undefined if the path leads nowhere. */
export function textAt({ text, path }: JsonPlace): string | undefined {
  let start = skipSpace(text, 0);
  for (const step of path) {
    const innerStart = typeof step === "number"
      ? elementStart(text, start, step)
      : memberStart(text, start, step);
    if (innerStart === undefined) return undefined;
    start = innerStart;
  }
  return repairedJson(text.slice(start, endOfValue(text, start)));
}

export function placeIn({ text, path }: JsonPlace, ...steps: JsonPath): JsonPlace {
  return { text, path: [...path, ...steps] };
}

/** Returns where the value of a member begins. If several members have the same name, the last one
 * counts, as with `JSON.parse`. */
function memberStart(text: string, objectStart: number, name: string): number | undefined {
  if (text[objectStart] !== "{") return undefined;
  return topLevelMembers(text, objectStart).findLast((member) => member.name === name)?.valueStart;
}

function elementStart(text: string, arrayStart: number, position: number): number | undefined {
  if (text[arrayStart] !== "[") return undefined;
  let index = skipSpace(text, arrayStart + 1);
  for (let i = 0; i < position; i++) {
    index = skipSpace(text, endOfValue(text, index));
    if (text[index] !== ",") return undefined;
    index = skipSpace(text, index + 1);
  }
  return index < text.length && text[index] !== "]" ? index : undefined;
}

/** Converts members to JSON text if they are nested too deeply for `JSON.stringify`. */
export function shallowMembers(object: JsonObject, place: JsonPlace): JsonObject {
  const members = { ...object };
  for (const name in object) members[name] = shallowMember(object, name, place);
  return members;
}

/** Assigns members except null and "", which some servers send in later deltas. */
export function assignStated(fields: JsonObject, more: JsonObject, place: JsonPlace): void {
  for (const name in more) {
    const value = shallowMember(more, name, place);
    if (value !== null && value !== undefined && value !== "") fields[name] = value;
  }
}

function shallowMember(object: JsonObject, name: string, place: JsonPlace): unknown {
  return isTooDeep(object[name]) ? textAt(placeIn(place, name)) : object[name];
}
