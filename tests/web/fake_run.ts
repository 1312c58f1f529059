/**
 * A run that the test controls, and the socket of a page.
 *
 * @module
 */

import { UsageError } from "../../lib/errors.ts";
import type { RunEvent, Snapshot } from "../../lib/progress/events.ts";
import type { RunListener } from "../../lib/progress/progress_options.ts";
import { makeOutcome } from "../progress/fixtures.ts";
import type { Outcome } from "../../lib/row.ts";
import type { MonitoredRun, OutcomesListener } from "../../web/hub.ts";
import type { PageSocket } from "../../web/page_link.ts";
import type { ServerMessage } from "../../web/protocol.ts";

/** A budget that the run rejects. */
export const UNPRICED_USD = 404;

/** Records calls, and sends the events of the test. */
export class FakeRun implements MonitoredRun {
  /** Every call, as `name(argument)`. */
  readonly calls: string[] = [];
  readonly #listeners = new Set<RunListener>();
  readonly #outcomes = new Set<OutcomesListener>();
  /** The result of `snapshot()`. */
  now: Snapshot | undefined;

  /** Number of listeners. */
  get followers(): number {
    return this.#listeners.size + this.#outcomes.size;
  }

  on(listener: RunListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onOutcomes(listener: OutcomesListener): () => void {
    this.#outcomes.add(listener);
    return () => this.#outcomes.delete(listener);
  }

  snapshot(): Snapshot | undefined {
    return this.now;
  }

  pause(): void {
    this.calls.push("pause()");
  }

  resume(): void {
    this.calls.push("resume()");
  }

  setConcurrency(concurrency: number): void {
    if (concurrency > 100_000) throw new RangeError(`Cannot use concurrency ${concurrency}`);
    this.calls.push(`setConcurrency(${concurrency})`);
  }

  setMaxCost(usd: number | null): void {
    if (usd === UNPRICED_USD) throw new UsageError("Cannot limit the run to it: no price is known");
    this.calls.push(`setMaxCost(${usd})`);
  }

  stop(): void {
    this.calls.push("stop()");
  }

  abort(): void {
    this.calls.push("abort()");
  }

  notice(level: "info" | "warning", message: string): void {
    this.emit({ type: "notice", time: new Date(0).toISOString(), level, message });
  }

  emit(event: RunEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Sends finished rows to all listeners. */
  settle(outcomes: readonly Outcome[]): void {
    for (const listener of this.#outcomes) listener(outcomes);
  }
}

/** A page's socket that records everything. */
export class FakeSocket implements PageSocket {
  readyState = 1;
  bufferedAmount = 0;
  /** Messages that were sent, as text. */
  readonly texts: string[] = [];
  /** Close code; undefined while the socket is open. */
  closedWith: number | undefined;

  send(text: string): void {
    this.texts.push(text);
  }

  close(code: number): void {
    this.closedWith ??= code;
    this.readyState = 3;
  }

  /** Messages that were sent, parsed. */
  get messages(): ServerMessage[] {
    return this.texts.map((text) => JSON.parse(text));
  }

  /** Returns the types of the messages since the last call. */
  taken(): string[] {
    const types = this.messages.map(({ type }) => type);
    this.texts.length = 0;
    return types;
  }
}

/** Makes a finished row with a distinct prompt and answer. */
export function makeAnswer(uid: string, parts: Partial<Outcome> = {}): Outcome {
  const { row, completion, ...rest } = makeOutcome(0);
  return {
    ...rest,
    row: { ...row, uid, messages: [{ role: "user", content: `prompt of ${uid}` }] },
    completion: completion && { ...completion, response: `answer to ${uid}` },
    ...parts,
  };
}
