/**
 * The command line's interface to the system, so that tests can replace it.
 *
 * @module
 */

/** A signal that ends a run. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

export const STOP_SIGNALS: readonly StopSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

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

/** Calls the handler for each signal to stop, until the returned function is called. */
export function onStopSignal(
  io: Pick<Io, "onSignal">,
  handler: (signal: StopSignal) => void,
): () => void {
  const removals = STOP_SIGNALS.map((signal) => io.onSignal(signal, () => handler(signal)));
  return () => {
    for (const remove of removals) remove();
  };
}

/** Resolves at the first signal to stop. The next one then has its usual effect. */
export async function firstStopSignal(io: Pick<Io, "onSignal">): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  const stopListening = onStopSignal(io, () => stopped.resolve());
  await stopped.promise;
  stopListening();
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
  /** Calls the handler for each such signal, until the returned function is called. See
   * `onStopSignal`. */
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
   * The user's working directory, and that in which the process started. Under `deno task` the
   * latter is the folder of `deno.json`. @default they are the same
   */
  readonly folders?: { readonly user: string; readonly start: string };
}
