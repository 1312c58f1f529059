/**
 * Where the key comes from. It is read once and goes nowhere but into the teacher.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import type { Io } from "./io.ts";
import { readFailure, type Settings } from "./settings.ts";

const DEFAULT_VARIABLE = "OPENAI_API_KEY";

/** The key, or undefined for a teacher that wants none. */
export async function readApiKey(settings: Settings, io: Io): Promise<string | undefined> {
  const file = settings.text("api-key-file");
  if (file !== undefined) return await readKeyFile(file);
  const named = settings.text("api-key-env");
  const variable = named ?? DEFAULT_VARIABLE;
  const key = io.env(variable)?.trim();
  if (key !== undefined && key !== "") return checked(key, `the variable ${variable}`);
  if (named === undefined) return undefined;
  throw new UsageError(
    `Cannot find the key: the variable ${variable} of --api-key-env is not set`,
  );
}

async function readKeyFile(path: string): Promise<string> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    throw new UsageError(`Cannot read the key from "${path}": ${readFailure(cause)}`, { cause });
  }
  if (text.trim() === "") throw new UsageError(`Cannot read the key from "${path}": it is empty`);
  return checked(text.trim(), `"${path}"`);
}

/** A key goes into a header, which holds no line breaks; the message does not show the key. */
function checked(key: string, where: string): string {
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new UsageError(
    `Cannot use the key in ${where}: it must be one word of printable characters`,
  );
}
