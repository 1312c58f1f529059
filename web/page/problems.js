// @ts-check
/** What went wrong, and what users can do about it. @module */

import { formatCount, formatCountOf } from "../../lib/figures.js";

/** @import { ErrorGroup } from "../../lib/progress/counters.ts" */
/** @import { MonitorState, WireSnapshot } from "../monitor_state.ts" */

/** What users can do about each type of error. @type {Record<string, string>} */
const ADVICE = {
  bad_row: "Fix these lines of the input",
  network: "The rows are retried. Check the teacher's address, and that it is up",
  timeout:
    "Answers take longer than --timeout or --row-timeout allows: raise that limit, or lower the concurrency",
  rate_limit: "Nothing to do: the rows are retried at the rate that the teacher accepts",
  server: "The rows are retried. Look at the teacher's log",
  account: "Check the key and its account, then run the command again",
  request: "The teacher rejects these rows: change them as the message says",
  response: "The teacher's answers cannot be read: check that the address is that of its API",
  unfinished:
    "The finish reason does not mark these answers as complete: if they are, accept the reason with --accept-ending",
  truncated:
    "Raise --max-tokens, or use --on-truncated escalate with a higher --max-tokens-cap; a retry sends only these rows",
  filtered:
    "The teacher's filter rejects these prompts or answers: change the prompts, or use another teacher",
  empty: "The answers are empty: raise --max-tokens where reasoning uses all of them",
  refused: "The teacher declines to answer: change the prompts, or use another teacher",
  rejected: "Your checks reject these answers: look at the rows",
  teacher: "The teacher has failed: see the message",
};

/** Returns advice for a type of error; "" if there is none. @param {string} type */
export function adviceFor(type) {
  return ADVICE[type] ?? "";
}

/** Sorts by the number of rows that failed, most first. @param {readonly ErrorGroup[]} errors */
export function worstFirst(errors) {
  return errors.toSorted((a, b) => b.actions.failed - a.actions.failed);
}

/**
 * Returns the most common reason why rows failed; "" if no row did.
 * @param {readonly ErrorGroup[]} errors
 */
export function mainReason(errors) {
  const [worst] = worstFirst(errors);
  if (worst === undefined || worst.actions.failed === 0) return "";
  const status = worst.status === null ? "" : ` ${worst.status}`;
  return `${worst.type}${status}: ${worst.message}`;
}

/**
 * @typedef {object} NextStep
 * @property {"good" | "wait" | "bad"} tone
 * @property {string} icon
 * @property {string} words
 * @property {string} command "" if there is none
 */

/**
 * Suggests stopping a run in which many rows fail, or continuing, retrying or exporting a run that
 * has ended.
 * @param {Pick<MonitorState, "about" | "ended" | "run" | "summary" | "snapshot">} state
 * @returns {NextStep | null}
 */
export function nextStep({ about, ended, run, summary, snapshot }) {
  if (summary === null) return ended ? null : stopStep(snapshot, run !== null);
  const { failures_on_disk: failed, pending } = summary;
  const isComplete = summary.state === "done" && failed + pending === 0;
  // For an incomplete run, an export is not the next step, even if no command continues the run.
  const command = about?.commands.find(({ name }) => isComplete || name !== "Export")?.command ??
    "";
  if (summary.state === "halted") {
    const reason = summary.reason ?? "The run was halted";
    const words = command === "" ? reason : `${reason}. Then continue`;
    return { tone: "bad", icon: "stop", words, command };
  }
  if (command === "") return null;
  if (summary.state === "interrupted" || pending > 0) {
    // Rows that a stopped retry did not reach are reported as failed, not as pending.
    const reason = pending > 0
      ? `${formatCountOf(pending, "row")} left`
      : failed > 0
      ? `${formatCountOf(failed, "row")} failed`
      : "The run was stopped";
    return { tone: "wait", icon: "info", words: `${reason}. To continue`, command };
  }
  if (failed === 0) {
    return { tone: "good", icon: "check", words: "To make a training set", command };
  }
  const words = `${failureText(failed, snapshot?.errors ?? [])}. To retry`;
  return { tone: failed >= summary.total ? "bad" : "wait", icon: "alert", words, command };
}

const MIN_FAILED_ROWS = 20;
const MIN_FAILED_SHARE = 0.1;

/** @param {Pick<WireSnapshot, "failed" | "succeeded">} snapshot */
export function isFailing({ failed, succeeded }) {
  return failed >= MIN_FAILED_ROWS && failed >= MIN_FAILED_SHARE * (failed + succeeded);
}

/**
 * @param {MonitorState["snapshot"]} snapshot
 * @param {boolean} isOnDisk false for the rows of `generate()`, whose answers the caller keeps
 * @returns {NextStep | null}
 */
function stopStep(snapshot, isOnDisk) {
  // The state of the run is ignored, because it changes with each wait for a teacher, and the
  // advice would come and go with it.
  if (snapshot === null || !isFailing(snapshot)) return null;
  const failure = failureText(snapshot.failed, snapshot.errors);
  const advice = ". To stop now, press Ctrl-C in the terminal: every answer is kept, and the " +
    "command to continue is printed";
  return { tone: "wait", icon: "alert", words: failure + (isOnDisk ? advice : ""), command: "" };
}

/**
 * Says how many rows failed, with advice for the most common error.
 * @param {number} failed
 * @param {readonly ErrorGroup[]} errors
 */
function failureText(failed, errors) {
  const [type = "", count = 0] = mainType(errors);
  const advice = adviceFor(type);
  if (advice === "") return `${formatCountOf(failed, "row")} failed`;
  if (count >= failed) return `${formatCountOf(failed, "row")} failed. ${advice}`;
  return `${formatCountOf(failed, "row")} failed, ${formatCount(count)} of them ${type}. ${advice}`;
}

/**
 * Returns the type with the most failed rows, summed over its groups; an empty array if there are
 * no errors.
 * @param {readonly ErrorGroup[]} errors
 * @returns {[type: string, count: number] | []}
 */
function mainType(errors) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { type, actions } of errors) {
    counts.set(type, (counts.get(type) ?? 0) + actions.failed);
  }
  return [...counts].toSorted(([, a], [, b]) => b - a)[0] ?? [];
}
