// @ts-check
/** The state of the run in words. @module */

import {
  formatCount,
  formatCountOf,
  formatDuration,
  formatShare,
  MIN_BOUND_AGE_MS,
  MIN_ETA_MS,
} from "../../lib/figures.js";
import { formatAge, formatClock, formatMoment, urlOf } from "./figures.js";
import { isFailing, mainReason } from "./problems.js";

/** @import { Summary } from "../../lib/progress/events.ts" */
/** @import { RunStore, SampleList } from "./store.js" */
/** @import { MonitorState, WireSnapshot } from "../monitor_state.ts" */

/**
 * The state of the run. `tone` sets the color; the other fields say the same without color.
 * @typedef {object} StateDescription
 * @property {"good" | "calm" | "wait" | "bad"} tone
 * @property {string} icon
 * @property {string} word
 * @property {string} detail
 * @property {string} [short] the detail without the reason, if a banner shows the reason
 */

/** @param {RunStore} store @param {number} nowMs @returns {StateDescription} */
export function describeState(store, nowMs) {
  const { state } = store, { snapshot } = state;
  if (state.ended) return describeEnd(state);
  if (store.lostSinceMs !== null) {
    const detail = `the figures are from ${formatClock(store.lostSinceMs)}`;
    return { tone: "wait", icon: "alert", word: "Connection lost", detail };
  }
  if (snapshot === null) {
    return { tone: "calm", icon: "dots", word: "Starting", detail: "nothing is known yet" };
  }
  const why = snapshot.reason ?? "";
  switch (store.shownState(nowMs)) {
    case "preparing":
      return { tone: "calm", icon: "dots", word: "Preparing", detail: "reading the input" };
    case "running":
      return describeRunning(snapshot);
    case "backing_off":
      return {
        tone: "wait",
        icon: "clock",
        word: "Backing off",
        detail: backOffDetail(store, nowMs),
      };
    case "paused":
      return { tone: "wait", icon: "pause", word: "Paused", detail: why || pausedDetail(state) };
    case "disk_full":
      return {
        tone: "bad",
        icon: "alert",
        word: "Cannot write",
        detail: why || "nothing is sent until the disk accepts writes again",
      };
    case "draining":
      return { tone: "calm", icon: "drain", word: "Draining", detail: drainingDetail(state) };
    default:
      return describeLastState(snapshot);
  }
}

/** @param {WireSnapshot} snapshot @returns {StateDescription} */
function describeLastState({ state, reason }) {
  return state === "halted"
    ? { tone: "bad", icon: "stop", word: "Halted", detail: reason || "rows are left" }
    : { tone: "good", icon: "check", word: "Done", detail: "" };
}

/** @param {MonitorState} state @returns {StateDescription} */
function describeEnd({ run, summary, snapshot }) {
  if (summary === null) {
    // `generate()` never prepares, and sends no start and no summary. A run over files without a
    // summary has failed.
    const isFileRun = run !== null || snapshot === null || snapshot.state === "preparing";
    if (!isFileRun && /done|halted/.test(snapshot.state)) return describeLastState(snapshot);
    const detail = snapshot?.reason ?? (isFileRun ? "with an error; see the terminal" : "");
    return { tone: isFileRun ? "bad" : "wait", icon: "stop", word: "Ended", detail };
  }
  const duration = `after ${formatDuration(summary.elapsed_ms)}`;
  const pendingText = summary.pending > 0 ? `, ${formatCountOf(summary.pending, "row")} left` : "";
  const why = summary.reason === null ? "" : `: ${summary.reason}`;
  if (summary.state === "halted") {
    const short = `${duration}${pendingText}`;
    return { tone: "bad", icon: "stop", word: "Halted", detail: `${short}${why}`, short };
  }
  if (summary.state === "interrupted") {
    return {
      tone: "wait",
      icon: "stop",
      word: "Stopped",
      detail: `${duration}${pendingText}${why}`,
    };
  }
  return describeDone(summary, duration);
}

/**
 * Describes a run that is done. It is red if rows have failed and no row has an answer, amber if
 * some rows have no answer or bad lines were skipped, and otherwise green.
 * @param {Summary} summary
 * @param {string} duration
 * @returns {StateDescription}
 */
