/**
 * Sends the run to its pages. Nothing here waits for a page, and nothing that a page does reaches the
 * run but through the controls.
 *
 * @module
 */

import { eventOf, type Notice, type RunEvent } from "../lib/progress/mod.ts";
import type { MonitoredRun } from "./monitored_run.ts";
import { CLOSE, PageLink, type PageSocket } from "./page_link.ts";
import type { ServerMessage } from "./protocol.ts";
import { RunRecord, type RunRecordOptions } from "./run_record.ts";
import { fitted } from "./samples.ts";
import { encodeSnapshot } from "./wire_snapshot.ts";

/** The interval between snapshots: two a second at most. */
export const BEAT_MS = 500;

/** Every 4th beat without a snapshot is one that asks for it: a page turns grey after 5 s without any. */
const SILENT_BEATS = 4;

/** A hidden page gets a snapshot on every 8th beat at most, so that it is not grey when it is seen again. */
const HIDDEN_BEATS = 8;

/** Samples are sent on every 4th beat: every 2 s at most. */
const SAMPLE_BEATS = 4;

/** The maximum number of pages, which bounds the memory of unread messages. */
export const MAX_PAGES = 100;

/** A page that was silent for this long counts as lost: browsers run the timers of background tabs once a
 * minute. */
const LOST_AFTER_MS = 180_000;

/** A page that is reloaded comes back within this time. */
const RELOAD_MS = 10_000;

/** A page as the holder of its socket describes it. None of these functions throws. */
export interface PageEvents {
  /** The socket is open. */
  opened(): void;
  /** The page has sent something. */
  received(data: unknown): void;
  /** The socket is closed, or broken. */
  left(): void;
}

/** The options of a hub. */
export interface HubOptions extends RunRecordOptions {
  /** Calls back every `intervalMs` until the returned function is called. */
  every: (intervalMs: number, callback: () => void) => () => void;
}

/** Follows one generator and notifies its pages. */
export class Hub {
  readonly #run: MonitoredRun;
  readonly #record: RunRecord;
  readonly #options: HubOptions;
  readonly #pages = new Set<PageLink>();
  readonly #leave: readonly (() => void)[];
  #retryWhenDone = false;
  #faults = 0;
  #beats = 0;
  #publishedAt = 0;
  #beatAt: number;
  #isNew = false;
  #thinned = 0;
  #closed = false;
  /** The time when the last page left, not counting lost ones. */
  #leftAt = -Infinity;

