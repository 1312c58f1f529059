/**
 * `distill [run]` and `distill retry`.
 *
 * @module
 */

import { formatCount } from "../lib/figures.ts";
import { printable, printableJson, printableLines } from "../lib/printable.ts";
import { eventOf, type Summary } from "../lib/progress/mod.ts";
import { ResponseGenerator } from "../lib/response_generator.ts";
import type { Preview, ResolvedRunOptions } from "../lib/run/mod.ts";
import { summaryText } from "../lib/terminal/mod.ts";
import { VERSION } from "../lib/version.ts";
import type { RunAbout } from "../web/protocol.ts";
import type { Monitor } from "../web/server.ts";
import { exportCommand, nextCommand, sameCommand } from "./continue.ts";
import { EXIT_DISK, EXIT_DONE, exitCodeOf } from "./exit_codes.ts";
import { refuseFormerFolder } from "./former_folder.ts";
import type { Io } from "./io.ts";
import { openMonitor, type RunMonitor } from "./monitor.ts";
import type { ParsedArgs } from "./parse.ts";
import { readRequest, type RunRequest } from "./request.ts";
import { createConcurrencyHint, openScreen, type Screen, usesColor } from "./screen.ts";
import { asUsage } from "./settings.ts";
import { listenForSignals } from "./signals.ts";
import { openTeachers } from "./teachers.ts";

/** Makes a run and gives the exit code. */
export async function runCommand(args: ParsedArgs, io: Io): Promise<number> {
  const request = await readRequest(args, io);
  const { settings, progress, isQuiet } = request;
  if (!settings.isOff("resume")) await refuseFormerFolder(request.run, io);
  const mayAsk = !request.run.input.includes("-");
  const onMissingKey = settings.isOn("dry-run") ? "warn" : mayAsk ? "ask" : "refuse";
  await using open = await openTeachers(settings, request.teachers, io, onMissingKey);
  const { teachers, teacherList } = open;
  const generator = asUsage(() =>
    new ResponseGenerator({ ...request.generator, teachers, teacherList })
  );
  if (settings.isOn("dry-run")) return await dryRun(generator, request, io);
  const screen = openScreen(progress, io, settings.isOn("verbose"));
  const { say } = screen;
  generator.on(screen.listener);
  if (settings.text("concurrency") === undefined && progress !== "none" && !isQuiet) {
    generator.on(createConcurrencyHint(say));
  }
  const page = await openMonitor(
    generator,
    request.monitor,
    { ...request.run, about: aboutRun(args, request, io), program: io.program },
    say,
  );
  try {
    const { code, isInterrupted } = await runAndReport(generator, request, {
      args,
      io,
      screen,
      page,
    });
    // The user or the scheduler who has ended the run waits for the process to end.
    if (!isInterrupted) await page.keep(io);
    return code;
  } finally {
    await page.close();
  }
}

/** What a run is made with. */
interface Stage {
  readonly args: ParsedArgs;
  readonly io: Io;
  readonly screen: Screen;
  readonly page: RunMonitor;
}

/** Makes the run. When this resolves, results, lock, summary and report are final. */
async function runAndReport(
  generator: ResponseGenerator,
  request: RunRequest,
  { args, io, screen, page: { monitor, end } }: Stage,
): Promise<{ code: number; isInterrupted: boolean }> {
  const { say } = screen;
  using signals = listenForSignals(generator, io, say, request.graceMs);
  const isInterrupted = () => signals.received !== undefined;
  let code: number, isReported: boolean;
  try {
    const last = await runToEnd(generator, request.run, { monitor, isInterrupted, say });
    screen.close();
    const asked = last.isRetry ? { ...args, command: "retry" as const } : args;
    sayEnd(last.summary, nextCommand(asked, last.summary, io.program, io.env), request, io);
    const { allowance } = request;
    code = exitCodeOf(last.summary, { signal: signals.received, allowance });
  } finally {
    screen.close();
    isReported = await end();
  }
  // What became of the rows says more than a report that is missing.
  if (code === EXIT_DONE && !isReported) code = EXIT_DISK;
  return { code, isInterrupted: isInterrupted() };
}

/** A command that names more results than this is none that anyone would read. */
const MOST_EXPORTED = 8;

/** What a halt asks of the user is said like an error, also where no progress is shown. */
function sayEnd(
  summary: Summary,
  continueCommand: string | undefined,
  { progress, isQuiet }: RunRequest,
  io: Io,
): void {
  if (progress !== "json" && !isQuiet) {
    io.writeErr(summaryText(summary, {
      continueCommand,
      exportCommand: summary.files.length > MOST_EXPORTED
        ? undefined
        : exportCommand(summary, io.program),
      color: usesColor(io),
    }));
  } else if (summary.state === "halted") {
    const next = continueCommand === undefined ? "" : `To continue: ${continueCommand}\n`;
    io.writeErr(`${printable(summary.reason ?? "The run was halted")}\n${next}`);
  } else if (isQuiet) {
    for (const { failed, failures } of summary.files) {
      if (failed > 0) io.writeErr(`${rowCount(failed)} failed: see ${printable(failures)}\n`);
    }
  }
}

