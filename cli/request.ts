/** All settings of a run, read from flags and configuration before the run starts. @module */

import { FAILURE_TYPES, type FailureType, UsageError } from "../lib/errors.ts";
import { MAX_CONCURRENCY } from "../lib/engine/mod.ts";
import { INPUT_FORMATS } from "../lib/formats/mod.ts";
import type { ResolvedRunOptions, ResponseGeneratorOptions } from "../lib/run/mod.ts";
import type { Shard } from "../lib/shards/mod.ts";
import { MAX_SAMPLES } from "../lib/params.ts";
import { parseLossless, setField } from "../lib/source/mod.ts";
import type { Params } from "../lib/teacher/mod.ts";
import type { Config } from "./config.ts";
import { type Allowance, parseAllowance } from "./exit.ts";
import type { Io } from "./io.ts";
import { type MonitorRequest, readMonitor } from "./monitor.ts";
import type { ParsedArgs } from "./parse.ts";
import { PROGRESS_STYLES, type ProgressStyle } from "./screen.ts";
import { type Complete, paramWithoutJson, requireInputs, Settings } from "./settings.ts";
import { suggestion } from "../lib/similar_name.ts";

/** Default of `--grace`, shorter than the 30 s that Kubernetes gives a pod after SIGTERM. */
const DEFAULT_GRACE_MS = 20_000;

export interface RunRequest {
  /** The settings, for parts of the command that read further flags by name. */
  readonly settings: Settings;
  readonly config: Config | undefined;
  readonly generator: Omit<ResponseGeneratorOptions, "teacher" | "teachers">;
  readonly run: ResolvedRunOptions;
  readonly progress: ProgressStyle;
  readonly isQuiet: boolean;
  readonly monitor: MonitorRequest;
  readonly allowance: Allowance | undefined;
  /** How long calls in flight may take after SIGTERM or SIGHUP. */
  readonly graceMs: number;
}

export async function readRequest(args: ParsedArgs, io: Io): Promise<RunRequest> {
  const path = args.flags.get("config");
  // Loaded on demand, because `config.ts` loads the YAML parser.
  const config = typeof path === "string"
    ? await (await import("./config.ts")).readConfig(path)
    : undefined;
  const settings = new Settings(args, config?.flags);
  const params = await readParams(settings, config?.params ?? {});
  const inputs = args.inputs.length > 0 ? args.inputs : config?.inputs ?? [];
  const retry = readRetry(settings, args);
  checkStart(inputs, settings, retry);
  const isQuiet = settings.isOn("quiet");
  return {
    settings,
    config,
    generator: {
      ...await readRowOptions(settings),
      ...readSpeed(settings),
      ...await readAnswerPolicy(settings),
      ...readBudgets(settings),
      params,
    } satisfies Complete<RunRequest["generator"], "teacherList" | "validate" | "signal" | "random">,
    run: {
      ...readRunOptions(settings),
      ...await readUids(settings),
      shard: await shardOf(settings, io),
      retry,
      input: inputs,
      output: settings.required("output", "an output: add -o out/"),
      stdin: inputs.includes("-") ? io.stdin : undefined,
    } satisfies Complete<ResolvedRunOptions, never>,
    progress: settings.choice("progress", PROGRESS_STYLES) ?? (isQuiet ? "none" : "auto"),
    isQuiet,
    monitor: readMonitor(settings),
    allowance: settings.parsed(
      "allow-failures",
      "a number of rows (10) or a share of them (1%)",
      parseAllowance,
    ),
    graceMs: settings.milliseconds("grace") ?? DEFAULT_GRACE_MS,
  };
}

/**
 * Reads the shard. Loads `shard.ts` on demand, because `export` and `convert` also load this file,
 * and have no shards.
 */
export async function shardOf(settings: Settings, io: Io): Promise<Shard | undefined> {
  if (settings.text("shard") === undefined) return undefined;
  const { readShard } = await import("./shard.ts");
  return readShard(settings, io);
}

function checkStart(
  inputs: readonly string[],
  settings: Settings,
  retry: RunRequest["run"]["retry"],
) {
  requireInputs(
    { inputs },
    "start without an input: name a file of prompts, as in prompts.jsonl, or - for standard input",
  );
  if (settings.isOn("overwrite") && !settings.isOff("resume")) {
    throw new UsageError("Cannot use --overwrite alone: it requires --no-resume");
  }
  if (retry !== false && settings.isOff("resume")) {
    throw new UsageError("Cannot use --retry with --no-resume: the failures would be deleted");
  }
}

