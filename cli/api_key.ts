/**
 * API keys and other secrets. Users name a variable or a file that holds them, and never write them
 * into a command or a configuration.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import { readTextOf, systemReason } from "../lib/files.ts";
import type { Io } from "./io.ts";

/** Where a key is. If both are given, the file is read. */
export interface KeyPlace {
  /** Path of a file that holds only the key. */
  readonly file?: string;
  /** Name of an environment variable. @default OPENAI_API_KEY */
  readonly variable?: string;
}

export const DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY";

/** What to do if a key is missing: throw, prompt the user for it, or (if nothing is sent) warn. */
export type OnMissingKey = "refuse" | "ask" | "warn";

export class Keys {
  readonly #io: Io;
  readonly #onMissing: OnMissingKey;
  /**
   * Keys that the user typed, by the file or variable that was empty: teachers that name the same
   * one share the key.
   */
  readonly #typed = new Map<string, string>();

  /** `onMissing`: the user is prompted only if standard input and standard error are terminals. */
  constructor(io: Io, onMissing: OnMissingKey) {
    this.#io = io;
    this.#onMissing = onMissing;
  }

  /**
   * Reads the key for the teacher at `host`. Returns undefined if no place is named and `missing`
   * is absent, or after a warning.
   *
   * @param missing The error if no place is named and there is no key. @default the key is optional
   * @throws {UsageError} If a place that is named is empty, or a key cannot be sent.
   */
  async read(place: KeyPlace, host: string, missing?: string): Promise<string | undefined> {
    const { file, variable = DEFAULT_KEY_VARIABLE } = place;
    const key = file === undefined
      ? variableOf(variable, this.#io)?.trim() ?? ""
      : await readKeyFile(file);
    if (key !== "") {
      return checked(key, file === undefined ? `in the variable ${variable}` : `in "${file}"`);
    }
    const problem = file !== undefined
      ? `Cannot read the key from "${file}": it is empty`
      : place.variable === undefined
      ? missing
      : `Cannot find the key: ${notSet(variable, "api-key-env")}`;
    if (problem === undefined) return undefined;
    if (this.#onMissing === "warn") {
      this.#io.writeErr(`Warning: ${problem}\n`);
      return undefined;
    }
    const typed = await this.#ask(file ?? variable, host);
    if (typed === undefined) throw new UsageError(problem);
    return typed;
  }

  async #ask(place: string, host: string): Promise<string | undefined> {
    if (this.#onMissing !== "ask") return undefined;
    const question = `Key for ${host} (not shown, kept for this run only):`;
    const typed = this.#typed.get(place) ?? (await this.#io.askSecret?.(question))?.trim();
    if (typed === undefined || typed === "") return undefined;
    this.#typed.set(place, typed);
    return checked(typed, "that was typed");
  }
}

async function readKeyFile(path: string): Promise<string> {
  try {
    return (await readTextOf(path)).trim();
  } catch (cause) {
    // The cause is left out: it quotes the path.
    throw new UsageError(await unreadable(path, "api-key-file", systemReason(cause)));
  }
}

/** A key goes into a header, which holds no line breaks; the message does not show the key. */
function checked(key: string, where: string): string {
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new UsageError(
    `Cannot use the key ${where}: it must be one word of printable characters`,
  );
}

/** Shown in messages instead of what the user typed. */
export const NOT_SHOWN = "The given value is not shown, because it may be the secret itself";

/** Words that occur in names of variables, but not in keys. */
const USUAL_WORD = /(?:^|_)(?:API|APIKEY|AUTH|BASE|CRED|KEY|PASS|PASSWORD|SECRET|TOKEN|URL)(?:_|$)/;

/**
 * Longest name that messages show although it has none of these words: a longer one may be a key.
 */
const LONGEST_WORD = 15;

/** Reads an environment variable. Also undefined for a text that cannot be a name. */
export function variableOf(name: string, io: Pick<Io, "env">): string | undefined {
  // The runtime throws, and quotes the name. Keys often end in "=".
  return /^[^=\0]+$/.test(name) ? io.env(name) : undefined;
}

/** `the variable NAME, which …, is not set`, without the name if that may be the secret. */
export function notSet(name: string, namedBy: string): string {
  return isUsualName(name)
    ? `the variable ${name}, which ${namedBy} names, is not set`
    : `${namedBy} must name a variable that is set. ${NOT_SHOWN}`;
}

/** `Cannot read the key from "path": …`, without the path if that may be the secret. */
async function unreadable(path: string, namedBy: string, reason: string): Promise<string> {
  return await isUsualPath(path)
    ? `Cannot read the key from "${path}": ${reason}`
    : `Cannot read the key: ${namedBy} must name a file that is there. ${NOT_SHOWN}`;
}

function isUsualName(name: string): boolean {
  if (!/^[A-Z][A-Z\d_]*$/.test(name)) return false;
  return USUAL_WORD.test(name) || (name.length <= LONGEST_WORD && !/\d/.test(name));
}

/**
 * Reads an address: the contents of a variable if `text` is `@env:NAME`, otherwise `text` itself.
 */
export function addressOf(text: string, io: Pick<Io, "env">): string {
  const variable = /^@env:(.*)$/s.exec(text)?.[1];
  if (variable === undefined) return text;
  const address = variableOf(variable, io)?.trim() ?? "";
  if (address !== "") return address;
  throw new UsageError(`Cannot find the address of the teacher: ${notSet(variable, "base-url")}`);
}

/** Whether a path exists or looks like one: by its extension, or because its folder exists. */
export async function isUsualPath(path: string): Promise<boolean> {
  if (/^[\w./~ -]+\.(?:env|json|key|pem|secret|token|txt|ya?ml)$/i.test(path)) return true;
  // A key may hold a slash, too.
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
