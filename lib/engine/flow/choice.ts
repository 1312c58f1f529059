/**
 * Chooses among several teachers: by weight, by the key of a row, or by the waits that teachers
 * requested.
 *
 * @module
 */

import type { Endpoint } from "./endpoint.ts";

/** The wait that a throttling teacher requested for a row. */
export interface RequestedWait {
  readonly endpoint: Endpoint;
  /** On the engine's clock. */
  readonly endsAt: number;
}

/** Rows go to their key's teacher until it has this multiple of its share of the attempts in
 * flight. */
const MAX_SHARE_FACTOR = 1.25;

/** The end of the wait that an endpoint requested for a row; -Infinity if none. */
function requestedWaitEnd(waits: readonly RequestedWait[], endpoint: Endpoint): number {
  return waits.find((wait) => wait.endpoint === endpoint)?.endsAt ?? -Infinity;
}

/** The earliest time at which any endpoint accepts a row with these waits; Infinity without
 * endpoints. */
export function earliestStart(
  endpoints: readonly Endpoint[],
  waits: readonly RequestedWait[],
  now: number,
): number {
  return Math.min(
    ...endpoints.map((endpoint) =>
      Math.max(endpoint.unavailableUntil(now) ?? now, requestedWaitEnd(waits, endpoint))
    ),
  );
}

/** Among the first `count` endpoints, finds the one with the fewest turns for its weight that is
 * below its share in flight. Comparing attempts in flight would ignore the weights while there are
 * few. */
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

/** The endpoint with the fewest attempts in flight for its weight, among those that have room and
 * request no further wait for the row. */
export function leastBusy(
  endpoints: readonly Endpoint[],
  waits: readonly RequestedWait[],
  now: number,
): Endpoint | undefined {
  let best: Endpoint | undefined;
  for (const endpoint of endpoints) {
    if (requestedWaitEnd(waits, endpoint) > now || endpoint.delayMs(now) > 0) continue;
    if (best === undefined || endpoint.inFlight * best.weight < best.inFlight * endpoint.weight) {
      best = endpoint;
    }
  }
  return best;
}

/** The endpoint for rows with this key; undefined if it has no room or too many attempts in flight.
 * Weighted rendezvous hashing: the endpoint with the highest hash of key, address and weight. So
 * each endpoint owns keys in proportion to its weight, and when an endpoint joins or leaves, only
 * its own keys move. */
export function ownerOf(
  key: number,
  endpoints: readonly Endpoint[],
  now: number,
): Endpoint | undefined {
  let best: Endpoint | undefined, highest = 0, inFlight = 1, weight = 0;
  for (const endpoint of endpoints) {
    if (!endpoint.isActive || endpoint.isProbed) continue;
    inFlight += endpoint.inFlight;
    weight += endpoint.weight;
    const score = endpoint.weight /
      -Math.log((mixHashes(key, endpoint.addressHash) + 0.5) / 2 ** 32);
    if (score <= highest) continue;
    highest = score;
    best = endpoint;
  }
  if (best === undefined || best.delayMs(now) > 0) return undefined;
  // Without this limit, rows that all have the same key would leave other teachers idle.
  return best.inFlight > MAX_SHARE_FACTOR * inFlight * best.weight / weight ? undefined : best;
}

/** Combines two hashes: multiplies `b` by the golden ratio, then applies the last steps of
 * MurmurHash3. */
function mixHashes(a: number, b: number): number {
  let hash = Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
