/**
 * Follows a list of addresses and reports which join and leave. A list that is unreadable,
 * incomplete or empty changes nothing.
 *
 * @module
 */

import type { EndpointEntry, ListSource } from "./source.ts";
import { formatCountOf } from "../figures.ts";

export interface WatchOptions {
  /** Called with the entries that joined and left; one whose weight or limit changed does both.
   * Resolves to the entries that could not join: the next read reports them again. */
  readonly onChange: (
    joined: readonly EndpointEntry[],
    left: readonly EndpointEntry[],
  ) => Promise<readonly EndpointEntry[]>;
  /** Called with the reason once the list cannot be used, once for each reason, and when it can be
   * used again. */
  readonly onNotice: (level: "info" | "warning", message: string) => void;
  /** Calls back every `ms` until the returned function is called. @default setInterval */
  readonly every?: (ms: number, callback: () => Promise<void>) => () => void;
}

const LOOK_MS = 5_000;

export class EndpointWatch {
  readonly #source: ListSource;
  readonly #options: WatchOptions;
  #known: Map<string, EndpointEntry>;
  #problem: string | undefined;
  #isLooking = false;
  #stop: (() => void) | undefined;

  /**
   * Starts to read the list every 5 s.
   *
   * @param entries Those that the run started with.
   */
  constructor(source: ListSource, entries: readonly EndpointEntry[], options: WatchOptions) {
    this.#source = source;
    this.#options = options;
    this.#known = byKey(entries);
    this.#stop = (options.every ?? everyMs)(LOOK_MS, () => this.look());
  }

  /** Reads the list now, unless a read is in progress. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const { entries, isWhole } = await this.#source.read();
      if (this.#stop === undefined || !isWhole) return;
      if (this.#problem !== undefined) this.#say("info", "can be used again");
      this.#problem = undefined;
      await this.#take(entries);
    } catch (error) {
      const reason = (error as Error).message;
      if (this.#stop !== undefined && reason !== this.#problem) {
        this.#say("warning", `cannot be used: ${reason}. The teachers stay as they are`);
      }
      this.#problem = reason;
    } finally {
      this.#isLooking = false;
    }
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  async #take(entries: readonly EndpointEntry[]): Promise<void> {
    const now = byKey(entries);
    const added = [...now].filter(([key]) => !this.#known.has(key)).map(([, entry]) => entry);
    let left = [...this.#known].filter(([key]) => !now.has(key)).map(([, entry]) => entry);
    if (added.length + left.length === 0) return;
    const refused = new Set(await this.#options.onChange(added, left));
    if (this.#stop === undefined) return;
    for (const entry of refused) {
      now.delete(keyOf(entry));
      // The entry with the former weight or limit stays.
      const stays = left.find(({ url }) => url === entry.url);
      if (stays === undefined) continue;
      now.set(keyOf(stays), stays);
      left = left.filter((one) => one !== stays);
    }
    this.#known = now;
    const joined = added.filter((entry) => !refused.has(entry));
    const parts = [
      ...joined.length > 0 ? [`${named(joined)} joined`] : [],
      ...left.length > 0 ? [`${named(left)} left`] : [],
    ];
    if (parts.length === 0) return;
    this.#say("info", `${parts.join(", ")}; ${formatCountOf(now.size, "teacher")} now`);
  }

  #say(level: "info" | "warning", what: string): void {
    this.#options.onNotice(level, `The list ${this.#source.name}: ${what}`);
  }
}

function named(entries: readonly EndpointEntry[]): string {
  const shown = entries.slice(0, 3).map(({ url }) => url).join(", ");
  return entries.length > 3 ? `${shown} and ${entries.length - 3} more` : shown;
}

function byKey(entries: readonly EndpointEntry[]): Map<string, EndpointEntry> {
  return new Map(entries.map((entry) => [keyOf(entry), entry]));
}

function keyOf({ url, weight = 1, max }: EndpointEntry): string {
  return `${url} ${weight} ${max ?? ""}`;
}

function everyMs(ms: number, callback: () => Promise<void>): () => void {
  const timer = setInterval(callback, ms);
  return () => clearInterval(timer);
}
