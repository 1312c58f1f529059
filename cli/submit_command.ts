/** `retort submit`: prints or submits a job, shows its state, or cancels it. @module */

import { UsageError } from "../lib/errors.ts";
import { exists, isMissing, shardStem } from "../lib/files.ts";
import { INPUT_FORMATS } from "../lib/formats/mod.ts";
import { checkReadableTwice, filesOf, findInputs, sharedOutput } from "../lib/run/mod.ts";
import { canceledPathOf, MAX_SHARDS, planFor } from "../lib/shards/mod.ts";
import { refuseLongName } from "../lib/sink/mod.ts";
import type { Config } from "./config.ts";
import { EXIT_DONE } from "./exit.ts";
import { flagsOf, typedName } from "./flags.ts";
import type { Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";
import type { RunRequest } from "./request.ts";
import { requireInputs, Settings } from "./settings.ts";
import { suggestion } from "../lib/similar_name.ts";
import {
  checkMergedFiles,
  checkShards,
  jobNameOf,
  mergeArguments,
  mergedResultsOf,
  type PreparedJob,
} from "./submit_job.ts";
import { holdsSecret } from "../lib/teacher/mod.ts";
import { shownHeader } from "./connection.ts";

/** Time between the scheduler's signal and the kill (`--lead`). */
const DEFAULT_LEAD_MS = 120_000;
/** Time from the end of `--grace` to the kill, in which a shard writes its files. */
const SHUTDOWN_SECONDS = 10;
/** Minimum of `--lead`: 5 s for the calls in flight, plus `SHUTDOWN_SECONDS`. */
const MIN_LEAD_MS = 15_000;

export async function submitCommand(args: ParsedArgs, io: Io): Promise<number> {
  const [action, ...inputs] = args.inputs;
  const settings = new Settings(args);
  switch (action) {
    case "status":
    case "cancel": {
      const { cancelCommand, statusCommand } = await import("./submit_control.ts");
      return await (action === "status" ? statusCommand : cancelCommand)(inputs, settings, io);
    }
    case "slurm":
    case "kubernetes": {
      const job = await prepare(action, inputs, args, settings, io);
      const submit = action === "slurm"
        ? (await import("./submit_slurm.ts")).submitToSlurm
        : (await import("./submit_kubernetes.ts")).submitToKubernetes;
      await submit(job, settings, io);
      return EXIT_DONE;
    }
    default: {
      const attempt = action === undefined ? "without a scheduler" : JSON.stringify(action);
      throw new UsageError(
        `Cannot submit ${attempt}: the first word must be slurm, kubernetes, status or cancel` +
          suggestion(action ?? "", ["slurm", "kubernetes", "status", "cancel"]),
      );
    }
  }
}

/** Checks the settings, and returns the job. For Slurm, also writes the plan of its shards. */
async function prepare(
  scheduler: Scheduler,
  inputs: readonly string[],
  args: ParsedArgs,
  settings: Settings,
  io: Io,
): Promise<PreparedJob> {
  checkInputs(inputs);
  const output = settings.required("output", "an output: add -o out/", "submit");
  const { shards, parallel, leadMs } = readDivision(settings);
  refuseFlagsOfOthers(scheduler, args);
  refuseVisibleSecrets(scheduler, settings);
  const request = await checkRun(scheduler, inputs, args, io);
  // Includes the settings of `--config`, unless that file exists only in the cluster.
  const runSettings = request?.settings ?? settings;
  refuseRunSettings(runSettings, request?.config);
  const { files } = await findInputs(inputs);
  const shardOutput = await sharedOutput(inputs, files, output);
  const { stem } = shardOutput;
  refuseLongName(filesOf("", shardStem(stem, { index: 0, count: shards })).runJson);
  const mergedResults = mergedResultsOf(stem, settings);
  if (scheduler === "kubernetes") {
    const { refuseOutsideVolume, warnOfMissing } = await import("./submit_kubernetes.ts");
    refuseOutsideVolume([["output", stem], ["merge", mergedResults]], settings);
    warnOfMissing(inputs, runSettings, request?.config?.teachers ?? [], io);
  }
  // The input of a Kubernetes job may exist only in the cluster.
  if (scheduler === "slurm" || (await Promise.all(files.map(exists))).every(Boolean)) {
    await Promise.all(files.map((file) => checkReadableTwice(file)));
    await checkMergedFiles(mergedResults, files);
    const planOptions = planOptionsOf(scheduler, inputs, runSettings);
    await checkShards(stem, await planFor(shardOutput, files, shards, planOptions), request, io);
    await Deno.remove(canceledPathOf(stem)).catch(() => {});
  } else {
    const { refuseUnknownName } = await import("./submit_kubernetes.ts");
    refuseUnknownName(inputs, output);
  }
  const leadSeconds = Math.round(leadMs / 1_000);
  return {
    name: await jobNameOf(stem),
    stem,
    mergedResults,
    submission: Date.now().toString(36),
    shards,
    parallel: Math.min(parallel, shards),
    run: ["run", ...inputs, ...runFlags(args), ...shardFlags(leadSeconds)],
    merge: mergeArguments(stem, mergedResults, shards, runSettings),
    leadSeconds,
  };
}

function planOptionsOf(
  scheduler: Scheduler,
  inputs: readonly string[],
  settings: Settings,
) {
  const input = {
    inputFormat: settings.choice("input-format", INPUT_FORMATS),
    jsonColumns: settings.parts("json-columns"),
  };
  // Pods write as a user of their own, who could not write to folders that are created here.
  const writes = scheduler === "slurm";
  return { input, inputs, writes, needsLock: !settings.isOff("lock") };
}

/**
 * Reads the settings as each shard will, to find a wrong one before the job waits in a queue.
 * Returns undefined if a file that they name is missing here: for Kubernetes, it may be in the
 * cluster.
 */
async function checkRun(
  scheduler: Scheduler,
  inputs: readonly string[],
  args: ParsedArgs,
  io: Io,
): Promise<RunRequest | undefined> {
  const { readRequest } = await import("./request.ts");
  const run: ParsedArgs = { ...args, command: "run", inputs: [...inputs] };
  if (scheduler === "kubernetes") {
    return await readRequest(run, io).catch((error) => {
      if (!isMissing(error.cause)) throw error;
      return undefined;
    });
  }
  const request = await readRequest(run, io);
  (await import("./submit_slurm.ts")).refuseVariables(request, io);
  // A missing key file causes only a warning, because nodes may have files that this machine lacks.
  const keyFile = request.settings.text("api-key-file");
  if (keyFile !== undefined && !(await exists(keyFile))) {
    io.writeErr(
      `Warning: there is no key file ${
        JSON.stringify(keyFile)
      } on this machine. A shard cannot start ` +
        "on a node without it\n",
    );
  }
  return request;
}

/**
 * Settings that shards cannot have, so `submit` has no flags for them: with these, a shard would
 * send nothing, start over when it is requeued, take the port of another, or replace another's
 * report.
 */
const NOT_FOR_SHARDS = ["dry-run", "resume", "monitor", "report"];

function refuseRunSettings(settings: Settings, config: Config | undefined): void {
  if (settings.text("duplicates") === "keep") {
    throw new UsageError(
      "Cannot submit with --duplicates keep: duplicates are numbered across the whole input, and a shard " +
        "reads only a part of it",
    );
  }
  const name = NOT_FOR_SHARDS.find((name) => {
    const value = config?.flags.get(name);
    // `monitor: true` takes any free port, so several shards of a node can start.
    const isHarmless = name === "monitor" && value === "";
    return value !== undefined && value !== (name === "resume") && !isHarmless;
  });
  if (name === undefined) return;
  const path = settings.text("config");
  throw new UsageError(
    `Cannot submit with ${name} in "${path}": every shard would use it. Name a copy of the file without it`,
  );
}

function shardFlags(leadSeconds: number): string[] {
  return ["--shard", "auto", "--grace", `${leadSeconds - SHUTDOWN_SECONDS}s`];
}

/**
 * Flags that only one scheduler has. The other scheduler would ignore them, for example a time
 * limit.
 */
const FLAGS_OF_SCHEDULERS = {
  slurm: ["time", "partition", "account", "before", "program"],
  kubernetes: ["image", "volume", "secret", "namespace"],
};

type Scheduler = keyof typeof FLAGS_OF_SCHEDULERS;

function refuseFlagsOfOthers(scheduler: Scheduler, { flags }: ParsedArgs): void {
  const other = scheduler === "slurm" ? "kubernetes" : "slurm";
  const flag = FLAGS_OF_SCHEDULERS[other].find((name) => flags.has(name));
  if (flag === undefined) return;
  throw new UsageError(`Cannot use --${flag} with "submit ${scheduler}": it belongs to ${other}`);
}

function checkInputs(inputs: readonly string[]): void {
  requireInputs({ inputs }, "submit without an input: name a file of prompts, as in prompts.jsonl");
  if (inputs.includes("-")) {
    throw new UsageError("Cannot submit standard input (-): save it to a file, and name the file");
  }
}

function readDivision(settings: Settings): { shards: number; parallel: number; leadMs: number } {
  const shards = settings.integer("shards", 1, MAX_SHARDS);
  if (shards === undefined) {
    throw new UsageError("Cannot submit without a number of shards: add --shards N");
  }
  const parallel = settings.integer("parallel", 1) ?? shards;
  const leadMs = settings.milliseconds("lead") ?? DEFAULT_LEAD_MS;
  if (leadMs < MIN_LEAD_MS) {
    throw new UsageError(`Cannot use --lead ${settings.text("lead")}: it must be 15s or more`);
  }
  return { shards, parallel, leadMs };
}

/** Returns the flags that `retort run` also takes, each with its value as one argument. */
function runFlags({ flags }: ParsedArgs): string[] {
  const flagsOfRun = flagsOf("run");
  const submitNames = new Set(flagsOf("submit").map(({ name }) => name));
  return [...flags].flatMap(([name, value]) => {
    const flag = flagsOfRun.find((flag) => flag.name === name);
    if (flag === undefined || !submitNames.has(name)) return [];
    if (typeof value === "boolean" || value === "") return [`--${typedName(flag)}`];
    return [value].flat().map((text) => `--${name}=${text}`);
  });
}

function refuse(problem: string): never {
  throw new UsageError(`Cannot submit ${problem}. Put the key into a file (--api-key-file)`);
}

function refuseVisibleSecrets(scheduler: Scheduler, settings: Settings): void {
  if (settings.list("base-url").some((url) => holdsSecret(url))) {
    refuse("a --base-url that contains a secret: it would be visible in the job");
  }
  for (const header of settings.list("header")) {
    if (shownHeader(header) === header) continue;
    refuse(`the --header "${header.split(/[=:]/)[0]}": its value would be visible in the job`);
  }
  if (scheduler !== "slurm") return;
  const lines = [...settings.list("before"), settings.text("program") ?? ""];
  const variable = lines.map((line) => SET_SECRET.exec(line)?.[1]).find((name) => name);
  if (variable !== undefined) {
    refuse(`a script that sets ${variable}: its value would be visible in the job`);
  }
}

/**
 * Matches an assignment of a literal to a variable that is named like a secret. Paths and command
 * substitutions are allowed, and so are values shorter than 8 characters: local servers accept any
 * key, such as EMPTY, and the names of some switches end in TOKEN.
 */
const SET_SECRET = /\b(\w*(?:KEY|TOKEN|SECRET|PASSWORD))=["']?[^\s"'`$~/.][^\s"'`;]{7}/i;
