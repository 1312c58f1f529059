/**
 * `retort simulate`.
 *
 * @module
 */

import { parseSimulateOptions, serveSimulatedTeacher } from "../lib/simulate/mod.ts";
import { firstStopSignal, type Io } from "./io.ts";
import type { ParsedArgs } from "./parse.ts";
import { asUsage, Settings } from "./settings.ts";

const DEFAULT_PORT = 8_000;

/** Serves a simulated teacher until interrupted. */
export async function simulateCommand(args: ParsedArgs, io: Io): Promise<number> {
  const port = new Settings(args).port("port") ?? DEFAULT_PORT;
  const options = asUsage(() => parseSimulateOptions(args.inputs.join(",")));
  await using server = serveSimulatedTeacher({ ...options, port });
  const stopped = firstStopSignal(io);
  io.writeOut(`A simulated teacher listens on ${server.url}; press Ctrl-C to end it\n`);
  await stopped;
  return 0;
}