function rowCount(rows: number): string {
  return `${formatCount(rows)} ${rows === 1 ? "row" : "rows"}`;
}

async function dryRun(generator: ResponseGenerator, request: RunRequest, io: Io): Promise<number> {
  const preview = await generator.preview(request.run);
  if (!request.isQuiet) {
    io.writeErr(
      [...preview.notes, headingOf(preview)].map((line) => `${printableLines(line)}\n`).join(""),
    );
  }
  const shown = preview.requests.length === 0 ? [null] : preview.requests.map((one) => one.request);
  io.writeOut(shown.map((one) => `${printableJson(JSON.stringify(one, null, 2))}\n`).join(""));
  return 0;
}

function headingOf({ toAsk, promptTokens, requests }: Preview): string {
  const first = requests.length > 1
    ? `the first request of each of ${requests.length} shapes`
    : "the first request";
  if (toAsk === 0) return `No rows to ask; ${first} would look like this:`;
  const tokens = formatCount(promptTokens);
  return `${rowCount(toAsk)} to ask, about ${tokens} prompt tokens; ${first} would be:`;
}

/** What the run has to do with beside its generator. */
export interface RunToEndOptions {
  /** Where a user may ask for a retry. */
  readonly monitor: Monitor | undefined;
  /** Whether a signal has told the run to end. */
  readonly isInterrupted: () => boolean;
  /** Says something to the user. */
  readonly say: (message: string) => void;
}

/** How it ended. */
export interface RunEnd {
  /** The summary of the last run. */
  readonly summary: Summary;
  /** Whether that was a retry which the command line had not asked for. */
  readonly isRetry: boolean;
}

/**
 * Makes a run. When it is done and a user at the monitor asks for it, failed rows are asked again in a run
 * of its own: once for each time that it was wanted. All of them together cost no more than the first
 * might have.
 */
export async function runToEnd(
  generator: ResponseGenerator,
  run: ResolvedRunOptions,
  { monitor, isInterrupted, say }: RunToEndOptions,
): Promise<RunEnd> {
  let summary = eventOf(await generator.run(run));
  let isRetry = false;
  while (monitor?.retryWhenDone && isDoneWithFailures(summary) && !isInterrupted()) {
    monitor.retryWhenDone = false;
    if (run.input.includes("-")) {
      say("Failed rows are not asked again: standard input can be read once only");
      break;
    }
    const left = budgetLeft(monitor, summary);
    if (left !== null && left <= 0) {
      say("Failed rows are not asked again: the budget is spent");
      break;
    }
    if (left !== null) generator.setMaxCost(left);
    say(`Asking ${countOf(summary.failures_on_disk)} again, as the monitor was told`);
    // What was to be thrown away is gone: now only the answers of the run before would be.
    const retry = { ...run, retry: true, resume: true, overwrite: false };
    summary = eventOf(await generator.run(retry));
    isRetry = true;
  }
  return { summary, isRetry };
}

/** A run that was stopped or halted has rows left which come first. */
function isDoneWithFailures({ state, failures_on_disk }: Summary): boolean {
  return state === "done" && failures_on_disk > 0;
}

/** In US dollars, or null for no limit. */
function budgetLeft(monitor: Monitor, { cost_usd }: Summary): number | null {
  const most = monitor.state().snapshot?.max_cost_usd ?? null;
  return most === null ? null : most - (cost_usd ?? 0);
}

function countOf(rows: number): string {
  return rows === 1 ? "the failed row" : `${formatCount(rows)} failed rows`;
}

/** The longest text, in UTF-16 units: a report is no place for a book. */
const MOST_CHARS = 20_000;

/** Describes the run; with its summary, names the commands that follow too. */
export function aboutRun(
  args: ParsedArgs,
  { run, generator }: Pick<RunRequest, "run" | "generator">,
  io: Pick<Io, "program" | "env">,
): (summary: Summary | null) => RunAbout {
  const { params = {}, system, template } = generator;
  const facts = [
    { name: "Command", text: sameCommand(args, io) },
    { name: "Version", text: `retort ${VERSION}` },
    { name: run.input.length === 1 ? "Input" : "Inputs", text: run.input.join("\n") },
    { name: "Output", text: run.output },
    { name: "Parameters", text: Object.keys(params).length > 0 ? JSON.stringify(params) : "" },
    { name: "System prompt", text: system ?? "" },
    { name: "Template", text: template ?? "" },
  ].filter(({ text }) => text !== "").map(({ name, text }) => ({ name, text: shortened(text) }));
  return (summary) => ({ facts, commands: summary === null ? [] : commandsOf(summary) });

  function commandsOf(summary: Summary): RunAbout["commands"] {
    const next = nextCommand(args, summary, io.program, io.env);
    const isDone = summary.state === "done" && summary.pending === 0;
    const toExport = exportCommand(summary, io.program);
    return [
      ...next === undefined ? [] : [{ name: isDone ? "Retry" : "Continue", command: next }],
      ...toExport === undefined ? [] : [{ name: "Export", command: toExport }],
    ];
  }
}

function shortened(text: string): string {
  return text.length <= MOST_CHARS ? text : `${text.slice(0, MOST_CHARS - 1).toWellFormed()}…`;
}
