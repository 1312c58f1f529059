/**
 * Tells users how long no teacher has answered.
 *
 * @module
 */

import { formatDuration } from "../figures.ts";
import type { Failure } from "../row.ts";

const MIN_SHOWN_MS = 60_000;

/** Time without an answer until the first notice. Each further notice is due after twice the
 * time. */
const FIRST_NOTICE_MS = 5 * 60_000;

/** Measures how long no teacher has answered. A run waits for the end of any outage or daily quota,
 * so the user gets a notice of a long wait. */
export class Silence {
  readonly #now: () => number;
  /** The time of the first failure since the last answer. */
  #since: number | undefined;
  #isQuota = false;
  #noticeMs = FIRST_NOTICE_MS;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** For example `quota, no answer for 12 min`; "" below `MIN_SHOWN_MS`. */
  get text(): string {
    if (this.#ms < MIN_SHOWN_MS) return "";
    return `${this.#isQuota ? "quota, " : ""}no answer for ${this.#duration}`;
  }

  get isNoticeDue(): boolean {
    return this.#ms >= this.#noticeMs;
  }

  reset(): void {
    this.#since = undefined;
  }

  failed({ type }: Failure): void {
    if (this.#since === undefined) this.#noticeMs = FIRST_NOTICE_MS;
    this.#since ??= this.#now();
    this.#isQuota = type === "rate_limit";
  }

  /** Returns the notice, and doubles the time after which the next one is due. */
  notice(reason: string): string {
    while (this.isNoticeDue) this.#noticeMs *= 2;
    const why = this.#isQuota
      ? "A quota of a day or a month may be used up"
      : "The teacher may be down for longer";
    return `No answer for ${this.#duration} (${reason}). ${why}. The run keeps trying and ` +
      "continues once there is an answer. Ctrl-C stops it, and the same command continues later; " +
      "--deadline ends a run by itself";
  }

  get #ms(): number {
    return this.#since === undefined ? 0 : this.#now() - this.#since;
  }

  get #duration(): string {
    const minutes = Math.floor(this.#ms / 60_000);
    return minutes < 60 ? `${minutes} min` : formatDuration(minutes * 60_000);
  }
}
