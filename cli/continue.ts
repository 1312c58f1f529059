/** The commands that continue a run, retry its failures or export its results. @module */

import { sortedJson } from "../lib/json.ts";
import type { Summary } from "../lib/progress/mod.ts";
import { holdsSecret, type Params } from "../lib/teacher/mod.ts";
import { isCommand } from "./commands.ts";
import { type Flag, flagsOf, typedName } from "./flags.ts";
import { shownHeader } from "./connection.ts";
import type { Io } from "./io.ts";
import type { FlagValue, ParsedArgs } from "./parse.ts";
import { shellWord } from "../lib/printable.ts";
import { jsonId, pendingIdentity } from "../lib/run/mod.ts";
import type { Config } from "./config.ts";
import { readParams, type RunRequest } from "./request.ts";
import { Settings } from "./settings.ts";

/** Flags that discard or re-request answers (`resume` is written --no-resume). If the next command
 * repeated them, this run's answers would be paid for twice. */
const REPAYING_FLAGS = ["resume", "overwrite", "reask-answered"];

/**
 * Flags that `--simulate` ignores. Printed commands omit them: a simulated run does not check that
 * --api-key-env names a variable, so its value may be a key typed by mistake.
 */
const UNREAD_BY_SIMULATION = ["api-key-env", "api-key-file", "header"];

/**
 * Flags whose values may contain a secret, and how to show them. `index` is the position of a value
 * among those of its flag.
 */
const SHOWN_VALUES: Partial<
  Record<string, (value: string, index: number, io: Pick<Io, "env">) => string>
> = { "base-url": shownAddress, header: shownHeader };

/** Flags that set parameters. One `--params` can replace them all. */
const PARAM_FLAGS = ["params", "temperature", "max-tokens", "param"];

/** Arguments of the next commands; undefined if no flags can express them. */
export interface NextArgs {
  /** Arguments for continuing a stopped run or retry, and for retrying the failed rows of a
   * finished one. */
  readonly same: ParsedArgs | undefined;
  /** Arguments for sending the rows that a finished run or retry left pending. */
  readonly pending: ParsedArgs | undefined;
}

/**
 * Returns the arguments of the next commands. A flag cannot turn off a setting of the `--config`
 * file. So if the file sets `resume` to false, both spell out its settings as flags; if it sets
 * `retry`, only `pending` does. After a retry with other parameters than those of the pending rows,
 * `pending` also spells out theirs; after one with another schema, whose file is not known, it is
 * undefined.
 */
export async function nextArgsOf(
  args: ParsedArgs,
  { config, run, generator }: Pick<RunRequest, "config" | "run" | "generator">,
): Promise<NextArgs> {
  const { params = {}, jsonSchema } = generator;
  const { params: paramsBefore = params, json_schema: schemaBefore } =
    run.retry === false || run.allowMixed
      ? {}
      // The run itself reports wrong inputs and outputs.
      : await pendingIdentity(run).catch(() => undefined) ?? {};
  const otherParams = jsonId(paramsBefore) === jsonId(params) ? undefined : paramsBefore;
  const schema = jsonSchema === undefined ? null : jsonId(jsonSchema);
  const startsOver = config?.flags.get("resume") === false;
  const same = startsOver ? withoutConfig(args, config, params) : args;
  if (schemaBefore !== undefined && schemaBefore !== schema) return { same, pending: undefined };
  const retriesByFile = run.retry !== false && config?.flags.has("retry");
  if (otherParams === undefined && !retriesByFile) return { same, pending: same };
  const pending = config !== undefined && !startsOver && !retriesByFile
    ? await keepingConfig(args, config, otherParams ?? params)
    : undefined;
  return { same, pending: pending ?? withoutConfig(args, config, otherParams ?? params) };
}

/**
 * Returns the arguments with these parameters, and keeps the `--config` file. Returns undefined if
 * the file sets further parameters, which no flag removes.
 */
async function keepingConfig(
  args: ParsedArgs,
  config: Config,
  params: Params,
): Promise<ParsedArgs | undefined> {
  const flags = new Map(args.flags);
  for (const name of PARAM_FLAGS) flags.delete(name);
  for (const others of [[], [["params", JSON.stringify(params)]]] as const) {
    const changedArgs = { ...args, flags: new Map<string, FlagValue>([...flags, ...others]) };
    const changedParams = await readParams(new Settings(changedArgs, config.flags), config.params);
    if (sortedJson(changedParams) === sortedJson(params)) return changedArgs;
  }
  return undefined;
}

