/**
 * Messages between server and page, one JSON text per WebSocket message, at the path `ws`. The
 * server sends `hello` first and whenever the page must start over, then `snapshot`, `samples`,
 * `notice`, `marks` and `end`. The page sends only `PageMessage`. Controls are POSTs to `control/…`
 * with a JSON body.
 *
 * @module
 */

import type { Notice } from "../lib/progress/mod.ts";
import type { ChartMark, MonitorState, Samples, WireSnapshot } from "./monitor_state.ts";

export type * from "./monitor_state.ts";

/** What the server sends. */
export type ServerMessage =
  | HelloMessage
  | SnapshotMessage
  | SamplesMessage
  | NoticeMessage
  | MarksMessage
  | EndMessage;

/** The field that all messages of the server have. */
export interface Typed<Type extends string> {
  /** Determines the other fields. The page ignores messages of types unknown to it. */
  type: Type;
}

/**
 * The whole state of the run. It replaces everything that was sent before. The server sends it on
 * connect, when a hidden page is shown again, when points of the history were merged, when another
 * run begins, to hidden pages when the run ends, and every 2 s before the first snapshot.
 */
export interface HelloMessage extends Typed<"hello">, MonitorState {}

/**
 * The run at one moment, in at most 8 KB. A visible page gets at most two a second, and at least
 * one every 2 s until the run ends.
 */
export interface SnapshotMessage extends
  Typed<"snapshot">,
  Pick<
    MonitorState,
    "time" | "latency" | "answers" | "teacher_figures" | "retry_when_done"
  > {
  /** The snapshot, shortened to fit. */
  snapshot: WireSnapshot;
  /** Index of the point in the history. The last point is sent again until its time is over. */
  point_index: number;
  /** One value for each of `history.columns`, in order. */
  point: (number | null)[];
}

/** New marks for the charts. */
export interface MarksMessage extends Typed<"marks"> {
  /** In order of time. They follow the marks that were sent before. The page keeps the last 60. */
  marks: ChartMark[];
}

/**
 * The lists of samples have changed. The server sends this at most every 2 s, to visible pages
 * only.
 */
export interface SamplesMessage extends Typed<"samples">, Samples {}

/** A new notice of the run. Using a control adds one, too. */
export interface NoticeMessage extends Typed<"notice"> {
  /** The new notice, which follows the notices that were sent before. */
  notice: Notice;
}

/**
 * The run has ended. The server may stay up while a page shows the run (`--monitor-keep`). New
 * pages then get a `hello`. When the server stops, it closes the sockets with code 1001.
 */
export interface EndMessage extends Typed<"end">, Pick<MonitorState, "summary" | "about"> {}

/**
 * A message of a page, which sends one at least every 20 s while its timers run. After 3 minutes
 * without a message, the server considers the page lost, and a lost page does not keep the server
 * of an ended run alive. Other messages close the socket: binary ones with 1003, more than 256
 * characters with 1009, all others with 1008.
 */
export interface PageMessage {
  /**
   * Whether the page is visible. A hidden page gets a snapshot only every 4 s, and no samples. It
   * gets a `hello` when it is shown again and when the run ends.
   */
  visible: boolean;
}

/** Bodies of the controls: POST `control/<name>` with `content-type: application/json`. */
export interface ControlBodies {
  /** Starts no attempt until `resume`. */
  pause: Record<string, never>;
  /** Starts attempts again after `pause`. */
  resume: Record<string, never>;
  /** Sets the concurrency: 1 to 100,000. */
  concurrency: { concurrency: number };
  /** Sets the budget of the run in US dollars; null for no limit. */
  budget: { max_cost_usd: number | null };
  /** Sets whether failed rows are retried when the run is done. */
  retry: { retry_when_done: boolean };
  /** Finishes calls in flight and starts no others. */
  stop: Record<string, never>;
  /** Ends immediately and cancels the calls in flight. */
  abort: { confirm: "abort" };
}

/** The last part of a control's path. */
export type ControlName = keyof ControlBodies;

/** Answer to a control: status 200 if the control was executed; otherwise `error` says why not. */
export type ControlAnswer = { ok: true } | { ok: false; error: string };
