/**
 * `retort simulate`.
 *
 * @module
 */

import { parseSimulateOptions, serveSimulatedTeacher } from "../lib/simulate/mod.ts";
import type { Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";
import { asUsage, Settings } from "./settings.ts";

const DEFAULT_PORT = 8_000;

/** Serves a simulated teacher until interrupted. */
export async function simulateCommand(args: ParsedArgs, io: Io): Promise<number> {
  const port = new Settings(args).integer("port", 0, 65_535) ?? DEFAULT_PORT;
  const options = asUsage(() => parseSimulateOptions(args.inputs.join(",")));
  const stopped = Promise.withResolvers<void>();
  await using server = serveSimulatedTeacher({ ...options, port });
  const removals = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) =>
    io.onSignal(signal, () => stopped.resolve())
  );
  io.writeOut(`A simulated teacher listens on ${server.url}; press Ctrl-C to end it\n`);
  await stopped.promise;
  for (const remove of removals) remove();
  return 0;
}
