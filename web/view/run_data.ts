/**
 * The results of a run while it continues: opened together with the data page.
 *
 * @module
 */

import { UsageError } from "../../lib/errors.ts";
import type { DataService } from "../../lib/data/mod.ts";

/** The output of a run, and the command that starts the program. */
export interface RunDataOptions {
  /** The output of the run: a folder or a results file. */
  readonly paths: readonly string[];
  /** The command that starts the program. */
  readonly program: string;
}

/**
 * The time after its last request within which a page counts as open: it sends one every two
 * seconds.
 */
const OPEN_MS = 10_000;

/** The data of a run. */
export class RunData implements AsyncDisposable {
  readonly options: RunDataOptions;
  readonly #now: () => number;
  #service: Promise<DataService> | undefined;
  #askedMs = -Infinity;

  /** Reads nothing yet. */
  constructor(options: RunDataOptions, now: () => number) {
    this.options = options;
    this.#now = now;
  }

  /** Whether a page is open. */
  get isWatched(): boolean {
    return this.#now() - this.#askedMs < OPEN_MS;
  }

  /** Opens it once; retried where the run has not created its output yet. */
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
