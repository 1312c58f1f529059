/**
 * Events on the time axis of the charts: pauses, failed writes, bursts of throttled attempts,
 * teachers that went down, were halted or came back, and used controls.
 *
 * @module
 */

import type { Notice, Snapshot } from "../lib/progress/mod.ts";
import { cut } from "../lib/printable.ts";
import type { ChartMark } from "./monitor_state.ts";

const MAX_MARKS = 60;

/** Longest text of a mark, in UTF-16 units. */
const MAX_TEXT = 80;

/** Throttled attempts between two snapshots that count as a burst. */
const BURST = 5;

/**
 * An event adds no mark if the same thing happened to the same teacher this recently: a teacher may
 * go up and down often.
 */
const QUIET_S = 30;

/** A pause this soon after a control is probably its effect, and adds no mark. */
const CONTROL_EFFECT_S = 5;

const FROM_MONITOR = / \(from the monitor\)$/;

export class Marks {
  #marks: ChartMark[] = [];
  #previous: Snapshot | undefined;
  /** When each event last happened, by kind and teacher, in seconds on the time axis. */
  readonly #lastS = new Map<string, number>();

  get all(): readonly ChartMark[] {
    return this.#marks;
  }

  /**
   * Adds marks of what has changed since the previous snapshot, and returns them.
   *
   * @param atS position of the snapshot on the time axis, in seconds
   */
  observe(snapshot: Snapshot, atS: number): ChartMark[] {
    const previous = this.#previous;
    this.#previous = snapshot;
    if (previous === undefined) return [];
    const marks: ChartMark[] = [];
    const add = (kind: ChartMark["kind"], key: string, text: string) => {
      if (atS - (this.#lastS.get(key) ?? -Infinity) >= QUIET_S) {
        marks.push({ at_s: atS, kind, text });
      }
      this.#lastS.set(key, atS);
      // Otherwise keys would accumulate in a run of days, whose teachers come and go.
      for (const [old, lastS] of this.#lastS) if (atS - lastS >= QUIET_S) this.#lastS.delete(old);
    };
    if (snapshot.state !== previous.state) {
      if (snapshot.state === "paused" && !this.#followsControl(atS)) {
        add("hold", "paused", "Paused");
      }
      if (snapshot.state === "disk_full") add("hold", "disk", "Cannot write");
    }
    if (snapshot.refused_for_load - previous.refused_for_load >= BURST) {
      add("throttled", "429", "Throttled");
    }
    const oldStates = new Map(
      previous.teachers.map(({ address, model, state }) => [`${address} ${model}`, state]),
    );
    for (const { address, model, state } of snapshot.teachers) {
      const oldState = oldStates.get(`${address} ${model}`);
      if (oldState === undefined || oldState === state) continue;
      const isLost = state === "down" || state === "halted";
      // A teacher that cools down has answered again. One that is leaving may still be down.
      const isBack = oldState === "down" && (state === "up" || state === "cooling_down");
      if (isLost) add("down", `${address} ${model}`, `${hostOf(address)} ${state}`);
      else if (isBack) add("up", `${address} ${model} up`, `${hostOf(address)} up`);
    }
    return this.#record(marks);
  }

  /** Adds a mark if the notice is of a used control (see `useControl`). */
  observeNotice({ message }: Notice, atS: number): ChartMark[] {
    if (!FROM_MONITOR.test(message)) return [];
    return this.#record([{ at_s: atS, kind: "control", text: message.replace(FROM_MONITOR, "") }]);
  }

  /** Prepares for the next run, whose counters start at 0. */
  restart(): void {
    this.#previous = undefined;
  }

  #followsControl(atS: number): boolean {
    const last = this.#marks.at(-1);
    return last?.kind === "control" && atS - last.at_s < CONTROL_EFFECT_S;
  }

  #record(marks: readonly ChartMark[]): ChartMark[] {
    const short = marks.map((mark) => ({
      ...mark,
      at_s: Math.round(mark.at_s * 10) / 10,
      text: cut(mark.text, MAX_TEXT),
    }));
    this.#marks = [...this.#marks, ...short].slice(-MAX_MARKS);
    return short;
  }
}

function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : address;
}
