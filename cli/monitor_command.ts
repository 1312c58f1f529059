/**
 * `retort monitor`.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import { serveFolderMonitor } from "../web/fleet/server.ts";
import { firstStopSignal, type Io } from "./io.ts";
import { showPage } from "./page.ts";
import type { ParsedArgs } from "./parse.ts";
import { Settings } from "./settings.ts";

/** Serves the page of all runs in a folder until interrupted. */
export async function monitorCommand(args: ParsedArgs, io: Io): Promise<number> {
  const settings = new Settings(args);
  const [output, ...others] = args.inputs;
  if (output === undefined || others.length > 0) {
    throw new UsageError(
      "Cannot monitor without one output: name the folder of the runs, as in out/",
    );
  }
  const hostname = settings.text("monitor-host") || undefined;
  await using page = await serveFolderMonitor(output, {
    hostname,
    port: settings.port("port") ?? 0,
  });
  const stopped = firstStopSignal(io);
  io.writeOut(`Monitor: ${page.url}\nPress Ctrl-C to end it\n`);
  showPage(
    { url: page.url, hostname, isOpened: settings.isOn("open"), exposure: "see the runs" },
    (message) => io.writeErr(`${message}\n`),
  );
  await stopped;
  return 0;
}
