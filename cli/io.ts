/**
 * The parts of the system that the command line uses, so that tests can replace them. Also counts
 * signals, and writes without blocking.
 *
 * @module
 */

export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

export const STOP_SIGNALS: readonly StopSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Returns the system's signals that stand for `signal`. On Windows, Ctrl-Break sends SIGBREAK and,
 * unlike Ctrl-C, cannot be turned off. Windows has no SIGTERM: Deno before 2.7.6 throws if a
 * program listens for it.
 */
export function systemSignals(signal: StopSignal, os = Deno.build.os): readonly Deno.Signal[] {
  if (os !== "windows") return [signal];
  return {
    SIGINT: ["SIGINT", "SIGBREAK"] as const,
    SIGHUP: ["SIGHUP"] as const,
    SIGTERM: [],
  }[signal];
}

interface InputStream {
  isTerminal(): boolean;
  readSync(buffer: Uint8Array): number | null;
}

/**
 * Whether `nohup` has started the program at a terminal, so that SIGHUP must not end it. Deno does
 * not say whether a signal was already ignored at the start. But on Linux, `nohup` replaces a
 * terminal as standard input with /dev/null, opened for writing only.
 */
export async function isNohup(stdin: InputStream): Promise<boolean> {
  // Loaded only when a signal arrives, because loading takes 40 ms.
  const { fstatSync } = await import("node:fs");
  try {
    // A pipe must not be read, because it may be the input of the run.
    if (stdin.isTerminal() || !fstatSync(0).isCharacterDevice()) return false;
    stdin.readSync(new Uint8Array(1));
    return false;
  } catch (error) {
    // Reading from a closed terminal fails with another code.
    return (error as { code?: string }).code === "EBADF";
  }
}

/** Listens for all stop signals. Returns a function that stops listening. */
export function onStopSignal(
  io: Pick<Io, "onSignal">,
  handler: (signal: StopSignal) => void,
): () => void {
  const stopListening = STOP_SIGNALS.map((signal) => io.onSignal(signal, () => handler(signal)));
  return () => {
    for (const stop of stopListening) stop();
  };
}

/** The parts of the system that the command line uses. */
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
  /** Prompts for a line without echo. @default there is no terminal */
  readonly askSecret?: (question: string) => Promise<string | null>;
  /** Returns the width of the terminal, in columns. */
  columns(): number;
  /** Listens for a signal. Returns a function that stops listening. */
  onSignal(signal: StopSignal, handler: () => void): () => void;
  /**
   * Starts a thread that ends the process after the second signal, even if the main thread is
   * blocked. Disposing ends the thread. @default no such thread
   */
  readonly guardSignals?: () => Disposable;
  /** Ends the process immediately. @default it ends when `main` has returned */
  readonly exit?: (code: number) => void;
  /** Id of the parent process. @default unknown */
  readonly parentPid?: () => number;
  /** The words with which the user started the program: `retort`, `deno task distill`. */
  readonly program: string;
  /**
   * `user` is the user's working directory. The process started in `start`: under `deno task`, the
   * folder of `deno.json`. @default both are the working directory
   */
  readonly folders?: { readonly user: string; readonly start: string };
}

/**
 * A signal within this time of the last one is a repetition: `deno task` forwards a Ctrl-C twice,
 * 0.3 ms apart.
 */
const SAME_SIGNAL_MS = 500;

/** Time from the second signal to `end`. A main thread that is not blocked exits after 1.5 s. */
const PATIENCE_MS = 1_900;

export class SignalCount {
  #lastMs = -Infinity;
  #count = 0;

  /** Returns the number of signals so far; undefined if this one repeats the last. */
  add(): number | undefined {
    const nowMs = performance.now();
    if (nowMs - this.#lastMs < SAME_SIGNAL_MS) return undefined;
    this.#lastMs = nowMs;
    return ++this.#count;
  }
}

/** Returns a listener that calls `end` a while (`PATIENCE_MS`) after the second signal. */
export function endAfterSecondSignal(end: () => void): () => void {
  const signals = new SignalCount();
  return () => {
    if (signals.add() === 2) setTimeout(end, PATIENCE_MS);
  };
}

export interface OutputStream {
  write(bytes: Uint8Array): Promise<number>;
}

/** Limit of the text that waits for a stuck reader, in UTF-16 units. Older text is dropped. */
const MAX_STUCK_CHARS = 1 << 20;

/** Limit of the text that waits while the reader still takes text, in UTF-16 units. */
const MAX_QUEUED_CHARS = 1 << 26;

/**
 * Length to which short texts are joined while they wait. Dropping 160,000 separate lines took 8 s,
 * because each shift of a long array moves all other elements.
 */
const BLOCK_CHARS = 1 << 14;

/**
 * Time after which a reader that takes nothing counts as stuck. Until then, a burst of text is
 * kept.
 */
const STUCK_MS = 1_000;

/**
 * Delay before another write to a full pipe. Writes fail only if another program has made the pipe
 * non-blocking; otherwise they wait.
 */
const RETRY_MS = 20;

/**
 * Writes text in the background. A pipe without a reader, a terminal that is closed or held with
 * Ctrl-S, or a full disk must not stop a run that costs money.
 */
export class Output {
  readonly #stream: OutputStream;
  readonly #encoder = new TextEncoder();
  readonly #queue: string[] = [];
  #length = 0;
  #writing: Promise<void> | undefined;
  #failure: unknown;
  /** When the reader last took text, or when text began to wait for it, if that was later. */
  #takenMs = 0;

  constructor(stream: OutputStream) {
    this.#stream = stream;
  }

  /**
   * Writes later, and never throws. Pass whole lines, because the oldest texts are dropped if the
   * reader is stuck.
   */
  write(text: string): void {
    if (this.#failure !== undefined || text === "") return;
    const queue = this.#queue, last = queue.length - 1;
    if (last >= 0 && queue[last].length < BLOCK_CHARS) queue[last] += text;
    else queue.push(text);
    this.#length += text.length;
    const nowMs = performance.now();
    if (this.#writing === undefined) this.#takenMs = nowMs;
    const maxChars = nowMs - this.#takenMs > STUCK_MS ? MAX_STUCK_CHARS : MAX_QUEUED_CHARS;
    while (this.#length > maxChars && queue.length > 1) this.#length -= queue.shift()!.length;
    this.#writing ??= this.#writeAll();
  }

  async flush(): Promise<void> {
    await this.#writing;
  }

  /** The error after which nothing more is written; undefined if there was none. */
  get failure(): unknown {
    return this.#failure;
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        const text = this.#queue.splice(0).join("");
        this.#length = 0;
        await this.#writeBytes(this.#encoder.encode(text));
      }
    } catch (error) {
      this.#failure = error;
      this.#queue.length = 0;
    } finally {
      this.#writing = undefined;
    }
  }

  async #writeBytes(bytes: Uint8Array): Promise<void> {
    let writtenBytes = 0;
    while (writtenBytes < bytes.length) {
      try {
        writtenBytes += await this.#stream.write(bytes.subarray(writtenBytes));
        this.#takenMs = performance.now();
      } catch (error) {
        if (!(error instanceof Deno.errors.WouldBlock)) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}
