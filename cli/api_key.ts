/**
 * Where keys come from. A key is read once and goes nowhere but into its teacher.
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

/** Reads keys where they are named; asks the user for one that is missing, where there is someone to ask. */
export class Keys {
  readonly #io: Io;
  readonly #mayAsk: boolean;
  /** What was typed, by the place that was empty: teachers that share a place share its key. */
  readonly #typed = new Map<string, string>();

  /** `mayAsk`: whether the user may be asked, if standard input and standard error are terminals. */
  constructor(io: Io, mayAsk: boolean) {
    this.#io = io;
    this.#mayAsk = mayAsk;
  }

  /**
   * The key for the teacher at `host`; undefined where no place is named for it and it may be missing.
   *
   * @param missing What is wrong when no place is named and there is no key. @default it may be missing
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
    return this.#ask(file ?? variable, host) ?? refuse(problem);
  }

  #ask(place: string, host: string): string | undefined {
    if (!this.#mayAsk) return undefined;
    const typed = this.#typed.get(place) ??
      this.#io.askSecret?.(`Key for ${host} (not shown, kept for this run only):`)?.trim();
    if (typed === undefined || typed === "") return undefined;
    this.#typed.set(place, typed);
    return checked(typed, "that was typed");
  }
}

function refuse(problem: string): never {
  throw new UsageError(problem);
}

async function readKeyFile(path: string): Promise<string> {
  try {
    return (await Deno.readTextFile(path)).trim();
  } catch (cause) {
    // Without the cause, which quotes the path.
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
