/**
 * What the engine knows of a check.
 *
 * @module
 */

import type { Row } from "../row.ts";
import type { Completion } from "../teacher/mod.ts";

/**
 * Judges an answer before it is kept. Gives the reason for rejecting it, or undefined when there is
 * none; a promise only where it has to wait. Neither throws nor rejects.
 */
export type Check = (
  completion: Completion,
  row: Row,
) => string | undefined | Promise<string | undefined>;
