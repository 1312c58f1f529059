/**
 * The command line. Only this file and its two workers use arguments, environment, exit code and
 * console.
 *
 * @module
 */

import { ENTRIES, isCommand } from "./cli/commands.ts";
import {
  EXIT_DISK,
  EXIT_DONE,
  exitCodeOfError,
  exitCodeOfSignal,
  isDiskError,
  SIGNAL_CODE_BASE,
} from "./cli/exit.ts";
import {
  commandHelp,
  mainHelp,
  refuseLateCommand,
  refuseMistypedCommand,
  versionCommand,
  withoutAliases,
} from "./cli/help.ts";
import { type Io, isNohup, Output, SignalCount, systemSignals } from "./cli/io.ts";
import { parseCommandLine } from "./cli/parse.ts";
import { expandPatterns } from "./cli/patterns.ts";
import { FOLDER_VARIABLE, type ProcessStart, programOf } from "./cli/program.ts";
import { RetortError, UsageError } from "./lib/errors.ts";
import { systemReason } from "./lib/files.ts";
import { printableLines, PROGRAM_NAME, withProgram } from "./lib/printable.ts";

export type { Io, StopSignal } from "./cli/io.ts";

/** Runs the command that the arguments name. Returns the exit code, as described in
 * `docs/exit-codes.md`. */
export async function main(args: readonly string[], io: Io): Promise<number> {
  try {
    const words = withoutAliases(args);
    refuseMistypedCommand(words);
    const parsed = parseCommandLine(words);
    if (parsed.flags.get("version") === true) return versionCommand(parsed, io);
    const wantsAll = parsed.flags.get("help-all") === true;
    if (wantsAll || parsed.flags.get("help") === true) {
      const { program } = io;
      io.writeOut(
        isCommand(words[0])
          ? commandHelp(words[0], program, wantsAll)
          : mainHelp(program, wantsAll),
      );
      return 0;
    }
    if (parsed.command === "run") refuseLateCommand(parsed.inputs);
    if (args.length === 0) {
      io.writeErr(mainHelp(io.program));
      return 2;
    }
    const run = await ENTRIES[parsed.command].load();
    return await run(await expandPatterns(parsed), io);
  } catch (error) {
    const code = exitCodeOfError(error);
    io.writeErr(`${errorText(error, io.program)}\n`);
    return code;
  }
}

/**
 * Returns the message of an expected error or a disk failure, or the stack of any other error,
 * which is a bug. Control characters are removed, because an error may quote some and they must not
 * reach the terminal.
 */
function errorText(error: unknown, program: string): string {
  if (error instanceof Deno.errors.NotCapable) {
    return printableLines(`Cannot continue: ${systemReason(error)}`);
  }
  if (error instanceof RetortError) return printableLines(withProgram(error.message, program));
  if (isDiskError(error)) {
    return printableLines(`Cannot continue: a disk or file server failed: ${error.message}`);
  }
  return printableLines(error instanceof Error ? error.stack ?? error.message : String(error));
}

type Folders = NonNullable<Io["folders"]>;

function denoIo(stdout: Output, stderr: Output, folders: Folders): Io {
  let program: string | undefined;
  return {
    writeOut: (text) => stdout.write(text),
    writeErr: (text) => stderr.write(text),
    env: (name) => Deno.env.get(name),
    get stdin() {
      return Deno.stdin.readable;
    },
    isTerminal: Deno.stderr.isTerminal(),
    askSecret: Deno.stdin.isTerminal() && Deno.stderr.isTerminal() ? askSecret : undefined,
    columns: () => consoleColumns(),
    onSignal(signal, handler) {
      const names = systemSignals(signal);
      const listener = signal !== "SIGHUP" ? handler : async () => {
        if (!(await isNohup(Deno.stdin))) handler();
      };
      for (const name of names) Deno.addSignalListener(name, listener);
      return () => {
        for (const name of names) Deno.removeSignalListener(name, listener);
      };
    },
    guardSignals: startSignalWorker,
    exit: (code) => Deno.exit(code),
    parentPid: () => Deno.ppid,
    get program() {
      return program ??= programOf(startOf(folders));
    },
    folders,
  };
}

/** Prompts on standard error. The terminal's echo is always turned on again, even after Ctrl-C. */
async function askSecret(question: string): Promise<string | null> {
  const write = (text: string) => Deno.stderr.writeSync(new TextEncoder().encode(text));
  const onInterrupt = () => {
    Deno.stdin.setRaw(false);
    write("\n");
    Deno.exit(exitCodeOfSignal("SIGINT"));
  };
  write(question);
  Deno.addSignalListener("SIGINT", onInterrupt);
  Deno.stdin.setRaw(true, Deno.build.os === "windows" ? undefined : { cbreak: true });
  const worker = new Worker(new URL("./cli/key_worker.ts", import.meta.url), { type: "module" });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => reject(new Error(event.message));
    });
  } finally {
    worker.terminate();
    Deno.stdin.setRaw(false);
    Deno.removeSignalListener("SIGINT", onInterrupt);
    if (!Deno.stdout.isTerminal()) write("\n");
  }
}

