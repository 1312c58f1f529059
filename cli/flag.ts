/**
 * What a flag is, and which commands there are.
 *
 * @module
 */

import type { Io } from "./io.ts";

/** What a person can ask for. */
export const COMMANDS = [
  "run",
  "retry",
  "verify",
  "export",
  "simulate",
  "help",
  "version",
] as const;

/** A command. */
export type Command = typeof COMMANDS[number];

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
  /** How its value is shown where it may hold a secret, the first value with index 0.
   * @default as it was given */
  readonly shown?: (value: string, index: number, io: Pick<Io, "env">) => string;
  /** Whether a secret stands in its value, or may be typed in the place of a name. */
  readonly mayBeSecret?: boolean;
  /** What it does, in the help. */
  readonly help: string;
  /** Which commands know it. */
  readonly commands: readonly Command[];
  /** Whether the one-screen help shows it. */
  readonly isCommon?: boolean;
  /** The heading under which the whole help shows it. */
  readonly group: string;
}
