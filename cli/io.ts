/**
 * The command line's interface to the system, so that tests can replace it.
 *
 * @module
 */

/** A signal that ends a run. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

/**
 * The system's signals for a stop signal. Windows sends SIGBREAK for Ctrl-Break, which unlike
 * Ctrl-C no program can turn off. SIGTERM cannot be sent there, and Deno before 2.7.6 throws when a
 * listener for it is added.
 */
export function systemSignals(signal: StopSignal, os = Deno.build.os): readonly Deno.Signal[] {
  if (os !== "windows") return [signal];
  return {
    SIGINT: ["SIGINT", "SIGBREAK"] as const,
    SIGHUP: ["SIGHUP"] as const,
    SIGTERM: [],
  }[signal];
}

/** What the command line uses of the system. */
export interface Io {
  /** Writes to stdout. */
  writeOut(text: string): void;
  /** Writes to stderr. */
  writeErr(text: string): void;
  /** Returns an environment variable, or undefined. */
  env(name: string): string | undefined;
  /** Standard input. */
  readonly stdin: ReadableStream<Uint8Array>;
  /** Whether standard error is a terminal. */
  readonly isTerminal: boolean;
  /** Prompts for a line that is not shown while it is typed. @default there is no terminal */
  readonly askSecret?: (question: string) => Promise<string | null>;
  /** Width of the terminal, in columns. */
  columns(): number;
  /** Calls the handler for each such signal, until the returned function is called. */
  onSignal(signal: StopSignal, handler: () => void): () => void;
  /**
   * Listens for signals on a separate thread until disposed of, and ends the process after the
   * second one even if the main thread is frozen. @default no such thread
   */
  readonly guardSignals?: () => Disposable;
  /** Ends the process at once. @default it ends when `main` has returned */
  readonly exit?: (code: number) => void;
  /** Returns the id of the parent process. @default unknown */
  readonly parentPid?: () => number;
  /** The words with which the user started the program: `retort`, `deno task distill`. */
  readonly program: string;
  /**
   * The user's working directory, and that of the process. Under `deno task` the latter is the
   * folder of `deno.json`. @default they are the same
   */
  readonly folders?: { readonly user: string; readonly start: string };
}
