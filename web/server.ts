/**
 * The web monitor: a page that shows a run and controls it. This module is loaded only if a monitor
 * is requested.
 *
 * @example
 * ```ts
 * import { openai, ResponseGenerator } from "../mod.ts";
 * import { serveMonitor } from "./server.ts";
 *
 * async function main(): Promise<void> {
 *   await using teacher = openai({ baseUrl: "http://127.0.0.1:8000/v1", model: "qwen3" });
 *   const generator = new ResponseGenerator({ teacher });
 *   await using monitor = serveMonitor(generator);
 *   console.log(monitor.url);
 *   await generator.run({ input: "prompts.jsonl", output: "out/" });
 * }
 * ```
 *
 * @module
 */

import { DataService } from "../lib/data/mod.ts";
import { UsageError } from "../lib/errors.ts";
import { exists } from "../lib/files.ts";
import type { Summary } from "../lib/progress/mod.ts";
import { callback, checkOptions, type OptionRules, record } from "../lib/options.ts";
import { delay } from "../lib/timer.ts";
import { createApp } from "./app.ts";
import { Hub, type MonitoredRun } from "./hub.ts";
import { PAGE_RULES, servePage } from "./listen.ts";
import type { MonitorState, RunAbout } from "./monitor_state.ts";
import { reportOf } from "./report.ts";

export { type FleetOptions, type ServedFleet, serveFolderMonitor } from "./fleet/server.ts";
export type { MonitoredRun, OutcomesListener } from "./hub.ts";
export type * from "./protocol.ts";

/** Options of `createMonitor`. */
export interface MonitorOptions {
  /**
   * Address to listen on. Unless it is a loopback address, the monitor can be reached from the
   * network. Only the token protects it, and the token is sent unencrypted.
   *
   * @default "127.0.0.1"
   */
  hostname?: string;
  /** Token that browsers must send: 32 or more characters of base64url. @default 192 random bits */
  token?: string;
  /** Returns the time of a monotonic clock, in milliseconds. @default performance.now */
  now?: () => number;
  /** Returns the time in Unix milliseconds. @default Date.now */
  wallClock?: () => number;
  /** Returns random numbers in [0, 1), for the choice of samples. @default Math.random */
  random?: () => number;
  /**
   * Describes the run on the page and in the report. The summary is null before the run has ended.
   * @default no description
   */
  about?: (summary: Summary | null) => RunAbout;
  /** Output of the run. With it, the page has a link to the data page. @default no data page */
  data?: RunDataOptions;
  /**
   * Calls `callback` every `intervalMs` until the returned function is called. @default setInterval
   */
  every?: (intervalMs: number, callback: () => void) => () => void;
}

/** Options of a run's data page. */
export interface RunDataOptions {
  /** Output of the run: folders or results files. */
  readonly paths: readonly string[];
  /** How commands on the page call this program, such as `deno task distill`. */
  readonly program: string;
}

/** The app of a page. It answers requests without a socket. */
export interface MonitorApp {
  /** Answers a request to a path or an address. */
  request(input: string | URL | Request, init?: RequestInit): Response | Promise<Response>;
  /** Answers a request that a server has received. */
  fetch(request: Request): Response | Promise<Response>;
}

/** A monitor: its record of the run, and the app that shows it. */
export interface Monitor extends Disposable {
  /** The app of the page. `app.request()` needs no socket. */
  readonly app: MonitorApp;
  /** Token for browsers (`?token=…`) and for scrapers of `/metrics` (`Authorization: Bearer …`). */
  readonly token: string;
  /**
   * Name of the cookie that holds the token in a browser. It is unique, because all ports of a host
   * share their cookies, and two runs may be open in one browser.
   */
  readonly cookieName: string;
  /**
   * Whether a user has asked to retry the failed rows once the run is done. The code that starts
   * the retry sets it to false.
   */
  retryWhenDone: boolean;
  /**
   * Whether a page shows the run: it sent something in the last 3 minutes, or left in the last 10 s
   * and may be reloading. The data page is considered open for 10 s after each request.
   */
  readonly isWatched: boolean;
  /** Returns the recorded state of the run. */
  state(): MonitorState;
  /** Renders the run as one HTML file that needs no server. */
  report(): string;
  /** Notifies pages that the run has ended, and keeps them open. */
  finish(): void;
  /**
   * Closes the pages and stops listening to the run. If no run is active, pages are notified that
   * the run has ended.
   */
  close(): void;
}

/** Options of `serveMonitor`. */
export interface ServeMonitorOptions extends MonitorOptions {
  /** Port from 0 to 65,535; 0 for any free one. @default 0 */
  port?: number;
}

