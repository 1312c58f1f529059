/**
 * How a limit comes back after it was cut: gently near the size at which it was refused, quickly
 * when nothing refuses it there.
 *
 * The curve is that of CUBIC (RFC 9438, section 4.2) with the time back to the old size fixed:
 * `W(t) = from + (from − to) · ((t − K) / K)³`. A limit of 10 and one of 1,000 are back after the
 * same time, and one that was cut by 15 % is four times its old size after 56 s.
 *
 * @module
 */

/** How long it takes to come back to the size before the cut, in ms: K of the formula. */
export const RECOVERY_MS = 15_000;

/** The size that something which was cut may have by now. It has no unit and no clock of its own:
 * times are ms of whatever clock the caller goes by. */
export class CubicGrowth {
  #cutAt = 0;
  #from = Infinity;
  #to = Infinity;

  /** Starts anew at `to`; `from` is the size that was too much, and more than `to`. */
  cut(now: number, to: number, from: number): void {
    this.#cutAt = now;
    this.#to = to;
    this.#from = from;
  }

  /** The size at a time. Before the first cut there is no bound: Infinity. */
  at(now: number): number {
    if (this.#from === Infinity) return Infinity;
    const distance = (now - this.#cutAt - RECOVERY_MS) / RECOVERY_MS;
    return this.#from + (this.#from - this.#to) * distance ** 3;
  }
}
