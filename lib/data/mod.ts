/**
 * Results and failures files as data: an index that filters, sorts, counts and compares their rows
 * and flags odd answers, while the files may still grow. Never changes these files; saves its index
 * in `.retort/` next to them.
 *
 * @module
 */

export { FLAGS } from "./flags.ts";
export { type ComparedRun, compareRuns, type RunComparison, type Spread } from "./comparison.ts";
export { checkComputable, DerivedFields, needsDerived } from "./derived_fields.ts";
export { type DataStatistics, statisticsOf } from "./facets.ts";
export { distillOf } from "./fields.ts";
export { DataIndex, type IndexStatus, openIndex } from "./data_index.ts";
export { openFiles } from "./open_data.ts";
export { selectRows } from "./query.ts";
export { DataService } from "./service.ts";
export type {
  DataRequests,
  DataState,
  Facet,
  Histogram,
  RowDetail,
  RowPage,
  ShownRow,
} from "./protocol.ts";
