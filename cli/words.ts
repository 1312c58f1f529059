/**
 * Words that users type instead of a command or a flag: aliases, names from other programs, and
 * mistyped commands, which must not be confused with input files.
 *
 * @module
 */

import { similarName, suggestion } from "../lib/similar_name.ts";
import { UsageError } from "../lib/errors.ts";
import { type Command, COMMANDS, isCommand } from "./commands.ts";

const ALIASES: ReadonlyMap<string, string> = new Map([
  ["-help", "--help"],
  ["-?", "--help"],
  ["-version", "--version"],
]);

/** Commands of other programs, and what Retort has instead. */
const SYNONYMS: ReadonlyMap<string, string> = new Map([
  ["resume", "Run the same command again: a run continues by itself"],
  ["continue", "Run the same command again: a run continues by itself"],
  ["start", 'Leave the word out, or write "run"'],
  ["generate", 'Leave the word out, or write "run"'],
  ["distill", "Leave the word out"],
  ["retort", "Leave the word out"],
  ["check", '"verify" checks an output, --dry-run an input'],
  ["validate", '"verify" checks an output, --dry-run an input'],
  ["test", '"verify" checks an output, --dry-run an input'],
  ["mock", 'Use "simulate"'],
  ["serve", 'Use "simulate"'],
  ["redo", 'Use "retry"'],
]);

/** Flags, and the names that other programs have for them. */
const FLAG_HABITS: readonly (readonly [flag: string, habits: string])[] = [
  ["base-url", "url api-base api-url endpoint host server openai-base-url"],
  [
    "concurrency",
    `batch-size concurrent-requests j jobs max-concurrency max-concurrent-requests max-parallel
    max-procs max-workers num-threads num-workers P parallel threads workers`,
  ],
  ["max-attempts", "max-retries num-retries retries"],
  ["max-cost", "budget max-budget"],
  ["max-tokens", "max-new-tokens max-output-tokens"],
  ["model", "model-id model-name"],
  ["output", "out output-dir output-file output-folder output-path"],
  ["progress", "no-progress progress-bar"],
  ["prompt-field", "column input-column prompt-column text-column"],
  ["quiet", "log-level silent"],
  ["rpm", "max-requests-per-minute rate-limit requests-per-minute"],
  ["samples", "best-of n num-generations num-return-sequences num-samples"],
  ["system", "system-message system-prompt"],
  ["template", "prompt prompt-template"],
  ["tpm", "max-tokens-per-minute tokens-per-minute"],
];

/** Parameters of the request that other programs have a flag for. */
const PARAM_HABITS = `enable-thinking frequency-penalty logprobs max-completion-tokens min-p
  presence-penalty reasoning-effort repetition-penalty response-format seed service-tier stop
  top-k top-logprobs top-p`.split(/\s+/);

/** Advice for other flags. */
const OTHER_HABITS: ReadonlyMap<string, string> = new Map([
  ["cache", "Answers on disk are never paid for twice; no cache is needed"],
  ["data", "Inputs are named without a flag"],
  ["dataset", "Inputs are named without a flag"],
  ["f", "Inputs are named without a flag"],
  ["file", "Inputs are named without a flag"],
  ["force", "Did you mean --overwrite (with --no-resume), or --replace of export?"],
  ["input", "Inputs are named without a flag"],
  ["input-file", "Inputs are named without a flag"],
  ["proxy", "Set HTTPS_PROXY or HTTP_PROXY"],
  ["y", "No command asks for confirmation"],
  ["yes", "No command asks for confirmation"],
]);

/** Advice for a flag that users know from other programs; undefined for any other word. */
export function habitAdvice(name: string, flags: ReadonlySet<string>): string | undefined {
  const habit = name.replaceAll("_", "-");
  if (flags.has("param") && PARAM_HABITS.includes(habit)) {
    return `Parameters of the request follow -p: -p ${habit.replaceAll("-", "_")}=VALUE`;
  }
  const flag = FLAG_HABITS.find(([, habits]) => habits.split(/\s+/).includes(habit))?.[0];
  if (flag !== undefined && flags.has(flag)) return `Did you mean --${flag}?`;
  return OTHER_HABITS.get(habit);
}

/** Replaces other ways to ask for help and version: `-help`, `-v` alone, `export help`. */
export function withoutAliases(args: readonly string[]): string[] {
  // With other arguments, `-v` is `--verbose`.
  if (args.length === 1 && args[0] === "-v") return ["--version"];
  if (args.length === 2 && isCommand(args[0]) && args[1] === "help") return [args[0], "--help"];
  const end = args.indexOf("--");
  return args.map((arg, i) => end === -1 || i < end ? ALIASES.get(arg) ?? arg : arg);
}

/** Throws for a mistyped command or a command of another program, unless it is a file. */
export function refuseMistypedCommand(args: readonly string[]): void {
  const [word] = args;
  // Words with a dot, a slash or a digit are paths.
  if (word === undefined || !/^[a-z]{3,}$/i.test(word)) return;
  if (isCommand(word) || exists(word)) return;
  const similar = similarName(word, COMMANDS);
  const advice = similar === undefined ? SYNONYMS.get(word) : `Did you mean "${similar}"?`;
  if (advice === undefined) return;
  throw new UsageError(`Cannot run "${word}": it is neither a command nor a file. ${advice}`);
}

export function refuseLateCommand(inputs: readonly string[]): void {
  const command = inputs.find((input) => isCommand(input) && !exists(input));
  if (command === undefined) return;
  throw new UsageError(
    `Cannot read "${command}": no such file. The command "${command}" must be the first word`,
  );
}

export function helpTopic(words: readonly string[]): Command | undefined {
  const [word, ...others] = words;
  if (word === undefined) return undefined;
  const topic = COMMANDS.find((command) => command === word);
  if (topic !== undefined && others.length === 0) return topic;
  const advice = topic === undefined ? suggestion(word, COMMANDS) : "";
  throw new UsageError(
    `Cannot show help for "${words.join(" ")}": the commands are ${COMMANDS.join(", ")}${advice}`,
  );
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
