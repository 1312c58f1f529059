/**
 * Turns events into return values of functions, with names in camelCase. Events are a wire format,
 * in files, on standard output and in the page, and keep their names.
 *
 * @module
 */

import type { Summary } from "./events.ts";
import type { Snapshot } from "./snapshot.ts";

/** A snake_case name in camelCase: `costUsd` for `cost_usd`. */
export type CamelCase<Name> = Name extends `${infer Head}_${infer Next}${infer Rest}`
  ? `${Head}${Uppercase<Next>}${CamelCase<Rest>}`
  : Name;

/** An event with camelCase names. Its snake_case names are deprecated and not enumerable. */
export type ResultOf<Event> = Event extends readonly (infer Item)[] ? ResultOf<Item>[]
  : Event extends object ?
      & { [Name in keyof Event as CamelCase<Name>]: ResultOf<Event[Name]> }
      & {
        readonly [
          /** @deprecated Use the camelCase name. */
          Name in keyof Event as Name extends `${string}_${string}` ? Name : never
        ]: ResultOf<Event[Name]>;
      }
  : Event;

/** The summary of a run: the event `Summary` with camelCase names, such as `costUsd` and
 * `failuresOnDisk`. */
export type RunSummary = ResultOf<Summary>;

/**
 * A run at one moment: the event `Snapshot` with camelCase names, such as `inFlight` and `etaS`.
 */
export type RunSnapshot = ResultOf<Snapshot>;

/** Fields whose keys are data, not names: failure types and actions. */
const RECORDS: ReadonlySet<string> = new Set(["wasted_by_reason", "actions"]);

/** The events of results, for `eventOf`. */
const events = new WeakMap<object, unknown>();

/** Converts an event. Its snake_case names stay as properties that are not enumerable. */
export function resultOf(event: Summary): RunSummary;
export function resultOf(event: Snapshot): RunSnapshot;
export function resultOf(event: Summary | Snapshot): RunSummary | RunSnapshot {
  return renamed(event) as RunSummary | RunSnapshot;
}

/** The event from which `resultOf` made a value; any other value is returned itself. */
export function eventOf(result: Summary | RunSummary): Summary;
export function eventOf(result: Snapshot | RunSnapshot): Snapshot;
export function eventOf(result: Summary | RunSummary | Snapshot | RunSnapshot): unknown {
  return events.get(result) ?? result;
}

function renamed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(renamed);
  if (typeof value !== "object" || value === null) return value;
  const result: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    const camelName = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    result[camelName] = RECORDS.has(name) ? field : renamed(field);
    if (camelName !== name) Object.defineProperty(result, name, { value: result[camelName] });
  }
  events.set(result, value);
  return result;
}
