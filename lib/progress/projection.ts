/**
 * When a run will be done.
 *
 * The rows that finish first are the short ones, so the mean of what has finished is too small: with
 * answers of 1 s and of 20 min, the first minutes show the former only. Two figures do not have this
 * fault:
 *
 * - **The cohorts.** Rows are put into cohorts by the order in which they were sent (`sequence`), whatever
 *   their length. Once every row of the first cohorts has finished, their mean is a fair one. Only an
 *   unbroken line of finished cohorts counts: those without a long row finish first, so "any that have
 *   finished" would have the same fault again.
 * - **The floor.** All the time that lanes have been busy, over all rows that were sent. What is still
 *   under way counts with the time that it has had, so this can only be too small, and it grows while
 *   a long row goes on. It needs no clock per row: the time of the lanes is the sum of the attempts in
 *   flight over time.
 *
 * Until the finished cohorts make up half of what was sent, the projection is a lower bound: the rows
 * that were not sent yet, at the floor, over the lanes. From then on it is the later of two:
 *
 * - rows left × mean / lanes. A row under way counts as a whole one: long rows are met under way more
 *   often than short ones, and for lengths spread like those of answers (exponential or wider) what is
 *   left of them is about a mean row.
 * - rows left / rate. The rate of the last 30 s sees what the mean does not: lanes that stand empty
 *   because rows wait, a teacher that has become slower. It is too noisy below 20 rows; then the rate of
 *   the whole run stands in.
 *
 * It is a lower bound again once all rows were sent, or when nothing has finished for longer than a mean
 * row takes: what is left then are the long ones, and the time that they have taken is the best guess of
 * what they will take.
 *
 * @module
 */

/** Cohorts that hold four rows of each lane are over soon after the first rows are. */
const ROWS_PER_LANE = 4;
const LEAST_COHORT_ROWS = 50;
const MOST_COHORT_ROWS = 2000;

/** One over the square root of this is how far off a rate of so few rows may well be: 22 %. */
const LEAST_RATE_ROWS = 20;

interface Cohort {
  settled: number;
  busyMs: number;
}

/** How far the run is, at the moment of the question. */
export interface RunPosition {
  /** Rows that this run has to do, all together. */
  readonly rows: number;
  /** The target number of lanes. */
  readonly concurrency: number;
  /** Rows finished in the last 30 s. */
  readonly recentRows: number;
  /** Rows per second over the last 30 s. */
  readonly recentRate: number;
  /** Milliseconds since the first row could be sent, pauses not counted. */
  readonly elapsedMs: number;
}

/** A projected duration. */
export interface ProjectedTime {
  /** Seconds until the end, or null while nothing is known. */
  readonly seconds: number | null;
  /** Whether it will take at least so long, and probably longer. */
  readonly isLowerBound: boolean;
}

const UNKNOWN: ProjectedTime = { seconds: null, isLowerBound: true };

/** Collects how long rows take, and projects from it. */
export class Projection {
  readonly #cohortRows: number;
  /** Cohorts not all finished; each has a row under way or waiting, so they are few. */
  readonly #open = new Map<number, Cohort>();
  #lastIndex = -1;
  #lastCohort: Cohort = { settled: 0, busyMs: 0 };
  /** The unbroken line of finished cohorts. */
  #finishedCohorts = 0;
  #finishedBusyMs = 0;
  #settled = 0;
  #settledBusyMs = 0;
  #sent = 0;
  #laneMs = 0;
  #observedMs = 0;
  #observedInFlight = 0;
  #observedSettled = 0;
  #lastSettledMs = 0;

  /**
   * @param concurrency The number of lanes at the start.
   * @param rows The rows to do, where they are known; a small run has smaller cohorts.
   * @param nowMs When the first row can be sent.
   */
  constructor(concurrency: number, rows: number | null, nowMs: number) {
    const usual = Math.max(LEAST_COHORT_ROWS, ROWS_PER_LANE * concurrency);
    const most = rows === null ? MOST_COHORT_ROWS : Math.max(1, Math.ceil(rows / 2));
    this.#cohortRows = Math.min(usual, MOST_COHORT_ROWS, most);
    this.#observedMs = this.#lastSettledMs = nowMs;
  }

