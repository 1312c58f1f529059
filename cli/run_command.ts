/**
 * `distill [run]` and `distill retry`.
 *
 * @module
 */

import { FAILURE_TYPES, type FailureType, UsageError } from "../lib/errors.ts";
import { createBar } from "../lib/progress/bar.ts";
import type { RunListener } from "../lib/progress/events.ts";
import { createJsonLines } from "../lib/progress/json_lines.ts";
import { createPlain } from "../lib/progress/plain.ts";
import { summaryText } from "../lib/progress/summary_text.ts";
import { ResponseGenerator } from "../lib/response_generator.ts";
import type { ResponseGeneratorOptions, RunOptions } from "../lib/run/options.ts";
import { parseLossless } from "../lib/source/lossless.ts";
import type { Params } from "../lib/teacher/teacher.ts";
import { readConfig } from "./config.ts";
import { nextCommand } from "./continue.ts";
import { type Allowance, exitCodeOf, parseAllowance } from "./exit_codes.ts";
import { createConcurrencyHint } from "./hint.ts";
import type { Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";
import { asUsage, Settings } from "./settings.ts";
import { listenForSignals } from "./signals.ts";
import { openTeacher } from "./teacher.ts";

/** How the run shows itself. */
type ProgressStyle = "auto" | "bar" | "plain" | "json" | "none";

const DEFAULT_GRACE_MS = 20_000;

/** Everything a run is told, read from flags and configuration before anything is touched. */
interface RunRequest {
  readonly settings: Settings;
  readonly params: Params;
  readonly generator: Omit<ResponseGeneratorOptions, "teacher">;
  readonly run: RunOptions;
  readonly progress: ProgressStyle;
  readonly allowance: Allowance | undefined;
  readonly graceMs: number;
}

/** Makes a run and gives the exit code. */
export async function runCommand(args: ParsedArgs, io: Io): Promise<number> {
  const request = await readRequest(args, io);
  await using teacher = await openTeacher(request.settings, io);
  const generator = asUsage(() =>
    new ResponseGenerator({ ...request.generator, teacher: teacher.teacher })
  );
  if (request.settings.isOn("dry-run")) return await dryRun(generator, request, io);
  const screen = openScreen(request.progress, io);
  generator.on(screen.listener);
  if (request.settings.text("concurrency") === undefined && request.progress !== "none") {
    generator.on(createConcurrencyHint(screen.say));
  }
  using signals = listenForSignals(generator, io, screen.say, request.graceMs);
  try {
    const summary = await generator.run(request.run);
    screen.close();
    if (request.progress !== "none" && request.progress !== "json") {
      const continueCommand = nextCommand(args, summary, io.program);
      io.writeErr(summaryText(summary, { continueCommand, color: usesColor(io) }));
    }
    return exitCodeOf(summary, { signal: signals.received, allowance: request.allowance });
  } finally {
    screen.close();
  }
}

async function readRequest(args: ParsedArgs, io: Io): Promise<RunRequest> {
  const path = args.flags.get("config");
  const config = typeof path === "string" ? await readConfig(path) : undefined;
  const settings = new Settings(args, config?.flags);
  const params = await readParams(settings, config?.params ?? {});
  const inputs = args.inputs.length > 0 ? args.inputs : config?.inputs ?? [];
  if (inputs.length === 0) {
    throw new UsageError(
      "Cannot start without an input: name a file of prompts, as in prompts.jsonl, or - for " +
        "standard input",
    );
  }
  if (settings.isOn("overwrite") && !settings.isOff("resume")) {
    throw new UsageError("Cannot use --overwrite alone: it belongs to --no-resume");
  }
  const retry = readRetry(settings, args);
  if (retry !== false && settings.isOff("resume")) {
    throw new UsageError("Cannot use --retry with --no-resume: it would throw the failures away");
  }
  const allowance = settings.text("allow-failures");
  return {
    settings,
    params,
    generator: { ...await readRowOptions(settings), ...readPace(settings), params },
    run: {
      ...readRunOptions(settings),
      retry,
      input: inputs,
      output: settings.required("output", "an output: add -o out/"),
      stdin: inputs.includes("-") ? io.stdin : undefined,
    },
    progress: settings.choice("progress", ["auto", "bar", "plain", "json", "none"]) ?? "auto",
    allowance: allowance === undefined ? undefined : parseAllowance(allowance),
    graceMs: settings.milliseconds("grace") ?? DEFAULT_GRACE_MS,
  };
}

/** How rows are read; `verify` and `export` read them in the same way. */
export async function readRowOptions(settings: Settings) {
  return {
    system: await settings.textOrFile("system"),
    template: await settings.textOrFile("template"),
    promptField: settings.text("prompt-field"),
    uidField: settings.parts("uid-field"),
    duplicates: settings.choice("duplicates", ["merge", "keep"]),
    mixedShapes: settings.isOn("mixed-shapes"),
  };
}

function readPace(settings: Settings) {
  return {
    concurrency: settings.integer("concurrency", 1, 100_000),
    maxAttempts: settings.integer("max-attempts", 1),
    onTruncated: settings.choice("on-truncated", ["error", "keep"]),
    updateInterval: settings.integer("update-interval", 1),
  };
}

function readRunOptions(settings: Settings) {
  return {
    limit: settings.integer("limit", 1),
    skipBadRows: settings.isOn("skip-bad-rows"),
    changed: settings.choice("changed", ["reask", "keep"]),
    allowMixed: settings.isOn("allow-mixed"),
    resume: !settings.isOff("resume"),
    overwrite: settings.isOn("overwrite"),
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
    const type = FAILURE_TYPES.find((known) => known === part);
    if (type !== undefined) return type;
    throw new UsageError(
      `Cannot retry ${JSON.stringify(part)}: it must be a status or one of ` +
        FAILURE_TYPES.join(", "),
    );
  });
}

