/**
 * How much each teacher is sent: concurrency, rate, circuit breaker, and the choice between teachers.
 *
 * In: the outcome of every attempt, as a signal. Out: which teacher has room, or when there will be some.
 * Nothing here knows rows or files.
 *
 * @module
 */

export type { Endpoint, EndpointOptions, FailureEffect } from "./endpoint.ts";
export { type Rest, TeacherPool } from "./teacher_pool.ts";
