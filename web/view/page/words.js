// @ts-check
/**
 * The texts that the page shows about rows, files and searches.
 *
 * @module
 */

import { formatCount, formatShare } from "../../page/figures.js";

/** @import { DataState, Overview, ScanStatus } from "../../../lib/data/protocol.ts" */

/** Counts the shown rows and all rows. @param {number} shown @param {number} all */
export function countWords(shown, all) {
  const rows = all === 1 ? "row" : "rows";
  return shown === all
    ? `${formatCount(all)} ${rows}`
    : `${formatCount(shown)} of ${formatCount(all)} ${rows}`;
}

/** Describes the problems of the files. @param {DataState["index"]} index @returns {string[]} */
export function noteWords({ files }) {
  return files.flatMap(({ path, problem, damageCount, damage, state }) => {
    if (problem !== null) return [`${path}: ${problem}`];
    if (damageCount === 0 || state === "foreign") return [];
    const [first] = damage;
    const lines = damageCount === 1 ? "line" : "lines";
    return [
      `${path}: ${
        formatCount(damageCount)
      } damaged ${lines} left out (line ${first.line}: ${first.problem})`,
    ];
  });
}

/** @param {ScanStatus | null} scan */
export function scanWords(scan) {
  if (scan === null || scan.isDone) return "";
  return `Searching: ${formatShare(scan.done, scan.total)}`;
}

/**
 * Says why the table is empty.
 *
 * @param {Pick<Overview, "scan">} shown
 * @param {Pick<DataState, "index">} state
 */
export function nothingWords({ scan }, { index }) {
  if (scan?.isDone === false) return "Nothing found yet";
  if (index.rows > 0) return "No row meets this condition";
  return index.isCurrent
    ? "There are no rows yet. They appear here as they are written"
    : "Reading the first rows …";
}

/** @param {Pick<DataState, "index" | "paths">} state */
export function filesWords({ index, paths }) {
  const files = index.files.length === 1 ? "1 file" : `${formatCount(index.files.length)} files`;
  return `${paths.join(", ")} · ${files}`;
}

/**
 * Describes the progress or result of the search for near duplicates.
 *
 * @param {DataState["near"]} near
 */
export function nearWords(near) {
  if (near === null) return "";
  const texts = near.of === "prompt" ? "prompts" : "answers";
  if (near.state === "running") {
    return `Comparing ${texts}: ${formatShare(near.done, near.total)}`;
  }
  if (near.state === "cancelled") return "Canceled";
  if (near.state === "failed") return near.problem ?? "Failed";
  if (near.copies === 0) return `No near duplicates among the ${texts}`;
  return `${formatCount(near.copies)} ${texts} are near duplicates of earlier ones, in ${
    formatCount(near.groups)
  } groups`;
}
