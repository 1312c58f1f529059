/** Messages of a server to a page. @module */

import type { ServerMessage } from "../../web/protocol.ts";
import {
  HISTORY_COLUMNS,
  type MonitorState,
  type Sample,
  type WireSnapshot,
} from "../../web/monitor_state.ts";
import { NO_ANSWERS } from "../../web/page/store.js";
import { wireSnapshot } from "../../web/run_record.ts";
import { makeSnapshot } from "../progress/fixtures.ts";

/** Makes a snapshot as pages get it. */
export function makeWireSnapshot(changes: Partial<WireSnapshot> = {}): WireSnapshot {
  return { ...wireSnapshot({ ...makeSnapshot(), ...changes }, []).snapshot, ...changes };
}

/** Makes a run with `points` points of history, one per second. */
export function makeState(points = 0, changes: Partial<MonitorState> = {}): MonitorState {
  const ends = Array.from({ length: points }, (_, i) => i + 1);
  const columns = Object.fromEntries(HISTORY_COLUMNS.map((name) => [name, [...ends]]));
  return {
    time: 1_000_000,
    run: null,
    snapshot: makeWireSnapshot({ elapsed_ms: points * 1000 }),
    history: { point_s: 1, columns: columns as MonitorState["history"]["columns"] },
    latency: { bounds_ms: [], counts: [] },
    answers: NO_ANSWERS,
    teacher_figures: [],
    marks: [],
    samples: { latest: [], reservoir: [], failures: [], added: [] },
    notices: [],
    retry_when_done: false,
    summary: null,
    ended: false,
    about: null,
    ...changes,
  };
}

/** Makes a snapshot message whose point has this value in each column. */
export function makeSnapshotMessage(
  pointIndex: number,
  value: number,
  changes: Partial<WireSnapshot> = {},
): ServerMessage {
  return {
    type: "snapshot",
    time: 1_000_000,
    snapshot: makeWireSnapshot(changes),
    point_index: pointIndex,
    point: HISTORY_COLUMNS.map(() => value),
    latency: { bounds_ms: [], counts: [] },
    answers: NO_ANSWERS,
    teacher_figures: [],
    retry_when_done: false,
  };
}

/** Makes an answered sample. */
export function makeSample(id: number, changes: Partial<Sample> = {}): Sample {
  return {
    id,
    time: 1_000_000,
    uid: `row-${id}`,
    prompt: "prompt",
    reasoning: "",
    response: "answer",
    tool_calls: "",
    finish_reason: "stop",
    prompt_tokens: 1,
    completion_tokens: 2,
    reasoning_tokens: null,
    latency_ms: 100,
    attempts: 1,
    cost_usd: 0,
    teacher: "",
    model: "m",
    failure: null,
    is_cut: false,
    ...changes,
  };
}
