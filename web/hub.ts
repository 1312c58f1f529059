/**
 * Sends the state of the run to pages, without waiting for any. Pages affect the run only through
 * the controls.
 *
 * @module
 */

import {
  eventOf,
  type Notice,
  type RunEvent,
  type RunListener,
  type RunSnapshot,
  type Snapshot,
} from "../lib/progress/mod.ts";
import type { Outcome } from "../lib/row.ts";
import { every as everyMs } from "../lib/timer.ts";
import { CLOSE, PageLink, type PageSocket } from "./page_link.ts";
import type { ServerMessage } from "./protocol.ts";
import { RunRecord, type RunRecordOptions } from "./run_record.ts";
import { shortenedToFit } from "./samples.ts";

/** Called with finished rows, in batches. */
export type OutcomesListener = (outcomes: readonly Outcome[]) => void;

/** A run that can be watched and controlled. A `ResponseGenerator` is one. */
export interface MonitoredRun {
  /** Calls `listener` with every event until the returned function is called. */
  on(listener: RunListener): () => void;
  /** Calls `listener` with finished rows until the returned function is called. */
  onOutcomes(listener: OutcomesListener): () => void;
  /** Returns the state of the current run; undefined if none is active. */
  snapshot(): Snapshot | RunSnapshot | undefined;
  /** Starts no attempt until `resume()`. */
  pause(): void;
  /** Starts attempts again after `pause()`. */
  resume(): void;
  /** Sets the concurrency. Throws a `RangeError` if the number is not allowed. */
  setConcurrency(concurrency: number): void;
  /**
   * Sets the budget in US dollars; null for no limit. Throws a `RangeError` unless it is above 0,
   * and a `UsageError` if no price is known.
   */
  setMaxCost(usd: number | null): void;
  /** Finishes calls in flight and starts no others. */
  stop(): void;
  /** Stops, and cancels the calls in flight. */
  abort(reason?: unknown): void;
  /** Sends a notice to all listeners, as an event of the run. */
  notice(level: "info" | "warning", message: string): void;
}

/** Time between beats, and minimum time between snapshots to a page. */
export const BEAT_MS = 500;

/** Beats without a snapshot (2 s) until the hub takes one. Pages turn gray after 5 s of silence. */
const SILENT_BEATS = 4;

/** Beats between snapshots to a hidden page (4 s), so that it is not gray when it is shown. */
const HIDDEN_BEATS = 8;

/** Beats between samples (2 s). */
const SAMPLE_BEATS = 4;

/** Maximum number of pages. Bounds the memory for unread messages. */
export const MAX_PAGES = 100;

/** A page without a message for this time is lost. Timers of background tabs run once a minute. */
const LOST_AFTER_MS = 180_000;

/** A page that is being reloaded is assumed to be back within this time. */
const RELOAD_MS = 10_000;

/** Options of a hub. By default, it uses the clocks, timers and random numbers of the process. */
export interface HubOptions extends Partial<RunRecordOptions> {
  /** Calls `callback` at an interval until the returned function is called. */
  every?: (intervalMs: number, callback: () => void) => () => void;
}

export class Hub {
  readonly record: RunRecord;
  /** Number of errors of the hub itself, which do not affect the run. */
  faults = 0;
  readonly #run: MonitoredRun;
  readonly #now: () => number;
  readonly #pages = new Set<PageLink>();
  readonly #unsubscribe: readonly (() => void)[];
  #beats = 0;
  #publishedBeat = 0;
  #lastBeatMs: number;
  #hasNewSnapshot = false;
  #publishedMerges = 0;
  #isClosed = false;
  /** When a page last left, except for pages that were already lost. */
  #lastLeftMs = -Infinity;

