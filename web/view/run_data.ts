/**
 * The data of an active run, opened when its data page is first requested.
 *
 * @module
 */

import type { DataService } from "../../lib/data/mod.ts";
import { UsageError } from "../../lib/errors.ts";

/** Options of a run's data page. */
export interface RunDataOptions {
  /** Output of the run: folders or results files. */
  readonly paths: readonly string[];
  /** How commands on the page call this program, such as `deno task distill`. */
  readonly program: string;
}

/**
 * Time for which a page counts as open after a request. Pages send one about every 2 s.
 */
const OPEN_MS = 10_000;

export class RunData implements AsyncDisposable {
  readonly options: RunDataOptions;
  readonly #now: () => number;
  #service: Promise<DataService> | undefined;
  #lastRequestMs = -Infinity;

  constructor(options: RunDataOptions, now: () => number) {
    this.options = options;
    this.#now = now;
  }

  get isWatched(): boolean {
    return this.#now() - this.#lastRequestMs < OPEN_MS;
  }

  /** Returns the same data at each call. Throws a `UsageError` until the run creates its output. */
  readonly open = async (): Promise<DataService> => {
    this.#lastRequestMs = this.#now();
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
