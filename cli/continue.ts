/** The commands that continue a run, retry its failures or export its results. @module */

import { RAISE_ADVICE } from "../lib/engine/answers/mod.ts";
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

/**
 * Flags that delete answers (`resume` stands for --no-resume). If the next command repeated
 * them, the answers of this run would be paid for twice.
 */
const DELETING_FLAGS = ["resume", "overwrite"];

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
  /** Arguments that continue this run or retry if it was stopped, or that retry its failed rows. */
  readonly thisRun: ParsedArgs | undefined;
  /** Arguments that send the rows that are pending although this run or retry is done. */
  readonly pendingRows: ParsedArgs | undefined;
}

/**
 * Returns the arguments of the next commands. No flag can undo `resume: false` or `retry` in the
 * `--config` file. If the file sets `resume: false`, both commands repeat its settings as flags
 * instead of naming the file. If it sets `retry`, only `pendingRows` does so.
 *
 * Pending rows need the parameters and the schema of the run before a retry. If the retry changed
 * the parameters, `pendingRows` has those of the run. If it changed the schema, `pendingRows` is
 * undefined, because the file of the run's schema is not known.
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
  const thisRun = startsOver ? withoutConfig(args, config, params) : args;
  if (schemaBefore !== undefined && schemaBefore !== schema) {
    return { thisRun, pendingRows: undefined };
  }
  const retriesByFile = run.retry !== false && config?.flags.has("retry");
  if (otherParams === undefined && !retriesByFile) return { thisRun, pendingRows: thisRun };
  const withConfig = config !== undefined && !startsOver && !retriesByFile
    ? await keepingConfig(args, config, otherParams ?? params)
    : undefined;
  const pendingRows = withConfig ?? withoutConfig(args, config, otherParams ?? params);
  return { thisRun, pendingRows };
}

/**
 * Returns the arguments with these parameters and the `--config` file; undefined if the file sets
 * further parameters, because no flag removes them.
 */
async function keepingConfig(
  args: ParsedArgs,
  config: Config,
  params: Params,
): Promise<ParsedArgs | undefined> {
  const flags = new Map(args.flags);
  for (const name of PARAM_FLAGS) flags.delete(name);
  for (const paramFlags of [[], [["params", JSON.stringify(params)]]] as const) {
    const changedArgs = { ...args, flags: new Map<string, FlagValue>([...flags, ...paramFlags]) };
    const changedParams = await readParams(new Settings(changedArgs, config.flags), config.params);
    if (sortedJson(changedParams) === sortedJson(params)) return changedArgs;
  }
  return undefined;
}

/** Returns the arguments with the file's settings as flags; undefined if it sets teachers. */
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

/**
 * Returns the arguments of the commands that follow a retry which the user requested on the page.
 */
export function asRetry({ thisRun, pendingRows }: NextArgs): NextArgs {
  return { thisRun: thisRun && { ...thisRun, command: "retry" }, pendingRows };
}

/**
 * Returns the command that continues a stopped run or retry, sends pending rows, or retries failed
 * rows; undefined if nothing is left to do, or if the same command would end immediately.
 */
export function nextCommand(
  { thisRun, pendingRows }: NextArgs,
  summary: Summary,
  program: string,
  env: Io["env"] = () => undefined,
): string | undefined {
  const commandLine = (args: ParsedArgs | undefined, command: string[], droppedFlags: string[]) =>
    args && commandLineOf(args, { program, env }, command, droppedFlags);
  // Old answers are deleted before the first row is sent. From then on, these flags would apply to
  // the answers of this run.
  const droppedFlags = summary.elapsed_ms > 0 ? [...DELETING_FLAGS] : [];
  // A stopped retry is continued first, because the parameters of pending rows may be different.
  if (summary.state !== "done") {
    if (summary.reason?.endsWith(RAISE_ADVICE)) return undefined;
    return commandLine(thisRun, thisRun?.command === "retry" ? ["retry"] : [], droppedFlags);
  }
  droppedFlags.push("retry", "reask-answered");
  // None of the chosen rows has failed, so the failures on disk belong to other rows.
  if (summary.failed === 0) droppedFlags.push("uids", "exclude-uids");
  if (summary.pending > 0) return commandLine(pendingRows, [], droppedFlags);
  // Without `--exclude-uids`, the command would pay for the rows that the user has excluded.
  if (summary.failed === 0 && thisRun?.flags.has("exclude-uids")) return undefined;
  if (summary.failures_on_disk > 0) return commandLine(thisRun, ["retry"], droppedFlags);
  return undefined;
}

/** Returns the command of this run or retry, without secrets. */
export function commandOfRun(args: ParsedArgs, io: Pick<Io, "program" | "env">): string {
  return commandLineOf(args, io, args.command === "retry" ? ["retry"] : []);
}

/**
 * Maximum number of results files in an export command. With more files, no command is shown,
 * because it would be too long.
 */
const MAX_EXPORTED_FILES = 8;

export function commandToExport(
  { files }: Pick<Summary, "files">,
  program: string,
): string | undefined {
  if (files.length > MAX_EXPORTED_FILES) return undefined;
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

/** Writes an input that looks like a flag or a command as a path. */
function inputWord(input: string): string {
  const isAmbiguous = /^-./.test(input) || isCommand(input);
  return shellWord(isAmbiguous ? `./${input}` : input);
}

/** Returns a flag and its value, as one word (`--x=-y`) if the value looks like a flag. */
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
