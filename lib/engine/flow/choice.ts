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

/** A teacher gets the rows of its keys up to this multiple of its share of attempts in flight. */
const MAX_SHARE_FACTOR = 1.25;

/** The end of the wait that an endpoint requested for a row; -Infinity if none. */
function requestedWaitEnd(waits: readonly RequestedWait[], endpoint: Endpoint): number {
  return waits.find((wait) => wait.endpoint === endpoint)?.endsAt ?? -Infinity;
}

/** When the first endpoint accepts a row with these waits; Infinity without endpoints. */
export function soonestEnd(
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

/** The endpoint used least for its weight, among those of the first `count` that have less than their
 * share in flight. With the least busy one instead, weights would do nothing while few attempts are
 * in flight. */
export function leastUsed(
  endpoints: readonly Endpoint[],
  count: number,
  sharePerWeight: number,
): Endpoint | undefined {
  let best: Endpoint | undefined;
  for (let i = 0; i < count; i++) {
    const endpoint = endpoints[i];
    // A probe is made even if attempts hang.
    if (endpoint.inFlight >= endpoint.weight * sharePerWeight && !endpoint.isProbed) continue;
    if (best === undefined || endpoint.turns * best.weight < best.turns * endpoint.weight) {
      best = endpoint;
    }
  }
  return best;
}

/** The endpoint with the least in flight for its weight, among endpoints with room whose
 * requested wait for the row is over. */
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

/** The endpoint for rows with this key; undefined if it has no room. Weighted rendezvous
 * hashing: the endpoint with the highest hash of key, address and weight. So each has keys in
 * proportion to its weight, and when one joins or leaves, only its own keys move. */
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

/** The last steps of MurmurHash3, as an unsigned number (`>>> 0`). */
function mixHashes(a: number, b: number): number {
  let hash = Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
