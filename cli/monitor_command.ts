/**
 * `retort monitor`.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import { serveFolderMonitor } from "../web/fleet/server.ts";
import { openBrowser } from "./keep_page.ts";
import type { Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";
import { Settings } from "./settings.ts";

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i;

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
    port: settings.integer("port", 0, 65_535) ?? 0,
  });
  io.writeOut(`Monitor: ${page.url}\nPress Ctrl-C to end it\n`);
  if (hostname !== undefined && !LOOPBACK.test(hostname)) {
    io.writeErr(
      "Warning: anyone who has this address can see the runs, and it is sent over the network unencrypted\n",
    );
  }
  if (settings.isOn("open")) {
    openBrowser(page.url).catch((error: Error) =>
      io.writeErr(`Cannot open a browser: ${error.message}. Open the address above\n`)
    );
  }
  const stopped = Promise.withResolvers<void>();
  const listeners = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) =>
    io.onSignal(signal, () => stopped.resolve())
  );
  await stopped.promise;
  for (const remove of listeners) remove();
  return 0;
}
