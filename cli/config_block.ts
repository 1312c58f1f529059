/**
 * Blocks of a configuration file: names and values.
 *
 * @module
 */

import { redactAddress } from "../lib/teacher/mod.ts";

/** Names and values, as YAML gives them. */
export type Block = Record<string, unknown>;

/** Ends the reading with what is wrong; the file stands before it. */
export type Fail = (what: string) => never;

/** A value that must be a block; `key` names it in the message. */
export function blockOf(value: unknown, key: string, fail: Fail): Block {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Block;
  return fail(
    `${key} must be a block of names and values: current value is ${shownValue(value)}`,
  );
}

/** A wrong value as a message may show it: a text may be a key, or an address with a password. */
export function shownValue(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value !== "string") return String(value);
  if (value === "") return '""';
  return URL.parse(value) === null ? "a text" : redactAddress(value);
}

/** Whether a name, written with underscores, is one that a person puts the key itself under. */
export function isKeyName(name: string): boolean {
  return /^(api_)?key$/.test(name);
}

/** Ends the reading because the file holds a key. */
export function refuseKey(key: string, fail: Fail): never {
  return fail(
    `${key} holds the key itself, and files are shared and committed. Remove it and put the key ` +
      "into OPENAI_API_KEY, or name a variable (api_key_env) or a file (api_key_file)",
  );
}
