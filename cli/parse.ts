/** Parses arguments into a command, inputs and flags. @module */

import { parseArgs } from "../lib/deps/std_cli.ts";
import { FAILURE_TYPES, UsageError } from "../lib/errors.ts";
import { type Command, isCommand } from "./commands.ts";
import { type Flag, FLAGS, flagsOf, typedName } from "./flags.ts";
import { similarName } from "../lib/similar_name.ts";
import { habitAdvice } from "./help.ts";

/**
 * `true` for a switch, `false` for its `--no-…`, a list for a flag that may be repeated, `""` for
 * an optional value that was omitted.
 */
export type FlagValue = string | boolean | string[];

export interface ParsedArgs {
  /** The first argument if it names a command, otherwise `run`. */
  readonly command: Command;
  readonly inputs: string[];
  /** By long name; only flags that were given. */
  readonly flags: ReadonlyMap<string, FlagValue>;
}

/**
 * @throws {UsageError} for flags that the command does not take, and for missing or unexpected
 * values
 */
export function parseCommandLine(args: readonly string[]): ParsedArgs {
  const [word, ...others] = args;
  const [command, commandArgs]: [Command, readonly string[]] = isCommand(word)
    ? [word, others]
    : ["run", args];
  const commandFlags = flagsOf(command);
  const names = (flags: readonly Flag[]) => flags.map(({ name }) => name);
  const switches = commandFlags.filter(({ value }) => value === undefined);
  const { _: _none, "--": inputs, ...values } = parseArgs(
    new ArgumentNormalizer(commandArgs, commandFlags).words,
    {
      "--": true,
      string: names(commandFlags.filter(({ value }) => value !== undefined)),
      boolean: names(switches),
      negatable: names(commandFlags.filter(({ isOnByDefault }) => isOnByDefault)),
      collect: names(commandFlags.filter(({ isRepeatable }) => isRepeatable)),
      // A switch that was not given differs from one that was turned off.
      default: Object.fromEntries(switches.map(({ name }) => [name, undefined])),
      unknown: (word, name) => {
        throw unknownFlag(name, word, command);
      },
    },
  );
  const flags = new Map<string, FlagValue>();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    const isDefault = value === true &&
      commandFlags.some((flag) => flag.isOnByDefault && flag.name === name);
    if (isDefault) throw unknownFlag(name, `--${name}`, command);
    flags.set(name, value);
  }
  return { command, inputs, flags };
}

/**
 * Writes each flag with its value as one word (`--name=value`), and inputs after `--`. Otherwise
 * `parseArgs` would read the value of `-pb=2` as `2`, `-1` as a flag, and the input `true` as the
 * value of a switch.
 */
class ArgumentNormalizer {
  readonly words: string[] = [];
  readonly #args: readonly string[];
  readonly #flags: readonly Flag[];
  #nextIndex = 0;

  constructor(args: readonly string[], flags: readonly Flag[]) {
    this.#args = args;
    this.#flags = flags;
    const inputs: string[] = [];
    while (this.#nextIndex < args.length) {
      const word = args[this.#nextIndex++];
      if (word === "--") break;
      if (word.startsWith("--")) this.#readLong(word);
      else if (/^-./.test(word)) this.#readShort(word);
      else inputs.push(word);
    }
    this.words = [...this.words, "--", ...inputs, ...args.slice(this.#nextIndex)];
  }

  #readLong(word: string): void {
    const [, name, value] = /^--([^=]*)(?:=(.*))?$/s.exec(word)!;
    const flag = this.#flags.find((flag) => typedName(flag) === name);
    if (flag === undefined) this.words.push(name === "" ? word : `--${name}`);
    else if (flag.value !== undefined) this.#putValue(flag, `--${name}`, value);
    else if (value === undefined) this.words.push(word);
    else throw new UsageError(`Cannot give --${name} a value: it is a switch`);
  }

  /** Reads one flag, several switches (`-hV`), or a flag with its value (`-c20`, `-c=20`). */
  #readShort(word: string): void {
    this.#refuseSingleDash(word);
    for (let i = 1; i < word.length; i++) {
      const flag = this.#flags.find(({ short }) => short === word[i]);
      if (flag === undefined) return void this.words.push(`-${word.slice(i)}`);
      if (flag.value !== undefined) {
        const value = word.slice(i + 1).replace(/^=/, "");
        return this.#putValue(flag, `-${word[i]}`, value === "" ? undefined : value);
      }
      this.words.push(`--${flag.name}`);
    }
  }

  /** Throws for a long flag with one dash: `-model x` would mean `-m odel` and an input "x". */
  #refuseSingleDash(word: string): void {
    const name = /^-([a-z][a-z-]+)(=|$)/.exec(word)?.[1];
    if (name === undefined || !this.#flags.some((flag) => typedName(flag) === name)) return;
    throw new UsageError(`Cannot use -${name}: long flags have two dashes, as in --${name}`);
  }

  /**
   * @param typed The flag as the user typed it, for errors.
   * @param inlineValue The value in the same word.
   */
  #putValue(flag: Flag, typed: string, inlineValue: string | undefined): void {
    const value = inlineValue ?? this.#takeValue(flag, typed);
    if (value === "" && !flag.isValueOptional) throw missingValue(flag, typed);
    this.words.push(`--${flag.name}=${value}`);
  }

