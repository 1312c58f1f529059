/**
 * How many tokens a second came lately, from what the snapshots say.
 *
 * @module
 */

const WINDOW_MS = 30_000;

/** Snapshots come ten times a second at most; more than one sample in so long adds nothing. */
const LEAST_SAMPLE_INTERVAL_MS = 500;

interface Sample {
  readonly elapsedMs: number;
  readonly tokens: number;
}

/** Completion tokens per second over the last 30 s, from at most 60 samples. */
export class TokenRate {
  #samples: Sample[] = [{ elapsedMs: 0, tokens: 0 }];
  #perSecond = 0;

  /** The rate as of the last snapshot. */
  get perSecond(): number {
    return this.#perSecond;
  }

  /** Takes what a snapshot says. */
  add(elapsedMs: number, tokens: number): void {
    const samples = this.#samples;
    while (samples.length > 1 && samples[1].elapsedMs <= elapsedMs - WINDOW_MS) samples.shift();
    const spanMs = elapsedMs - samples[0].elapsedMs;
    this.#perSecond = spanMs > 0 ? (tokens - samples[0].tokens) / spanMs * 1000 : 0;
    if (elapsedMs - samples[samples.length - 1].elapsedMs >= LEAST_SAMPLE_INTERVAL_MS) {
      samples.push({ elapsedMs, tokens });
    }
  }
}
