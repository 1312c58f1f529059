/**
 * What the command line needs of the world, so that a test can be the world.
 *
 * @module
 */

/** A signal that ends a run. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** What the system calls the signals that mean the same. Ctrl-Break of Windows is a Ctrl-C that no program can turn
 * off; SIGTERM cannot be sent there, and Deno before 2.7.6 throws where it is listened for. */
export function systemSignals(signal: StopSignal, os = Deno.build.os): readonly Deno.Signal[] {
  if (os !== "windows") return [signal];
  return {
    SIGINT: ["SIGINT", "SIGBREAK"] as const,
    SIGHUP: ["SIGHUP"] as const,
    SIGTERM: [],
  }[signal];
}

/** The world. */
export interface Io {
  /** Writes to standard output. */
  writeOut(text: string): void;
  /** Writes to standard error. */
  writeErr(text: string): void;
  /** Reads a variable of the environment. */
  env(name: string): string | undefined;
  /** Standard input. */
  readonly stdin: ReadableStream<Uint8Array>;
  /** Whether standard error is a terminal. */
  readonly isTerminal: boolean;
  /** Asks for a line that is not shown while it is typed. @default the user cannot be asked:
   * standard input or standard error is no terminal */
  readonly askSecret?: (question: string) => Promise<string | null>;
  /** The width of the terminal. */
  columns(): number;
  /** Calls the handler at each such signal, until the function that it gives back is called. */
  onSignal(signal: StopSignal, handler: () => void): () => void;
  /** Hears signals on a thread of its own too, until it is disposed of, and ends the process at the second
   * one in any case. @default nothing does */
  readonly guardSignals?: () => Disposable;
  /** Ends the process at once. @default it ends when `main` has returned */
  readonly exit?: (code: number) => void;
  /** The process that started this one. @default not known */
  readonly parentPid?: () => number;
  /** How the user has started this program, as the first words of a command: `retort`, `deno task distill`. */
  readonly program: string;
  /** The folder that the user stands in, and the one that the process was started in: under `deno task` that of
   * `deno.json`. @default the same */
  readonly folders?: { readonly user: string; readonly start: string };
}
