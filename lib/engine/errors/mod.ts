/**
 * Decides what a failed attempt means: send the row again, fail it, or halt its teacher.
 *
 * In: the error of an attempt. Out: its classification. This layer sends nothing, does not wait and
 * reads no clock.
 *
 * @module
 */

export { type Classification, classify } from "./classify.ts";
export { OTHER_SERVER } from "./provider_errors.ts";
