/**
 * The commands that serve until interrupted: `view`, `monitor` and `simulate`. Each loads the code
 * of its server on demand.
 *
 * @module
 */

import type { DataService } from "../lib/data/mod.ts";
import { UsageError } from "../lib/errors.ts";
import { printable, printableLines } from "../lib/printable.ts";
import { delay } from "../lib/timer.ts";
import type { Io } from "./io.ts";
import { type ServedPage, shownUrl, showPage } from "./page.ts";
import type { ParsedArgs } from "./parse.ts";
import { asUsage, requireInputs, Settings } from "./settings.ts";
import { Interruption } from "./exit.ts";

/** Longest time from the first signal to the exit: opening a file may hang on a file server. */
const GRACE_MS = 3_000;

export async function viewCommand(args: ParsedArgs, io: Io): Promise<number> {
  const settings = new Settings(args);
  requireInputs(args, "view without a path: name results, failures or a folder, as in out/");
  const serverSettings = serverSettingsOf(settings);
  using interruption = new Interruption(io, GRACE_MS);
  const { signal } = interruption;
  try {
    const { DataService } = await import("../lib/data/mod.ts");
    const { serveView } = await import("../web/view/server.ts");
    await using service = await DataService.open({ paths: args.inputs, signal });
    await waitForFirstRow(service, args.inputs, signal);
    await using page = serveView(service, { ...serverSettings, program: io.program });
    for (const note of service.notes) io.writeErr(`Note: ${printableLines(note)}\n`);
    io.writeOut(`View: ${shownUrl(page.url, serverSettings.hostname)}\nPress Ctrl-C to end it\n`);
    await using _shown = show({
      ...serverSettings,
      url: page.url,
      visitorsCan: "read the prompts and answers",
      output: args.inputs[0],
    }, io);
    await interruption.firstSignal;
  } catch (error) {
    if (error !== signal.reason) throw error;
  }
  return 0;
}

export async function monitorCommand(args: ParsedArgs, io: Io): Promise<number> {
  const settings = new Settings(args);
  const [output, ...others] = args.inputs;
  if (output === undefined) {
    throw new UsageError(
      "Cannot monitor without an output: name the folder of the runs, as in out/",
    );
  }
  if (others.length > 0) {
    const count = args.inputs.length;
    throw new UsageError(`Cannot monitor ${count} outputs at once: name one folder, as in out/`);
  }
  const serverSettings = serverSettingsOf(settings);
  const { serveFolderMonitor } = await import("../web/fleet/server.ts");
  const { hostname, port } = serverSettings;
  await using page = await serveFolderMonitor(output, { hostname, port });
  using interruption = new Interruption(io);
  io.writeOut(`Monitor: ${shownUrl(page.url, hostname)}\nPress Ctrl-C to end it\n`);
  await using _shown = show(
    { ...serverSettings, url: page.url, visitorsCan: "see the runs", output },
    io,
  );
  await interruption.firstSignal;
  return 0;
}

const SIMULATE_PORT = 8_000;

export async function simulateCommand(args: ParsedArgs, io: Io): Promise<number> {
  const { port } = serverSettingsOf(new Settings(args), SIMULATE_PORT);
  const { parseSimulateOptions, serveSimulatedTeacher } = await import("../lib/simulate/mod.ts");
  const options = asUsage(() => parseSimulateOptions(args.inputs.join(",")));
  await using server = serveSimulatedTeacher({ ...options, port });
  using interruption = new Interruption(io);
  io.writeOut(`A simulated teacher listens on ${server.url}; press Ctrl-C to end it\n`);
  await interruption.firstSignal;
  return 0;
}

function serverSettingsOf(settings: Settings, defaultPort = 0) {
  return {
    hostname: settings.text("monitor-host") || undefined,
    port: settings.port("port") ?? defaultPort,
    opensBrowser: settings.isOn("open"),
  };
}

function show(page: ServedPage, io: Io): AsyncDisposable {
  return showPage(page, (message) => io.writeErr(`${printable(message)}\n`), io.env);
}

const POLL_MS = 20;

/**
 * Waits until there is a row, or all files are read to their ends. Does not wait in an empty
 * folder, whose files may come much later. Throws if no file can be read.
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
