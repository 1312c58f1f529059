/**
 * Results and failures files as data: an index that filters, sorts, counts and compares their rows
 * and flags odd answers, while the files may still grow. Never changes these files; saves its index
 * in `.retort/` next to them.
 *
 * @module
 */

export { conditionNotes } from "./condition_notes.ts";
export { FLAGS } from "./flags.ts";
export { type ComparedRun, compareRuns, type RunComparison, type Spread } from "./comparison.ts";
export { type DataStatistics, statisticsOf } from "./facets.ts";
export { distillOf } from "./fields.ts";
export { DataIndex, type IndexStatus, openIndex } from "./data_index.ts";
export { checkComputable, DerivedFields, needsDerived, selectRows } from "./query.ts";
export { failuresOf } from "./find_data_files.ts";
export { DataService, openFiles } from "./open_data.ts";
export type {
  DataRequests,
  DataState,
  Facet,
  Histogram,
  RowDetail,
  RowPage,
  ShownRow,
} from "./protocol.ts";