/** A served monitor. Dispose of it, or call `close()`. */
export interface ServedMonitor extends AsyncDisposable {
  /** Address to open in a browser: `http://127.0.0.1:PORT/?token=…`. */
  readonly url: string;
  /** Port that the server listens on. */
  readonly port: number;
  /** The record and the app of the served monitor. */
  readonly monitor: Monitor;
  /**
   * Gives pages 100 ms to receive the last messages, then closes their sockets and the port. If no
   * run is active, pages are notified that the run has ended. A page that has stopped reading keeps
   * the runtime alive until its connection ends.
   */
  close(): Promise<void>;
}

const RULES: OptionRules<ServeMonitorOptions> = {
  ...PAGE_RULES,
  now: callback,
  wallClock: callback,
  random: callback,
  about: callback,
  data: record,
  every: callback,
};

/** Time for pages to receive the last messages, and for requests to be answered. */
const CLOSING_MS = 100;

/**
 * Creates a monitor of a generator. It shows all runs from this moment on, until `close()`.
 *
 * @throws {TypeError | RangeError} if an option is unknown, of a wrong type or out of range
 */
export function createMonitor(generator: MonitoredRun, options: MonitorOptions = {}): Monitor {
  checkOptions(options, RULES);
  if (typeof generator?.snapshot !== "function") {
    throw new TypeError("Cannot monitor this value: it must be a ResponseGenerator");
  }
  const hub = new Hub(generator, options);
  const data = options.data && new RunData(options.data, options.now ?? (() => performance.now()));
  const close = () => {
    hub.close();
    void data?.[Symbol.asyncDispose]();
  };
  const { hostname, token } = options;
  return {
    ...createApp({ run: generator, hub, hostname, token, data }),
    get retryWhenDone() {
      return hub.retryWhenDone;
    },
    set retryWhenDone(value) {
      hub.retryWhenDone = value;
    },
    get isWatched() {
      return hub.isWatched || data?.isWatched === true;
    },
    state: () => hub.record.state(),
    finish: () => hub.finish(),
    report: () => reportOf(hub),
    close,
    [Symbol.dispose]: close,
  };
}

/**
 * Creates a monitor and serves it. Without `data`, needs only `--allow-net`.
 *
 * @throws {TypeError | RangeError} if an option is unknown, of a wrong type or out of range
 * @throws {UsageError} if the address cannot be used
 */
export function serveMonitor(
  generator: MonitoredRun,
  options: ServeMonitorOptions = {},
): ServedMonitor {
  const monitor = createMonitor(generator, options);
  const page = serveOrClose(monitor, options);
  const close = async () => {
    monitor.close();
    await delay(CLOSING_MS);
    await page[Symbol.asyncDispose]();
  };
  let closed: Promise<void> | undefined;
  const closeOnce = () => closed ??= close();
  const { url, port } = page;
  return { url, port, monitor, close: closeOnce, [Symbol.asyncDispose]: closeOnce };
}

/** Closes the monitor if the port cannot be opened, so that it stops listening to the run. */
function serveOrClose(monitor: Monitor, { hostname, port }: ServeMonitorOptions) {
  try {
    // The page alone must not keep the process of a finished run alive.
    const options = { hostname, port, served: "the monitor", keepsAlive: false };
    return servePage(monitor, options);
  } catch (error) {
    monitor.close();
    throw error;
  }
}

/**
 * Time after a request for which the data page counts as open. An open page sends a request about
 * every 2 s.
 */
const DATA_PAGE_OPEN_MS = 10_000;

class RunData implements AsyncDisposable {
  readonly program: string;
  readonly #paths: readonly string[];
  readonly #now: () => number;
  #service: Promise<DataService> | undefined;
  #lastRequestMs = -Infinity;

  constructor({ paths, program }: RunDataOptions, now: () => number) {
    this.program = program;
    this.#paths = paths;
    this.#now = now;
  }

  get isWatched(): boolean {
    return this.#now() - this.#lastRequestMs < DATA_PAGE_OPEN_MS;
  }

  /** Opens the data at the first call, and returns the same service from then on. Throws a
   * `UsageError` until the run creates its output. */
  readonly open = async (): Promise<DataService> => {
    this.#lastRequestMs = this.#now();
    const paths = this.#paths;
    this.#service ??= DataService.open({ paths });
    try {
      return await this.#service;
    } catch (error) {
      this.#service = undefined;
      if ((await Promise.all(paths.map(exists))).every(Boolean)) throw error;
      throw new UsageError("The run has not written anything yet", { cause: error });
    }
  };

  async [Symbol.asyncDispose](): Promise<void> {
    const service = await this.#service?.catch(() => undefined);
    await service?.[Symbol.asyncDispose]();
  }
}