function describeDone({ total, failures_on_disk: failed, pending, bad_rows }, duration) {
  const missing = [
    [failed, "failed"],
    [pending, "left"],
    [bad_rows, bad_rows === 1 ? "bad line skipped" : "bad lines skipped"],
  ].filter(([count]) => Number(count) > 0);
  if (missing.length === 0) return { tone: "good", icon: "check", word: "Done", detail: duration };
  const counts = missing.map(([count, what]) => `${formatCount(Number(count))} ${what}`).join(", ");
  const tone = failed > 0 && failed + pending >= total ? "bad" : "wait";
  const word = failed > 0 ? "Done with failures" : "Done, incomplete";
  return { tone, icon: "alert", word, detail: `${counts}, ${duration}` };
}

/**
 * Counts teachers that take no requests now, including those that the page does not show.
 * @param {WireSnapshot} snapshot
 */
function countNotUp({ teacher_states: { cooling_down = 0, down = 0, halted = 0 } }) {
  return cooling_down + down + halted;
}

/** @param {WireSnapshot} snapshot */
function countPresent({ teachers_total, teachers_left }) {
  return teachers_total - teachers_left;
}

/**
 * Describes a running run by what is most urgent: teachers that are down, rows that fail, teachers
 * that cool down, a limited concurrency, or else the time that the run has taken.
 * @param {WireSnapshot} snapshot
 * @returns {StateDescription}
 */
function describeRunning(snapshot) {
  const word = "Running";
  const alarm = downDetail(snapshot) || failingDetail(snapshot);
  if (alarm !== "") return { tone: "wait", icon: "alert", word, detail: alarm };
  return { tone: "good", icon: "play", word, detail: calmDetail(snapshot) };
}

/** Describes a teacher that is down or halted; "" if none is. @param {WireSnapshot} snapshot */
function downDetail(snapshot) {
  const down = snapshot.teachers.find(({ state }) => state === "down" || state === "halted");
  if (down === undefined) return "";
  // The text already names the host, so the reason is shown without it.
  const cause = down.reason?.replace(/^Cannot connect to .+: ([^:]+)$/, "$1") ?? "";
  const why = cause === "" ? "" : `: ${cause}`;
  const { up = 0 } = snapshot.teacher_states;
  const others = up === 0 ? "" : `; its rows go to the other${up === 1 ? "" : "s"}`;
  const counts = countNotUp(snapshot) === 1 ? "" : `${notUpText(snapshot)}. `;
  return `${counts}${hostOf(down.address)} is ${down.state}${why}${others}`;
}

/** Describes how many rows fail and why; "" unless many fail. @param {WireSnapshot} snapshot */
function failingDetail(snapshot) {
  if (!isFailing(snapshot)) return "";
  const { failed, succeeded, errors } = snapshot;
  const why = mainReason(errors);
  return `${formatShare(failed, failed + succeeded)} of the rows fail${
    why === "" ? "" : `, mostly ${why}`
  }`;
}

/** @param {WireSnapshot} snapshot */
function calmDetail(snapshot) {
  if (countNotUp(snapshot) > 0) return notUpText(snapshot);
  const { limit, concurrency, refused_for_load, elapsed_ms } = snapshot;
  return limit < concurrency && refused_for_load > 0
    ? `limited by the teacher to ${formatCount(limit)} of ${
      formatCount(concurrency)
    } calls at once, which needs no action`
    : `for ${formatDuration(elapsed_ms)}`;
}

/** @param {WireSnapshot} snapshot */
function notUpText(snapshot) {
  const count = countNotUp(snapshot);
  const teachers = formatCountOf(countPresent(snapshot), "teacher");
  return `${formatCount(count)} of ${teachers} ${count === 1 ? "is" : "are"} not up`;
}

/** @param {string} address */
function hostOf(address) {
  return urlOf(address)?.host ?? address;
}

/**
 * Returns `until 12:03:07, in 12 s (429: tokens per min)`.
 * @param {RunStore} store
 * @param {number} nowMs
 */
