/**
 * An index over results and failures files: filters, sorts, counts and compares rows, and flags odd
 * answers, while the files may still grow. Never changes the files; saves the index in `.retort/`
 * next to the first one.
 *
 * @module
 */

export { FLAGS } from "./flags.ts";
export { type ComparedRun, compareRuns, type RunComparison, type Spread } from "./comparison.ts";
export { type DataStatistics, type Facet, type Histogram, statisticsOf } from "./facets.ts";
export { conditionNotes, distillOf } from "./fields.ts";
export { DataIndex, type IndexStatus } from "./data_index.ts";
export { jsonWithBigInts, withBigInts } from "./line_facts.ts";
export { checkComputable, DerivedFields, needsDerived, selectRows } from "./query.ts";
export { failuresOf, requireJsonLines } from "./find_files.ts";
export { openFiles } from "./open_files.ts";
export {
  type DataRequests,
  DataService,
  type DataState,
  type Overview,
  type RowPage,
  type ScanStatus,
} from "./data_service.ts";
export type { RowDetail, ShownRow } from "./shown_row.ts";
