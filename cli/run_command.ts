/** `retort [run]` and `retort retry`. @module */

import { formatCount, formatCountOf } from "../lib/figures.js";
import { cut, printable, printableJson, printableLines } from "../lib/printable.ts";
import { eventOf, type Summary } from "../lib/progress/mod.ts";
import { ResponseGenerator } from "../lib/response_generator.ts";
import type { Preview, ResolvedRunOptions } from "../lib/run/mod.ts";
import { summaryText } from "../lib/terminal/mod.ts";
import { VERSION } from "../lib/version.ts";
import type { RunAbout } from "../web/monitor_state.ts";
import type { Monitor } from "../web/server.ts";
import {
  asRetry,
  commandOfRun,
  commandToExport,
  type NextArgs,
  nextArgsOf,
  nextCommand,
} from "./continue.ts";
import { EXIT_DISK, EXIT_DONE, exitCodeOf, listenForSignals } from "./exit.ts";
import { refuseFormerFolder } from "./program.ts";
import type { Io } from "./io.ts";
import { openMonitor, type RunMonitor } from "./monitor.ts";
import type { ParsedArgs } from "./parse.ts";
import { readRequest, type RunRequest } from "./request.ts";
import {
  createConcurrencyHint,
  createWarnings,
  openScreen,
  type Screen,
  usesColor,
} from "./screen.ts";
import { asUsage } from "./settings.ts";
import { recordFailedShard, withNamedShard } from "./shard.ts";
import { openTeachers } from "./teachers.ts";

export async function runCommand(args: ParsedArgs, io: Io): Promise<number> {
  try {
    return await run(args, io);
  } catch (error) {
    await recordFailedShard(args, io, error);
    throw error;
  }
}

async function run(typedArgs: ParsedArgs, io: Io): Promise<number> {
  const request = await readRequest(typedArgs, io);
  const args = withNamedShard(typedArgs, request.run.shard);
  const { settings, progress, isQuiet } = request;
  if (!settings.isOff("resume")) await refuseFormerFolder(request.run, io);
  const mayAsk = !request.run.input.includes("-");
  const onMissingKey = settings.isOn("dry-run") ? "warn" : mayAsk ? "ask" : "refuse";
  await using opened = await openTeachers(
    settings,
    request.config?.teachers ?? [],
    io,
    onMissingKey,
  );
  const { teachers, teacherList } = opened;
  const generator = asUsage(() =>
    new ResponseGenerator({ ...request.generator, teachers, teacherList })
  );
  if (settings.isOn("dry-run")) return await dryRun(generator, request, io);
  const firstArgs = await nextArgsOf(args, request);
  let isRetry = false;
  const nextArgs = () => isRetry ? asRetry(firstArgs) : firstArgs;
  const screen = openScreen(progress, io, settings.isOn("verbose"));
  const { say } = screen;
  generator.on(isQuiet && progress === "none" ? createWarnings(say) : screen.listener);
  if (settings.text("concurrency") === undefined && progress !== "none" && !isQuiet) {
    generator.on(createConcurrencyHint(say));
  }
  const runMonitor = await openMonitor(
    generator,
    request.monitor,
    { ...request.run, about: aboutRun(args, nextArgs, request, io) },
    io,
    say,
  );
  try {
    const { code, isInterrupted } = await runAndReport(generator, request, {
      nextArgs,
      onRetry: () => isRetry = true,
      io,
      screen,
      runMonitor,
    });
    // After an interruption, the page is not kept, because the user or scheduler waits for the
    // exit.
    if (!isInterrupted) await runMonitor.keepPage();
    return code;
  } finally {
    await runMonitor.close();
  }
}

interface CommandContext {
  /**
   * Returns the arguments of the commands that follow the run, or a retry that the page requested.
   */
  readonly nextArgs: () => NextArgs;
  readonly onRetry: () => void;
  readonly io: Io;
  readonly screen: Screen;
  readonly runMonitor: RunMonitor;
}

async function runAndReport(
  generator: ResponseGenerator,
  request: RunRequest,
  { nextArgs, onRetry, io, screen, runMonitor }: CommandContext,
): Promise<{ code: number; isInterrupted: boolean }> {
  const { say } = screen;
  using signals = listenForSignals(generator, io, say, request.graceMs);
  const isInterrupted = () => signals.received !== undefined;
  let code: number, isReported: boolean;
  try {
    const { monitor } = runMonitor;
    const summary = await runToEnd(generator, request.run, {
      monitor,
      isInterrupted,
      onRetry,
      say,
    });
    screen.close();
    printEnd(summary, nextCommand(nextArgs(), summary, io.program, io.env), request, io);
    const { allowance } = request;
    code = exitCodeOf(summary, { signal: signals.received, allowance });
  } finally {
    screen.close();
    isReported = await runMonitor.writeReport();
  }
  // The outcome of the rows takes precedence over a missing report.
  if (code === EXIT_DONE && !isReported) code = EXIT_DISK;
  return { code, isInterrupted: isInterrupted() };
}

/**
 * Prints the summary. With `--quiet` or `--progress json`, prints instead why the run was halted
 * and how to continue it. With `--quiet`, prints how many rows failed if the run was not halted.
 */
function printEnd(
  summary: Summary,
  continueCommand: string | undefined,
  { progress, isQuiet, generator }: RunRequest,
  io: Io,
): void {
  if (progress !== "json" && !isQuiet) {
    io.writeErr(summaryText(summary, {
      continueCommand,
      exportCommand: commandToExport(summary, io.program),
      escalates: generator.onTruncated === "escalate",
      isColored: usesColor(io),
    }));
  } else if (summary.state === "halted") {
    const next = continueCommand === undefined ? "" : `To continue: ${continueCommand}\n`;
    io.writeErr(`${printable(summary.reason ?? "The run was halted")}\n${next}`);
  } else if (isQuiet) {
    for (const { failed, failures } of summary.files) {
      if (failed > 0) {
        io.writeErr(`${formatCountOf(failed, "row")} failed: see ${printable(failures)}\n`);
      }
    }
  }
}

