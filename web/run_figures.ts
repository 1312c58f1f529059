/**
 * Figures from outcomes that a snapshot does not have: how answers ended, and the rate and
 * latency of each teacher.
 *
 * @module
 */

import type { TeacherStatus } from "../lib/progress/mod.ts";
import type { Outcome } from "../lib/row.ts";
import { Latency } from "./latency.ts";
import type { AnswerFigures, TeacherFigures } from "./monitor_state.ts";

/** The maximum number of finish reasons, more than providers have; the rest counts as "other". */
const MAX_REASONS = 8;

/** The finish reasons of an answer that reached its token limit. */
const CUT_OFF = new Set([
  "length",
  "max_tokens",
  "MAX_TOKENS",
  "max_output_tokens",
  "model_length",
]);

/** The window of rates. */
const RATE_MS = 30_000;

/** Counts finished rows, at a cost of a few increments each. */
export class RunFigures {
  readonly #now: () => number;
  readonly #reasons = new Map<string, number>();
  readonly #teachers = new Map<unknown, TeacherCount>();
  #answered = 0;
  #truncated = 0;
  #completionTokens = 0;
  #reasoningTokens = 0;

  /** `now`: milliseconds of a monotonic clock. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes rows that have finished. */
  add(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      const { failure, completion } = outcome;
      this.#countTeacher(outcome);
      if (completion === undefined) continue;
      this.#countReason(completion.finishReason || "none", failure?.type === "truncated");
      if (failure !== undefined) continue;
      this.#answered++;
      this.#completionTokens += completion.usage?.completionTokens ?? 0;
      this.#reasoningTokens += completion.usage?.reasoningTokens ?? 0;
    }
  }

  /** How answers have ended so far. */
  answers(): AnswerFigures {
    return {
      finish_reasons: [...this.#reasons].toSorted(([, a], [, b]) => b - a),
      answered: this.#answered,
      truncated: this.#truncated,
      completion_tokens: this.#completionTokens,
      reasoning_tokens: this.#reasoningTokens,
    };
  }

  /**
   * The figures of these teachers, in their order. To be called a few times a second: rates are
   * measured between calls.
   */
  teachers(all: readonly TeacherStatus[]): TeacherFigures[] {
    const nowMs = this.#now();
    const counts = [...this.#teachers.values()];
    return all.map(({ address, model }) => {
      const count = counts.find((one) => one.address === address && one.model === model);
      if (count === undefined) return { rows_per_s: 0, p50_ms: null };
      return {
        rows_per_s: Number(count.rate(nowMs).toPrecision(3)),
        p50_ms: count.latency.window().p50,
      };
    });
  }

  #countReason(reason: string, isTruncated: boolean): void {
    const isKnown = this.#reasons.has(reason) || this.#reasons.size < MAX_REASONS;
    const name = isKnown ? reason.slice(0, 40) : "other";
    this.#reasons.set(name, (this.#reasons.get(name) ?? 0) + 1);
    if (isTruncated || CUT_OFF.has(reason)) this.#truncated++;
  }

  /** A row that failed is finished, too; its latency counts if it was answered. */
  #countTeacher({ teacher, completion, latencyMs }: Outcome): void {
    if (teacher === undefined) return;
    let count = this.#teachers.get(teacher);
    if (count === undefined) {
      count = new TeacherCount(teacher.address ?? "", teacher.model ?? "", this.#now);
      this.#teachers.set(teacher, count);
    }
    count.rows++;
    if (completion !== undefined) count.latency.add(latencyMs);
  }
}

/** The counts of one teacher. */
class TeacherCount {
  readonly latency: Latency;
  rows = 0;
  /** Looks at `rows` over the last 30 s. */
  readonly #looks: { ms: number; rows: number }[] = [];

  constructor(readonly address: string, readonly model: string, now: () => number) {
    this.latency = new Latency(now);
    this.#looks.push({ ms: now(), rows: 0 });
  }

  rate(nowMs: number): number {
    while (this.#looks.length > 1 && nowMs - this.#looks[1].ms >= RATE_MS) this.#looks.shift();
    const [first] = this.#looks;
    if (nowMs - this.#looks.at(-1)!.ms >= 1_000) this.#looks.push({ ms: nowMs, rows: this.rows });
    return nowMs > first.ms ? (this.rows - first.rows) / (nowMs - first.ms) * 1_000 : 0;
  }
}
