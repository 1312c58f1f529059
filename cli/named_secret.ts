/**
 * Variables and files that hold a secret, by their names. A key that was typed in the place of a name must
 * not be echoed: messages end up in logs.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import type { Io } from "./io.ts";

/** What a message says in place of what was typed. */
export const NOT_SHOWN = "What was given is not shown, for it may be the secret itself";

/** Words that names of such variables are made of, and keys are not. */
const USUAL_WORD = /(?:^|_)(?:API|APIKEY|AUTH|BASE|CRED|KEY|PASS|PASSWORD|SECRET|TOKEN|URL)(?:_|$)/;

/** A longer name without a usual word may be a key. */
const LONGEST_WORD = 15;

/** A variable of the environment; undefined for what can be no name of one, too. */
export function variableOf(name: string, io: Pick<Io, "env">): string | undefined {
  // The runtime throws, and quotes the name. Keys often end in "=".
  return /^[^=\0]+$/.test(name) ? io.env(name) : undefined;
}

/** `the variable NAME, which …, is not set`, without the name where it may be the secret. */
export function notSet(name: string, namedBy: string): string {
  return isUsualName(name)
    ? `the variable ${name}, which ${namedBy} names, is not set`
    : `${namedBy} must name a variable that is set. ${NOT_SHOWN}`;
}

/** `read the key from "path": …`, without the path where it may be the secret. */
export async function unreadable(path: string, namedBy: string, reason: string): Promise<string> {
  return await isUsualPath(path)
    ? `Cannot read the key from "${path}": ${reason}`
    : `Cannot read the key: ${namedBy} must name a file that is there. ${NOT_SHOWN}`;
}

function isUsualName(name: string): boolean {
  if (!/^[A-Z][A-Z\d_]*$/.test(name)) return false;
  return USUAL_WORD.test(name) || (name.length <= LONGEST_WORD && !/\d/.test(name));
}

/** The address in a variable, where one is named (`@env:NAME`), or what was given. */
export function addressOf(text: string, io: Pick<Io, "env">): string {
  const variable = /^@env:(.*)$/s.exec(text)?.[1];
  if (variable === undefined) return text;
  const address = variableOf(variable, io)?.trim() ?? "";
  if (address !== "") return address;
  throw new UsageError(`Cannot find the address of the teacher: ${notSet(variable, "base-url")}`);
}

/** Whether it is there, or looks like a file: by its ending, or by its folder, which is there. */
export async function isUsualPath(path: string): Promise<boolean> {
  if (/^[\w./~ -]+\.(?:env|json|key|pem|secret|token|txt|ya?ml)$/i.test(path)) return true;
  // A key, too, may hold a slash.
  const folder = /^(.+)[\\/]/.exec(path)?.[1];
  return await isThere(path) || (folder !== undefined && await isThere(folder));
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}
