/**
 * `distill [run]` and `distill retry`.
 *
 * @module
 */

import { formatCount } from "../lib/figures.ts";
import type { Summary } from "../lib/progress/mod.ts";
import { printable, printableJson, printableLines } from "../lib/printable.ts";
import { summaryText } from "../lib/terminal/mod.ts";
import { ResponseGenerator } from "../lib/response_generator.ts";
import type { Preview } from "../lib/run/mod.ts";
import { aboutRun } from "./about_run.ts";
import { nextCommand } from "./continue.ts";
import { EXIT_DISK, EXIT_DONE, exitCodeOf } from "./exit_codes.ts";
import { refuseFormerFolder } from "./former_folder.ts";
import { createConcurrencyHint } from "./hint.ts";
import type { Io } from "./io.ts";
import { openMonitor, type RunMonitor } from "./monitor.ts";
import type { ParsedArgs } from "./parse.ts";
import { readRequest, type RunRequest } from "./request.ts";
import { runToEnd } from "./run_to_end.ts";
import { openScreen, type Screen, usesColor } from "./screen.ts";
import { asUsage } from "./settings.ts";
import { listenForSignals } from "./signals.ts";
import { openTeachers } from "./teachers.ts";

/** Makes a run and gives the exit code. */
export async function runCommand(args: ParsedArgs, io: Io): Promise<number> {
  const request = await readRequest(args, io);
  const { settings, progress, isQuiet } = request;
  if (!settings.isOff("resume")) await refuseFormerFolder(request.run, io);
  const mayAsk = !settings.isOn("dry-run") && !request.run.input.includes("-");
  await using open = await openTeachers(settings, request.teachers, io, mayAsk);
  const { teachers } = open;
  const generator = asUsage(() => new ResponseGenerator({ ...request.generator, teachers }));
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
    { ...request.run, about: aboutRun(args, request, io) },
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

/** What a halt asks of the user is said like an error, also where no progress is shown. */
function sayEnd(
  summary: Summary,
  continueCommand: string | undefined,
  { progress, isQuiet }: RunRequest,
  io: Io,
): void {
  if (progress !== "json" && !isQuiet) {
    io.writeErr(summaryText(summary, { continueCommand, color: usesColor(io) }));
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
