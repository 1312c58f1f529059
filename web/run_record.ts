/**
 * The monitor's record of a run, kept whether or not a page is open.
 *
 * @module
 */

import type { Notice, RunEvent, RunStart, Snapshot, Summary } from "../lib/progress/mod.ts";
import type { Outcome } from "../lib/row.ts";
import { cut } from "./cut.ts";
import { History } from "./history.ts";
import { Latency } from "./latency.ts";
import { Marks } from "./marks.ts";
import type {
  AnswerFigures,
  ChartMark,
  MonitorState,
  RunAbout,
  TeacherFigures,
} from "./monitor_state.ts";
import { RunFigures } from "./run_figures.ts";
import { fitted, Samples } from "./samples.ts";
import { wireSnapshot } from "./wire_snapshot.ts";

/** The maximum number of notices. */
const MAX_NOTICES = 100;

/** The maximum length of a notice, in UTF-16 units. */
const MAX_NOTICE = 1_000;

/** The options of a record. */
export interface RunRecordOptions {
  /** Milliseconds of a monotonic clock. */
  now: () => number;
  /** Unix milliseconds. */
  wallClock: () => number;
  /** Numbers in [0, 1). */
  random: () => number;
  /**
   * Describes the run; it is called without a summary until the run has ended. @default no
   * description
   */
  about?: (summary: Summary | null) => RunAbout;
}

/** Collects the events and outcomes of one generator in bounded memory. */
export class RunRecord {
  readonly #wallClock: () => number;
  readonly #about: RunRecordOptions["about"];
  readonly #history = new History();
  readonly #samples: Samples;
  readonly #now: () => number;
  #latency: Latency;
  #figures: RunFigures;
  readonly #marks = new Marks();
  #notices: Notice[] = [];
  #run: RunStart | null = null;
  #snapshot: Snapshot | undefined;
  #summary: Summary | null = null;
  #ended = false;

  /** Creates an empty record. */
  constructor(options: RunRecordOptions) {
    this.#wallClock = options.wallClock;
    this.#about = options.about;
    this.#now = options.now;
    this.#samples = new Samples(options.random);
    this.#latency = new Latency(this.#now);
    this.#figures = new RunFigures(this.#now);
  }

  /** The latest snapshot, whole. */
  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** How the run began. */
  get run(): RunStart | null {
    return this.#run;
  }

  /** How it ended. */
  get summary(): Summary | null {
    return this.#summary;
  }

  /** Whether it has ended. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The description of the run, and the commands that follow. */
  get about(): RunAbout | null {
    return this.#about?.(this.#summary) ?? null;
  }

  /** The notices, oldest first. */
  get notices(): readonly Notice[] {
    return this.#notices;
  }

  /** The charts' points. */
  get history(): History {
    return this.#history;
  }

  /** How long rows took. */
  get latency(): Latency {
    return this.#latency;
  }

  /** Answers and failures to look at. */
  get samples(): Samples {
    return this.#samples;
  }

  /** How answers ended, and how long they are. */
  get answers(): AnswerFigures {
    return this.#figures.answers();
  }

  /** The figures of each teacher. */
  get teacherFigures(): TeacherFigures[] {
    return this.#figures.teachers(this.#snapshot?.teachers ?? []);
  }

  /** Takes an event; returns the marks that it adds to the charts. */
  add(event: RunEvent): ChartMark[] {
    if (event.type === "snapshot") {
      this.#snapshot = event;
      return this.#marks.observe(event, this.#axisS);
    }
    if (event.type === "notice") return this.#addNotice(event);
    if (event.type === "run-start") this.#begin(event);
    else this.end(event);
    return [];
  }

  /** Takes rows that have finished. */
  addOutcomes(outcomes: readonly Outcome[]): void {
    this.#samples.add(outcomes);
    this.#figures.add(outcomes);
    const answered = outcomes.filter(({ failure }) => failure === undefined);
    this.#latency.record(answered.map(({ latencyMs }) => latencyMs));
  }

  /** The run has ended; without a summary where an error ended it. */
  end(summary: Summary | null): void {
    if (!this.#ended) this.#summary = summary;
    this.#ended = true;
  }

  /** Adds a point to the history: the latest snapshot, with the monitor's own measurements. */
  addPoint(lagMs: number): void {
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return;
    this.#history.add({
      elapsedS: snapshot.elapsed_ms / 1000,
      succeeded: snapshot.succeeded,
      failed: snapshot.failed,
      completionTokens: snapshot.completion_tokens,
      refusedForLoad: snapshot.refused_for_load,
      ...this.#latency.window(),
      inFlight: snapshot.in_flight,
      limit: snapshot.limit,
      concurrency: snapshot.concurrency,
      cpuPercent: snapshot.cpu_percent,
      lagMs,
      rssBytes: snapshot.rss_bytes,
    });
  }

  /** The whole state, for a page or a report. */
  state(retryWhenDone: boolean): MonitorState {
    return {
      time: this.#wallClock(),
      run: this.#run,
      snapshot: this.#snapshot === undefined ? null : wireSnapshot(this.#snapshot),
      history: this.#history.columns(),
      latency: this.#latency.histogram(),
      answers: this.answers,
      teacher_figures: this.teacherFigures,
      marks: this.#marks.all,
      samples: this.#samples.since(),
      notices: this.#notices,
      retry_when_done: retryWhenDone,
      summary: this.#summary,
      ended: this.#ended,
      about: this.about,
    };
  }

  /** The same with whole texts, as far as they fit. */
  wholeState(retryWhenDone: boolean, maxBytes: number): MonitorState {
    return {
      ...this.state(retryWhenDone),
      samples: fitted(this.#samples.wholes(), maxBytes),
    };
  }

  /** Where the run is on the time axis of its charts. */
  get #axisS(): number {
    return this.#history.axisS((this.#snapshot?.elapsed_ms ?? 0) / 1000);
  }

  #addNotice(notice: Notice): ChartMark[] {
    const short = { ...notice, message: cut(notice.message, MAX_NOTICE) };
    this.#notices = [...this.#notices, short].slice(-MAX_NOTICES);
    return this.#marks.notice(short, this.#axisS);
  }

  /**
   * One generator may run again, for the failed rows. Then all figures are those of the new run;
   * charts and events continue, and sample answers are of both, since all of them were kept.
   */
  #begin(event: RunStart): void {
    if (this.#run !== null) this.#history.continue();
    this.#marks.restart();
    this.#samples.forgetFailures();
    this.#latency = new Latency(this.#now);
    this.#figures = new RunFigures(this.#now);
    this.#run = event;
    this.#snapshot = undefined;
    this.#summary = null;
    this.#ended = false;
  }
}