async function dryRun(generator: ResponseGenerator, request: RunRequest, io: Io): Promise<number> {
  const preview = await generator.preview(request.run);
  const { notes, warnings } = preview;
  // `notes` ends with the warnings.
  const plainNotes = notes.slice(0, notes.length - warnings.length);
  const heading = headingOf(preview, request.generator.samples);
  const warningLines = warnings.map((warning) => `Warning: ${warning}`);
  const lines = request.isQuiet ? warningLines : [...plainNotes, ...warningLines, heading];
  io.writeErr(lines.map((line) => `${printableLines(line)}\n`).join(""));
  const requests = preview.requests.length === 0
    ? [null]
    : preview.requests.map(({ request }) => request);
  io.writeOut(requests.map((body) => `${printableJson(JSON.stringify(body, null, 2))}\n`).join(""));
  return 0;
}

function headingOf({ toAsk, promptTokens, requests }: Preview, samples = 1): string {
  if (requests.length === 0) return "No rows to send";
  const firstRequest = requests.length > 1
    ? `the first request of each of ${requests.length} shapes`
    : "the first request";
  if (toAsk === 0) return `No rows to send; ${firstRequest} would look like this:`;
  const tokens = formatCount(promptTokens);
  const amount = samples === 1
    ? `${formatCountOf(toAsk, "row")} to send`
    : `${formatCountOf(toAsk, "answer")} to request`;
  return `${amount}, about ${tokens} prompt tokens; ${firstRequest} would be:`;
}

export interface RunToEndOptions {
  /** The monitor, whose page may request a retry of the rows that failed. */
  readonly monitor: Monitor | undefined;
  readonly isInterrupted: () => boolean;
  readonly onRetry: () => void;
  readonly say: (message: string) => void;
}

/**
 * Runs, and retries failed rows when the user requests it on the page. The cost limit applies to
 * all these runs together.
 */
export async function runToEnd(
  generator: ResponseGenerator,
  run: ResolvedRunOptions,
  { monitor, isInterrupted, onRetry, say }: RunToEndOptions,
): Promise<Summary> {
  let summary = eventOf(await generator.run(run));
  while (monitor?.retryWhenDone && isDoneWithFailures(summary) && !isInterrupted()) {
    monitor.retryWhenDone = false;
    if (run.input.includes("-")) {
      say("Cannot retry the failed rows: standard input can be read only once");
      break;
    }
    // A shard needs no new limit: its run subtracts the cost of earlier runs from its share.
    const leftUsd = run.shard === undefined ? budgetLeftUsd(monitor, summary) : null;
    if (leftUsd !== null && leftUsd <= 0) {
      say("Failed rows are not retried: the budget is spent");
      break;
    }
    if (leftUsd !== null) generator.setMaxCost(leftUsd);
    const rows = formatCountOf(summary.failures_on_disk, "failed row");
    say(`Retrying ${rows}, as requested on the page`);
    onRetry();
    // `overwrite` and `reaskAnswered` would now apply to the answers of this run.
    const again = { resume: true, overwrite: false, reaskAnswered: false };
    summary = eventOf(await generator.run({ ...run, ...again, retry: true }));
  }
  return summary;
}

/**
 * Whether the run is done and failed rows are left. After a stopped run, pending rows come first.
 */
function isDoneWithFailures({ state, failures_on_disk }: Summary): boolean {
  return state === "done" && failures_on_disk > 0;
}

function budgetLeftUsd(monitor: Monitor, { cost_usd }: Summary): number | null {
  const maxCostUsd = monitor.state().snapshot?.max_cost_usd ?? null;
  return maxCostUsd === null ? null : maxCostUsd - (cost_usd ?? 0);
}

/** Longest text of a setting on the page, in UTF-16 units. */
const MAX_TEXT_LENGTH = 20_000;

/**
 * Returns what the page and the report show: settings and, once there is a summary, the next
 * commands.
 */
export function aboutRun(
  args: ParsedArgs,
  nextArgs: () => NextArgs,
  { run, generator }: Pick<RunRequest, "run" | "generator">,
  io: Pick<Io, "program" | "env">,
): (summary: Summary | null) => RunAbout {
  const { params = {}, system, template } = generator;
  const facts = [
    { name: "Command", text: commandOfRun(args, io) },
    { name: "Version", text: `retort ${VERSION}` },
    { name: run.input.length === 1 ? "Input" : "Inputs", text: run.input.join("\n") },
    { name: "Output", text: run.output },
    { name: "Parameters", text: Object.keys(params).length > 0 ? JSON.stringify(params) : "" },
    { name: "System prompt", text: system ?? "" },
    { name: "Template", text: template ?? "" },
  ].filter(({ text }) => text !== "").map(({ name, text }) => ({
    name,
    text: cut(text, MAX_TEXT_LENGTH),
  }));
  return (summary) => ({ facts, commands: summary === null ? [] : commandsOf(summary) });

  function commandsOf(summary: Summary): RunAbout["commands"] {
    const next = nextCommand(nextArgs(), summary, io.program, io.env);
    const isDone = summary.state === "done" && summary.pending === 0;
    const exportCommand = commandToExport(summary, io.program);
    return [
      ...next === undefined ? [] : [{ name: isDone ? "Retry" : "Continue", command: next }],
      ...exportCommand === undefined ? [] : [{ name: "Export", command: exportCommand }],
    ];
  }
}
