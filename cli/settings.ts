/**
 * Flags and configuration, read by name and checked once.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import type { FlagValue, ParsedArgs } from "./parse.ts";

/** Misuse of the library that a person at the command line has asked for is bad usage. */
export function asUsage<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

/** What a person asked for, flags before configuration. */
export class Settings {
  readonly #flags: ReadonlyMap<string, FlagValue>;
  readonly #config: ReadonlyMap<string, FlagValue>;

  /** `config` holds what the flags do not say. */
  constructor(args: ParsedArgs, config: ReadonlyMap<string, FlagValue> = new Map()) {
    this.#flags = args.flags;
    this.#config = config;
  }

  /** A text, or undefined. */
  text(name: string): string | undefined {
    const value = this.#value(name);
    return typeof value === "string" ? value : undefined;
  }

  /** A text that must be there. */
  required(name: string, example: string): string {
    const value = this.text(name);
    if (value === undefined || value === "") {
      throw new UsageError(`Cannot start without ${example}`);
    }
    return value;
  }

  /** A text, or what stands in the file that `@FILE` names. */
  async textOrFile(name: string): Promise<string | undefined> {
    const value = this.text(name);
    if (value === undefined || !value.startsWith("@")) return value;
    try {
      return await Deno.readTextFile(value.slice(1));
    } catch (cause) {
      throw new UsageError(
        `Cannot read "${value.slice(1)}" for --${name}: ${readFailure(cause)}`,
        { cause },
      );
    }
  }

  /** Whether a switch is on. */
  isOn(name: string): boolean {
    return this.#value(name) === true;
  }

  /** Whether a switch was turned off with `--no-…`. */
  isOff(name: string): boolean {
    return this.#value(name) === false;
  }

  /** All values of a flag that may be repeated. */
  list(name: string): string[] {
    const value = this.#value(name);
    return Array.isArray(value) ? value : [];
  }

  /** The parts of `A,B,C`, or undefined. */
  parts(name: string): string[] | undefined {
    return this.text(name)?.split(",").map((part) => part.trim()).filter((part) => part !== "");
  }

  /** One of some words, or undefined. */
  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    throw new UsageError(
      `Cannot use --${name} ${JSON.stringify(value)}: it must be one of ${choices.join(", ")}`,
    );
  }

  /** A whole number of at least `least`, or undefined. */
  integer(name: string, least: number, most = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = Number(value.replaceAll("_", ""));
    if (value.trim() !== "" && Number.isInteger(number) && number >= least && number <= most) {
      return number;
    }
    const range = most === Number.MAX_SAFE_INTEGER
      ? `${least} or more`
      : `between ${least} and ${most}`;
    throw new UsageError(
      `Cannot use --${name} ${JSON.stringify(value)}: it must be a whole number, ${range}`,
    );
  }

  /** A time in milliseconds, or undefined: seconds, or with a unit (`500ms`, `90s`, `20m`, `1h`). */
  milliseconds(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(value);
    const milliseconds = match === null ? 0 : Number(match[1]) * UNITS_MS[match[2] ?? "s"];
    if (milliseconds > 0) return milliseconds;
    throw new UsageError(
      `Cannot use --${name} ${JSON.stringify(value)}: it must be a time, as in 90, 90s, 20m or 1h`,
    );
  }

  #value(name: string): FlagValue | undefined {
    return this.#flags.get(name) ?? this.#config.get(name);
  }
}

/** Why a file cannot be read, in words; the name stands before it. */
export function readFailure(cause: unknown): string {
  if (cause instanceof Deno.errors.NotFound) return "no such file";
  if (cause instanceof Deno.errors.PermissionDenied) return "permission denied";
  const { message } = cause as Error;
  return message.startsWith("Is a directory") ? "it is a folder" : message;
}

const UNITS_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
