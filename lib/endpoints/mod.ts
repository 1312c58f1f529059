/**
 * Lists of teacher addresses that change during a run: a file, or the addresses of a DNS name.
 *
 * In: a file or a DNS name. Out: the addresses that join and leave. This layer sends nothing to
 * teachers and knows no keys.
 *
 * @module
 */

export {
  type EndpointEntry,
  isList,
  type ListSource,
  parseEndpoints,
  type SourceDependencies,
  sourceOf,
} from "./source.ts";
export { EndpointWatch, type ListChange, type WatchOptions } from "./watch.ts";