/** Later ones win: configuration, `--params`, the short flags, `-p`. */
async function readParams(settings: Settings, config: Params): Promise<Params> {
  const params: Record<string, unknown> = { ...config };
  const text = await settings.textOrFile("params");
  if (text !== undefined) Object.assign(params, parseObject(text));
  for (const name of ["temperature", "max-tokens"]) {
    const value = settings.text(name);
    if (value === undefined) continue;
    if (value.trim() === "" || !Number.isFinite(Number(value))) {
      throw new UsageError(`Cannot use --${name} ${JSON.stringify(value)}: it must be a number`);
    }
    setParam(params, name.replace("-", "_"), value);
  }
  for (const pair of settings.list("param")) {
    const at = pair.indexOf("=");
    if (at < 1) {
      throw new UsageError(`Cannot use -p ${JSON.stringify(pair)}: it must be NAME=VALUE`);
    }
    setParam(params, pair.slice(0, at), pair.slice(at + 1));
  }
  if (Object.hasOwn(params, "model")) {
    throw new UsageError('Cannot send the parameter "model": use -m');
  }
  return params;
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

/** `a.b=1` reaches into objects. A value that is no JSON is text. */
function setParam(params: Record<string, unknown>, path: string, text: string): void {
  let value: unknown;
  try {
    value = parseLossless(text);
  } catch {
    value = text;
  }
  const names = path.split(".");
  let holder = params;
  for (const name of names.slice(0, -1)) {
    const inner = Object.hasOwn(holder, name) ? holder[name] : undefined;
    const copy = typeof inner === "object" && inner !== null ? { ...inner } : {};
    define(holder, name, copy);
    holder = copy as Record<string, unknown>;
  }
  define(holder, names.at(-1)!, value);
}

/** A plain assignment would change the prototype where the name is `__proto__`. */
function define(holder: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(holder, name, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  });
}

async function dryRun(generator: ResponseGenerator, request: RunRequest, io: Io): Promise<number> {
  const preview = await generator.preview(request.run);
  for (const note of preview.notes) io.writeErr(`${note}\n`);
  const { toAsk } = preview;
  const rows = `${toAsk.toLocaleString("en-US")} ${toAsk === 1 ? "row" : "rows"}`;
  io.writeErr(
    toAsk === 0
      ? "No rows to ask; a request would look like this:\n"
      : `${rows} to ask; the first request would be:\n`,
  );
  io.writeOut(`${JSON.stringify(preview.request, null, 2)}\n`);
  return 0;
}

/** Where the run is shown. */
interface Screen {
  readonly listener: RunListener;
  /** Says something to the person, in between. */
  readonly say: (message: string) => void;
  readonly close: () => void;
}

function openScreen(style: ProgressStyle, io: Io): Screen {
  const writeLine = (message: string) => io.writeErr(`${message}\n`);
  const isBar = style === "bar" || (style === "auto" && showsBar(io));
  if (isBar) {
    const bar = createBar({
      write: (text) => io.writeErr(text),
      columns: () => io.columns(),
      color: usesColor(io),
    });
    const say = (message: string) => {
      bar.clear();
      writeLine(message);
    };
    return { listener: bar, say, close: () => bar.done() };
  }
  if (style === "none") return { listener: () => {}, say: writeLine, close: () => {} };
  const listener = style === "json"
    ? createJsonLines({ write: (text) => io.writeOut(text) })
    : createPlain({ write: (text) => io.writeErr(text) });
  return { listener, say: writeLine, close: () => {} };
}

function showsBar(io: Io): boolean {
  return io.isTerminal && io.env("TERM") !== "dumb" && !io.env("CI");
}

function usesColor(io: Io): boolean {
  return io.isTerminal && !io.env("NO_COLOR") && io.env("TERM") !== "dumb";
}