export async function readUids(settings: Settings) {
  if (settings.isOn("reask-answered") && settings.text("uids") === undefined) {
    throw new UsageError(
      "Cannot use --reask-answered without --uids: name the rows to pay for again (--uids @FILE)",
    );
  }
  return {
    uids: await uidsOf(settings, "uids"),
    excludeUids: await uidsOf(settings, "exclude-uids"),
  };
}

/** Matches an id that is the name of an image or other media: such a file is not a list of ids. */
const MEDIA_NAME = /^[^@].*\.(?:png|jpe?g|webp|gif|bmp|tiff?|pdf|wav|mp3|mp4)$/i;

async function uidsOf(settings: Settings, name: string): Promise<string[] | undefined> {
  if (MEDIA_NAME.test(settings.text(name) ?? "")) return settings.parts(name);
  const text = await settings.textOrFile(name);
  if (text === undefined || text === settings.text(name)) return settings.parts(name);
  try {
    const { parseUids } = await import("../lib/run/mod.ts");
    return parseUids(text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw settings.wrong(name, error.message, { cause: error });
  }
}

/** Reads the options for reading rows, also for `verify`, `export` and `convert`. */
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
    waitForTeacherMs: settings.waitMs(),
    updateInterval: settings.integer("update-interval", 1),
  };
}

async function readAnswerPolicy(settings: Settings) {
  const onTruncated = settings.choice("on-truncated", ["error", "keep", "escalate"]);
  const maxTokensCap = settings.integer("max-tokens-cap", 1);
  if (maxTokensCap !== undefined && onTruncated !== "escalate") {
    throw new UsageError(
      "Cannot use --max-tokens-cap alone: it requires --on-truncated escalate",
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

/**
 * Merges parameters, in increasing precedence: configuration, `--params`, `--temperature` and
 * `--max-tokens`, `-p`.
 */
export async function readParams(settings: Settings, config: Params): Promise<Params> {
  const params: Record<string, unknown> = { ...config };
  const text = await settings.textOrFile("params");
  if (text !== undefined) Object.assign(params, parseObject(text));
  for (const name of ["temperature", "max-tokens"]) {
    const value = settings.parsed(name, "a number", numberText);
    if (value !== undefined) setParam(params, name.replace("-", "_"), value);
  }
  for (const pair of settings.list("param")) {
    const equals = pair.indexOf("=");
    if (equals < 1) {
      throw new UsageError(`Cannot use -p ${JSON.stringify(pair)}: it must be NAME=VALUE`);
    }
    setParam(params, pair.slice(0, equals), pair.slice(equals + 1));
  }
  if (Object.hasOwn(params, "model")) {
    throw new UsageError('Cannot send the parameter "model": use -m');
  }
  return params;
}

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?$/i;

/** Returns a number as JSON (`.7` as `0.7`), because text that is not JSON is sent as a string.
 * Returns undefined for words. */
function numberText(text: string): string | undefined {
  const number = text.trim() === "" ? NaN : Number(text);
  if (!Number.isFinite(number)) return undefined;
  return JSON_NUMBER.test(text) ? text : String(number);
}

function parseObject(text: string): Params {
  let value: unknown;
  try {
    value = parseLossless(text);
  } catch (cause) {
    throw new UsageError(`Cannot use --params: it is not JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Params;
  throw new UsageError('Cannot use --params: it must be an object, as in {"temperature":0.6}');
}

/** Sets a parameter, or a field in it: the path `a.b` is the field `b` of `a`. */
function setParam(params: Record<string, unknown>, path: string, text: string): void {
  let value: unknown;
  try {
    value = parseLossless(text);
  } catch {
    value = paramWithoutJson(path, text);
  }
  const names = path.split(".");
  let holder = params;
  for (const name of names.slice(0, -1)) {
    const inner = Object.hasOwn(holder, name) ? holder[name] : undefined;
    const copy = typeof inner === "object" && inner !== null ? { ...inner } : {};
    setField(holder, name, copy);
    holder = copy as Record<string, unknown>;
  }
  setField(holder, names.at(-1)!, value);
}