  #takeValue(flag: Flag, typed: string): string {
    const nextWord = this.#args[this.#nextIndex];
    if (flag.isValueOptional) {
      if (nextWord === undefined || !canOnlyBeValue(flag.name, nextWord)) return "";
    } else if (nextWord === undefined) {
      throw missingValue(flag, typed);
    } else if (/^-\D/.test(nextWord)) {
      // The value of `-o` was forgotten, as in `-o -m x`. A negative number is a value.
      throw doubtfulValue(flag, typed, nextWord);
    }
    this.#nextIndex++;
    return nextWord;
  }
}

function missingValue({ value }: Flag, typed: string): UsageError {
  return new UsageError(`Cannot use ${typed} alone: it needs a value, ${value}`);
}

function doubtfulValue({ name, value, mayBeSecret }: Flag, typed: string, next: string) {
  if (mayBeSecret) {
    return new UsageError(
      `Cannot use ${typed}: it needs a value, ${value}, and what follows begins with a dash. ` +
        `If that is meant, write --${name}=${value}`,
    );
  }
  return new UsageError(
    `Cannot use ${typed} with "${next}": it needs a value, ${value}. ` +
      `If that is meant, write --${name}=${next}`,
  );
}

/**
 * Whether a word after a flag with an optional value is that value and not an input. No file of
 * prompts is called `timeout,429`, `latency=500`, `8123` or `10m`.
 */
function canOnlyBeValue(name: string, text: string): boolean {
  if (name === "wait") return /^\d+(?:\.\d+)?(?:ms|s|m|h)?$/.test(text);
  if (name === "monitor") return /^\d+$/.test(text);
  const isPart = name === "retry"
    ? (part: string) =>
      (FAILURE_TYPES as readonly string[]).includes(part) || /^[1-5]\d\d$/.test(part)
    // Options of --simulate.
    : (part: string) => /^[a-z]+=[\d.]+$/.test(part);
  return text.split(",").every(isPart);
}

function unknownFlag(name: string, word: string, command: Command): UsageError {
  // `parseArgs` passes the whole word. For `-abc`, the message names only the unknown letter.
  const rawName = word.startsWith("--") ? word : `-${name}`;
  if (/^(api[-_]?)?key$|^token$/.test(name)) {
    return new UsageError(
      `Cannot take the key from ${rawName}: arguments can be read by everyone on the machine. ` +
        "Put it into OPENAI_API_KEY, or name a variable (--api-key-env) or a file (--api-key-file)",
    );
  }
  const commandFlags = flagsOf(command);
  if (commandFlags.some((flag) => flag.isOnByDefault && flag.name === name)) {
    return new UsageError(`Cannot use ${rawName}: it is the default; --no-${name} turns it off`);
  }
  const misplacedFlag = FLAGS.find((flag) =>
    typedName(flag) === name || `-${flag.short}` === rawName
  );
  const names = commandFlags.map(typedName);
  const habit = habitAdvice(name, new Set(names));
  if (misplacedFlag !== undefined) {
    const commands = misplacedFlag.commands.join(", ");
    return new UsageError(
      `Cannot use ${rawName} with "${command}": it belongs to ${commands}` +
        (habit === undefined ? "" : `. ${habit}`),
    );
  }
  const similar = similarName(name, names) ?? similarName(name.replace(/^no-/, ""), names);
  const advice = habit ??
    (similar === undefined ? "See --help-all for every flag" : `Did you mean --${similar}?`);
  return new UsageError(`Cannot use ${rawName}: there is no such flag. ${advice}`);
}
