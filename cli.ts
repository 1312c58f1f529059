/**
 * The command line. This is the only place that touches arguments, environment, exit code and
 * console.
 *
 * @module
 */

import { exportCommand } from "./cli/export_command.ts";
import { exitCodeOfError } from "./cli/exit_codes.ts";
import { helpText } from "./cli/help.ts";
import type { Io } from "./cli/io.ts";
import { parseCommandLine } from "./cli/parse.ts";
import { runCommand } from "./cli/run_command.ts";
import { simulateCommand } from "./cli/simulate_command.ts";
import { verifyCommand } from "./cli/verify_command.ts";
import { RetortError } from "./lib/errors.ts";
import { printable } from "./lib/progress/printable.ts";
import { VERSION } from "./lib/version.ts";

const RUNNERS = {
  run: runCommand,
  retry: runCommand,
  verify: verifyCommand,
  export: exportCommand,
  simulate: simulateCommand,
};

/** Does what the arguments say and gives the exit code (see the README for their meaning). */
export async function main(args: readonly string[], io: Io): Promise<number> {
  try {
    const parsed = parseCommandLine(args);
    if (parsed.flags.get("version") === true) {
      io.writeOut(`retort ${VERSION}\n`);
      return 0;
    }
    const wantsAll = parsed.flags.get("help-all") === true;
    if (wantsAll || parsed.flags.get("help") === true) {
      io.writeOut(helpText(parsed.command, wantsAll));
      return 0;
    }
    if (args.length === 0) {
      io.writeErr(helpText("run"));
      return 2;
    }
    return await RUNNERS[parsed.command](parsed, io);
  } catch (error) {
    const code = exitCodeOfError(error);
    io.writeErr(`${describe(error)}\n`);
    return code;
  }
}

/** An expected error is its message; anything else is a fault whose place helps to mend it. */
function describe(error: unknown): string {
  if (error instanceof RetortError) return error.message.split("\n").map(indented).join("\n");
  if (error instanceof RangeError || error instanceof TypeError) {
    return `${error.message}\n${error.stack}`;
  }
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

/** The message may quote a file or a teacher; its own line breaks and indents are kept. */
function indented(line: string): string {
  return `${/^ */.exec(line)![0]}${printable(line)}`;
}

/** The world as Deno gives it. */
function denoIo(): Io {
  const encoder = new TextEncoder();
  const isStandalone = Deno.build.standalone;
  return {
    writeOut: (text) => writeAll(Deno.stdout, encoder.encode(text)),
    writeErr: (text) => writeAll(Deno.stderr, encoder.encode(text)),
    env: (name) => Deno.env.get(name),
    stdin: Deno.stdin.readable,
    isTerminal: Deno.stderr.isTerminal(),
    columns: () => consoleColumns(),
    onSignal(signal, handler) {
      Deno.addSignalListener(signal, handler);
      return () => Deno.removeSignalListener(signal, handler);
    },
    program: isStandalone ? Deno.execPath().split("/").at(-1)! : "deno task distill",
  };
}

function writeAll(writer: typeof Deno.stdout, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length;) at += writer.writeSync(bytes.subarray(at));
  } catch (error) {
    // A reader that has gone (`| head`) must not end a run that costs money.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

const DEFAULT_COLUMNS = 80;

function consoleColumns(): number {
  try {
    return Deno.consoleSize().columns || DEFAULT_COLUMNS;
  } catch {
    return DEFAULT_COLUMNS;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args, denoIo()));
