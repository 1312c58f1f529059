/**
 * Runs the command line like a user: `cli.ts` in this process, or in a process of its own where a
 * test needs signals, a working folder, permissions or to be killed.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { type Io, main } from "../../cli.ts";

// Loaded before any run: undici evaluates Node's modules, and Deno 2.9 panics ("RefCell already
// borrowed") if another run reaches an `import()` meanwhile (denoland/deno#36216).
import "../../cli/run_command.ts";

/** The folder of this repository. */
export const REPOSITORY: string = fileURLToPath(new URL("../..", import.meta.url))
  .replace(/[\\/]$/, "");

/** Starts the program as its tasks do, without what few commands import: a third of the CPU. */
export const DENO_RUN = ["run", "--unstable-lazy-dynamic-imports"] as const;

/** The options of a process. */
export interface CliOptions {
  /** Its working folder. @default the repository */
  cwd?: string;
  /** Variables over the clean environment (PATH, HOME, DENO_DIR, NO_COLOR and little else). */
  env?: Record<string, string>;
  /** Its standard input. @default empty */
  stdin?: string | Uint8Array;
  /** Kills it (SIGKILL). */
  signal?: AbortSignal;
  /** The arguments of `deno run` before the script. @default ["-A"] */
  permissions?: string[];
  /** The script. @default "cli.ts" of this repository */
  script?: string;
  /** Starts a process also where no other option needs one. @default false */
  ownProcess?: boolean;
}

/** The result of a process. */
export interface CliResult {
  /** Its exit code; 128 + the signal's number where a signal ended it. */
  readonly code: number;
  /** The signal that ended it. */
  readonly signal: Deno.Signal | null;
  /** Its standard output. */
  readonly stdout: string;
  /** Its standard error. */
  readonly stderr: string;
}

/** A running process. Dispose of it or await `output()`. */
export interface CliProcess extends AsyncDisposable {
  /** Its process id. */
  readonly pid: number;
  /** Sends a signal, unless it has ended. @default "SIGTERM" */
  kill(signal?: Deno.Signal): void;
  /** Waits until its standard error matches. Rejects when it ends before that. */
  untilStderr(pattern: RegExp): Promise<RegExpExecArray>;
  /** The same for standard output. */
  untilStdout(pattern: RegExp): Promise<RegExpExecArray>;
  /** Waits for its end. */
  output(): Promise<CliResult>;
}

/** Runs the command line to its end: in this process unless an option needs one of its own, since
 * starting Deno takes longer than most runs. */
export async function runCli(args: string[], options: CliOptions = {}): Promise<CliResult> {
  const { cwd, permissions, script, signal, ownProcess = false } = options;
  const needsProcess = [cwd, permissions, script, signal].some((option) => option !== undefined);
  if (!needsProcess && !ownProcess) return await runHere(args, options);
  await using child = await startCli(args, options);
  return await child.output();
}

/**
 * A process that runs command lines one after the other for all tests of a file, where they need
 * permissions, a working folder or programs of their own: starting Deno takes longer than most
 * runs. Make it outside the tests; it starts before the first and ends after the last.
 */
export class CliServer {
  #child?: Deno.ChildProcess;
  #home = "";
  #requests?: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  #answers?: ReadableStreamDefaultReader<Uint8Array>;

