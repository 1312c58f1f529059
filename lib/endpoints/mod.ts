/**
 * Lists of teacher addresses that change during a run: a file, or the addresses of a DNS name.
 *
 * In: the place of the list. Out: the addresses that join and leave. Nothing here makes a request or knows a key.
 *
 * @module
 */

export { type EndpointEntry, isList, type ListSource, parseEndpoints, sourceOf } from "./source.ts";
export { EndpointWatch, type ListChange, type WatchOptions } from "./watch.ts";
