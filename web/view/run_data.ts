/**
 * The results of a run that is looked at while it continues: opened when the page over them is.
 *
 * @module
 */

import { UsageError } from "../../lib/errors.ts";
import type { DataService } from "../../lib/data/mod.ts";

/** What a run writes, and how the user starts the program. */
export interface RunDataOptions {
  /** The output of the run: a folder or a results file. */
  readonly paths: readonly string[];
  /** How the user starts the program, for commands. */
  readonly program: string;
}

/** A page that asks is open: it does so every two seconds. */
const OPEN_MS = 10_000;

/** The data of a run. */
export class RunData implements AsyncDisposable {
  readonly options: RunDataOptions;
  readonly #now: () => number;
  #service: Promise<DataService> | undefined;
  #askedMs = -Infinity;

  /** Nothing is read yet. */
  constructor(options: RunDataOptions, now: () => number) {
    this.options = options;
    this.#now = now;
  }

  /** Whether a page shows it. */
  get isWatched(): boolean {
    return this.#now() - this.#askedMs < OPEN_MS;
  }

  /** Opens it once; a run that has not made its output yet is tried again. */
  readonly open = async (): Promise<DataService> => {
    this.#askedMs = this.#now();
    const { DataService } = await import("../../lib/data/mod.ts");
    this.#service ??= DataService.open({ paths: this.options.paths });
    try {
      return await this.#service;
    } catch (error) {
      this.#service = undefined;
      throw error instanceof UsageError
        ? new UsageError("The run has not written anything yet", { cause: error })
        : error;
    }
  };

  async [Symbol.asyncDispose](): Promise<void> {
    const service = await this.#service?.catch(() => undefined);
    await service?.[Symbol.asyncDispose]();
  }
}
