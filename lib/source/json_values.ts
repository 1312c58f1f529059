/**
 * Small looks at JSON values, and how keys that hold null are left out. Files made from Arrow tables, as
 * Hugging Face writes them, hold every key of a column in every row; servers refuse many of them.
 *
 * @module
 */

import { isRawJson } from "./lossless.ts";

/** Whether this is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether there is nothing but white space. */
export function isBlank(text: string): boolean {
  return !/\S/.test(text);
}

/** Whether a field is there: null counts as absent, because files made from Arrow tables hold every
 * column in every row. */
export function has(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** Adds a field. A plain assignment would change the prototype where the name is `__proto__`. */
export function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  });
}

/** The same value without keys that hold null, at any level. What holds none stays the same object.
 * Elements of arrays stay. `keeps` names keys that stay although they hold null. */
export function withoutNulls<T>(value: T, keeps?: (holder: object, key: string) => boolean): T {
  if (typeof value !== "object" || value === null || isRawJson(value)) return value;
  if (Array.isArray(value)) {
    let copy: unknown[] | undefined;
    for (let i = 0; i < value.length; i++) {
      const element = withoutNulls(value[i], keeps);
      if (element !== value[i]) (copy ??= value.slice())[i] = element;
    }
    return (copy ?? value) as T;
  }
  const object = value as Record<string, unknown>;
  let isSame = true;
  const entries: [string, unknown][] = [];
  for (const key of Object.keys(object)) {
    const inner = object[key];
    if (inner === null && !keeps?.(object, key)) {
      isSame = false;
      continue;
    }
    const kept = withoutNulls(inner, keeps);
    if (kept !== inner) isSame = false;
    entries.push([key, kept]);
  }
  return isSame ? value : Object.fromEntries(entries) as T;
}

/** Messages without keys that hold null; `content` stays beside tool calls, as the API wants it. */
export function messagesWithoutNulls<T extends readonly object[]>(messages: T): T {
  return withoutNulls(messages, keepsContent);
}

/** Tools without keys that hold null; a default that is null may be meant. */
export function toolsWithoutNulls<T>(tools: T): T {
  return withoutNulls(tools, (_holder, key) => key === "default" || key === "const");
}

function keepsContent(holder: object, key: string): boolean {
  if (key !== "content") return false;
  const { tool_calls: calls, function_call: call, role } = holder as Record<string, unknown>;
  return role !== undefined && Boolean(calls ?? call);
}
