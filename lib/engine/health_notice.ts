/**
 * What is said when a teacher is lost or found.
 *
 * @module
 */

import type { Endpoint } from "./flow/mod.ts";

/** The words, where they tell what the user would not see otherwise: that one of several teachers is gone
 * or back, or that there may be none at an address. */
export function healthNotice(
  { isDown, hasAnswered, reason, teacher, now, probedBy }: Endpoint,
  isOneOfSeveral: boolean,
): string | undefined {
  const place = teacher.address ? `the teacher at ${teacher.address}` : "the teacher";
  if (isDown && !hasAnswered) {
    const seconds = Math.round((probedBy - now) / 1_000);
    const howLong = seconds < Infinity ? ` for ${seconds} s (--wait waits longer)` : "";
    return `No response from ${place} (${reason}). Is it running there? Retrying${howLong}; ` +
      "Ctrl-C stops";
  }
  if (!isOneOfSeveral) return undefined;
  return isDown ? `Lost ${place} (${reason}); the others go on` : `Found ${place} again`;
}