  /** A row has finished. */
  settled(sequence: number, busyMs: number): void {
    const index = Math.floor(sequence / this.#cohortRows);
    const cohort = index === this.#lastIndex ? this.#lastCohort : this.#find(index);
    cohort.settled++;
    cohort.busyMs += busyMs;
    this.#settled++;
    this.#settledBusyMs += busyMs;
    if (sequence >= this.#sent) this.#sent = sequence + 1;
    if (cohort.settled === this.#cohortRows && index === this.#finishedCohorts) {
      this.#closeCohorts();
    }
  }

  /** What is under way now; asked a few times a second. */
  observe(nowMs: number, inFlight: number, waiting: number): void {
    const lanes = (inFlight + this.#observedInFlight) / 2;
    this.#laneMs += lanes * (nowMs - this.#observedMs);
    // Where the samples missed short attempts, the finished rows know better.
    this.#laneMs = Math.max(this.#laneMs, this.#settledBusyMs);
    this.#sent = Math.max(this.#sent, this.#settled + inFlight + waiting);
    if (this.#settled > this.#observedSettled) this.#lastSettledMs = nowMs;
    // While nothing is under way (a pause, a backoff) it is no wonder that nothing finishes.
    else if (inFlight === 0) this.#lastSettledMs += nowMs - this.#observedMs;
    this.#observedMs = nowMs;
    this.#observedInFlight = inFlight;
    this.#observedSettled = this.#settled;
  }

  /** The time that is left, as of the last `observe`. */
  project(position: RunPosition): ProjectedTime {
    const rowsLeft = position.rows - this.#settled;
    if (rowsLeft <= 0) return { seconds: 0, isLowerBound: false };
    if (this.#sent === 0) return UNKNOWN;
    const lanes = Math.max(1, position.concurrency);
    const notSent = Math.max(0, position.rows - this.#sent);
    const floorMs = this.#laneMs / this.#sent;
    const finishedRows = this.#finishedCohorts * this.#cohortRows;
    if (finishedRows * 2 < this.#sent) {
      const leftMs = notSent * floorMs / lanes;
      return leftMs > 0 ? { seconds: leftMs / 1000, isLowerBound: true } : UNKNOWN;
    }
    const meanMs = Math.max(floorMs, this.#finishedBusyMs / finishedRows);
    const quietMs = this.#observedMs - this.#lastSettledMs;
    const isQuiet = quietMs > meanMs;
    const byLanesMs = meanMs * Math.max(1, rowsLeft / lanes);
    const leftMs = Math.max(byLanesMs, this.#byRateMs(rowsLeft, position), isQuiet ? quietMs : 0);
    return { seconds: leftMs / 1000, isLowerBound: notSent === 0 || isQuiet };
  }

  #byRateMs(rowsLeft: number, position: RunPosition): number {
    const { recentRows, recentRate, elapsedMs } = position;
    if (recentRows >= LEAST_RATE_ROWS) return rowsLeft / recentRate * 1000;
    return this.#settled > 0 ? rowsLeft * elapsedMs / this.#settled : 0;
  }

  #find(index: number): Cohort {
    let cohort = this.#open.get(index);
    if (cohort === undefined) {
      cohort = { settled: 0, busyMs: 0 };
      this.#open.set(index, cohort);
    }
    this.#lastIndex = index;
    this.#lastCohort = cohort;
    return cohort;
  }

  #closeCohorts(): void {
    let cohort = this.#open.get(this.#finishedCohorts);
    while (cohort !== undefined && cohort.settled === this.#cohortRows) {
      this.#finishedBusyMs += cohort.busyMs;
      this.#open.delete(this.#finishedCohorts++);
      cohort = this.#open.get(this.#finishedCohorts);
    }
  }
}
