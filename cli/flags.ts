/**
 * All flags. Parsing, `--help`, `--config` and suggestions for mistyped flags use this table. Its
 * parts are in `flags/`.
 *
 * @module
 */

import type { Command } from "./commands.ts";
import { INPUT_AND_OUTPUT, ROWS } from "./flags/files.ts";
import { SUBMIT } from "./flags/submit.ts";
import { ANSWERS, BUDGETS, PARAMETERS, RESUME, SPEED, TEACHER } from "./flags/teacher.ts";
import { HELP, MONITOR, PROGRESS } from "./flags/watching.ts";

/** A flag as parsing and the help need it. */
export interface Flag {
  /** Long name, without the dashes. */
  readonly name: string;
  readonly short?: string;
  /** Placeholder in the help; a flag without one is a switch. */
  readonly value?: string;
  /** Whether the value may be omitted. */
  readonly isValueOptional?: boolean;
  /** Whether the flag may be repeated. */
  readonly isRepeatable?: boolean;
  /** Whether the flag is a switch that is on unless users turn it off with `--no-…`. */
  readonly isOnByDefault?: boolean;
  /** Whether the value may hold a secret, or users may type the secret where a name is expected. */
  readonly mayBeSecret?: boolean;
  readonly help: string;
  /** Help for commands where it differs. @default help */
  readonly helpFor?: Partial<Record<Command, string>>;
  readonly commands: readonly Command[];
  /** Whether the help without `--help-all` shows the flag. */
  readonly isCommon?: boolean;
  /** Heading under which `--help-all` lists the flag. */
  readonly group: string;
}

/**
 * A flag in a table. Its group is the key of the table; by default it belongs to `run` and `retry`.
 */
export type FlagEntry = Omit<Flag, "group" | "commands"> & Partial<Pick<Flag, "commands">>;

/** Commands of flags that do not list any. */
const DEFAULT_COMMANDS = ["run", "retry"] as const;

const GROUPS: Readonly<Record<string, readonly FlagEntry[]>> = {
  "Input and output": INPUT_AND_OUTPUT,
  Teacher: TEACHER,
  Parameters: PARAMETERS,
  Rows: ROWS,
  Speed: SPEED,
  Answers: ANSWERS,
  Budgets: BUDGETS,
  Resume: RESUME,
  Progress: PROGRESS,
  Submit: SUBMIT,
  Monitor: MONITOR,
  Help: HELP,
};

/** All flags, in the order of the help. */
export const FLAGS: readonly Flag[] = Object.entries(GROUPS).flatMap(([group, entries]) =>
  entries.map((entry) => ({ commands: DEFAULT_COMMANDS, ...entry, group }))
);

/**
 * Flags of a run that `submit` does not take: the job sets them itself, they make no sense for one
 * of many runs, or they must not apply again when the scheduler restarts a run.
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

/** The flags of a command. `submit` also takes those of a run, except `NOT_SUBMITTED`. */
export function flagsOf(command: Command): Flag[] {
  const flags = FLAGS.filter((flag) => flag.commands.includes(command));
  if (command !== "submit") return flags;
  const names = new Set(flags.map(({ name }) => name));
  const runFlags = FLAGS.filter(({ name, commands }) =>
    commands.includes("run") && !NOT_SUBMITTED.has(name) && !names.has(name)
  );
  return [...flags, ...runFlags.map((flag) => ({ ...flag, isCommon: false }))];
}