  constructor(permissions: string[] = ["-A"]) {
    Deno.test.beforeAll(() => this.#start(permissions));
    Deno.test.afterAll(() => this.#stop());
  }

  /** Runs a command line to its end. */
  async run(
    args: string[],
    { cwd = REPOSITORY, env }: Pick<CliOptions, "cwd" | "env"> = {},
  ): Promise<CliResult> {
    const request = { args, cwd, env: { ...cleanEnv(this.#home), ...env } };
    const decoder = new TextDecoder();
    await this.#requests!.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
    // Not a stream of lines: it would read ahead, beyond the end of the test.
    let line = "";
    while (!line.endsWith("\n")) {
      const { value } = await this.#answers!.read();
      if (value === undefined) throw new Error(`The process ended during ${args.join(" ")}`);
      line += decoder.decode(value, { stream: true });
    }
    return JSON.parse(line);
  }

  async #start(permissions: string[]): Promise<void> {
    this.#home = await Deno.makeTempDir({ prefix: "retort_home_" });
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...DENO_RUN, "--quiet", ...permissions, `${REPOSITORY}/tests/support/cli_runs.ts`],
      clearEnv: true,
      env: cleanEnv(this.#home),
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#requests = this.#child.stdin.getWriter();
    this.#answers = this.#child.stdout.getReader();
  }

  async #stop(): Promise<void> {
    await this.#requests?.close();
    await this.#answers?.cancel();
    await this.#child?.status;
    await Deno.remove(this.#home, { recursive: true });
  }
}

async function runHere(args: string[], options: CliOptions): Promise<CliResult> {
  return await startHere(args, options).output();
}

/**
 * Starts the command line in this process. It hears signals, but only those that it handles:
 * nothing kills it.
 */
export function startHere(
  args: string[],
  { env, stdin = "" }: Pick<CliOptions, "env" | "stdin"> = {},
): CliProcess {
  const stdout = new Collected(), stderr = new Collected();
  const handlers = new Map<string, Set<() => void>>();
  const kill = (signal = "SIGTERM") => handlers.get(signal)?.forEach((handler) => handler());
  async function run(): Promise<CliResult> {
    const home = await Deno.makeTempDir({ prefix: "retort_home_" });
    const variables: Record<string, string> = { ...cleanEnv(home), ...env };
    try {
      const io = fakeIo({
        writeOut: (text) => stdout.add(text),
        writeErr: (text) => stderr.add(text),
        env: (name) => variables[name],
        stdin: new Blob([stdin as Uint8Array<ArrayBuffer>]).stream(),
        onSignal(signal, handler) {
          const heard = handlers.get(signal) ?? new Set();
          handlers.set(signal, heard.add(handler));
          return () => heard.delete(handler);
        },
        program: "deno task distill",
      });
      const code = await main(args, io);
      return { code, signal: null, stdout: stdout.text, stderr: stderr.text };
    } finally {
      stdout.end();
      stderr.end();
      await Deno.remove(home, { recursive: true });
    }
  }
  const ended = run();
  return {
    pid: Deno.pid,
    kill,
    untilStderr: (pattern) => stderr.until(pattern),
    untilStdout: (pattern) => stdout.until(pattern),
    output: () => ended,
    async [Symbol.asyncDispose]() {
      kill();
      await ended;
    },
  };
}

/** A system without a terminal, input and variables, unless `parts` says otherwise. */
export function fakeIo(parts: Partial<Io> = {}): Io {
  return {
    writeOut() {},
    writeErr() {},
    env: () => undefined,
    stdin: new ReadableStream(),
    isTerminal: false,
    columns: () => 80,
    onSignal: () => () => {},
    program: "retort",
    ...parts,
  };
}

/** Starts the command line. */
export async function startCli(args: string[], options: CliOptions = {}): Promise<CliProcess> {
  const home = await Deno.makeTempDir({ prefix: "retort_home_" });
  const { permissions, script } = options;
  // What is loaded later needs the permission to read it.
  const start = permissions === undefined && script === undefined ? DENO_RUN : ["run"];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...start, ...permissions ?? ["-A"], script ?? `${REPOSITORY}/cli.ts`, ...args],
    cwd: options.cwd ?? REPOSITORY,
    clearEnv: true,
    env: { ...cleanEnv(home), ...options.env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const kill = (signal: Deno.Signal = "SIGTERM") => {
    try {
      child.kill(signal);
    } catch (error) {
      // It has ended already.
      if (!(error instanceof TypeError)) throw error;
    }
  };
  const abort = () => kill("SIGKILL");
  options.signal?.addEventListener("abort", abort, { once: true });
  if (options.signal?.aborted) abort();
  const stdout = new Collected(child.stdout), stderr = new Collected(child.stderr);
  const ended = Promise.all([child.status, stdout.all, stderr.all, feed(child, options.stdin)])
    .then(async ([{ code, signal }, out, err]) => {
      options.signal?.removeEventListener("abort", abort);
      await Deno.remove(home, { recursive: true });
      return { code, signal, stdout: out, stderr: err };
    });
  return {
    pid: child.pid,
    kill,
    untilStderr: (pattern) => stderr.until(pattern),
    untilStdout: (pattern) => stdout.until(pattern),
    output: () => ended,
    async [Symbol.asyncDispose]() {
      abort();
      await ended;
    },
  };
}

/** An environment without the developer's variables, in which nothing is downloaded again. */
export function cleanEnv(home: string): Record<string, string> {
  const env: Record<string, string> = { HOME: home, NO_COLOR: "1", DENO_DIR: denoDir() };
  // No DENO_COVERAGE_DIR: a child that is killed leaves half a file in it. The rest is needed by a
  // child that downloads a package.
  const kept = [
    "PATH",
    "TMPDIR",
    "SystemRoot",
    "NPM_CONFIG_REGISTRY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "DENO_CERT",
    "DENO_TLS_CA_STORE",
    "NODE_EXTRA_CA_CERTS",
  ];
  for (const name of kept) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** Where this process's Deno keeps its cache. */
function denoDir(): string {
  const named = Deno.env.get("DENO_DIR");
  if (named) return named;
  const home = Deno.env.get("HOME") ?? "";
  if (Deno.build.os === "windows") return `${Deno.env.get("LOCALAPPDATA")}\\deno`;
  if (Deno.build.os === "darwin") return `${home}/Library/Caches/deno`;
  return `${Deno.env.get("XDG_CACHE_HOME") || `${home}/.cache`}/deno`;
}

async function feed(child: Deno.ChildProcess, stdin?: string | Uint8Array): Promise<void> {
  const bytes = typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin;
  const writer = child.stdin.getWriter();
  try {
    if (bytes) await writer.write(bytes as Uint8Array<ArrayBuffer>);
    await writer.close();
  } catch {
    // It ended without reading all of it.
  }
}

/** A text so far: of a stream, or what is added. */
export class Collected {
  text = "";
  /** Resolves to the whole text. */
  readonly all: Promise<string>;
  #whole = Promise.withResolvers<string>();
  #ended = false;
  #changed = Promise.withResolvers<void>();

  constructor(stream?: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.all = this.#whole.promise;
    if (stream !== undefined) this.#collect(stream).catch(this.#whole.reject);
  }

  /** Waits until the text matches. Rejects if it ends before that. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    while (true) {
      const match = pattern.exec(this.text);
      if (match !== null) return match;
      if (this.#ended) throw new Error(`The process ended without ${pattern}:\n${this.text}`);
      await this.#changed.promise;
    }
  }

  add(text: string): void {
    this.text += text;
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#whole.resolve(this.text);
    this.#wake();
  }

  async #collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) this.add(text);
    this.end();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** `Deno.test(name, POSIX, …)` lists the test as ignored on Windows. */
export const POSIX = { ignore: Deno.build.os === "windows" } as const;

/** The `signal` of a process that `kill("SIGKILL")` has ended. Windows has no signals. */
export const KILLED = Deno.build.os === "windows" ? null : "SIGKILL";

/** Splits a command line as a POSIX shell does. */
export async function shellWords(line: string, shell = "sh"): Promise<string[]> {
  const command = new Deno.Command(shell, { args: ["-c", `printf '%s\\0' ${line}`] });
  return new TextDecoder().decode((await command.output()).stdout).split("\0").slice(0, -1);
}
