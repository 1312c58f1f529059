/**
 * All flags, as `flag_table.ts` lists them. Parsing, `--help`, `--config` and suggestions for
 * mistyped flags use this list.
 *
 * @module
 */

import type { Command } from "./commands.ts";
import { GROUP_TRAITS, GROUPS } from "./flag_table.ts";

export interface Flag extends FlagTraits {
  readonly name: string;
  readonly short: string | undefined;
  /** Placeholder of the value in the help; undefined for a switch. */
  readonly value: string | undefined;
  readonly isValueOptional: boolean;
  /** The flag with its placeholder: `-o, --output PATH`. */
  readonly usage: string;
  readonly help: string;
  readonly group: string;
}

export interface FlagTraits {
  readonly commands: readonly Command[];
  readonly isRepeatable?: boolean;
  /** A switch that is on unless turned off with `--no-…`. */
  readonly isOnByDefault?: boolean;
  /** Whether the value may contain a secret, or be one that was typed instead of a name. */
  readonly mayBeSecret?: boolean;
  readonly helpFor?: Partial<Record<Command, string>>;
  /** Whether the help without `--help-all` shows the flag. */
  readonly isCommon?: boolean;
}

const USAGE = /^(?:-(\w), )?--([\w-]+)(?: (.+)|\[=(.+)\])?$/;

export const FLAGS: readonly Flag[] = Object.entries(GROUPS).flatMap(([group, entries]) =>
  entries.map(([usage, help, traits]) => {
    const [, short, name, value, optionalValue] = USAGE.exec(usage)!;
    return {
      name,
      short,
      value: value ?? optionalValue,
      isValueOptional: optionalValue !== undefined,
      usage,
      help,
      group,
      commands: ["run", "retry"],
      ...GROUP_TRAITS[group],
      ...traits,
    };
  })
);

/**
 * Flags of a run that `submit` does not take: the job sets them itself (`--shard`), they make no
 * sense for a shard (`--dry-run`), or a restarted shard would apply them again (`--overwrite`).
 */
const NOT_SUBMITTED: ReadonlySet<string> = new Set([
  "shard",
  "dry-run",
  "resume",
  "overwrite",
  "grace",
  "monitor",
  "monitor-host",
  "monitor-keep",
  "open",
  "report",
  "progress",
  "quiet",
  "allow-failures",
]);

/** Returns the flags of a command. `submit` also takes most flags of `run`. */
export function flagsOf(command: Command): Flag[] {
  return FLAGS.flatMap((flag) => {
    if (flag.commands.includes(command)) return [flag];
    const isSubmitted = flag.commands.includes("run") && !NOT_SUBMITTED.has(flag.name);
    return command === "submit" && isSubmitted ? [{ ...flag, isCommon: false }] : [];
  });
}

/** The name as users type it after `--`. */
export function typedName({ name, isOnByDefault }: Flag): string {
  return isOnByDefault ? `no-${name}` : name;
}
