/**
 * The messages between server and page. The page knows the run through these only; each is one JSON
 * text in one WebSocket frame.
 *
 * Server to page, over `ws`: `hello` first and whenever the page has to start over (it replaces all that
 * the page holds), then `snapshot`, `samples`, `notice` and `end` as they come. Page to server, over
 * `ws`: `PageMessage` and nothing else. Controls are POSTs to `control/…` with a JSON body.
 *
 * @module
 */

import type { Notice, Summary } from "../lib/progress/mod.ts";
import type {
  AnswerFigures,
  ChartMark,
  LatencyHistogram,
  MonitorState,
  RunAbout,
  Samples,
  TeacherFigures,
  WireSnapshot,
} from "./monitor_state.ts";

export type * from "./monitor_state.ts";

/** A message of the server. */
export type ServerMessage =
  | HelloMessage
  | SnapshotMessage
  | SamplesMessage
  | NoticeMessage
  | MarksMessage
  | EndMessage;

/**
 * The whole state of the run: sent on connect, when a hidden page is shown again, when the history
 * was thinned, when another run begins, and every 2 s before the first snapshot. It replaces
 * everything sent before.
 */
export interface HelloMessage extends MonitorState {
  /** Always "hello". */
  type: "hello";
}

/** The run at one moment: sent at most twice a second and at least every 2 s; at most 8 KB each. */
export interface SnapshotMessage {
  /** Always "snapshot". */
  type: "snapshot";
  /** When it was taken: Unix milliseconds, clock of the server. */
  time: number;
  /** The snapshot. */
  snapshot: WireSnapshot;
  /**
   * The index of the point in the history: the last one (which is updated during its time), or a
   * new one.
   */
  point_index: number;
  /** The point: one value for each of `history.columns`, in their order. */
  point: (number | null)[];
  /** How long answered rows took, over the whole run. */
  latency: LatencyHistogram;
  /** How answers ended, and how long they are. */
  answers: AnswerFigures;
  /** The figures of each teacher, in the order of the snapshot. */
  teacher_figures: TeacherFigures[];
  /** Whether failed rows are retried when the run is done. */
  retry_when_done: boolean;
}

/** New marks. */
export interface MarksMessage {
  /** Always "marks". */
  type: "marks";
  /** The new ones. */
  marks: ChartMark[];
}

/** The samples have changed: at most every 2 s, and to visible pages only. */
export interface SamplesMessage extends Samples {
  /** Always "samples". */
  type: "samples";
}

/** A notice, or a control that a user has used. */
export interface NoticeMessage {
  /** Always "notice". */
  type: "notice";
  /** The text, the time and the level of the notice. */
  notice: Notice;
}

/**
 * The run has ended. The server stops at once, or when no page shows the run any more, and closes
 * the socket with code 1001; a page that connects before then gets a `hello`.
 */
export interface EndMessage {
  /** Always "end". */
  type: "end";
  /** How it ended, or null where it ended with an error. */
  summary: Summary | null;
  /** What was run, and the commands that follow. */
  about: RunAbout | null;
}

/**
 * A message of a page over the socket. It is sent at least every 20 s while the page's timers run:
 * a page that was silent for 3 minutes counts as lost, and does not keep the server of an ended run
 * alive. Anything else closes the socket: with 1003 for binary frames, 1009 for more than 256
 * characters, 1008 for the rest.
 */
export interface PageMessage {
  /**
   * Whether the page is visible: a hidden one gets a snapshot only every 4 s, and no samples. When
   * it is shown again, and when the run ends, it gets a `hello`.
   */
  visible: boolean;
}

/** The bodies of the controls: POST `control/<name>` with `content-type: application/json`. */
export interface ControlBodies {
  /** Starts no attempt until `resume`. */
  pause: Record<string, never>;
  /** Continues. */
  resume: Record<string, never>;
  /** Sets the concurrency: 1 to 100,000. */
  concurrency: { concurrency: number };
  /** Sets the budget of the run in US dollars, or null for no limit. */
  budget: { max_cost_usd: number | null };
  /** Whether failed rows are retried when the run is done. */
  retry: { retry_when_done: boolean };
  /** Finishes what is in flight and starts nothing more. */
  stop: Record<string, never>;
  /** Ends at once; calls in flight are cancelled. */
  abort: { confirm: "abort" };
}

/** The name of a control. */
export type ControlName = keyof ControlBodies;

/** The answer to a control: with status 200 it was done, else it was not and `error` says why. */
export type ControlAnswer = { ok: true } | { ok: false; error: string };
