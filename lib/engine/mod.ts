/**
 * Schedules rows: decides which row is sent next, to which teacher, and when.
 *
 * In: rows from a source. Out: an outcome for each row, delivered to a sink. The engine knows
 * teachers, sinks and sources only by their interfaces. It reads no files and prints nothing.
 *
 * @module
 */

export { Engine } from "./engine.ts";
export type { EngineOptions } from "./engine_options.ts";
export { checkConcurrency, MAX_CONCURRENCY } from "./lanes.ts";
export { RetryPolicy } from "./retry_policy.ts";
