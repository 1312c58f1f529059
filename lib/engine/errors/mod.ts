/**
 * Decides what a failed attempt means: send the row again, fail it, or halt its teacher.
 *
 * In: the error of an attempt. Out: its classification. This layer does not wait, count time or
 * send.
 *
 * @module
 */

export { type Classification, classify } from "./classify.ts";
export { OTHER_SERVER } from "./provider_errors.ts";
