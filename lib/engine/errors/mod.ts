/**
 * Decides what a failed attempt means: whether to send the row again, fail the row, or halt the
 * teacher.
 *
 * In: the error of an attempt. Out: its classification. This layer sends nothing, does not wait and
 * reads no clock.
 *
 * @module
 */

export { classify } from "./classify.ts";
export { isAboutTokenLimit } from "./provider_messages.ts";
export { type Classification, OTHER_SERVER } from "./verdicts.ts";
