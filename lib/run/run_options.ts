/**
 * The options of `run()`, checked, with paths as strings.
 *
 * @module
 */

import { checkOptions } from "../options.ts";
import { pathOf, pathsOf } from "../paths.ts";
import { RUN_RULES } from "./option_rules.ts";
import type { RunOptions } from "./options.ts";

/** What a run reads and writes, with paths as strings. */
export interface ResolvedRunOptions extends RunOptions {
  input: readonly string[];
  output: string;
}

/**
 * Checks the options of a run.
 *
 * @throws {TypeError | RangeError} If one cannot be used.
 */
export function resolveRunOptions(options: RunOptions): ResolvedRunOptions {
  checkOptions(options, RUN_RULES);
  for (const name of ["input", "output"] as const) {
    if (options[name] === undefined) {
      throw new TypeError(`Cannot run without "${name}": it must be ${RUN_RULES[name].what}`);
    }
  }
  return { ...options, input: pathsOf(options.input), output: pathOf(options.output) };
}
