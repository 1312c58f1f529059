/**
 * What is said when a teacher is lost or found.
 *
 * @module
 */

import type { Endpoint } from "./flow/mod.ts";

/** The words, where they tell what the user would not see otherwise: that one of several teachers is gone
 * or back, or that there may be none at an address. */
export function healthNotice(
  { isDown, hasAnswered, reason, teacher }: Endpoint,
  isOneOfSeveral: boolean,
): string | undefined {
  const place = teacher.address ? `the teacher at ${teacher.address}` : "the teacher";
  if (isDown && !hasAnswered) {
    return `Nothing comes from ${place} (${reason}): is it running, and is that its address? ` +
      "It is asked again from time to time; Ctrl-C ends the run";
  }
  if (!isOneOfSeveral) return undefined;
  return isDown ? `Lost ${place} (${reason}); the others go on` : `Found ${place} again`;
}
