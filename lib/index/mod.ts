/**
 * Which ids an output file already holds.
 *
 * In: results and failures files. Out: a table of ids in typed arrays. The files are the only
 * record; nothing else is read or written.
 *
 * @module
 */

export { blockOf, uidIn } from "./id_hash.ts";
export { ASK_AGAIN, HAS_FAILURE, HAS_RESULT, IdTable, SEEN } from "./id_table.ts";
export { type IndexedLine, type OnLine, readIndex } from "./results_index.ts";
