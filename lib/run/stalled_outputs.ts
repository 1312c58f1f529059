/**
 * Outputs whose disk is full: while there are any, nothing is sent.
 *
 * @module
 */

import type { Engine } from "../engine/mod.ts";
import type { SinkError } from "../errors.ts";
import type { RunNotices } from "./context.ts";
import type { Job } from "./job.ts";

/** The stalled outputs of one run. Answers to their calls in flight are kept in memory. */
export class StalledOutputs {
  readonly #notices: RunNotices;
  readonly #engine: () => Pick<Engine, "closeGate" | "openGate"> | undefined;
  readonly #stalled = new Map<number, Pick<Job, "abandon">>();
  #hasGivenUp = false;

  /** No output is stalled yet. */
  constructor(
    notices: RunNotices,
    engine: () => Pick<Engine, "closeGate" | "openGate"> | undefined,
  ) {
    this.#notices = notices;
    this.#engine = engine;
  }

  /** Whether this output waits for its disk. */
  has(index: number): boolean {
    return this.#stalled.has(index);
  }

  /** The disk of an output is full. A full disk stops many outputs, but is reported once. */
  add(index: number, job: Pick<Job, "abandon">, error: SinkError): void {
    if (this.#stalled.size === 0) {
      this.#notices.add("warning", `${error.message}; nothing more is sent meanwhile`);
    }
    this.#stalled.set(index, job);
    this.#engine()?.closeGate(`disk ${index}`);
    if (this.#hasGivenUp) this.giveUp();
  }

  /** The disk takes the lines of an output again. */
  remove(index: number): void {
    this.#stalled.delete(index);
    if (this.#stalled.size === 0) {
      this.#notices.add("info", "The disk takes lines again: continuing");
    }
    this.#engine()?.openGate(`disk ${index}`);
  }

  /** From now on the run ends instead of waiting for a full disk. */
  giveUp(): void {
    this.#hasGivenUp = true;
    for (const job of this.#stalled.values()) job.abandon();
  }
}
