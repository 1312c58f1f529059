/**
 * The description of a flag.
 *
 * @module
 */

import type { Command } from "../commands.ts";

/** One flag. */
export interface Flag {
  /** Long name, without the dashes. */
  readonly name: string;
  /** One-letter name. */
  readonly short?: string;
  /** Placeholder of its value in the help; a flag without one is a switch. */
  readonly value?: string;
  /** Whether the value may be left out. */
  readonly isValueOptional?: boolean;
  /** Whether it may be repeated. */
  readonly isMultiple?: boolean;
  /** A switch that is on unless `--no-…` is given. */
  readonly isNegated?: boolean;
  /** Whether its value may hold a secret, or a user may type the secret where a name is expected. */
  readonly mayBeSecret?: boolean;
  /** Help text. */
  readonly help: string;
  /** Help text for commands where it differs. @default help */
  readonly helpFor?: Partial<Record<Command, string>>;
  /** The commands that take it. */
  readonly commands: readonly Command[];
  /** Whether the short help shows it. */
  readonly isCommon?: boolean;
  /** Its heading in the full help. */
  readonly group: string;
}

/** A flag in a table: the table gives the group, and the default commands are those of a run. */
export type FlagEntry = Omit<Flag, "group" | "commands"> & Partial<Pick<Flag, "commands">>;
