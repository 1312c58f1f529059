/** Reads flags and configuration by name and validates them. @module */

import { UsageError } from "../lib/errors.ts";
import { readTextOf, statOf, systemReason } from "../lib/files.ts";
import { shellWord } from "../lib/printable.ts";
import type { FlagValue, ParsedArgs } from "./parse.ts";
import { suggestion } from "../lib/similar_name.ts";

/** Options with every key except `Unset`, so that no flag is forgotten. Values may be undefined. */
export type Complete<Options, Unset extends keyof Options> =
  & Options
  & Record<Exclude<keyof Options, Unset>, unknown>;

/** Turns the library's errors about options into usage errors, because flags set the options. */
export function asUsage<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

/** @param problem What follows "Cannot" in the error: `merge without inputs: …`. */
export function requireInputs(
  { inputs }: { readonly inputs: readonly string[] },
  problem: string,
): void {
  if (inputs.length === 0) throw new UsageError(`Cannot ${problem}`);
}

/** The settings of a command. Flags take precedence over the configuration. */
export class Settings {
  readonly #flags: ReadonlyMap<string, FlagValue>;
  readonly #config: ReadonlyMap<string, FlagValue>;

  constructor(args: ParsedArgs, config: ReadonlyMap<string, FlagValue> = new Map()) {
    this.#flags = args.flags;
    this.#config = config;
  }

  text(name: string): string | undefined {
    const value = this.#value(name);
    return typeof value === "string" ? value : undefined;
  }

  /**
   * @param wanted What is missing and how to add it, for the error: `an output: add -o FILE`.
   * @param action What cannot be done without the setting: `merge`.
   */
  required(name: string, wanted: string, action = "start"): string {
    const value = this.text(name);
    if (value === undefined || value === "") {
      throw new UsageError(`Cannot ${action} without ${wanted}`);
    }
    return value;
  }

  /** Reads the file if the text is `@FILE`. Throws if the `@` was forgotten. */
  async textOrFile(name: string): Promise<string | undefined> {
    const value = this.text(name);
    if (value?.startsWith("@")) return await readFileOf(name, value.slice(1));
    if (value === undefined || !(await statOf(value))?.isFile) return value;
    const advice = `To read it, write ${shellWord(`@${value}`)}`;
    throw this.wrong(
      name,
      `there is a file of this name. ${advice}; to use the text itself, put it into another file`,
    );
  }

  /**
   * Reads a teacher's own file (`ownPath`). If there is none, reads the file of the setting, unless
   * `ignoresSetting` is set: a teacher with its own certificate must not use the private key of the
   * others.
   */
  async fileOr(
    name: string,
    ownPath: string | undefined,
    ignoresSetting = ownPath !== undefined,
  ): Promise<string | undefined> {
    const path = ignoresSetting ? ownPath : this.text(name);
    return path === undefined ? undefined : await readFileOf(name, path);
  }

  async jsonFile(name: string): Promise<unknown> {
    const path = this.text(name);
    if (path === undefined) return undefined;
    const text = await readFileOf(name, path);
    try {
      return JSON.parse(text);
    } catch (cause) {
      const reason = (cause as Error).message;
      throw new UsageError(`Cannot use "${path}" for --${name}: it is not JSON: ${reason}`, {
        cause,
      });
    }
  }

  /**
   * Returns an error that names the flag, its value and, for a value from the `--config` file, that
   * file.
   */
  wrong(name: string, problem: string, options?: ErrorOptions): UsageError {
    const place = this.#flags.has(name) ? "" : ` of "${this.#flags.get("config")}"`;
    const value = JSON.stringify(this.text(name));
    return new UsageError(`Cannot use --${name} ${value}${place}: ${problem}`, options);
  }

