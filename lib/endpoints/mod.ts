/**
 * Lists of teachers' addresses that change while a run works: a file, or the addresses of a name.
 *
 * In: where the list is. Out: the addresses that join and leave. Nothing here makes a request or knows a key.
 *
 * @module
 */

export {
  type EndpointEntry,
  isList,
  LIST_KINDS,
  type ListSource,
  parseEndpoints,
  sourceOf,
} from "./source.ts";
export { EndpointWatch, type WatchOptions } from "./watch.ts";
