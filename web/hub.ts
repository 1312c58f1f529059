/**
 * Sends the run to its pages. Nothing in this class waits for a page, and pages affect the run only
 * through the controls.
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

/** Least interval between two snapshots to a page. */
export const BEAT_MS = 500;

/**
 * After this number of beats without a snapshot the hub takes one itself: a page turns gray after 5
 * s without any.
 */
const SILENT_BEATS = 4;

/**
 * Least number of beats between snapshots to a hidden page, so that it is not gray when it is shown
 * again.
 */
const HIDDEN_BEATS = 8;

/** Number of beats between two messages with samples: 2 s. */
const SAMPLE_BEATS = 4;

/** Limit of open pages, which bounds the memory of unread messages. */
export const MAX_PAGES = 100;

/** A page counts as lost after this time without a message: browsers run the timers of background
 * tabs once a minute. */
const LOST_AFTER_MS = 180_000;

/** Time in which a page that is reloaded comes back. */
const RELOAD_MS = 10_000;

/** Events of a page's socket, which its holder reports. None of these functions throws. */
export interface PageEvents {
  opened(): void;
  received(data: unknown): void;
  /** The socket is closed or broken. */
  left(): void;
}

export interface HubOptions extends RunRecordOptions {
  /** Calls `callback` every `intervalMs` until the returned function is called. */
  every: (intervalMs: number, callback: () => void) => () => void;
}

/** Records the runs of a generator and sends them to pages. */
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
  /** Time when the last page left; pages that were already lost do not count. */
  #leftAt = -Infinity;

  /** Follows the run from this moment on. */
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

  get record(): RunRecord {
    return this.#record;
  }

  get pages(): number {
    return this.#pages.size;
  }

  /** Number of errors of the hub itself. They do not affect the run. */
  get faults(): number {
    return this.#faults;
  }

  /** Whether failed rows are retried when the run is done. */
  get retryWhenDone(): boolean {
    return this.#retryWhenDone;
  }

  /** Pages get the change with the next snapshot. */
  set retryWhenDone(value: boolean) {
    this.#retryWhenDone = value;
    this.#isNew = true;
  }

  /** Adds a page once its socket is open. */
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

  /** Whether a page shows the run: it sent something in the last 3 minutes, or left in the last
   * 10 s and may be reloading. */
  get isWatched(): boolean {
    const now = this.#options.now();
    return now - this.#leftAt < RELOAD_MS ||
      [...this.#pages].some(({ heardAt }) => now - heardAt < LOST_AFTER_MS);
  }

  /** Notifies pages that the run has ended. They stay open, and new pages are accepted. */
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
      // Sent at once: the process may end before the next beat.
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

  /** Takes a snapshot of the run if no event has brought one. */
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
    // Hidden pages, too: when they are shown again, the server may have ended.
    this.#greet([...this.#pages].filter((page) => page.needsHello || !page.isVisible));
  }

  /** Sends the whole state to pages. */
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

  /** Sends a new snapshot, if there is one, encoded once for all pages. */
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

  /** Whether a page gets the next snapshot. One that waits for the whole state does not: the new
   * point would not fit its charts. */
  #isDue({ needsHello, isVisible, toldAt }: PageLink): boolean {
    return isVisible ? !needsHello : this.#beats - toldAt >= HIDDEN_BEATS;
  }

  /** Sends the samples that a page lacks, encoded once for all pages that lack the same ones. */
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

  /** Catches errors: one thrown in a handler of a socket or timer would end the process. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch {
      this.#faults++;
    }
  }
}
