/**
 * `--` holds the arguments after `--`, and `_` all others that are not flags. Flags are in the
 * order of their first occurrence.
 */
export interface ParsedArguments {
  readonly _: string[];
  readonly "--": string[];
  readonly [name: string]: string | boolean | string[] | undefined;
}

export declare function parseArgs(
  args: readonly string[],
  options: {
    "--": true;
    boolean?: readonly string[];
    string?: readonly string[];
    collect?: readonly string[];
    negatable?: readonly string[];
    default?: Readonly<Record<string, unknown>>;
    /** Called with each flag that is not listed in these options. */
    unknown?: (arg: string, key: string) => unknown;
  },
): ParsedArguments;

/**
 * Blocks until the user has typed a line, and returns it; null if stdin is not a terminal. Writes
 * to stdout.
 */
export declare function promptSecret(
  message?: string,
  options?: { mask?: string; clear?: boolean },
): string | null;
