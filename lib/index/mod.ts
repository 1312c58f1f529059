/**
 * A compact table of ids, and a reader that fills it from the output files.
 *
 * In: results and failures files. Out: a table of ids in typed arrays, to which callers add the ids
 * of the input. The files are the only record: there is no index on disk.
 *
 * @module
 */

export { free } from "./blocks.ts";
export {
  ASK_AGAIN,
  blockOf,
  HAS_FAILURE,
  HAS_RESULT,
  IdTable,
  IS_PENDING,
  SEEN,
  uidIn,
} from "./id_table.ts";
export { type IndexedLine, type OnLine, readIndex } from "./results_index.ts";
