/**
 * Decides how much each teacher is sent: concurrency, rate, circuit breaker, and the choice between
 * teachers. `docs/flow.md` gives the reasons.
 *
 * In: the result of every attempt. Out: which teacher has room, or when one will have room. This
 * layer does not deal with rows or files.
 *
 * @module
 */

export type { Endpoint, EndpointOptions, FailureEffect } from "./endpoint.ts";
export type { SentAttempt } from "./load_control.ts";
export { type Backoff, type RequestedWaits, TeacherPool } from "./teacher_pool.ts";
