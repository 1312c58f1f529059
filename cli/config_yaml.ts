/**
 * Reads the YAML of a configuration file into blocks of names and values. No message shows a value
 * that may be a key.
 *
 * @module
 */

import { parse } from "../lib/deps/std_yaml.ts";
import { formatCount } from "../lib/figures.ts";
import { openToRead, systemReason } from "../lib/files.ts";
import { redactAddress } from "../lib/teacher/mod.ts";

/**
 * Far above any configuration: reading stops here if a device or a data set was given by mistake.
 */
const MOST_BYTES = 1_000_000;

/** Limit of all values, nested ones included. A value counts once for each reference to it. */
const MOST_VALUES = 100_000;

/** Limit of nesting; schemas in parameters are nested less deeply. */
const MOST_LEVELS = 64;

/**
 * Limit of references times UTF-16 units if keys are merged (`<<`). The parser copies every key for
 * each reference, which took 23 s for 1,000 references to 20,000 keys.
 */
const MOST_MERGING = 20_000_000;

/**
 * Reads the value of a YAML file; null if it is empty. Errors quote no text of the file: an address
 * in it may hold a password.
 *
 * @throws what `fail` throws
 */
export async function readYaml(path: string, fail: Fail): Promise<unknown> {
  const text = await readText(path, fail);
  if (mergingIn(text) > MOST_MERGING) {
    return fail('it merges keys ("<<") too often to be read: write them out');
  }
  const value = parsed(text, fail);
  const isTooMuch = new ValueCounter().isTooMuch(value, MOST_LEVELS);
  if (isTooMuch) {
    return fail(
      `it must hold at most ${formatCount(MOST_VALUES)} values, nested in at most ` +
        `${MOST_LEVELS} levels: a reference (*name) that is inside of what it refers to has no end`,
    );
  }
  return value;
}

async function readText(path: string, fail: Fail): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "", length = 0;
  try {
    using file = await openToRead(path);
    for await (const bytes of file.readable) {
      length += bytes.length;
      if (length > MOST_BYTES) break;
      text += decoder.decode(bytes, { stream: true });
    }
    if (length <= MOST_BYTES) return text + decoder.decode();
  } catch (error) {
    return fail(error instanceof TypeError ? "it is not UTF-8" : systemReason(error));
  }
  return fail(
    `it has more than ${formatCount(MOST_BYTES)} bytes, too many for a configuration`,
  );
}

function mergingIn(text: string): number {
  if (!text.includes("<<")) return 0;
  return text.length * (text.match(/(?<![^\s,[{:-])\*[^\s,[\]{}*]/g)?.length ?? 0);
}

function parsed(text: string, fail: Fail): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof RangeError) return fail("it is nested too deeply");
    // The rest of the message quotes the line itself.
    return fail(`it is not YAML: ${(error as Error).message.split(/:\n/)[0]}`);
  }
}

/** Counts values, nested ones included, and stops at the limit. */
class ValueCounter {
  #count = 0;

  isTooMuch(value: unknown, levels: number): boolean {
    if (++this.#count > MOST_VALUES || levels < 0) return true;
    if (typeof value !== "object" || value === null) return false;
    return Object.values(value).some((one) => this.isTooMuch(one, levels - 1));
  }
}

/** Names and values, as YAML gives them. */
export type Block = Record<string, unknown>;

/** Throws an error about the file; `what` is the problem. */
export type Fail = (what: string) => never;

/** Returns a value that must be a block; `key` names it in the error. */
export function blockOf(value: unknown, key: string, fail: Fail): Block {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Block;
  return fail(
    `${key} must be a block of names and values: current value is ${shownValue(value)}`,
  );
}

/** A wrong value as an error may show it: a text may be a key, or an address with a password. */
export function shownValue(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value !== "string") return String(value);
  if (value === "") return '""';
  return URL.parse(value) === null ? "a text" : redactAddress(value);
}

/** Whether a name, in snake case, is one under which users put the key itself. */
export function isKeyName(name: string): boolean {
  return /^(api_)?key$/.test(name);
}

export function refuseKey(key: string, fail: Fail): never {
  return fail(
    `${key} holds the key itself, and files are shared and committed. Remove it and put the key ` +
      "into OPENAI_API_KEY, or name a variable (api_key_env) or a file (api_key_file)",
  );
}
