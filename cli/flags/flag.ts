/**
 * The description of a flag.
 *
 * @module
 */

import type { Command } from "../commands.ts";

export interface Flag {
  /** Long name, without the dashes. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** Placeholder in the help; a flag without one is a switch. */
  readonly value?: string;
  /** Whether the value may be omitted. */
  readonly isValueOptional?: boolean;
  /** Whether the flag may be repeated. */
  readonly isMultiple?: boolean;
  /** A switch that is on by default; users turn it off with `--no-…`. */
  readonly isNegated?: boolean;
  /** Whether the value may hold a secret, or users may type the secret where a name is expected. */
  readonly mayBeSecret?: boolean;
  readonly help: string;
  /** Help for commands where it differs. @default help */
  readonly helpFor?: Partial<Record<Command, string>>;
  readonly commands: readonly Command[];
  /** Whether the help without `--help-all` shows the flag. */
  readonly isCommon?: boolean;
  /** Heading in the full help. */
  readonly group: string;
}

/**
 * A flag in a table. Its group is the key of the table; by default it belongs to `run` and `retry`.
 */
export type FlagEntry = Omit<Flag, "group" | "commands"> & Partial<Pick<Flag, "commands">>;
