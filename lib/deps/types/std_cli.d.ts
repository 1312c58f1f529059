/** `--` holds what follows it, `_` whatever else is no flag; flags are in the order in which they were first
 * given. */
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
    /** Called with flags that were not named above. */
    unknown?: (arg: string, key: string) => unknown;
  },
): ParsedArguments;

/** Blocks until a line was typed; null where standard input is no terminal. Writes to standard output. */
export declare function promptSecret(
  message?: string,
  options?: { mask?: string; clear?: boolean },
): string | null;
