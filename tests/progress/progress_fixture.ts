/**
 * A `Progress` with a clock that a test moves, and its events.
 *
 * @module
 */

import type { RunEvent, Snapshot } from "../../lib/progress/events.ts";
import {
  type Gauges,
  Listeners,
  type ProcessMeter,
  type TeacherStatus,
} from "../../lib/progress/progress_options.ts";
import { Progress } from "../../lib/progress/progress.ts";
import { makeGauges, makeOutcome, makeTeacher, ManualClock } from "./fixtures.ts";

/** When the clock starts, as Unix time in milliseconds. */
export const START = 1_700_000_000_000;

/** A fake run with a real `Progress`. */
export class Bench {
  readonly clock = new ManualClock();
  /** Snapshots received since `listen()`. */
  readonly snapshots: Snapshot[] = [];
  readonly gauges: { -readonly [Name in keyof Gauges]: Gauges[Name] } = makeGauges({
    teachers: () => {
      this.teacherReads++;
      return this.teachers;
    },
  });
  teachers: TeacherStatus[] = [makeTeacher()];
  /** How often the gauges were read. */
  gaugeReads = 0;
  /** How often the teachers were read. */
  teacherReads = 0;
  readonly meter: ProcessMeter = {
    start: () => {},
    read: () => ({ cpuPercent: 12, rssBytes: 34 }),
    cpuSeconds: () => 5.6,
    peakRssBytes: 78,
  };
  readonly listeners = new Listeners<RunEvent>();
  readonly progress: Progress;
  #sequence = 0;

  /** Creates a `Progress` with 20 lanes and the given options. */
  constructor(
    options: { concurrency?: number; updateInterval?: number; isExploring?: boolean } = {},
  ) {
    const { clock, gauges, listeners, meter } = this;
    this.progress = new Progress({
      concurrency: 20,
      now: clock.now,
      every: clock.every,
      wallClock: () => START + clock.nowMs,
      gauges: () => {
        this.gaugeReads++;
        return gauges;
      },
      listeners,
      meter,
      ...options,
    });
  }

  listen(): void {
    this.listeners.add((event) => {
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
