/**
 * Turns events into the return values of functions, with names in camelCase. Events themselves are
 * a wire format, in files, on standard output and in the page, and keep their names.
 *
 * @module
 */

import type { Summary } from "./events.ts";
import type { Snapshot } from "./snapshot.ts";

/** A name in camelCase: `costUsd` for `cost_usd`. */
export type CamelCase<Name> = Name extends `${infer Head}_${infer Next}${infer Rest}`
  ? `${Head}${Uppercase<Next>}${CamelCase<Rest>}`
  : Name;

/** An event with all its names in camelCase. The names of the event are deprecated and not enumerable. */
export type ResultOf<Event> = Event extends readonly (infer Item)[] ? ResultOf<Item>[]
  : Event extends object ?
      & { [Name in keyof Event as CamelCase<Name>]: ResultOf<Event[Name]> }
      & {
        readonly [
          /** @deprecated Use the name in camelCase. */
          Name in keyof Event as Name extends `${string}_${string}` ? Name : never
        ]: ResultOf<Event[Name]>;
      }
  : Event;

/**
 * The summary of a run: the fields of its last event (`Summary`) with names in camelCase, such as
 * `costUsd` and `failuresOnDisk`.
 */
export type RunSummary = ResultOf<Summary>;

/**
 * A run at one moment: the fields of the event `Snapshot` with names in camelCase, such as
 * `inFlight` and `etaS`.
 */
export type RunSnapshot = ResultOf<Snapshot>;

/** Fields whose keys are data: types of failures and actions. */
const RECORDS: ReadonlySet<string> = new Set(["wasted_by_reason", "actions"]);

const events = new WeakMap<object, unknown>();

/** Converts an event. The names of the event stay, not enumerable. */
export function resultOf(event: Summary): RunSummary;
export function resultOf(event: Snapshot): RunSnapshot;
export function resultOf(event: Summary | Snapshot): RunSummary | RunSnapshot {
  return renamed(event) as RunSummary | RunSnapshot;
}

/** The event of a converted value; any other value is returned. */
export function eventOf(result: Summary | RunSummary): Summary;
export function eventOf(result: Snapshot | RunSnapshot): Snapshot;
export function eventOf(result: Summary | RunSummary | Snapshot | RunSnapshot): unknown {
  return events.get(result) ?? result;
}

function renamed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(renamed);
  if (typeof value !== "object" || value === null) return value;
  const result: Record<string, unknown> = {};
  for (const [old, field] of Object.entries(value)) {
    const name = old.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    result[name] = RECORDS.has(old) ? field : renamed(field);
    if (name !== old) Object.defineProperty(result, old, { value: result[name] });
  }
  events.set(result, value);
  return result;
}
