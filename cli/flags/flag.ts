/**
 * What a flag is.
 *
 * @module
 */

import type { Command } from "../commands.ts";

/** One flag. */
export interface Flag {
  /** Its long name, without the dashes. */
  readonly name: string;
  /** Its one-letter name. */
  readonly short?: string;
  /** What its value is called in the help; without one it is a switch. */
  readonly value?: string;
  /** Whether the value may be left out. */
  readonly isValueOptional?: boolean;
  /** Whether it may be given more than once. */
  readonly isMultiple?: boolean;
  /** A switch that is on unless `--no-…` is given. */
  readonly isNegated?: boolean;
  /** Whether a secret stands in its value, or may be typed in the place of a name. */
  readonly mayBeSecret?: boolean;
  /** What it does, in the help. */
  readonly help: string;
  /** What it does with some commands, where that differs. @default help */
  readonly helpFor?: Partial<Record<Command, string>>;
  /** Which commands know it. */
  readonly commands: readonly Command[];
  /** Whether the one-screen help shows it. */
  readonly isCommon?: boolean;
  /** The heading under which the whole help shows it. */
  readonly group: string;
}

/** A flag as its table has it: the group is the table's, and most belong to a run. */
export type FlagEntry = Omit<Flag, "group" | "commands"> & Partial<Pick<Flag, "commands">>;
