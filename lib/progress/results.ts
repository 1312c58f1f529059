/**
 * Turns events into what `run()` and `snapshot()` return, with names in camelCase. Everywhere else,
 * events keep their snake_case names.
 *
 * @module
 */

import type { Snapshot, Summary } from "./events.ts";

/** Turns a name such as `cost_usd` into `costUsd`. */
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

/** The event `Summary` with camelCase names, such as `costUsd` and `failuresOnDisk`. */
export type RunSummary = ResultOf<Summary>;

/** The event `Snapshot` with camelCase names, such as `inFlight` and `etaS`. */
export type RunSnapshot = ResultOf<Snapshot>;

/** Fields whose keys are data, not names: failure types and actions. */
const RECORDS: ReadonlySet<string> = new Set(["wasted_by_reason", "actions"]);

/** The event from which each result was made. */
const events = new WeakMap<object, unknown>();

/** The event with camelCase names; {@linkcode eventOf} gives the event back. */
export function resultOf(event: Summary): RunSummary;
export function resultOf(event: Snapshot): RunSnapshot;
export function resultOf(event: Summary | Snapshot): RunSummary | RunSnapshot {
  return withCamelNames(event) as RunSummary | RunSnapshot;
}

/** Returns the event of a result; any other value as it is. */
export function eventOf(result: Summary | RunSummary): Summary;
export function eventOf(result: Snapshot | RunSnapshot): Snapshot;
export function eventOf(result: Summary | RunSummary | Snapshot | RunSnapshot): unknown {
  return events.get(result) ?? result;
}

function withCamelNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withCamelNames);
  if (typeof value !== "object" || value === null) return value;
  const result: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    const camelName = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    result[camelName] = RECORDS.has(name) ? field : withCamelNames(field);
    if (camelName !== name) Object.defineProperty(result, name, { value: result[camelName] });
  }
  events.set(result, value);
  return result;
}
