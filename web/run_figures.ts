/**
 * Figures that snapshots lack, counted from outcomes: endings and lengths of answers, rate and
 * latency of each teacher.
 *
 * @module
 */

import { createHistogram } from "node:perf_hooks";
import { type Ending, endingOfReason } from "../lib/answer.ts";
import type { Percentiles, TeacherStatus } from "../lib/progress/mod.ts";
import type { FailureType } from "../lib/errors.ts";
import type { Outcome } from "../lib/row.ts";
import type { Completion } from "../lib/teacher/mod.ts";
import { cut } from "../lib/printable.ts";
import { Latency } from "./latency.ts";
import type { AnswerFigures, TeacherFigures } from "./monitor_state.ts";

/**
 * Maximum number of finish reasons that are counted by name. Further reasons are counted as
 * "other".
 */
const MAX_REASONS = 8;

/** Longest finish reason that is shown, in UTF-16 units. */
const MAX_REASON = 40;

/** Endings that follow from the type of the failure, unless the finish reason means `context`. */
const ENDINGS_BY_FAILURE: Partial<Record<FailureType, Ending>> = {
  truncated: "limit",
  filtered: "filter",
};

/** Maximum length of an answer. A longer answer is recorded with this length. */
const MAX_LENGTH_TOKENS = 10_000_000;

const RATE_WINDOW_MS = 30_000;

/** Counts the outcomes of a run. Counting a row takes a few increments. */
export class RunFigures {
  readonly #now: () => number;
  readonly #reasons = new Map<string, number>();
  /**
   * Counts by address and model, because a teacher that leaves and joins again is another object.
   */
  readonly #teachers = new Map<string, TeacherCount>();
  /** Caches the keys of `#teachers`, to avoid making them for each row. */
  readonly #keys = new WeakMap<object, string>();
  readonly #endings: Partial<Record<Ending, number>> = {};
  /** Lengths are exact up to 2,000 tokens, and then to three digits. */
  readonly #lengths = createHistogram({ lowest: 1, highest: MAX_LENGTH_TOKENS, figures: 3 });
  #answered = 0;
  #completionTokens = 0;
  #reasoningTokens = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get teacherCount(): number {
    return this.#teachers.size;
  }

  add(outcomes: readonly Outcome[]): void {
    const nowMs = this.#now();
    for (const outcome of outcomes) {
      const { row, failure, completion, ending } = outcome;
      // `completion` may be the answer of an earlier run, which has counted it.
      const answer = completion === row.earlier?.rejected?.completion ? undefined : completion;
      this.#countTeacher(outcome, answer !== undefined, nowMs);
      if (answer === undefined) continue;
      const { finishReason } = answer;
      this.#countReason(finishReason);
      this.#countEnding(ending ?? endingByFailure(finishReason, failure?.type));
      if (failure !== undefined) continue;
      this.#answered++;
      this.#countTokens(answer.usage);
    }
  }

  answers(): AnswerFigures {
    const { limit = 0, context = 0 } = this.#endings;
    return {
      endings: { ...this.#endings },
      finish_reasons: [...this.#reasons].toSorted(([, a], [, b]) => b - a),
      answered: this.#answered,
      truncated: limit + context,
      completion_tokens: this.#completionTokens,
      reasoning_tokens: this.#reasoningTokens,
      length_tokens: this.#lengthPercentiles(),
    };
  }

  teachers(statuses: readonly TeacherStatus[]): TeacherFigures[] {
    const nowMs = this.#now();
    return statuses.map(({ address, model }) => {
      const count = this.#teachers.get(keyOf(address, model));
      if (count === undefined) return { rows_per_s: 0, p50_ms: null };
      return {
        rows_per_s: Number(count.rate(nowMs).toPrecision(3)),
        p50_ms: count.latency.window().p50,
      };
    });
  }

  #countReason(finishReason: string): void {
    const reason = cut(finishReason || "none", MAX_REASON);
    const hasOwnCount = this.#reasons.has(reason) || this.#reasons.size < MAX_REASONS;
    const name = hasOwnCount ? reason : "other";
    this.#reasons.set(name, (this.#reasons.get(name) ?? 0) + 1);
  }

  #countEnding(ending: Ending): void {
    this.#endings[ending] = (this.#endings[ending] ?? 0) + 1;
  }

  #countTokens(usage: Completion["usage"]): void {
    const tokens = usage?.completionTokens ?? 0;
    this.#completionTokens += tokens;
    this.#reasoningTokens += usage?.reasoningTokens ?? 0;
    // 0 means that the teacher reports no tokens.
    if (tokens >= 1) this.#lengths.record(Math.min(Math.round(tokens), MAX_LENGTH_TOKENS));
  }

  #lengthPercentiles(): Percentiles {
    const lengths = this.#lengths;
    if (lengths.count === 0) return { p50: 0, p90: 0, p99: 0, max: 0 };
    const [p50, p90, p99] = [50, 90, 99].map((share) => lengths.percentile(share));
    return { p50, p90, p99, max: lengths.max };
  }

  /**
   * Counts the row for its teacher, even if the row failed. Records the latency of answered rows
   * only.
   */
  #countTeacher({ teacher, latencyMs }: Outcome, isAnswered: boolean, nowMs: number): void {
    if (teacher === undefined) return;
    let key = this.#keys.get(teacher);
    if (key === undefined) {
      key = keyOf(teacher.address, teacher.model);
      this.#keys.set(teacher, key);
    }
    let count = this.#teachers.get(key);
    if (count === undefined) {
      this.#forgetIdle(nowMs);
      count = new TeacherCount(this.#now);
      this.#teachers.set(key, count);
    }
    count.addRow(nowMs);
    if (isAnswered) count.latency.add(latencyMs, nowMs);
  }

  /** Forgets teachers without rows for a minute: each takes 27 KB, and there may be any number. */
  #forgetIdle(nowMs: number): void {
    for (const [key, count] of this.#teachers) {
      if (nowMs - count.lastRowMs > 2 * RATE_WINDOW_MS) this.#teachers.delete(key);
    }
  }
}

function endingByFailure(finishReason: string, failure: FailureType | undefined): Ending {
  const ending = endingOfReason(finishReason);
  // A truncated answer ended at the token limit, unless the reason says that the context was full.
  if (ending === "context" || failure === undefined) return ending;
  return ENDINGS_BY_FAILURE[failure] ?? ending;
}

function keyOf(address = "", model = ""): string {
  return `${address}\n${model}`;
}

class TeacherCount {
  readonly latency: Latency;
  lastRowMs = 0;
  #rows = 0;
  /** Values of `#rows` over the last 30 s, at least 1 s apart. */
  readonly #readings: { ms: number; rows: number }[] = [];

  constructor(now: () => number) {
    this.latency = new Latency(now);
    this.#readings.push({ ms: now(), rows: 0 });
  }

  addRow(nowMs: number): void {
    this.#rows++;
    this.lastRowMs = nowMs;
    this.#takeReading(nowMs);
  }

  rate(nowMs: number): number {
    this.#takeReading(nowMs);
    const [first] = this.#readings;
    return nowMs > first.ms ? (this.#rows - first.rows) / (nowMs - first.ms) * 1_000 : 0;
  }

  #takeReading(nowMs: number): void {
    const readings = this.#readings;
    if (nowMs - readings.at(-1)!.ms < 1_000) return;
    readings.push({ ms: nowMs, rows: this.#rows });
    while (nowMs - readings[1].ms >= RATE_WINDOW_MS) readings.shift();
  }
}
