/**
 * The command line's interface to the system, so that tests can replace it.
 *
 * @module
 */

/** A signal that ends a run. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** The system's signals for a stop signal. Ctrl-Break of Windows is a Ctrl-C that no program can turn off;
 * SIGTERM cannot be sent there, and Deno before 2.7.6 throws when a listener for it is added. */
export function systemSignals(signal: StopSignal, os = Deno.build.os): readonly Deno.Signal[] {
  if (os !== "windows") return [signal];
  return {
    SIGINT: ["SIGINT", "SIGBREAK"] as const,
    SIGHUP: ["SIGHUP"] as const,
    SIGTERM: [],
  }[signal];
}

/** Access to the system. */
export interface Io {
  /** Writes to standard output. */
  writeOut(text: string): void;
  /** Writes to standard error. */
  writeErr(text: string): void;
  /** Reads an environment variable. */
  env(name: string): string | undefined;
  /** Standard input. */
  readonly stdin: ReadableStream<Uint8Array>;
  /** Whether standard error is a terminal. */
  readonly isTerminal: boolean;
  /** Prompts for a line that is not shown while it is typed. @default there is no terminal to ask on */
  readonly askSecret?: (question: string) => Promise<string | null>;
  /** The width of the terminal. */
  columns(): number;
  /** Calls the handler for each such signal, until the returned function is called. */
  onSignal(signal: StopSignal, handler: () => void): () => void;
  /** Also listens for signals on a separate thread until disposed of, and ends the process at the second one in
   * any case. @default no such thread */
  readonly guardSignals?: () => Disposable;
  /** Ends the process at once. @default it ends when `main` has returned */
  readonly exit?: (code: number) => void;
  /** Id of the parent process. @default not known */
  readonly parentPid?: () => number;
  /** The words with which the user started this program: `retort`, `deno task distill`. */
  readonly program: string;
  /** The user's working directory, and that of the process: under `deno task` the folder of `deno.json`.
   * @default the same */
  readonly folders?: { readonly user: string; readonly start: string };
}
