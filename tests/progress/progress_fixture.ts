/**
 * A `Progress` on a clock that a test moves, and what it says.
 *
 * @module
 */

import type { Snapshot, TeacherStatus } from "../../lib/progress/events.ts";
import type { ProcessMeter } from "../../lib/progress/progress_options.ts";
import { type Gauges, Progress } from "../../lib/progress/progress.ts";
import { makeGauges, makeOutcome, makeTeacher, ManualClock } from "./fixtures.ts";

/** When the clock starts: Unix milliseconds. */
export const START = 1_700_000_000_000;

/** A run of which nothing is real but its progress. */
export class Bench {
  /** Its time. */
  readonly clock = new ManualClock();
  /** What `listen` heard. */
  readonly snapshots: Snapshot[] = [];
  /** What the engine is doing. */
  readonly gauges: { -readonly [Name in keyof Gauges]: Gauges[Name] } = makeGauges({
    teachers: () => {
      this.teacherReads++;
      return this.teachers;
    },
  });
  /** Its teachers. */
  teachers: TeacherStatus[] = [makeTeacher()];
  /** How often the gauges were read. */
  gaugeReads = 0;
  /** How often the teachers were asked for. */
  teacherReads = 0;
  /** What the process costs. */
  readonly meter: ProcessMeter = {
    start: () => {},
    read: () => ({ cpuPercent: 12, rssBytes: 34 }),
    cpuSeconds: () => 5.6,
    peakRssBytes: 78,
  };
  /** What is tested. */
  readonly progress: Progress;
  #sequence = 0;

  /** Makes it with 20 lanes, or as `options` say. */
  constructor(
    options: { concurrency?: number; updateInterval?: number; isExploring?: boolean } = {},
  ) {
    const { clock, gauges, meter } = this;
    this.progress = new Progress({
      concurrency: 20,
      now: clock.now,
      every: clock.every,
      wallClock: () => START + clock.nowMs,
      gauges: () => {
        this.gaugeReads++;
        return gauges;
      },
      meter,
      ...options,
    });
  }

  /** Takes down every snapshot. */
  listen(): void {
    this.progress.on((event) => {
      if (event.type === "snapshot") this.snapshots.push(event);
    });
  }

  /** Finishes the next `count` rows in the order of sending. */
  settle(count: number, changes = {}): void {
    this.progress.settled(
      Array.from({ length: count }, () => makeOutcome(this.#sequence++, changes)),
    );
  }
}
