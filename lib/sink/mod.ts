/**
 * Durable output: a row is done once its line is on disk.
 *
 * Writes outcomes as lines of results and failures, locks the output, and repairs what a crash
 * left. Restores rows and earlier answers from these lines. Never reads the input. Throws a
 * `SinkError` with the path of a file that cannot be opened, read or written.
 *
 * @module
 */

export { tryAppend } from "./appender.ts";
export {
  cannotWrite,
  modeMadeFrom,
  orCannotWrite,
  refuseLongName,
  refuseStream,
  Replacement,
  type ReplacementOptions,
  syncFolderOf,
  targetOf,
  temporaryPathOf,
  untilSynced,
  writeFileDurably,
} from "./durable_file.ts";
export {
  isPendingIndexLine,
  isPendingLine,
  lastModelsOf,
  type LinePlace,
  LinePlaces,
  readEarlierAnswer,
  restoreRow,
} from "./read_line.ts";
export { type BadRow, badRowLine, badRowUid, isBadRowLine, type LineFormat } from "./line.ts";
export { acquireLock, isLockHeld, type Lock, type RunNote, SharedLock } from "./lock.ts";
export {
  isOutputLocked,
  mayBeRemote,
  openLockFile,
  refuseRunElsewhere,
  requireUnlocked,
} from "./lock_file.ts";
export { OpenFiles } from "./open_files.ts";
export { outcomeLine, Sink, type SinkOptions } from "./sink.ts";
export { readReplacedJson, tryReplace } from "./replaced_file.ts";
export { mergeRescued, rescuedFilesOf } from "./rescued.ts";
export { dropLines, LineSet, moveOutdatedLines, outdatedPathOf, repairTail } from "./repair.ts";
export { createTemporary, removeLeftovers, type TemporaryFile } from "./temporary_file.ts";
