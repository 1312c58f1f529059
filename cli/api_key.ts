/**
 * Where the key comes from. It is read once and goes nowhere but into the teacher.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import { systemReason } from "../lib/files.ts";
import type { Io } from "./io.ts";
import { notSet, unreadable, variableOf } from "./named_secret.ts";

/** Where a key is; the file is read where both are named. */
export interface KeyPlace {
  /** A file that holds nothing else. */
  readonly file?: string;
  /** A variable of the environment. */
  readonly variable?: string;
}

/** The variable that is read where nothing is named. */
export const DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY";

/** The key, or undefined for a teacher that wants none: where no place is named, it may be missing. */
export async function readApiKey(place: KeyPlace, io: Io): Promise<string | undefined> {
  if (place.file !== undefined) return await readKeyFile(place.file);
  const variable = place.variable ?? DEFAULT_KEY_VARIABLE;
  const key = variableOf(variable, io)?.trim();
  if (key !== undefined && key !== "") return checked(key, `the variable ${variable}`);
  if (place.variable === undefined) return undefined;
  throw new UsageError(`Cannot find the key: ${notSet(variable, "api-key-env")}`);
}

async function readKeyFile(path: string): Promise<string> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    // Without the cause, which quotes the path.
    throw new UsageError(await unreadable(path, "api-key-file", systemReason(cause)));
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