/** The arguments with the settings of the file as flags; undefined if no flags can express them. */
function withoutConfig(
  args: ParsedArgs,
  config: Config | undefined,
  params: Params,
): ParsedArgs | undefined {
  if (config !== undefined && config.teachers.length > 0) return undefined;
  const flags = new Map([...config?.flags ?? [], ...args.flags]);
  for (const name of ["config", ...PARAM_FLAGS]) flags.delete(name);
  if (Object.keys(params).length > 0) flags.set("params", JSON.stringify(params));
  return { ...args, inputs: args.inputs.length > 0 ? args.inputs : config?.inputs ?? [], flags };
}

/** The arguments after a retry that the user requested on the page. */
export function asRetry({ same, pending }: NextArgs): NextArgs {
  return { same: same && { ...same, command: "retry" }, pending };
}

/**
 * Returns the command that continues a stopped run or retry, sends pending rows, or retries failed
 * rows; undefined if nothing is left to do.
 */
export function nextCommand(
  { same, pending }: NextArgs,
  summary: Summary,
  program: string,
  env: Io["env"] = () => undefined,
): string | undefined {
  const commandLine = (args: ParsedArgs | undefined, command: string[], droppedFlags: string[]) =>
    args && commandLineOf(args, { program, env }, command, droppedFlags);
  // Old answers are deleted or set aside before the first row is sent. From then on, these flags
  // would apply to the answers of this run.
  const droppedFlags = summary.elapsed_ms > 0 ? [...REPAYING_FLAGS] : [];
  // A stopped retry is continued first, because the parameters of pending rows may be different.
  if (summary.state !== "done") {
    return commandLine(same, same?.command === "retry" ? ["retry"] : [], droppedFlags);
  }
  droppedFlags.push("retry");
  if (summary.pending > 0) return commandLine(pending, [], droppedFlags);
  if (summary.failures_on_disk > 0) return commandLine(same, ["retry"], droppedFlags);
  return undefined;
}

/** Returns the command line of this run, without secrets. */
export function sameCommand(args: ParsedArgs, io: Pick<Io, "program" | "env">): string {
  return commandLineOf(args, io, args.command === "retry" ? ["retry"] : []);
}

export function exportCommand(
  { files }: Pick<Summary, "files">,
  program: string,
): string | undefined {
  const results = files.filter(({ succeeded }) => succeeded > 0).map((file) => file.results);
  if (results.length === 0) return undefined;
  const words = [program, "export", ...results.map(inputWord), "-o", "train.jsonl"];
  return [...words, "--format", "messages"].join(" ");
}

function commandLineOf(
  args: ParsedArgs,
  io: Pick<Io, "program" | "env">,
  command: string[],
  droppedFlags: readonly string[] = [],
): string {
  const words = [io.program, ...command, ...args.inputs.map(inputWord)];
  const unreadFlags = args.flags.has("simulate") ? UNREAD_BY_SIMULATION : [];
  const commandFlags = flagsOf(command.length > 0 ? "retry" : "run");
  for (const [name, value] of args.flags) {
    const flag = commandFlags.find((flag) => flag.name === name);
    // A retry requested on the page has the flags of a run, some of which `retry` does not take.
    if (flag === undefined || [...droppedFlags, ...unreadFlags].includes(name)) continue;
    // The configuration may set a switch to its default.
    if (flag.value === undefined && value === Boolean(flag.isOnByDefault)) continue;
    const flagWord = flag.short ? `-${flag.short}` : `--${typedName(flag)}`;
    if (typeof value === "boolean") words.push(flagWord);
    else if (flag.isValueOptional) {
      words.push(value === "" ? flagWord : shellWord(`${flagWord}=${value}`));
    } else {
      for (const [index, text] of [value].flat().entries()) {
        const shown = SHOWN_VALUES[name]?.(text, index, io) ?? text;
        words.push(...withValue(flag, flagWord, shown));
      }
    }
  }
  return words.join(" ");
}

/** An input that looks like a flag or a command is written as a path. */
function inputWord(input: string): string {
  const isAmbiguous = /^-./.test(input) || isCommand(input);
  return shellWord(isAmbiguous ? `./${input}` : input);
}

/** Returns the words of a flag and its value. A value that looks like a flag follows "=". */
function withValue(flag: Flag, flagWord: string, value: string): string[] {
  return /^-\D/.test(value) ? [shellWord(`--${flag.name}=${value}`)] : [flagWord, shellWord(value)];
}

/**
 * Replaces a URL that contains a secret with a variable. The variable of the first teacher is
 * `OPENAI_BASE_URL`, unless that is set to another URL.
 */
function shownAddress(url: string, index: number, { env }: Pick<Io, "env">): string {
  if (!holdsSecret(url)) return url;
  const isFree = index === 0 && [undefined, "", url].includes(env("OPENAI_BASE_URL"));
  return `@env:${isFree ? "OPENAI_BASE_URL" : `TEACHER_URL_${index + 1}`}`;
}
