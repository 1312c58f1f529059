/**
 * Arguments as they were typed into a command, inputs and flags.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { FAILURE_TYPES, UsageError } from "../lib/errors.ts";
import { type Command, isCommand } from "./commands.ts";
import type { Flag } from "./flag.ts";
import { FLAGS, flagsOf } from "./flags.ts";
import { nearest } from "./words.ts";

/** What a flag was given: `true` for a switch, `""` for an optional value that was left out. */
export type FlagValue = string | boolean | string[];

/** What was typed. */
export interface ParsedArgs {
  /** The command; `run` where none was named. */
  readonly command: Command;
  /** Everything that is no flag. */
  readonly inputs: string[];
  /** Flags by their long names. */
  readonly flags: ReadonlyMap<string, FlagValue>;
}

const VERBOSE = "Progress is verbose already: --quiet shows less, and -V the version";
/** Flags of other programs, and what to do here. */
const OTHER_PROGRAMS: ReadonlyMap<string, string> = new Map([
  ["-v", VERBOSE],
  ["--verbose", VERBOSE],
  ["--silent", "Did you mean --quiet?"],
  ["-f", "Inputs are named without a flag"],
  ["--input", "Inputs are named without a flag"],
  ["--force", "Did you mean --overwrite (with --no-resume), or --replace of export?"],
  ["-y", "No command asks anything"],
  ["--yes", "No command asks anything"],
]);

/** Past this many changes, or half of its letters, a word is not a mistyped one but another. */
const MAX_TYPOS = 3;

/**
 * Reads the arguments.
 *
 * @throws {UsageError} for flags that the command does not know, and for values that are missing
 */
export function parseCommandLine(args: readonly string[]): ParsedArgs {
  const [word, ...others] = args;
  const [command, typed]: [Command, readonly string[]] = isCommand(word)
    ? [word, others]
    : ["run", args];
  const known = flagsOf(command);
  const rest = withOptionalValues(typed, known);
  refuseSingleDashes(rest, known);
  const { tokens } = parseArgs({
    args: rest,
    tokens: true,
    strict: false,
    allowPositionals: true,
    options: Object.fromEntries(known.map((flag) => [flag.name, {
      type: flag.value === undefined ? "boolean" as const : "string" as const,
      ...(flag.short === undefined ? {} : { short: flag.short }),
    }])),
  });
  const inputs: string[] = [];
  const flags = new Map<string, FlagValue>();
  for (const token of tokens) {
    if (token.kind === "positional") inputs.push(token.value);
    if (token.kind !== "option") continue;
    const { flag, isOff } = flagNamed(token.name, token.rawName, command);
    const value = valueOf(flag, token);
    setFlag(flags, flag, isOff ? false : value);
  }
  return { command, inputs, flags };
}

/** A flag whose value may be left out takes the next word only where it can be nothing else. */
function withOptionalValues(args: readonly string[], known: readonly Flag[]): string[] {
  const optional = new Set(known.filter((flag) => flag.isValueOptional).map(({ name }) => name));
  const result: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--") return [...result, ...args.slice(i)];
    const name = args[i].slice(2);
    if (!args[i].startsWith("--") || !optional.has(name)) {
      result.push(args[i]);
    } else if (args[i + 1] !== undefined && canOnlyBeValue(name, args[i + 1])) {
      result.push(`${args[i]}=${args[++i]}`);
    } else {
      result.push(`${args[i]}=`);
    }
  }
  return result;
}

/** No file of prompts is called `timeout,429`, `latency=500`, `8123` or `10m`. */
function canOnlyBeValue(name: string, text: string): boolean {
  if (name === "wait") return /^\d+(?:\.\d+)?(?:ms|s|m|h)?$/.test(text);
  if (name === "monitor") return /^\d+$/.test(text);
  return text.split(",").every((part) =>
    name === "retry"
      ? (FAILURE_TYPES as readonly string[]).includes(part) || /^[1-5]\d\d$/.test(part)
      : /^[a-z]+=[\d.]+$/.test(part)
  );
}