  /** Follows the run from now on. */
  constructor(run: MonitoredRun, options: HubOptions) {
    this.#run = run;
    this.#options = options;
    this.#record = new RunRecord(options);
    this.#beatAt = options.now();
    const snapshot = run.snapshot();
    if (snapshot !== undefined) this.#hear(eventOf(snapshot));
    this.#leave = [
      run.on((event) => this.#guarded(() => this.#hear(event))),
      run.onOutcomes((outcomes) => this.#guarded(() => this.#record.addOutcomes(outcomes))),
      options.every(BEAT_MS, () => this.#guarded(() => this.#beat())),
    ];
  }

  /** The record of the run. */
  get record(): RunRecord {
    return this.#record;
  }

  /** The number of open pages. */
  get pages(): number {
    return this.#pages.size;
  }

  /** The number of errors in here, which do not affect the run. */
  get faults(): number {
    return this.#faults;
  }

  /** Whether failed rows are retried when the run is done. */
  get retryWhenDone(): boolean {
    return this.#retryWhenDone;
  }

  /** Changes that; pages get it with the next snapshot. */
  set retryWhenDone(value: boolean) {
    this.#retryWhenDone = value;
    this.#isNew = true;
  }

  /** Adds a page. */
  join(socket: PageSocket): PageEvents {
    const page = new PageLink(socket);
    return {
      opened: () => this.#guarded(() => this.#welcome(page)),
      received: (data) => {
        page.heardAt = this.#options.now();
        this.#guarded(() => page.receive(data));
      },
      left: () => this.#drop(page),
    };
  }

  /**
   * Whether a page shows the run: one that sent something in the last 3 minutes, or that left in
   * the last 10 s and may be reloading.
   */
  get isWatched(): boolean {
    const now = this.#options.now();
    return now - this.#leftAt < RELOAD_MS ||
      [...this.#pages].some(({ heardAt }) => now - heardAt < LOST_AFTER_MS);
  }

  /** Notifies pages that the run has ended. They stay open, and new ones are accepted. */
  finish(): void {
    this.#guarded(() => {
      this.#tellAll();
      if (this.#record.ended) return;
      this.#record.end(null);
      this.#notify({ type: "end", summary: null, about: this.#record.about });
    });
  }

  /** Notifies pages that the run has ended, closes all sockets and stops following the run. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const leave of this.#leave) leave();
    this.finish();
    for (const page of this.#pages) page.close(CLOSE.goingAway, "the run has ended");
    this.#pages.clear();
  }

  #welcome(page: PageLink): void {
    if (this.#closed) return page.close(CLOSE.goingAway, "the run has ended");
    if (this.#pages.size >= MAX_PAGES) return page.close(CLOSE.tryLater, "too many pages");
    page.heardAt = this.#options.now();
    this.#pages.add(page);
    this.#greet([page]);
  }

  #hear(event: RunEvent): void {
    const marks = this.#record.add(event);
    if (marks.length > 0) this.#notify({ type: "marks", marks });
    if (event.type === "snapshot") {
      this.#isNew = true;
    } else if (event.type === "notice") {
      this.#notify({ type: "notice", notice: this.#record.notices.at(-1) as Notice });
    } else if (event.type === "run-start") {
      for (const page of this.#pages) page.needsHello = true;
    } else {
      // The process may end before the next beat.
      this.#tellAll();
      this.#notify({ type: "end", summary: event, about: this.#record.about });
    }
  }

  #beat(): void {
    const now = this.#options.now();
    const lagMs = Math.max(0, now - this.#beatAt - BEAT_MS);
    this.#beatAt = now;
    this.#beats++;
    if (this.#beats - this.#publishedAt >= SILENT_BEATS) this.#ask();
    this.#publish(lagMs);
    if (this.#beats % SAMPLE_BEATS === 0) this.#publishSamples();
    this.#greet(
      [...this.#pages].filter((page) => page.needsHello && page.isVisible && !page.isSlow),
    );
  }

  /** No event for a while, which need not mean trouble. */
  #ask(): void {
    if (this.#isNew || this.#record.ended) return;
    this.#publishedAt = this.#beats;
    const snapshot = this.#run.snapshot() ?? this.#record.snapshot;
    if (snapshot !== undefined) this.#hear(eventOf(snapshot));
    else for (const page of this.#pages) page.needsHello = true;
  }

  #tellAll(): void {
    this.#publish(0);
    this.#publishSamples();
    // When a hidden page is shown again, the server may be gone.
    this.#greet([...this.#pages].filter((page) => page.needsHello || !page.isVisible));
  }

  /** Sends the whole state to the pages that need it. */
  #greet(pages: readonly PageLink[]): void {
    if (pages.length === 0) return;
    const state = this.#record.state(this.#retryWhenDone);
    const text = JSON.stringify({ type: "hello", ...state, samples: fitted(state.samples) });
    for (const page of pages) {
      page.needsHello = false;
      page.toldAt = this.#beats;
      page.knownSamples = this.#record.samples.version;
      this.#send(page, text);
    }
  }

  /** Sends the snapshot if there is a new one, encoded once for all pages. */
  #publish(lagMs: number): void {
    const { snapshot, history, latency } = this.#record;
    if (!this.#isNew || snapshot === undefined) return;
    this.#isNew = false;
    this.#publishedAt = this.#beats;
    this.#record.addPoint(lagMs);
    if (history.thinned !== this.#thinned) {
      this.#thinned = history.thinned;
      for (const page of this.#pages) page.needsHello = true;
    }
    const due = [...this.#pages].filter((page) => this.#isDue(page));
    if (due.length === 0) return;
    const index = history.length - 1;
    const text = encodeSnapshot({
      type: "snapshot",
      time: this.#options.wallClock(),
      point_index: index,
      point: history.point(index),
      latency: latency.histogram(),
      answers: this.#record.answers,
      teacher_figures: this.#record.teacherFigures,
      retry_when_done: this.#retryWhenDone,
    }, snapshot);
    for (const page of due) {
      page.toldAt = this.#beats;
      this.#send(page, text);
    }
  }

  /**
   * A page that waits for the whole state gets no snapshots: their points would not fit its charts.
   */
  #isDue({ needsHello, isVisible, toldAt }: PageLink): boolean {
    return isVisible ? !needsHello : this.#beats - toldAt >= HIDDEN_BEATS;
  }

  /**
   * Sends the samples that a page does not have, encoded once for all pages that have the same
   * ones.
   */
  #publishSamples(): void {
    const { samples } = this.#record;
    const texts = new Map<number, string>();
    for (const page of this.#pages) {
      const known = page.knownSamples;
      if (known === samples.version || page.needsHello || !page.isVisible || page.isSlow) continue;
      const text = texts.get(known) ??
        JSON.stringify({ type: "samples", ...fitted(samples.since(known)) });
      texts.set(known, text);
      page.knownSamples = samples.version;
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
    const now = this.#options.now();
    if (this.#pages.delete(page) && now - page.heardAt < LOST_AFTER_MS) this.#leftAt = now;
  }

  /** An error thrown in a handler of a socket or timer would end the process. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch {
      this.#faults++;
    }
  }
}
