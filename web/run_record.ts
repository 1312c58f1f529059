/** The monitor's record of a run, kept whether or not a page is open. @module */

import type { Notice, RunEvent, RunStart, Snapshot, Summary } from "../lib/progress/mod.ts";
import type { Outcome } from "../lib/row.ts";
import { cut } from "../lib/printable.ts";
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
import { Samples, shortenedToFit } from "./samples.ts";
import { wireSnapshot } from "./wire_snapshot.ts";

const MAX_NOTICES = 100;

/** Longest text of a notice, in UTF-16 units. */
const MAX_NOTICE = 1_000;

export interface RunRecordOptions {
  now: () => number;
  wallClock: () => number;
  random?: () => number;
  about?: (summary: Summary | null) => RunAbout;
}

/** The record of one generator's runs, in bounded memory. */
export class RunRecord {
  readonly history = new History();
  readonly samples: Samples;
  /** Whether a user requested a retry of failed rows at the end of the run. */
  retryWhenDone = false;
  readonly #wallClock: () => number;
  readonly #about: RunRecordOptions["about"];
  readonly #now: () => number;
  #latency: Latency;
  #figures: RunFigures;
  readonly #marks = new Marks();
  #notices: Notice[] = [];
  #run: RunStart | null = null;
  #snapshot: Snapshot | undefined;
  #summary: Summary | null = null;
  #ended = false;

  constructor(options: RunRecordOptions) {
    this.#wallClock = options.wallClock;
    this.#about = options.about;
    this.#now = options.now;
    this.samples = new Samples(options.random);
    this.#latency = new Latency(this.#now);
    this.#figures = new RunFigures(this.#now);
  }

  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get about(): RunAbout | null {
    return this.#about?.(this.#summary) ?? null;
  }

  get notices(): readonly Notice[] {
    return this.#notices;
  }

  get latency(): Latency {
    return this.#latency;
  }

  get answers(): AnswerFigures {
    return this.#figures.answers();
  }

  get teacherFigures(): TeacherFigures[] {
    return this.#figures.teachers(this.#snapshot?.teachers ?? []);
  }

  /** Records an event. Returns the marks that it adds to the charts. */
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

  addOutcomes(outcomes: readonly Outcome[]): void {
    this.samples.add(outcomes);
    this.#figures.add(outcomes);
    const answered = outcomes.filter(({ failure }) => failure === undefined);
    this.#latency.record(answered.map(({ latencyMs }) => latencyMs));
  }

  /** `summary` is null if an error ended the run. */
  end(summary: Summary | null): void {
    if (!this.#ended) this.#summary = summary;
    this.#ended = true;
  }

  /**
   * Adds the latest snapshot to the history.
   *
   * @param lagMs How late the monitor's last beat was; snapshots have only percentiles of such delays.
   */
  addPoint(lagMs: number): void {
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return;
    this.history.add({
      elapsedS: snapshot.elapsed_ms / 1000,
      succeeded: snapshot.succeeded,
      failed: snapshot.failed,
      completionTokens: snapshot.completion_tokens,
      throttled: snapshot.refused_for_load,
      ...this.#latency.window(),
      inFlight: snapshot.in_flight,
      limit: snapshot.limit,
      concurrency: snapshot.concurrency,
      cpuPercent: snapshot.cpu_percent,
      lagMs,
      rssBytes: snapshot.rss_bytes,
    });
  }

  /** Returns the state. Texts of samples are truncated for lists. */
  state(): MonitorState {
    const wire = this.#snapshot && wireSnapshot(this.#snapshot, this.teacherFigures);
    return {
      time: this.#wallClock(),
      run: this.#run,
      snapshot: wire?.snapshot ?? null,
      history: this.history.columns(),
      latency: this.#latency.histogram(),
      answers: this.answers,
      teacher_figures: wire?.teacher_figures ?? [],
      marks: this.#marks.all,
      samples: this.samples.since(),
      notices: this.#notices,
      retry_when_done: this.retryWhenDone,
      summary: this.#summary,
      ended: this.#ended,
      about: this.about,
    };
  }

  /** Returns the state. Texts of samples are truncated only if they exceed `maxBytes` together. */
  wholeState(maxBytes: number): MonitorState {
    return {
      ...this.state(),
      samples: shortenedToFit(this.samples.wholeSamples(), maxBytes),
    };
  }

  /** Position of the latest snapshot on the time axis of the charts. */
  get #axisS(): number {
    return this.history.axisS((this.#snapshot?.elapsed_ms ?? 0) / 1000);
  }

  #addNotice(notice: Notice): ChartMark[] {
    const short = { ...notice, message: cut(notice.message, MAX_NOTICE) };
    this.#notices = [...this.#notices, short].slice(-MAX_NOTICES);
    return this.#marks.observeNotice(short, this.#axisS);
  }

  /**
   * Begins a run. Figures of an earlier run are dropped, and so are its failed samples, because the
   * new run usually retries these rows. Charts, notices and sample answers stay.
   */
  #begin(event: RunStart): void {
    if (this.#run !== null) this.history.beginNextRun();
    this.#marks.restart();
    this.samples.forgetFailures();
    this.#latency = new Latency(this.#now);
    this.#figures = new RunFigures(this.#now);
    this.#run = event;
    this.#snapshot = undefined;
    this.#summary = null;
    this.#ended = false;
  }
}
