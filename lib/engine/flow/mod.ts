/**
 * Decides how much each teacher is sent: concurrency, rate, circuit breaker, and the choice between
 * teachers.
 *
 * In: the outcome of every attempt, as a signal. Out: which teacher has room, or when one will.
 * This layer does not know rows or files. `docs/flow.md` lists each signal with the reaction to it,
 * the constants, and the simulation that tests it.
 *
 * @module
 */

export type { Hold } from "./choice.ts";
export type { Endpoint, EndpointOptions, FailureEffect } from "./endpoint.ts";
export type { Sent } from "./load_control.ts";
export { type Backoff, TeacherPool } from "./teacher_pool.ts";
