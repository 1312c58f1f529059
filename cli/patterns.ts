/** Expands patterns in the paths of results, which POSIX shells do before a command starts. @module */

import type { Command } from "./commands.ts";
import type { ParsedArgs } from "./parse.ts";

/** The commands that take paths of results. Runs and `convert` expand patterns on every system. */
const COMMANDS: ReadonlySet<Command> = new Set(["export", "merge", "stats", "view"]);

/** Expands the patterns of `out/*.jsonl` on Windows, whose shells do not. Names that exist and
 * patterns without a match stay as they are. */
export async function expandPatterns(args: ParsedArgs, os = Deno.build.os): Promise<ParsedArgs> {
  if (os !== "windows" || !COMMANDS.has(args.command)) return args;
  const { PATTERN, pathsMatching } = await import("../lib/run/mod.ts");
  if (!args.inputs.some((path) => PATTERN.test(path))) return args;
  return { ...args, inputs: (await Promise.all(args.inputs.map(pathsMatching))).flat() };
}
