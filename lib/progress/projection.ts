/**
 * Projects the end of a run and its cost.
 *
 * Short rows finish first, so the mean of the finished rows is too small: with answers of 1 s and
 * of 20 min, the first minutes show only the short ones. Two figures avoid this bias:
 *
 * - **The cohorts.** Rows are grouped by the order in which they were sent (`sequence`). Once every
 *   row of the first cohorts has finished, their mean is unbiased. Cohorts after the first
 *   unfinished cohort are left out, because cohorts without a long row finish first.
 * - **The floor.** The busy time of all lanes, divided by the rows sent. Rows in flight count with
 *   their time so far, so the floor can only be too small, and grows while a long row is in flight.
 *   Busy time is the number of attempts in flight, integrated over time, so that no row needs a
 *   clock.
 *
 * Until the finished cohorts make up half of the rows sent, the projection is a lower bound: unsent
 * rows × floor / lanes or, if that is later, rows left / rate. The rate is needed because a teacher
 * that throttles leaves lanes idle. From then on, the end is the later of two:
 *
 * - Rows in the queue × mean / lanes, and then the last wave, until the longest of the rows in
 *   flight is done. A row in flight is more likely a long one, so the mean time left is
 *   E[x²] / (2 E[x]) (renewal theory). The longest of k rows takes H(k) times as long (k-th
 *   harmonic number, for an exponential tail), but not longer than the longest row so far.
 * - Rows left / rate. The rate is raised by one standard deviation of its count, so that noise does
 *   not move the projection. The rate of the last 30 s shows whether lanes are idle because rows
 *   wait, and whether a teacher has become slower. With fewer than 20 rows in 30 s, the rate of the
 *   run so far is used. Early in a run, no rate is used, because rows in flight are not counted
 *   yet.
 *
 * With `--rpm` and `--tpm`, lanes are idle from the start, and the rate shows it only after half a
 * minute. So unsent rows take at least as long as these limits require.
 *
 * The projection is a lower bound again if nothing has finished for longer than a mean row takes:
 * then only long rows are left, and the time left is at least the time since the last row finished.
 *
 * Cost has the same bias, since long answers cost more, and the same remedy: the amount spent, plus
 * the rows left at the mean of the finished cohorts. Until these cohorts make up half of the rows
 * sent, the projected cost is a lower bound: the amount spent, plus unsent rows at the mean per row
 * sent.
 *
 * @module
 */

/** Rows per lane in a cohort: few enough to finish soon after the first rows. */
const ROWS_PER_LANE = 4;
/** With fewer rows, the mean of a cohort is too uncertain. */
const MIN_COHORT_ROWS = 50;
/** With more rows, the first cohort finishes too late if there are many lanes. */
const MAX_COHORT_ROWS = 2000;

/** Rows in 30 s below which the rate of the whole run is used. */
const MIN_RATE_ROWS = 20;

/** The rate is used only after this time. */
const MIN_RATE_MS = 30_000;
/** The rate is used only after this multiple of the mean time of a row. */
const MIN_RATE_WAVES = 10;
/** The Euler–Mascheroni constant: the n-th harmonic number is about ln(n) plus this. */
const EULER_GAMMA = 0.5772;

interface Cohort {
  settled: number;
  busyMs: number;
  /** Sum of the squared busy times of the rows, for the mean time left of a row in flight. */
  squaredMs: number;
  /** The number of rows whose cost is known. */
  priced: number;
  costUsd: number;
  squaredUsd: number;
}

export interface RunPosition {
  /** The rows to send, including finished rows. */
  readonly rows: number;
  readonly concurrency: number;
  /** Attempts per second that the user allows; Infinity without limits, 0 while a shard does not
   * know its share of them. */
  readonly maxPerSecond: number;
  /** Rows that finished in the last 30 s; `recentRate` is their number per second. */
  readonly recentRows: number;
  readonly recentRate: number;
  /** Time since the first row could be sent, without pauses and the time when the disk was full. */
  readonly elapsedMs: number;
  /** The lowest and the highest rate relative to the mean. */
  readonly spread: readonly [slow: number, fast: number];
}

export interface Estimate {
  /** The estimated value; null while unknown. */
  readonly value: number | null;
  readonly isLowerBound: boolean;
  readonly range: readonly [min: number, max: number];
}

const UNKNOWN: Estimate = { value: null, isLowerBound: true, range: [0, 0] };

