/**
 * All settings of a run, read from flags and configuration before the run starts.
 *
 * @module
 */

import { FAILURE_TYPES, type FailureType, UsageError } from "../lib/errors.ts";
import { MAX_CONCURRENCY } from "../lib/engine/mod.ts";
import { INPUT_FORMATS } from "../lib/formats/mod.ts";
import type { ResolvedRunOptions, ResponseGeneratorOptions } from "../lib/run/mod.ts";
import { MAX_SAMPLES } from "../lib/seed.ts";
import type { TeacherSpec } from "./config_teachers.ts";
import { type Allowance, parseAllowance } from "./exit_codes.ts";
import type { Io } from "./io.ts";
import { type MonitorRequest, readMonitor } from "./monitor.ts";
import { readParams } from "./params.ts";
import type { ParsedArgs } from "./parse.ts";
import { PROGRESS_STYLES, type ProgressStyle } from "./screen.ts";
import { Settings } from "./settings.ts";
import { suggestion } from "./words.ts";
import type { Shard } from "../lib/shards/mod.ts";

/** Shorter than the 30 s that Kubernetes gives a pod. */
const DEFAULT_GRACE_MS = 20_000;

/** A run as the user requested it. */
export interface RunRequest {
  /** For flags that other parts of the command read by name. */
  readonly settings: Settings;
  /** The list `teachers` of the configuration; empty without one. */
  readonly teachers: readonly TeacherSpec[];
  readonly generator: Omit<ResponseGeneratorOptions, "teacher" | "teachers">;
  readonly run: ResolvedRunOptions;
  readonly progress: ProgressStyle;
  /** Whether only problems are printed. */
  readonly isQuiet: boolean;
  readonly monitor: MonitorRequest;
  /** How many failed rows still count as success; undefined for none. */
  readonly allowance: Allowance | undefined;
  /** How long a run waits for its calls in flight after SIGTERM or SIGHUP, in milliseconds. */
  readonly graceMs: number;
}

/**
 * Reads and validates all settings.
 *
 * @throws {UsageError} with the flag, its value and what to do
 */
export async function readRequest(args: ParsedArgs, io: Io): Promise<RunRequest> {
  const path = args.flags.get("config");
  // Loaded on demand: the YAML parser has 30 modules.
  const config = typeof path === "string"
    ? await (await import("./config.ts")).readConfig(path)
    : undefined;
  const settings = new Settings(args, config?.flags);
  const params = await readParams(settings, config?.params ?? {});
  const inputs = args.inputs.length > 0 ? args.inputs : config?.inputs ?? [];
  const retry = readRetry(settings, args);
  checkStart(inputs, settings, retry);
  const allowance = settings.text("allow-failures");
  const isQuiet = settings.isOn("quiet");
  return {
    settings,
    teachers: config?.teachers ?? [],
    generator: {
      ...await readRowOptions(settings),
      ...readSpeed(settings),
      ...await readAnswerPolicy(settings),
      ...readBudgets(settings),
      params,
    },
    run: {
      ...readRunOptions(settings),
      ...await readUids(settings),
      shard: await readShardOnDemand(settings, io),
      retry,
      input: inputs,
      output: settings.required("output", "an output: add -o out/"),
      stdin: inputs.includes("-") ? io.stdin : undefined,
    },
    progress: settings.choice("progress", PROGRESS_STYLES) ?? (isQuiet ? "none" : "auto"),
    isQuiet,
    monitor: readMonitor(settings),
    allowance: allowance === undefined ? undefined : parseAllowance(allowance),
    graceMs: settings.milliseconds("grace") ?? DEFAULT_GRACE_MS,
  };
}

/** Loads the code for shards only if the run is one. */
async function readShardOnDemand(settings: Settings, io: Io): Promise<Shard | undefined> {
  if (settings.text("shard") === undefined) return undefined;
  const { readShard } = await import("./shard.ts");
  return readShard(settings, io);
}

/** Throws if the settings of a run contradict each other, or it has no input. */
function checkStart(
  inputs: readonly string[],
  settings: Settings,
  retry: RunRequest["run"]["retry"],
) {
  if (inputs.length === 0) {
    throw new UsageError(
      "Cannot start without an input: name a file of prompts, as in prompts.jsonl, or - for " +
        "standard input",
    );
  }
  if (settings.isOn("overwrite") && !settings.isOff("resume")) {
    throw new UsageError("Cannot use --overwrite alone: it belongs to --no-resume");
  }
  if (retry !== false && settings.isOff("resume")) {
    throw new UsageError("Cannot use --retry with --no-resume: it would delete the failures");
  }
}

/** Reads which rows a retry or an export takes. */
export async function readUids(settings: Settings) {
  return {
    uids: await uidsOf(settings, "uids"),
    excludeUids: await uidsOf(settings, "exclude-uids"),
  };
}