function flagNamed(
  name: string,
  rawName: string,
  command: Command,
): { flag: Flag; isOff: boolean } {
  const known = flagsOf(command);
  const exact = known.find((flag) => !flag.isNegated && flag.name === name);
  if (exact !== undefined) return { flag: exact, isOff: false };
  const negated = known.find((flag) => flag.isNegated && `no-${flag.name}` === name);
  if (negated !== undefined) return { flag: negated, isOff: true };
  throw unknownFlag(name, rawName, command);
}

function unknownFlag(name: string, rawName: string, command: Command): UsageError {
  if (/^(api[-_]?)?key$|^token$/.test(name)) {
    return new UsageError(
      `Cannot take the key from ${rawName}: arguments can be read by everybody on the machine. ` +
        "Put it into OPENAI_API_KEY, or name a variable (--api-key-env) or a file (--api-key-file)",
    );
  }
  const other = OTHER_PROGRAMS.get(rawName);
  if (other !== undefined) {
    return new UsageError(`Cannot use ${rawName}: there is no such flag. ${other}`);
  }
  const known = flagsOf(command);
  if (known.some((flag) => flag.isNegated && flag.name === name)) {
    return new UsageError(`Cannot use ${rawName}: it is so unless --no-${name} says otherwise`);
  }
  const elsewhere = FLAGS.find((flag) => spelled(flag) === name || `-${flag.short}` === rawName);
  if (elsewhere !== undefined) {
    const at = elsewhere.commands.join(", ");
    return new UsageError(`Cannot use ${rawName} with "${command}": it belongs to ${at}`);
  }
  const meant = nearest(name, known.map(spelled), MAX_TYPOS);
  const hint = meant === undefined ? "See --help-all for every flag" : `Did you mean --${meant}?`;
  return new UsageError(`Cannot use ${rawName}: there is no such flag. ${hint}`);
}

/** `-model x` would be read as `-m odel` with an input "x". */
function refuseSingleDashes(args: readonly string[], known: readonly Flag[]): void {
  for (const arg of args) {
    if (arg === "--") return;
    const name = /^-([a-z][a-z-]+)(=|$)/.exec(arg)?.[1];
    if (name === undefined || !known.some((flag) => spelled(flag) === name)) continue;
    throw new UsageError(`Cannot use -${name}: long flags have two dashes, as in --${name}`);
  }
}

/** How a person writes it. */
function spelled(flag: Flag): string {
  return flag.isNegated ? `no-${flag.name}` : flag.name;
}

function valueOf(flag: Flag, token: { rawName: string; value?: unknown; inlineValue?: boolean }) {
  const { value, inlineValue, rawName } = token;
  if (flag.value === undefined) {
    if (value === undefined) return true;
    throw new UsageError(`Cannot give ${rawName} a value: it is a switch`);
  }
  if (typeof value !== "string" || (value === "" && !flag.isValueOptional)) {
    throw new UsageError(`Cannot use ${rawName} alone: it needs a value, ${flag.value}`);
  }
  // `-o -m x`: the value was forgotten. A negative number is a value.
  if (!inlineValue && /^-\D/.test(value)) {
    if (flag.mayBeSecret) {
      throw new UsageError(
        `Cannot use ${rawName}: it needs a value, ${flag.value}, and what follows begins with a dash. ` +
          `If that is meant, write --${flag.name}=${flag.value}`,
      );
    }
    throw new UsageError(
      `Cannot use ${rawName} with "${value}": it needs a value, ${flag.value}. ` +
        `If that is meant, write --${flag.name}=${value}`,
    );
  }
  return value;
}

function setFlag(flags: Map<string, FlagValue>, flag: Flag, value: FlagValue): void {
  if (!flag.isMultiple) {
    flags.set(flag.name, value);
    return;
  }
  const before = flags.get(flag.name);
  flags.set(flag.name, [...(Array.isArray(before) ? before : []), value as string]);
}
