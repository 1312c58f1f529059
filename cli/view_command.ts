/**
 * `retort view`.
 *
 * @module
 */

import { DataService } from "../lib/data/mod.ts";
import { UsageError } from "../lib/errors.ts";
import { printable } from "../lib/printable.ts";
import { delay } from "../lib/timer.ts";
import { serveView } from "../web/view/server.ts";
import { exitCodeOfSignal } from "./exit_codes.ts";
import { type Io, onStopSignal, type StopSignal } from "./io.ts";
import { showPage } from "./page.ts";
import type { ParsedArgs } from "./parse.ts";
import { SignalCount } from "./second_signal.ts";
import { Settings } from "./settings.ts";

/** How often the index is asked whether it has read a row. */
const POLL_MS = 20;

/** Serves the page over results until interrupted. */
export async function viewCommand(args: ParsedArgs, io: Io): Promise<number> {
  const settings = new Settings(args);
  if (args.inputs.length === 0) {
    throw new UsageError(
      "Cannot view without a path: name results, failures or a folder, as in out/",
    );
  }
  const hostname = settings.text("monitor-host") || undefined;
  const port = settings.port("port") ?? 0;
  using interruption = new Interruption(io);
  const { signal } = interruption;
  try {
    await using service = await DataService.open({ paths: args.inputs, signal });
    await waitForFirstRow(service, args.inputs, signal);
    await using served = serveView(service, { hostname, port, program: io.program });
    io.writeErr(`View: ${served.url}\nCtrl-C ends it\n`);
    const exposure = "read the prompts and answers";
    showPage(
      { url: served.url, hostname, isOpened: settings.isOn("open"), exposure },
      (message) => io.writeErr(`${printable(message)}\n`),
    );
    await interruption.ended;
  } catch (error) {
    if (error !== signal.reason) throw error;
  }
  return 0;
}

/**
 * Waits until a row or a whole file was read. Does not wait for an empty folder, whose files may
 * come later.
 *
 * @throws {UsageError} if no file can be read
 */
async function waitForFirstRow(
  service: DataService,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  while (true) {
    signal.throwIfAborted();
    const { index: { files, isCurrent, rows } } = await service.ask("state", {});
    if (
      rows > 0 || files.length === 0 || files.some(({ problem }) => problem === null && isCurrent)
    ) return;
    if (files.every(({ problem }) => problem !== null)) {
      throw new UsageError(`Cannot open "${paths[0]}": ${files[0].problem}`);
    }
    await delay(POLL_MS);
  }
}

/** How long an interrupted view may take to end before the process exits. */
const GRACE_MS = 3_000;

/**
 * Aborts a view on the first SIGINT, SIGTERM or SIGHUP. Exits if the view has not ended 3 s later
 * (opening a file may wait for a file server), or on a second signal.
 */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #signals = new SignalCount();
  readonly #exit: Io["exit"];
  readonly #stopListening: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Aborted by the first signal. */
  readonly signal = this.#controller.signal;
  /** Resolves on the first signal. */
  readonly ended = new Promise<void>((resolve) =>
    this.signal.addEventListener("abort", () => resolve(), { once: true })
  );

  constructor(io: Io) {
    this.#exit = io.exit;
    this.#stopListening = onStopSignal(io, (signal) => this.#handle(signal));
  }

  #handle(signal: StopSignal): void {
    const count = this.#signals.add();
    if (count === undefined) return;
    this.#controller.abort();
    const exit = () => this.#exit?.(exitCodeOfSignal(signal));
    if (count > 1) exit();
    else this.#timer = setTimeout(exit, GRACE_MS);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#stopListening();
  }
}