  constructor(run: MonitoredRun, options: HubOptions = {}) {
    const { now = () => performance.now(), wallClock = Date.now, every = everyMs } = options;
    this.#run = run;
    this.#now = now;
    this.record = new RunRecord({ ...options, now, wallClock });
    this.#lastBeatMs = now();
    const snapshot = run.snapshot();
    if (snapshot !== undefined) this.#handle(eventOf(snapshot));
    this.#unsubscribe = [
      run.on((event) => this.#countErrors(() => this.#handle(event))),
      run.onOutcomes((outcomes) => this.#countErrors(() => this.record.addOutcomes(outcomes))),
      every(BEAT_MS, () => this.#countErrors(() => this.#beat())),
    ];
  }

  get pageCount(): number {
    return this.#pages.size;
  }

  get retryWhenDone(): boolean {
    return this.record.retryWhenDone;
  }

  /** Whether failed rows are retried at the end. Pages get a change with the next snapshot. */
  set retryWhenDone(value: boolean) {
    this.record.retryWhenDone = value;
    this.#hasNewSnapshot = true;
  }

  /** Adds a page when its socket opens. Returns the handlers of the socket, which never throw. */
  join(socket: PageSocket) {
    const page = new PageLink(socket);
    return {
      onOpen: () => this.#countErrors(() => this.#admit(page)),
      onMessage: (data: unknown) => {
        page.lastHeardMs = this.#now();
        this.#countErrors(() => page.receive(data));
      },
      onClose: () => this.#drop(page),
    };
  }

  /** Whether a page sent something in the last 3 minutes, or left in the last 10 s (a reload). */
  get isWatched(): boolean {
    const now = this.#now();
    return now - this.#lastLeftMs < RELOAD_MS ||
      [...this.#pages].some(({ lastHeardMs }) => now - lastHeardMs < LOST_AFTER_MS);
  }

  /** Tells pages that the run has ended. Pages stay open, and new pages are accepted. */
  finish(): void {
    this.#countErrors(() => {
      this.#sendEverything();
      if (this.record.ended) return;
      this.record.end(null);
      this.#notify({ type: "end", summary: null, about: this.record.about });
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    // An active run continues: its pages say that the connection is lost.
    if (this.#run.snapshot() === undefined) this.finish();
    for (const page of this.#pages) page.close(CLOSE.goingAway, "the monitor is closed");
    this.#pages.clear();
  }

  #admit(page: PageLink): void {
    if (this.#isClosed) return page.close(CLOSE.goingAway, "the monitor is closed");
    if (this.#pages.size >= MAX_PAGES) return page.close(CLOSE.tryLater, "too many pages");
    page.lastHeardMs = this.#now();
    this.#pages.add(page);
    this.#sendHello([page]);
  }

  #handle(event: RunEvent): void {
    const marks = this.record.add(event);
    if (marks.length > 0) this.#notify({ type: "marks", marks });
    if (event.type === "snapshot") {
      this.#hasNewSnapshot = true;
    } else if (event.type === "notice") {
      this.#notify({ type: "notice", notice: this.record.notices.at(-1) as Notice });
    } else if (event.type === "run-start") {
      for (const page of this.#pages) page.needsHello = true;
      // Hidden pages get their `hello` now. Otherwise, their titles would continue to say that the
      // previous run has ended.
      this.#sendHello([...this.#pages].filter(({ isVisible }) => !isVisible));
    } else {
      // The end is sent at once, because the process may end before the next beat.
      this.#sendEverything();
      this.#notify({ type: "end", summary: event, about: this.record.about });
    }
  }

  #beat(): void {
    const now = this.#now();
    const lagMs = Math.max(0, now - this.#lastBeatMs - BEAT_MS);
    this.#lastBeatMs = now;
    this.#beats++;
    if (this.#beats - this.#publishedBeat >= SILENT_BEATS) this.#pollRun();
    this.#publish(lagMs);
    if (this.#beats % SAMPLE_BEATS === 0) this.#publishSamples();
    this.#sendHello(
      [...this.#pages].filter((page) => page.needsHello && page.isVisible && !page.isSlow),
    );
  }

  /** Takes a snapshot if no event has brought one. If there is none yet, sends a `hello` instead. */
  #pollRun(): void {
    if (this.#hasNewSnapshot || this.record.ended) return;
    this.#publishedBeat = this.#beats;
    const snapshot = this.#run.snapshot() ?? this.record.snapshot;
    if (snapshot !== undefined) this.#handle(eventOf(snapshot));
    else for (const page of this.#pages) page.needsHello = true;
  }

  #sendEverything(): void {
    this.#publish(0);
    this.#publishSamples();
    // Hidden pages get the state, too: when they are shown again, the server may have ended.
    this.#sendHello([...this.#pages].filter((page) => page.needsHello || !page.isVisible));
  }

  #sendHello(pages: readonly PageLink[]): void {
    if (pages.length === 0) return;
    const state = this.record.state();
    const samples = shortenedToFit(state.samples);
    const text = JSON.stringify({ type: "hello", ...state, samples });
    for (const page of pages) {
      page.needsHello = false;
      page.snapshotBeat = this.#beats;
      page.samplesVersion = this.record.samples.version;
      this.#send(page, text);
    }
  }

  #publish(lagMs: number): void {
    const { snapshot, history } = this.record;
    if (!this.#hasNewSnapshot || snapshot === undefined) return;
    this.#hasNewSnapshot = false;
    this.#publishedBeat = this.#beats;
    this.record.addPoint(lagMs);
    if (history.mergeCount !== this.#publishedMerges) {
      this.#publishedMerges = history.mergeCount;
      for (const page of this.#pages) page.needsHello = true;
    }
    const due = [...this.#pages].filter((page) => this.#isDue(page));
    if (due.length === 0) return;
    const text = this.record.snapshotMessage(snapshot);
    for (const page of due) {
      page.snapshotBeat = this.#beats;
      this.#send(page, text);
    }
  }

  /**
   * Whether to send the page a snapshot. A visible page that needs a `hello` gets no snapshot,
   * because it lacks earlier points.
   */
  #isDue({ needsHello, isVisible, snapshotBeat }: PageLink): boolean {
    return isVisible ? !needsHello : this.#beats - snapshotBeat >= HIDDEN_BEATS;
  }

  /** Sends new samples, encoded once for all pages that lack the same ones. */
  #publishSamples(): void {
    const { samples } = this.record;
    const texts = new Map<number, string>();
    for (const page of this.#pages) {
      const { samplesVersion, needsHello, isVisible, isSlow } = page;
      if (samplesVersion === samples.version || needsHello || !isVisible || isSlow) continue;
      const text = texts.get(samplesVersion) ??
        JSON.stringify({ type: "samples", ...shortenedToFit(samples.since(samplesVersion)) });
      texts.set(samplesVersion, text);
      page.samplesVersion = samples.version;
      this.#send(page, text);
    }
  }

  #notify(message: ServerMessage): void {
    const text = JSON.stringify(message);
    for (const page of this.#pages) this.#send(page, text);
  }

  #send(page: PageLink, text: string): void {
    if (!page.send(text)) this.#drop(page);
  }

  #drop(page: PageLink): void {
    const now = this.#now();
    if (this.#pages.delete(page) && now - page.lastHeardMs < LOST_AFTER_MS) this.#lastLeftMs = now;
  }

  /** Catches and counts errors: in a handler of a socket or timer, they would end the process. */
  #countErrors(work: () => void): void {
    try {
      work();
    } catch {
      this.faults++;
    }
  }
}