  /**
   * @param expected What the value must be, for the error.
   * @param parse Returns undefined for a wrong value.
   */
  parsed<T>(
    name: string,
    expected: string,
    parse: (text: string) => T | undefined,
  ): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === undefined) throw this.wrong(name, `it must be ${expected}`);
    return value;
  }

  /** Whether the setting was given as a flag. */
  isTyped(name: string): boolean {
    return this.#flags.has(name);
  }

  isOn(name: string): boolean {
    return this.#value(name) === true;
  }

  isOff(name: string): boolean {
    return this.#value(name) === false;
  }

  list(name: string): string[] {
    const value = this.#value(name);
    return Array.isArray(value) ? value : [];
  }

  parts(name: string): string[] | undefined {
    return this.text(name)?.split(",").map((part) => part.trim()).filter((part) => part !== "");
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const choice = choices.find((choice) => choice === value);
    if (choice !== undefined) return choice;
    throw this.wrong(name, `it must be one of ${choices.join(", ")}${suggestion(value, choices)}`);
  }

  /** @param alternative What else is valid, for the error: `, or auto`. */
  integer(
    name: string,
    min: number,
    max = Number.MAX_SAFE_INTEGER,
    alternative = "",
  ): number | undefined {
    const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `between ${min} and ${max}`;
    return this.parsed(name, `a whole number, ${range}${alternative}`, (text) => {
      const number = numberIn(text);
      return Number.isInteger(number) && number >= min && number <= max ? number : undefined;
    });
  }

  integerOr<T extends string>(word: T, name: string, min: number, max: number) {
    return this.text(name) === word ? word : this.integer(name, min, max, `, or ${word}`);
  }

  /** Reads a port. 0 stands for any free port. */
  port(name: string): number | undefined {
    return this.integer(name, 0, 65_535);
  }

  number(name: string, { mayBeZero = false } = {}): number | undefined {
    return this.parsed(name, `a number${mayBeZero ? ", 0 or more" : " above 0"}`, (text) => {
      const number = numberIn(text);
      const isValid = number < Infinity && (number > 0 || (mayBeZero && number === 0));
      return isValid ? number : undefined;
    });
  }

  /**
   * Reads a time. Users give seconds, or a unit: `500ms`, `90s`, `20m`, `1h`.
   *
   * @param alternative What else is valid, for the error: `, or forever`.
   */
  milliseconds(name: string, alternative = ""): number | undefined {
    return this.parsed(name, `a time, as in 90, 90s, 20m or 1h${alternative}`, (text) => {
      const [, amount = 0, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
      return Number(amount) * UNITS_MS[unit] || undefined;
    });
  }

  /** Reads `--wait`. Without a time, the wait has no limit. */
  waitMs(): number | undefined {
    return this.text("wait") === "" ? Infinity : this.milliseconds("wait");
  }

  #value(name: string): FlagValue | undefined {
    return this.#flags.get(name) ?? this.#config.get(name);
  }
}

async function readFileOf(name: string, path: string): Promise<string> {
  try {
    return await readTextOf(path);
  } catch (cause) {
    if (name === "client-key" && !await looksLikePath(path)) {
      throw new UsageError(`Cannot read --client-key: it must name an existing file. ${NOT_SHOWN}`);
    }
    throw new UsageError(`Cannot read "${path}" for --${name}: ${systemReason(cause)}`, { cause });
  }
}

export const NOT_SHOWN = "The given value is not shown, because it may be the secret itself";

/** Whether a text is a path, and not a secret that was typed instead of one. */
export async function looksLikePath(path: string): Promise<boolean> {
  if (/^[\w./~ -]+\.(?:env|json|key|pem|secret|token|txt|ya?ml)$/i.test(path)) return true;
  // A slash alone does not make a path: a key may contain one.
  const folder = /^(.+)[\\/]/.exec(path)?.[1];
  return await statOf(path) !== undefined ||
    (folder !== undefined && await statOf(folder) !== undefined);
}

/** Matches words of Python, and lists and objects, whose quotes a shell may have removed. */
const MEANT_AS_JSON = /^(?:True|False|None|\[.*\]|\{.*\})$/s;

/** Matches the names of parameters whose values may begin with a bracket without being JSON, such as
 * `[0-9]+[a-z]` and `{{ text }}`. */
const BRACKETED_TEXT = /(?:^|[._])(?:chat_template|ebnf|grammar|pattern|regex|suffix)$/;

/**
 * Matches one stop text, such as Llama's `[/INST]`. `[END]` may be `["END"]` without its quotes.
 */
const STOP_TEXT = /^(?:\[\/[^,']*\]|\{[^,']*\})$/;

/** Returns the value of a `-p NAME=VALUE` that is not JSON: a number such as `.7`, or the text. */
export function paramWithoutJson(name: string, text: string): number | string {
  if (/^-?\.\d+$/.test(text)) return Number(text);
  const isText = (BRACKETED_TEXT.test(name) && /^[[{]/.test(text)) ||
    (name === "stop" && STOP_TEXT.test(text));
  if (isText || !MEANT_AS_JSON.test(text)) return text;
  const asText = shellWord(`${name}=${JSON.stringify(text)}`);
  throw new UsageError(
    `Cannot use -p ${JSON.stringify(`${name}=${text}`)}: the value is not JSON, which has true, ` +
      "false and null, and strings in double quotes. Put the whole argument in single quotes for the " +
      `shell, as in -p 'stop=["END"]'. To send the text as it is: -p ${asText}`,
  );
}

/** Parses a number. Returns NaN for any other text. */
function numberIn(text: string): number {
  const digits = text.replaceAll("_", "").trim();
  return digits === "" ? NaN : Number(digits);
}

const UNITS_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

export const THINK_TAGS_RULE = "an opening and a closing tag, as in <reason>,</reason>";

/** Parses `OPEN,CLOSE`. Returns undefined if the text is not a pair of tags. */
export function parseThinkTags(text: string): readonly [open: string, close: string] | undefined {
  const [open, close, ...more] = text.split(",").map((tag) => tag.trim());
  const isPair = more.length === 0 && open !== close && open !== "" && close !== undefined &&
    close !== "";
  return isPair ? [open, close] : undefined;
}
