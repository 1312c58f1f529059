/**
 * What `--help` says: one screen for each command.
 *
 * @module
 */

import { type Command, COMMANDS, type Flag } from "./flag.ts";
import { flagsOf } from "./flags.ts";

const USAGE: Record<Command, string> = {
  run: "distill [run] INPUT… -o OUT [flags]",
  retry: "distill retry INPUT… -o OUT [flags]",
  verify: "distill verify INPUT… -o OUT",
  export: "distill export RESULTS… -o FILE --format NAME",
  simulate: "distill simulate [--port N] [latency=500,jitter=0.2,…]",
  help: "distill help [COMMAND]",
  version: "distill version",
};

const SUMMARY: Record<Command, string> = {
  run: "Asks a teacher about every row of INPUT; run the same command again to continue.",
  retry: "Asks the rows that failed again, with their prompts as the input has them now.",
  verify: "Proves that every row of INPUT has a result, has failed, or is pending.",
  export: "Writes a training set from results, in input order.",
  simulate: "Serves a simulated OpenAI-compatible teacher on this machine.",
  help: "Shows how a command is used.",
  version: "Shows the version.",
};

const EXAMPLES: Record<Command, string[]> = {
  run: [
    "distill prompts.jsonl -o out/ -m gpt-5-mini -c 100",
    "distill prompts.jsonl -o out/ -m qwen3 --base-url http://127.0.0.1:8000/v1",
    "distill a.jsonl.gz b.jsonl -o out/ -m qwen3 -p temperature=0.6 --dry-run",
  ],
  retry: [
    "distill retry prompts.jsonl -o out/ -m gpt-5-mini",
    "distill retry a.jsonl -o out/ -m qwen3 --retry=truncated -p max_tokens=8000",
  ],
  verify: ["distill verify prompts.jsonl -o out/"],
  export: [
    "distill export out/prompts.jsonl -o train.jsonl --format messages",
    "distill export out/a.jsonl out/b.jsonl -o c.jsonl --format alpaca --think drop",
  ],
  simulate: ["distill simulate --port 8000 latency=200,errors=0.05,rpm=600"],
  help: ["distill help export"],
  version: ["distill version"],
};

/** The width of what stands before the help of a flag. */
const FLAG_COLUMNS = 28;

/** More are shown only when all are asked for. */
const MOST_FLAGS = 20;

/** The help of a command: its common flags, or all of them by group. */
export function helpText(command: Command, all = false): string {
  const flags = flagsOf(command);
  // A run has more flags than a screen has lines.
  const isLong = flags.length > MOST_FLAGS;
  const shown = all || !isLong ? flags : flags.filter((flag) => flag.isCommon);
  const lines = [SUMMARY[command], "", `Usage: ${USAGE[command]}`];
  if (command === "run") {
    const others = COMMANDS.filter((name) => name !== "run").join(", ");
    lines.push(`Commands: ${others}; each has its help.`);
  }
  lines.push("");
  if (all) lines.push(...byGroup(shown));
  else lines.push(...shown.map(flagLine), "");
  lines.push("Examples:", ...EXAMPLES[command].map((example) => `  ${example}`));
  return `${lines.join("\n")}\n`;
}

function byGroup(flags: readonly Flag[]): string[] {
  const groups = Map.groupBy(flags, (flag) => flag.group);
  return [...groups].flatMap(([name, members]) => [`${name}:`, ...members.map(flagLine), ""]);
}

function flagLine(flag: Flag): string {
  const short = flag.short === undefined ? "   " : `-${flag.short},`;
  const name = flag.isNegated ? `no-${flag.name}` : flag.name;
  const value = flag.value === undefined
    ? ""
    : flag.isValueOptional
    ? `[=${flag.value}]`
    : ` ${flag.value}`;
  const flagText = `  ${short} --${name}${value}`;
  // A flag that is too long for its column has a line of its own.
  const gap = flagText.length > FLAG_COLUMNS ? `\n${" ".repeat(FLAG_COLUMNS)}` : "";
  return `${flagText.padEnd(FLAG_COLUMNS)}${gap} ${flag.help}`;
}
