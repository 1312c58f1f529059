/**
 * Reads the YAML of a configuration file into blocks of names and values. No message shows a value
 * that may be a key.
 *
 * @module
 */

import { parse } from "../lib/deps/std_yaml.ts";
import { yamlProblem } from "../lib/errors.ts";
import { formatCount } from "../lib/figures.js";
import { openToRead, systemReason } from "../lib/files.ts";
import { redactAddress } from "../lib/teacher/mod.ts";

/** Maximum size of the file, so that a device or a data set given by mistake is not read whole. */
const MAX_BYTES = 1_000_000;

/** Maximum number of values, including nested ones. A value is counted again for each alias. */
const MAX_VALUES = 100_000;

const MAX_LEVELS = 64;

/**
 * Limit of `mergeCost()`. The parser copies every merged key for each alias: 1,000 aliases of
 * 20,000 keys took 23 s.
 */
const MAX_MERGE_COST = 20_000_000;

/**
 * Parses the file. Returns null if it is empty. Errors quote no text of the file, because a URL may
 * contain a password.
 */
export async function readYaml(path: string, fail: Fail): Promise<unknown> {
  const text = await readText(path, fail);
  if (mergeCost(text) > MAX_MERGE_COST) {
    return fail('it merges keys ("<<") too often to be read: write the keys out');
  }
  const value = parseYaml(text, fail);
  if (exceedsLimits(value)) {
    return fail(
      `it must contain at most ${formatCount(MAX_VALUES)} values, nested at most ` +
        `${MAX_LEVELS} levels deep. An alias (*name) inside its own anchor (&name) never ends`,
    );
  }
  if (holdsLongInteger(value)) {
    return fail("it has an integer beyond ±2^53, which would be rounded: use -p NAME=VALUE");
  }
  return value;
}

function holdsLongInteger(value: unknown): boolean {
  if (typeof value === "number") return Number.isInteger(value) && !Number.isSafeInteger(value);
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some(holdsLongInteger);
}

async function readText(path: string, fail: Fail): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "", length = 0;
  try {
    using file = await openToRead(path);
    for await (const bytes of file.readable) {
      length += bytes.length;
      if (length > MAX_BYTES) break;
      text += decoder.decode(bytes, { stream: true });
    }
    if (length <= MAX_BYTES) return text + decoder.decode();
  } catch (error) {
    return fail(error instanceof TypeError ? "it is not UTF-8" : systemReason(error), error);
  }
  return fail(`it has more than ${formatCount(MAX_BYTES)} bytes, too many for a configuration`);
}

/** Returns the number of aliases times the length of the text; 0 if no keys are merged (`<<`). */
function mergeCost(text: string): number {
  if (!text.includes("<<")) return 0;
  return text.length * (text.match(/(?<![^\s,[{:-])\*[^\s,[\]{}*]/g)?.length ?? 0);
}

function parseYaml(text: string, fail: Fail): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof RangeError) return fail("it is nested too deeply");
    const problem = yamlProblem(error);
    const hint = /^[ \w-]*[:-] +[@*]/m.test(text)
      ? ". Put a value that begins with @ or * in quotes"
      : /escape|hexadecimal/.test(problem)
      ? ". In double quotes, \\ begins an escape: put a Windows path in single quotes"
      : "";
    return fail(`it is not YAML: ${problem}${hint}`);
  }
}

function exceedsLimits(value: unknown): boolean {
  let count = 0;
  const exceeds = (value: unknown, levels: number): boolean => {
    if (++count > MAX_VALUES || levels < 0) return true;
    if (typeof value !== "object" || value === null) return false;
    return Object.values(value).some((nested) => exceeds(nested, levels - 1));
  };
  return exceeds(value, MAX_LEVELS);
}

export type Block = Record<string, unknown>;

export type Fail = (problem: string, cause?: unknown) => never;

/** Returns the value if it is a block. Otherwise fails; the error calls the value `key`. */
export function blockOf(value: unknown, key: string, fail: Fail): Block {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Block;
  return fail(`${key} must be a block of names and values: current value is ${shownValue(value)}`);
}

/**
 * Describes a wrong value for errors, without secrets: a string may be a key, or contain a
 * password.
 */
export function shownValue(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a block";
  if (typeof value !== "string") return String(value);
  if (value === "") return '""';
  return URL.parse(value) === null ? "a string" : redactAddress(value);
}

/** Whether a setting of this name, in snake case, would contain the key itself. */
export function isSecretName(name: string): boolean {
  return /^(api_)?key$/.test(name);
}

export function refuseSecret(key: string, fail: Fail): never {
  return fail(
    `${key} contains the key itself, and files are shared and committed. Remove it and put the key ` +
      "into OPENAI_API_KEY, or name a variable (api_key_env) or a file (api_key_file)",
  );
}
