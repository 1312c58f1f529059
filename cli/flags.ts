/**
 * Every flag, once: parsing, `--help`, `--config` and the hint for a mistyped one use this table. Its
 * parts are in `flags/`.
 *
 * @module
 */

import type { Command } from "./commands.ts";
import type { Flag, FlagEntry } from "./flags/flag.ts";
import { INPUT_AND_OUTPUT, ROWS } from "./flags/files.ts";
import { SUBMIT } from "./flags/submit.ts";
import { ANSWERS, BUDGETS, PACE, PARAMETERS, RESUME, TEACHER } from "./flags/teacher.ts";
import { HELP, MONITOR, PROGRESS } from "./flags/watching.ts";

/** The commands of a flag that names none. */
const RUN = ["run", "retry"] as const;

const GROUPS: Readonly<Record<string, readonly FlagEntry[]>> = {
  "Input and output": INPUT_AND_OUTPUT,
  Teacher: TEACHER,
  Parameters: PARAMETERS,
  Rows: ROWS,
  Pace: PACE,
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
  entries.map((entry) => ({ commands: RUN, ...entry, group }))
);

/** Flags of a run that make no sense for one of many, or that a scheduler would repeat. */
const NOT_SUBMITTED: ReadonlySet<string> = new Set([
  ...[
    "shard",
    "dry-run",
    "resume",
    "overwrite",
    "grace",
    "monitor",
    "monitor-host",
    "monitor-keep",
  ],
  ...["open", "report", "progress", "quiet", "allow-failures"],
]);

/** The flags that a command knows. A job takes those of its runs. */
export function flagsOf(command: Command): Flag[] {
  const own = FLAGS.filter((flag) => flag.commands.includes(command));
  if (command !== "submit") return own;
  const names = new Set(own.map(({ name }) => name));
  const ofRuns = FLAGS.filter(({ name, commands }) =>
    commands.includes("run") && !NOT_SUBMITTED.has(name) && !names.has(name)
  );
  return [...own, ...ofRuns.map((flag) => ({ ...flag, isCommon: false }))];
}
