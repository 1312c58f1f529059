/**
 * API keys, and URLs that may contain one. Users name a variable or a file, and never put a secret
 * into a command. `settings.ts` imports this file, so it must not load code of teachers.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import { readTextOf, statOf, systemReason } from "../lib/files.ts";
import type { Io } from "./io.ts";

/** Where a key is. The file takes precedence. */
export interface KeyPlace {
  readonly file?: string;
  /** @default OPENAI_API_KEY */
  readonly variable?: string;
}

export const DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY";

/** What to do if a key is missing: throw, prompt for it, or only warn, because nothing is sent. */
export type OnMissingKey = "refuse" | "ask" | "warn";

export class Keys {
  readonly #io: Io;
  readonly #onMissing: OnMissingKey;
  /** Typed keys, by the file or variable that has none. Teachers may share a key. */
  readonly #typedKeys = new Map<string, string>();

  /** @param onMissing `ask` prompts only if standard input and standard error are terminals. */
  constructor(io: Io, onMissing: OnMissingKey) {
    this.#io = io;
    this.#onMissing = onMissing;
  }

  /**
   * Reads a key, or prompts for it. Returns undefined if there is no key and it is optional, or
   * after a warning.
   *
   * @param missing The error if the user named no place and the default variable is empty. @default
   * the key is optional
   */
  async read(place: KeyPlace, host: string, missing?: string): Promise<string | undefined> {
    const { file, variable = DEFAULT_KEY_VARIABLE } = place;
    const key = file === undefined
      ? variableOf(variable, this.#io)?.trim() ?? ""
      : await readKeyFile(file);
    if (key !== "") {
      return checkKey(key, file === undefined ? `in the variable ${variable}` : `in "${file}"`);
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
    const typedKey = await this.#ask(file ?? variable, host);
    if (typedKey === undefined) throw new UsageError(problem);
    return typedKey;
  }

  async #ask(place: string, host: string): Promise<string | undefined> {
    if (this.#onMissing !== "ask") return undefined;
    const question = `Key for ${host} (not shown, kept for this run only):`;
    const key = this.#typedKeys.get(place) ?? (await this.#io.askSecret?.(question))?.trim();
    if (key === undefined || key === "") return undefined;
    this.#typedKeys.set(place, key);
    return checkKey(key, "that was typed");
  }
}

async function readKeyFile(path: string): Promise<string> {
  try {
    return (await readTextOf(path)).trim();
  } catch (cause) {
    // The cause is left out: it quotes the path, which may be the key itself.
    throw new UsageError(await unreadableMessage(path, "api-key-file", systemReason(cause)));
  }
}

/** Throws if a key cannot be sent in an HTTP header. The message does not show the key. */
function checkKey(key: string, where: string): string {
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new UsageError(
    `Cannot use the key ${where}: it must be one word of printable ASCII characters`,
  );
}

export const NOT_SHOWN = "The given value is not shown, because it may be the secret itself";

/** Words that occur in names of variables, but not in keys. */
const NAME_WORD = /(?:^|_)(?:API|APIKEY|AUTH|BASE|CRED|KEY|PASS|PASSWORD|SECRET|TOKEN|URL)(?:_|$)/;

/**
 * Maximum length of a name without a `NAME_WORD` that messages show. A longer name may be a key.
 */
const MAX_PLAIN_NAME_LENGTH = 15;

/** Reads a variable. Returns undefined if it is not set, or if `name` cannot be a name. */
export function variableOf(name: string, io: Pick<Io, "env">): string | undefined {
  // Deno would throw an error that quotes such text, and keys often end in "=".
  return /^[^=\0]+$/.test(name) ? io.env(name) : undefined;
}

/**
 * Returns `the variable NAME, which … names, is not set`. Does not show a name that may be the
 * secret.
 */
export function notSet(name: string, setting: string): string {
  return looksLikeName(name)
    ? `the variable ${name}, which ${setting} names, is not set`
    : `${setting} must name a variable that is set. ${NOT_SHOWN}`;
}

/** Returns `Cannot read the key from "path": …`. Does not show a path that may be the secret. */
async function unreadableMessage(path: string, setting: string, reason: string): Promise<string> {
  return await looksLikePath(path)
    ? `Cannot read the key from "${path}": ${reason}`
    : `Cannot read the key: ${setting} must name an existing file. ${NOT_SHOWN}`;
}

function looksLikeName(name: string): boolean {
  if (!/^[A-Z][A-Z\d_]*$/.test(name)) return false;
  return NAME_WORD.test(name) || (name.length <= MAX_PLAIN_NAME_LENGTH && !/\d/.test(name));
}

/** Returns the address, or for `@env:NAME` the value of the variable. */
export function addressOf(text: string, io: Pick<Io, "env">): string {
  const variable = /^@env:(.*)$/s.exec(text)?.[1];
  if (variable === undefined) return text;
  const address = variableOf(variable, io)?.trim() ?? "";
  if (address !== "") return address;
  throw new UsageError(`Cannot find the address of the teacher: ${notSet(variable, "base-url")}`);
}

export async function looksLikePath(path: string): Promise<boolean> {
  if (/^[\w./~ -]+\.(?:env|json|key|pem|secret|token|txt|ya?ml)$/i.test(path)) return true;
  // A slash alone does not make a path: a key may contain one.
  const folder = /^(.+)[\\/]/.exec(path)?.[1];
  return await statOf(path) !== undefined ||
    (folder !== undefined && await statOf(folder) !== undefined);
}
