/**
 * Durable output: lines that are on disk before their row counts as done.
 *
 * In: outcomes. Out: results and failures lines, the lock, the repair of what a crash left. It never reads
 * the input and never calls a teacher.
 *
 * @module
 */

export {
  cannotWrite,
  createTemporary,
  modeMadeFrom,
  removeLeftovers,
  Replacement,
  type ReplacementOptions,
  syncFolderOf,
  targetOf,
  type TemporaryFile,
  temporaryPathOf,
  writeFileDurably,
} from "./durable_file.ts";
export {
  isPendingLine,
  type LinePlace,
  PENDING_MARKS,
  readEarlierAnswer,
  restoreRow,
} from "./earlier_answer.ts";
export { dropLines, LineSet, outdatedPathOf, setAside } from "./rewrite.ts";
export { BAD_ROW_PREFIX, type BadRow, badRowLine, badRowUid, type LineFormat } from "./line.ts";
export { jsonOf } from "./json_text.ts";
export { acquireLock, type Lock, type RunNote, SharedLock } from "./lock.ts";
export { refuseHeld } from "./lock_file.ts";
export { OpenFiles } from "./open_files.ts";
export { outcomeLine, Sink, type SinkOptions } from "./sink.ts";
export { mergeRescued, rescuedFilesOf } from "./rescued.ts";
export { repairTail } from "./tail.ts";
