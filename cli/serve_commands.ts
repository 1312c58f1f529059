/**
 * The commands that serve until interrupted: `view`, `monitor` and `simulate`. Each imports what it
 * serves on demand.
 *
 * @module
 */

import type { DataService } from "../lib/data/mod.ts";
import { UsageError } from "../lib/errors.ts";
import { printable, printableLines } from "../lib/printable.ts";
import { delay } from "../lib/timer.ts";
import { exitCodeOfSignal } from "./exit_codes.ts";
import { firstStopSignal, type Io, onStopSignal, SignalCount, type StopSignal } from "./io.ts";
import { showPage } from "./page.ts";
import type { ParsedArgs } from "./parse.ts";
import { asUsage, Settings } from "./settings.ts";

export async function viewCommand(args: ParsedArgs, io: Io): Promise<number> {
  const settings = new Settings(args);
  if (args.inputs.length === 0) {
    throw new UsageError(
      "Cannot view without a path: name results, failures or a folder, as in out/",
    );
  }
  const place = placeOf(settings);
  using interruption = new Interruption(io);
  const { signal } = interruption;
  try {
    const { DataService } = await import("../lib/data/mod.ts");
    const { serveView } = await import("../web/view/server.ts");
    await using service = await DataService.open({ paths: args.inputs, signal });
    await waitForFirstRow(service, args.inputs, signal);
    await using page = serveView(service, { ...place, program: io.program });
    for (const note of service.notes) io.writeErr(`Note: ${printableLines(note)}\n`);
    io.writeErr(`View: ${page.url}\nCtrl-C ends it\n`);
    await using _shown = show(page, args, "read the prompts and answers", io);
    await interruption.ended;
  } catch (error) {
    if (error !== signal.reason) throw error;
  }
  return 0;
}

export async function monitorCommand(args: ParsedArgs, io: Io): Promise<number> {
  const settings = new Settings(args);
  const [output, ...others] = args.inputs;
  if (output === undefined || others.length > 0) {
    throw new UsageError(
      "Cannot monitor without one output: name the folder of the runs, as in out/",
    );
  }
  const { serveFolderMonitor } = await import("../web/fleet/server.ts");
  await using page = await serveFolderMonitor(output, placeOf(settings));
  const stopped = firstStopSignal(io);
  io.writeOut(`Monitor: ${page.url}\nPress Ctrl-C to end it\n`);
  await using _shown = show(page, args, "see the runs", io);
  await stopped;
  return 0;
}

const SIMULATE_PORT = 8_000;

export async function simulateCommand(args: ParsedArgs, io: Io): Promise<number> {
  const { port } = placeOf(new Settings(args), SIMULATE_PORT);
  const { parseSimulateOptions, serveSimulatedTeacher } = await import("../lib/simulate/mod.ts");
  const options = asUsage(() => parseSimulateOptions(args.inputs.join(",")));
  await using server = serveSimulatedTeacher({ ...options, port });
  const stopped = firstStopSignal(io);
  io.writeOut(`A simulated teacher listens on ${server.url}; press Ctrl-C to end it\n`);
  await stopped;
  return 0;
}

function placeOf(settings: Settings, defaultPort = 0) {
  return {
    hostname: settings.text("monitor-host") || undefined,
    port: settings.port("port") ?? defaultPort,
  };
}

function show({ url }: { url: string }, args: ParsedArgs, exposure: string, io: Io) {
  const settings = new Settings(args);
  const { hostname } = placeOf(settings);
  return showPage(
    { url, hostname, opensBrowser: settings.isOn("open"), exposure, output: args.inputs[0] },
    (message) => io.writeErr(`${printable(message)}\n`),
  );
}

const POLL_MS = 20;

/** Waits for the first row, but not in an empty folder: its files may come later. */
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

const GRACE_MS = 3_000;

/**
 * Aborts a view on the first signal. Exits on the second, or after 3 s: opening a file may wait for
 * a file server.
 */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #signals = new SignalCount();
  readonly #exit: Io["exit"];
  readonly #stopListening: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly signal = this.#controller.signal;
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
