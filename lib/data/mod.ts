/**
 * Results and failures files as data: an index over them, and what can be asked of it.
 *
 * In: paths of results and failures files, finished or growing. Out: rows by number, filtered,
 * sorted, counted, flagged. It reads files and never changes one; next to them it writes its own
 * index.
 *
 * @module
 */

export { FLAGS } from "./flags.ts";
export { type ComparedRun, compareRuns, type RunComparison } from "./comparison.ts";
export { DerivedFields, needsDerived } from "./fields.ts";
export { type DataStatistics, type Spread, statisticsOf } from "./facets.ts";
export { DataIndex, type IndexStatus } from "./data_index.ts";
export { type OpenFiles, openFiles, openIndex } from "./open_data.ts";
export { selectRows } from "./query.ts";
export { DataService } from "./service.ts";
export type {
  DataRequests,
  DataState,
  Facet,
  Histogram,
  Query,
  RowDetail,
  RowPage,
  ShownRow,
} from "./protocol.ts";
