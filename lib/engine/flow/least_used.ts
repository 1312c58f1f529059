/**
 * Chooses among the teachers that have room.
 *
 * @module
 */

import type { Endpoint } from "./endpoint.ts";

/** Among the first `count` endpoints, finds the one with the fewest turns for its weight that is
 * below its share in flight. Turns decide: with few attempts in flight, rounding hides weights. */
export function leastUsed(
  endpoints: readonly Endpoint[],
  count: number,
  sharePerWeight: number,
): Endpoint | undefined {
  let best: Endpoint | undefined;
  for (let i = 0; i < count; i++) {
    const endpoint = endpoints[i];
    // An endpoint that is being probed may exceed its share: hung attempts must not block the
    // probe.
    if (endpoint.inFlight >= endpoint.weight * sharePerWeight && !endpoint.isProbed) continue;
    if (best === undefined || endpoint.turns * best.weight < best.turns * endpoint.weight) {
      best = endpoint;
    }
  }
  return best;
}