function startOf({ user, start }: Folders): ProcessStart {
  return {
    isStandalone: Deno.build.standalone,
    execPath: Deno.execPath(),
    mainModule: Deno.mainModule,
    denoVersion: Deno.version.deno,
    folder: user,
    startFolder: start,
    env: permittedEnv,
    isGranted: (name) => isGranted({ name }),
  };
}

/** Reads an environment variable if Retort has the permission. Without it, Deno would prompt the
 * user. */
function permittedEnv(variable: string): string | undefined {
  return isGranted({ name: "env", variable }) ? Deno.env.get(variable) : undefined;
}

function isGranted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}

/** Changes to the user's folder, because `deno task` starts the process in the folder of
 * `deno.json`. */
function enterFolder(): Folders {
  const user = permittedEnv(FOLDER_VARIABLE);
  const start = Deno.cwd();
  if (!user) return { user: start, start };
  try {
    Deno.chdir(user);
  } catch (cause) {
    const reason = systemReason(cause);
    throw new UsageError(`Cannot start in "${user}" (${FOLDER_VARIABLE}): ${reason}`, { cause });
  }
  return { user, start };
}

/**
 * Starts the worker that handles signals while the main thread is blocked. If the worker cannot
 * start, the run continues without it.
 */
function startSignalWorker(): Disposable {
  try {
    // If this permission is missing, Deno prints the worker's failure even though it is caught
    // here.
    if (!mayRead(new URL(import.meta.url))) throw new Deno.errors.NotCapable();
    const worker = new Worker(new URL("./cli/signal_worker.ts", import.meta.url), {
      type: "module",
    });
    worker.onerror = (event) => event.preventDefault();
    return { [Symbol.dispose]: () => worker.terminate() };
  } catch {
    return { [Symbol.dispose]() {} };
  }
}

function mayRead(path: URL): boolean {
  return path.protocol !== "file:" || isGranted({ name: "read", path });
}

/** The longest time that an interrupted run waits for its output, because a pipe may have no
 * reader. */
const FLUSH_TIMEOUT_MS = 1_000;

const DEFAULT_COLUMNS = 80;

function consoleColumns(): number {
  try {
    return Deno.consoleSize().columns || DEFAULT_COLUMNS;
  } catch {
    return DEFAULT_COLUMNS;
  }
}

/**
 * Makes Ctrl-Z have no effect under `deno task`. `deno task` does not stop together with its child
 * process: if only this process stopped, the terminal would no longer react to anything, not even
 * to Ctrl-C. npm and Yarn do stop.
 */
function ignoreCtrlZ(stderr: Output): void {
  const isTask = permittedEnv("npm_config_user_agent")?.startsWith("deno/");
  if (!isTask || Deno.build.os === "windows") return;
  const signals = new SignalCount();
  Deno.addSignalListener("SIGTSTP", () => {
    if (signals.add() === undefined) return;
    stderr.write("\nCtrl-Z stops nothing under deno task: the command continues\n");
  });
}

async function runInUserFolder(stdout: Output, stderr: Output): Promise<number> {
  let folders;
  try {
    folders = enterFolder();
  } catch (error) {
    stderr.write(`${errorText(error, PROGRAM_NAME)}\n`);
    return exitCodeOfError(error);
  }
  ignoreCtrlZ(stderr);
  return await main(Deno.args, denoIo(stdout, stderr, folders));
}

if (import.meta.main) {
  const stdout = new Output(Deno.stdout), stderr = new Output(Deno.stderr);
  const code = await runInUserFolder(stdout, stderr);
  const flushed = Promise.all([stdout.flush(), stderr.flush()]);
  const timeout = new Promise((resolve) => setTimeout(resolve, FLUSH_TIMEOUT_MS));
  await (code > SIGNAL_CODE_BASE ? Promise.race([flushed, timeout]) : flushed);
  // The reader of a pipe may stop reading at any time, as `head` does. This is not an error.
  if (code > SIGNAL_CODE_BASE || !isDiskError(stdout.failure)) Deno.exit(code);
  stderr.write(`Cannot write to standard output: ${systemReason(stdout.failure)}\n`);
  await stderr.flush();
  Deno.exit(code === EXIT_DONE ? EXIT_DISK : code);
}
