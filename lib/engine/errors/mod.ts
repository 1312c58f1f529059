/**
 * What a failed attempt means: send the row again, give it up, or halt its teacher.
 *
 * In: the error of an attempt. Out: its classification. Nothing here waits, counts time or sends.
 *
 * @module
 */

export type { Classification } from "./classification.ts";
export { classify, OTHER_SERVER } from "./classify.ts";
