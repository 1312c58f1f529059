/** Follows a list of addresses and reports the addresses that join and leave. An unreadable,
 * incomplete or empty list changes nothing. @module */

import type { EndpointEntry, ListSource } from "./source.ts";
import { formatCountOf } from "../figures.js";
import { redactAddress } from "../teacher/mod.ts";
import { every } from "../timer.ts";

export interface ListChange {
  readonly joined: readonly EndpointEntry[];
  readonly left: readonly EndpointEntry[];
  readonly changed: readonly EndpointEntry[];
}

export interface WatchOptions {
  /** Resolves to the entries that could not join. The next read of the list reports them again. */
  readonly onChange: (change: ListChange) => Promise<readonly EndpointEntry[]>;
  /** Called when teachers have joined, left or changed, when the list cannot be used for a new
   * reason, and when it can be used again. */
  readonly onNotice: (level: "info" | "warning", message: string) => void;
  /** Sets a repeating timer. @default `every` of `lib/timer.ts` */
  readonly every?: typeof every;
}

const READ_INTERVAL_MS = 5_000;

export class EndpointWatch {
  readonly #source: ListSource;
  readonly #options: WatchOptions;
  #entries: Map<string, EndpointEntry>;
  #problem: string | undefined;
  #isReading = false;
  #stop: (() => void) | undefined;

  constructor(source: ListSource, entries: readonly EndpointEntry[], options: WatchOptions) {
    this.#source = source;
    this.#options = options;
    this.#entries = byUrl(entries);
    const setTimer = options.every ?? every;
    // A run without teachers has no sockets that keep the process alive.
    this.#stop = setTimer(READ_INTERVAL_MS, () => this.readNow(), { keepsAlive: true });
  }

  async readNow(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      const { entries, isWhole } = await this.#source.read();
      if (this.#stop === undefined || !isWhole) return;
      const news = await this.#apply(entries);
      if (this.#stop === undefined) return;
      // This comes after `#apply`: if that failed at every read, this notice and the warning would
      // alternate.
      if (this.#problem !== undefined) this.#notify("info", " can be used again");
      this.#problem = undefined;
      if (news !== undefined) this.#notify("info", news);
    } catch (error) {
      const reason = (error as Error).message;
      if (this.#stop !== undefined && reason !== this.#problem) {
        this.#notify("warning", ` cannot be used: ${reason}. The teachers stay the same`);
      }
      this.#problem = reason;
    } finally {
      this.#isReading = false;
    }
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  /** Returns the end of a notice that says what has changed; undefined if nothing has changed. */
  async #apply(entries: readonly EndpointEntry[]): Promise<string | undefined> {
    const current = byUrl(entries), before = this.#entries;
    const added = entries.filter(({ url }) => !before.has(url));
    const left = [...before.values()].filter(({ url }) => !current.has(url));
    const changed = entries.filter(({ url, weight, max }) => {
      const previous = before.get(url);
      return previous !== undefined && (weight !== previous.weight || max !== previous.max);
    });
    if (added.length + left.length + changed.length === 0) return;
    const notJoined = new Set(await this.#options.onChange({ joined: added, left, changed }));
    if (this.#stop === undefined) return;
    for (const { url } of notJoined) current.delete(url);
    this.#entries = current;
    const joined = added.filter((entry) => !notJoined.has(entry));
    const parts = [
      ...joined.length > 0 ? [`${formatUrls(joined)} joined`] : [],
      ...left.length > 0 ? [`${formatUrls(left)} left`] : [],
      ...changed.length > 0 ? [`the weight or max of ${formatUrls(changed)} changed`] : [],
    ];
    if (parts.length === 0) return;
    return `: ${parts.join(", ")}; ${formatCountOf(current.size, "teacher")} now`;
  }

  #notify(level: "info" | "warning", what: string): void {
    this.#options.onNotice(level, `The list ${this.#source.name}${what}`);
  }
}

function formatUrls(entries: readonly EndpointEntry[]): string {
  const shown = entries.slice(0, 3).map(({ url }) => redactAddress(url)).join(", ");
  return entries.length > 3 ? `${shown} and ${entries.length - 3} more` : shown;
}

function byUrl(entries: readonly EndpointEntry[]): Map<string, EndpointEntry> {
  return new Map(entries.map((entry) => [entry.url, entry]));
}