async function uidsOf(settings: Settings, name: string): Promise<string[] | undefined> {
  if (settings.text(name)?.startsWith("@") !== true) return settings.parts(name);
  try {
    const { parseUids } = await import("../lib/run/mod.ts");
    return parseUids(await settings.textOrFile(name) ?? "");
  } catch (error) {
    if (!(error instanceof UsageError) || error.message.startsWith("Cannot")) throw error;
    throw new UsageError(
      `Cannot use ${settings.flagText(name, settings.text(name)!)}: ${error.message}`,
      {
        cause: error,
      },
    );
  }
}

/** Reads the settings for reading rows; `verify` and `export` use them, too. */
export async function readRowOptions(settings: Settings) {
  return {
    system: await settings.textOrFile("system"),
    template: await settings.textOrFile("template"),
    promptField: settings.text("prompt-field"),
    uidField: settings.parts("uid-field"),
    duplicates: settings.choice("duplicates", ["merge", "keep"]),
    mixedShapes: settings.isOn("mixed-shapes"),
    imagesRoot: settings.text("images-root"),
    inputFormat: settings.choice("input-format", INPUT_FORMATS),
    jsonColumns: settings.parts("json-columns"),
    binaryColumns: settings.parts("binary-columns"),
  };
}

/** Reads the number of answers per row; `verify` uses it, too. */
export function readSamples(settings: Settings): number | undefined {
  return settings.integer("samples", 1, MAX_SAMPLES);
}

function readSpeed(settings: Settings) {
  return {
    concurrency: settings.integerOr("auto", "concurrency", 1, MAX_CONCURRENCY),
    affinity: settings.choice("affinity", ["prefix"]),
    carefulStart: !settings.isOff("careful-start"),
    rpm: settings.number("rpm"),
    tpm: settings.number("tpm"),
    maxAttempts: settings.integer("max-attempts", 1),
    rowTimeoutMs: settings.milliseconds("row-timeout"),
    waitForTeacherMs: settings.text("wait") === "" ? Infinity : settings.milliseconds("wait"),
    updateInterval: settings.integer("update-interval", 1),
  };
}

/** Reads which answers are kept, and how many per row. */
async function readAnswerPolicy(settings: Settings) {
  const onTruncated = settings.choice("on-truncated", ["error", "keep", "escalate"]);
  const maxTokensCap = settings.integer("max-tokens-cap", 1);
  if (maxTokensCap !== undefined && onTruncated !== "escalate") {
    throw new UsageError(
      "Cannot use --max-tokens-cap alone: it belongs to --on-truncated escalate",
    );
  }
  return {
    onTruncated,
    maxTokensCap,
    acceptEndings: settings.list("accept-ending"),
    rejectRefusals: settings.isOn("reject-refusals"),
    requireJson: settings.isOn("require-json"),
    jsonSchema: await settings.jsonFile("json-schema"),
    responseFormat: !settings.isOff("response-format"),
    rejectPattern: settings.text("reject-pattern"),
    resample: settings.integer("resample", 0),
    samples: readSamples(settings),
  };
}

function readBudgets(settings: Settings) {
  return {
    maxCostUsd: settings.number("max-cost"),
    priceIn: settings.number("price-in", { mayBeZero: true }),
    priceCached: settings.number("price-cached", { mayBeZero: true }),
    priceOut: settings.number("price-out", { mayBeZero: true }),
    maxCompletionTokens: settings.integer("max-completion-tokens-total", 1),
    deadlineMs: settings.milliseconds("deadline"),
  };
}

function readRunOptions(settings: Settings) {
  return {
    limit: settings.integer("limit", 1),
    skipBadRows: settings.isOn("skip-bad-rows"),
    allowEmpty: settings.isOn("allow-empty"),
    changed: settings.choice("changed", ["reask", "keep"]),
    allowMixed: settings.isOn("allow-mixed"),
    resume: !settings.isOff("resume"),
    overwrite: settings.isOn("overwrite"),
    reaskAnswered: settings.isOn("reask-answered"),
    lock: !settings.isOff("lock"),
    fsync: settings.choice("fsync", ["always", "never"]),
    finalMessages: settings.isOn("final-messages"),
    think: settings.choice("think", ["wrap", "field", "drop"]),
  };
}

function readRetry(settings: Settings, args: ParsedArgs): boolean | (FailureType | number)[] {
  const parts = settings.parts("retry");
  if (parts === undefined) return args.command === "retry";
  if (parts.length === 0) return true;
  return parts.map((part) => {
    if (/^[1-5]\d\d$/.test(part)) return Number(part);
    const type = FAILURE_TYPES.find((failureType) => failureType === part);
    if (type !== undefined) return type;
    throw new UsageError(
      `Cannot retry ${JSON.stringify(part)}: it must be a status or one of ` +
        FAILURE_TYPES.join(", ") + suggestion(part, FAILURE_TYPES),
    );
  });
}