function backOffDetail(store, nowMs) {
  const { reason, backing_off_until } = store.state.snapshot ?? {};
  const why = reason ? ` (${reason})` : "";
  const untilMs = store.localTime(backing_off_until ?? "");
  if (Number.isNaN(untilMs)) return `waiting to try again${why}`;
  const wait = untilMs > nowMs ? `, in ${formatAge(untilMs - nowMs)}` : "";
  return `until ${formatClock(untilMs)}${wait}${why}`;
}

/** @param {MonitorState} state */
function pausedDetail({ snapshot }) {
  const inFlight = snapshot?.in_flight ?? 0;
  return inFlight > 0
    ? `${formatCount(inFlight)} still in flight`
    : "nothing is sent until you resume the run";
}

/** @param {MonitorState} state */
function drainingDetail({ snapshot }) {
  return `${formatCount(snapshot?.in_flight ?? 0)} in flight, nothing more is sent`;
}

/**
 * Formats when a row was last written to disk: the time and, while the run is active, the age.
 * A time over a day ago has a date and no age. If no row was written, only the age is set: `none`.
 * @param {RunStore} store
 * @param {number} nowMs
 */
export function lastRowTexts(store, nowMs) {
  const { snapshot, ended } = store.state;
  const timeMs = store.localTime(snapshot?.last_durable ?? "");
  if (Number.isNaN(timeMs)) return { time: "", age: ended ? "none" : "none yet" };
  if (nowMs - timeMs > 86_400_000) return { time: formatMoment(timeMs, nowMs), age: "" };
  return { time: formatClock(timeMs), age: ended ? "" : `${formatAge(nowMs - timeMs)} ago` };
}

/**
 * Returns the concurrency or, if the limit is lower, why it is lower. A limit is said to come from
 * the teacher only if attempts were throttled.
 * @param {MonitorState} state
 */
export function limitText({ snapshot, run }) {
  if (snapshot === null) return "";
  const { limit, concurrency, refused_for_load } = snapshot;
  const concurrencyText = formatCount(concurrency);
  if (limit >= concurrency) return `concurrency ${concurrencyText}`;
  if (run?.concurrency_is_auto) return `found by auto, up to ${concurrencyText}`;
  const { down = 0, halted = 0 } = snapshot.teacher_states;
  const isOnly = countPresent(snapshot) === 1;
  // A single teacher keeps its limit while it cools down, so only the other states lower it.
  if (isOnly && down + halted > 0) return `of ${concurrencyText}: the teacher is not up`;
  if (!isOnly && countNotUp(snapshot) > 0) {
    return `of ${concurrencyText}: not all teachers are up`;
  }
  if (refused_for_load > 0) return `limited by the teacher, ${concurrencyText} requested`;
  return `ramping up to ${concurrencyText}`;
}

/** Counts finished rows, including those of earlier runs. @param {MonitorState} state */
export function finishedRows({ snapshot }) {
  return snapshot === null ? 0 : snapshot.skipped + snapshot.succeeded + snapshot.failed;
}

/**
 * Formats the length of the list, and the total if the list contains only a part.
 * @param {MonitorState} state
 * @param {SampleList} name
 */
export function sampleCountText({ samples, snapshot }, name) {
  const { length } = samples[name];
  const all = (name === "failures" ? snapshot?.failed : snapshot?.succeeded) ?? 0;
  return all > length ? `${formatCount(length)} of ${formatCount(all)}` : formatCount(length);
}

/**
 * Returns the text for an unknown time left, which ends in ", " or is "". In the first 10 s, the
 * lower bound is far too low, and only shown if attempts were throttled.
 * @param {NonNullable<MonitorState["snapshot"]>} snapshot
 */
export function missingEtaText({ total, eta_s, refused_for_load, elapsed_ms }) {
  const etaMs = (eta_s ?? 0) * 1000;
  const mayShowBound = refused_for_load > 0 || elapsed_ms >= MIN_BOUND_AGE_MS;
  if (mayShowBound && etaMs >= MIN_ETA_MS) return `over ${formatDuration(etaMs)} left, `;
  return total === null || refused_for_load > 0 ? "" : "too few answers yet, ";
}