const MIN_COST_ERROR = 0.02;

export class Projection {
  readonly #cohortRows: number;
  /** Cohorts from the first unfinished one on, by index. They are not part of `#finished` yet. */
  readonly #openCohorts = new Map<number, Cohort>();
  /** The number of finished cohorts before the first unfinished one. */
  #finishedCohorts = 0;
  /** The sum of the finished cohorts. */
  readonly #finished = newCohort();
  #longestMs = 0;
  #settled = 0;
  #settledBusyMs = 0;
  /** Rows that were sent at least once. */
  #sent = 0;
  /** The busy time of all lanes. */
  #busyMs = 0;
  #observedMs = 0;
  #observedInFlight = 0;
  #observedSettled = 0;
  #lastSettledMs = 0;

  constructor(concurrency: number, rows: number | null, nowMs: number) {
    const usualRows = Math.max(MIN_COHORT_ROWS, ROWS_PER_LANE * concurrency);
    const maxRows = rows === null ? MAX_COHORT_ROWS : Math.max(1, Math.ceil(rows / 2));
    this.#cohortRows = Math.min(usualRows, MAX_COHORT_ROWS, maxRows);
    this.#observedMs = this.#lastSettledMs = nowMs;
  }

  /**
   * @param costUsd Null if unknown: the projection then assumes the mean cost of the other rows.
   */
  settled(sequence: number, busyMs: number, costUsd: number | null): void {
    const cohort = this.#cohortAt(Math.floor(sequence / this.#cohortRows));
    cohort.settled++;
    cohort.busyMs += busyMs;
    cohort.squaredMs += busyMs * busyMs;
    if (costUsd !== null) {
      cohort.priced++;
      cohort.costUsd += costUsd;
      cohort.squaredUsd += costUsd * costUsd;
    }
    if (busyMs > this.#longestMs) this.#longestMs = busyMs;
    this.#settled++;
    this.#settledBusyMs += busyMs;
    if (sequence >= this.#sent) this.#sent = sequence + 1;
    if (cohort.settled === this.#cohortRows) this.#closeCohorts();
  }

  observe(nowMs: number, inFlight: number, waiting: number): void {
    const meanInFlight = (inFlight + this.#observedInFlight) / 2;
    this.#busyMs += meanInFlight * (nowMs - this.#observedMs);
    // Samples may miss short attempts. The busy time of finished rows includes them.
    this.#busyMs = Math.max(this.#busyMs, this.#settledBusyMs);
    this.#sent = Math.max(this.#sent, this.#settled + inFlight + waiting);
    if (this.#settled > this.#observedSettled) this.#lastSettledMs = nowMs;
    // While nothing is in flight (a pause, a backoff), nothing can finish.
    else if (inFlight === 0) this.#lastSettledMs += nowMs - this.#observedMs;
    this.#observedMs = nowMs;
    this.#observedInFlight = inFlight;
    this.#observedSettled = this.#settled;
  }

  /** Projects the seconds until the end. */
  project(position: RunPosition): Estimate {
    const rowsLeft = position.rows - this.#settled;
    if (rowsLeft <= 0) return { value: 0, isLowerBound: false, range: [0, 0] };
    if (this.#sent === 0) return UNKNOWN;
    const lanes = Math.max(1, position.concurrency);
    const floorMs = this.#busyMs / this.#sent;
    const unsentRows = Math.max(0, position.rows - this.#sent);
    const { maxPerSecond, spread: [slow, fast] } = position;
    const minMs = maxPerSecond > 0 ? unsentRows / maxPerSecond * 1000 : 0;
    const estimateOf = (leftMs: number, isLowerBound: boolean): Estimate => {
      const value = leftMs / 1000;
      return { value, isLowerBound, range: [Math.max(minMs / 1000, value / fast), value / slow] };
    };
    const { settled: finishedRows, busyMs: finishedMs } = this.#finished;
    if (finishedRows * 2 < this.#sent) {
      const leftMs = unsentRows * floorMs / lanes;
      // With a teacher that throttles, not all lanes can be busy.
      const boundMs = Math.max(minMs, this.#correctByRate(leftMs, floorMs, position));
      return leftMs > 0 ? estimateOf(boundMs, true) : UNKNOWN;
    }
    const meanMs = Math.max(floorMs, finishedMs / finishedRows);
    const queued = Math.max(0, rowsLeft - this.#observedInFlight);
    const byLanesMs = queued * meanMs / lanes + this.#lastWaveMs(Math.min(rowsLeft, lanes));
    const quietMs = this.#observedMs - this.#lastSettledMs;
    const isQuiet = quietMs > meanMs;
    const leftMs = Math.max(
      this.#correctByRate(byLanesMs, meanMs, position),
      minMs > 0 ? minMs + meanMs : 0,
      isQuiet ? quietMs : 0,
    );
    return estimateOf(leftMs, isQuiet);
  }

  /** Projects the cost of the complete run in US dollars. The range is two standard errors of the
   * mean, times the rows left, but at least `MIN_COST_ERROR` of the cost of these rows.
   *
   * @param spentUsd The cost so far; the projected cost includes it. */
  projectCost(rows: number, spentUsd: number): Estimate {
    const rowsLeft = rows - this.#settled;
    if (rowsLeft <= 0) {
      return { value: spentUsd, isLowerBound: false, range: [spentUsd, spentUsd] };
    }
    if (this.#sent === 0) return UNKNOWN;
    const floorUsd = spentUsd / this.#sent;
    const finished = this.#finished;
    if (finished.settled * 2 < this.#sent) {
      if (spentUsd === 0) return UNKNOWN;
      const value = spentUsd + Math.max(0, rows - this.#sent) * floorUsd;
      return { value, isLowerBound: true, range: [value, value] };
    }
    const priced = Math.max(1, finished.priced);
    const finishedUsd = finished.costUsd / priced;
    const leftUsd = rowsLeft * Math.max(floorUsd, finishedUsd);
    const variance = Math.max(0, finished.squaredUsd / priced - finishedUsd ** 2);
    const errorUsd = Math.max(
      leftUsd * MIN_COST_ERROR,
      rowsLeft * 2 * Math.sqrt(variance / priced),
    );
    const value = spentUsd + leftUsd;
    const range = [Math.max(spentUsd, value - errorUsd), value + errorUsd] as const;
    return { value, isLowerBound: false, range };
  }

  /** Returns the expected time until the longest of `rows` rows in flight is done. */
  #lastWaveMs(rows: number): number {
    const { busyMs, squaredMs } = this.#finished;
    if (busyMs === 0) return 0;
    const residualMs = squaredMs / (2 * busyMs);
    const harmonic = Math.log(rows) + EULER_GAMMA + 1 / (2 * rows);
    return Math.min(this.#longestMs, residualMs * harmonic);
  }

  /** Returns the later of two ends: the one that the lanes predict, and the one that the rate
   * predicts, if there is a rate. */
  #correctByRate(byLanesMs: number, meanMs: number, position: RunPosition): number {
    const { rows, recentRows, recentRate, elapsedMs } = position;
    if (elapsedMs < Math.max(MIN_RATE_MS, MIN_RATE_WAVES * meanMs)) return byLanesMs;
    if (this.#settled === 0) return byLanesMs;
    const isRecent = recentRows >= MIN_RATE_ROWS;
    const countedRows = isRecent ? recentRows : this.#settled;
    const msPerRow = isRecent ? 1000 / recentRate : elapsedMs / this.#settled;
    const byRateMs = (rows - this.#settled) * msPerRow;
    // A count of n rows varies by √n: only a rate that is slower by more delays the end.
    const deviation = 1 + 1 / Math.sqrt(countedRows);
    return Math.max(byLanesMs, byRateMs / deviation);
  }

  #cohortAt(index: number): Cohort {
    let cohort = this.#openCohorts.get(index);
    if (cohort === undefined) {
      cohort = newCohort();
      this.#openCohorts.set(index, cohort);
    }
    return cohort;
  }

  #closeCohorts(): void {
    let cohort = this.#openCohorts.get(this.#finishedCohorts);
    while (cohort !== undefined && cohort.settled === this.#cohortRows) {
      const finished = this.#finished;
      for (const name of Object.keys(finished) as (keyof Cohort)[]) finished[name] += cohort[name];
      this.#openCohorts.delete(this.#finishedCohorts++);
      cohort = this.#openCohorts.get(this.#finishedCohorts);
    }
  }
}

function newCohort(): Cohort {
  return { settled: 0, busyMs: 0, squaredMs: 0, priced: 0, costUsd: 0, squaredUsd: 0 };
}
