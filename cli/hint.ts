/**
 * Tells a person who has not chosen a concurrency that it is what makes the run long.
 *
 * @module
 */

import type { RunListener, Snapshot } from "../lib/progress/mod.ts";
import { formatDuration } from "../lib/figures.ts";

/** Shorter runs are over before a hint is of use. */
const LEAST_SECONDS = 300;

/** These say that the teacher is what limits the run. */
const TEACHER_LIMITS = ["rate_limit", "server", "timeout", "network"];

/** Says so once, as soon as the time left is known. */
export function createConcurrencyHint(say: (message: string) => void): RunListener {
  let isSaid = false;
  return (event) => {
    if (isSaid || event.type !== "snapshot" || !isLimitedByConcurrency(event)) return;
    isSaid = true;
    const left = formatDuration(event.eta_s! * 1_000);
    say(
      `About ${left} left at concurrency ${event.concurrency}, which is what limits the run: ` +
        "a higher -c is faster as long as the teacher keeps up",
    );
  };
}

function isLimitedByConcurrency(snapshot: Snapshot): boolean {
  const { state, in_flight, concurrency, limit, eta_s, eta_is_lower_bound, errors } = snapshot;
  if (state !== "running" || in_flight < concurrency || limit < concurrency) return false;
  if (eta_s === null || eta_is_lower_bound || eta_s < LEAST_SECONDS) return false;
  return !errors.some(({ type }) => TEACHER_LIMITS.includes(type));
}
