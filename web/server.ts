/**
 * The web monitor: one page that shows a run and steers it. Only those who ask for it load this module.
 *
 * @example
 * ```ts
 * import { openai, ResponseGenerator } from "../mod.ts";
 * import { serveMonitor } from "./server.ts";
 *
 * async function distil(): Promise<void> {
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

import type { Summary } from "../lib/progress/mod.ts";
import { UsageError } from "../lib/errors.ts";
import { every } from "../lib/timer.ts";
import { bracketed, createToken } from "./access.ts";
import { createApp } from "./app.ts";
import { Hub } from "./hub.ts";
import type { MonitoredRun } from "./monitored_run.ts";
import type { MonitorState, RunAbout } from "./protocol.ts";
import { RunData, type RunDataOptions } from "./view/run_data.ts";
import { reportOf } from "./report.ts";

export { type FleetOptions, type ServedFleet, serveFolderMonitor } from "./fleet/server.ts";
export type { RunDataOptions } from "./view/run_data.ts";
export type { MonitoredRun, OutcomesListener } from "./monitored_run.ts";
export type * from "./protocol.ts";

/** How a monitor works. */
export interface MonitorOptions {
  /**
   * The address to listen on. What is not a loopback address lets everyone in the network try; the token
   * is all that keeps them out, and it goes over the wire as it is.
   *
   * @default "127.0.0.1"
   */
  hostname?: string;
  /** Lets a browser in: 32 characters of base64url. @default a new one of 192 random bits */
  token?: string;
  /** Milliseconds of a clock that never goes back. @default performance.now */
  now?: () => number;
  /** Unix milliseconds. @default Date.now */
  wallClock?: () => number;
  /** Numbers in [0, 1), for the choice of samples. @default Math.random */
  random?: () => number;
  /** Describes the run on the page and in the report; without a summary, while it has not ended.
   * @default they say nothing of it */
  about?: (summary: Summary | null) => RunAbout;
  /** What the run writes: the page has a link to a page over it then. @default there is none */
  data?: RunDataOptions;
  /** Calls back every `intervalMs` until the function that it gives back is called. @default setInterval */
  every?: (intervalMs: number, callback: () => void) => () => void;
}

/** Answers the requests of a page, without a socket where that is wanted. */
export interface MonitorApp {
  /** Answers a request to a path or an address. */
  request(input: string | URL | Request, init?: RequestInit): Response | Promise<Response>;
  /** Answers a request that a server has received. */
  fetch(request: Request): Response | Promise<Response>;
}

/** A monitor: what it knows, and the app that shows it. */
export interface Monitor extends Disposable {
  /** The app; `app.request()` needs no socket. */
  readonly app: MonitorApp;
  /** Lets a browser in (`?token=…`), and a scraper of `/metrics` (`Authorization: Bearer …`). */
  readonly token: string;
  /** The cookie that a browser gets for the token. Each monitor has its own name: cookies do not tell
   * ports apart, and two runs may be open in one browser. */
  readonly cookieName: string;
  /** Whether a user asked for the failed rows to be asked again when the run is done. The code
   * that starts the retry resets it. */
  retryWhenDone: boolean;
  /** Whether a page shows the run: one that was heard in the last 3 minutes, or left in the last 10 s and
   * may be reloading. */
  readonly isWatched: boolean;
  /** Everything that is known of the run. */
  state(): MonitorState;
  /** The run as one HTML file that needs no server. */
  report(): string;
  /** Tells pages that the run has ended, and keeps them. */
  finish(): void;
  /** Tells pages that the run has ended, and follows it no more. */
  close(): void;
}

/** How a monitor is served. */
export interface ServeMonitorOptions extends MonitorOptions {
  /** The port: 0 to 65,535. @default 0, any that is free */
  port?: number;
}

/** A monitor with its server. */
export interface ServedMonitor extends AsyncDisposable {
  /** What to open in a browser: `http://127.0.0.1:PORT/?token=…`. */
  readonly url: string;
  /** The port. */
  readonly port: number;
  /** The monitor. */
  readonly monitor: Monitor;
  /** Tells pages that the run has ended, closes their sockets and the port. Waits for no page, but the
   * runtime stays alive while one that has stopped reading keeps its connection. */
  close(): Promise<void>;
}

/** 64 bits: enough for two monitors not to meet. */
const NAME_BYTES = 8;

/** How long pages have to take what is sent last, and requests to be answered. */
const LAST_WORDS_MS = 100;

/** Reached from this machine only. */
const DEFAULT_HOSTNAME = "127.0.0.1";

/** Makes a monitor of a generator. It follows all runs of it from now on, until `close()`. */
export function createMonitor(generator: MonitoredRun, options: MonitorOptions = {}): Monitor {
  const hub = new Hub(generator, {
    now: options.now ?? (() => performance.now()),
    wallClock: options.wallClock ?? Date.now,
    random: options.random ?? Math.random,
    every: options.every ?? every,
    about: options.about,
  });
  const token = options.token ?? createToken();
  const cookieName = `retort_${crypto.getRandomValues(new Uint8Array(NAME_BYTES)).toHex()}`;
  const hostname = options.hostname ?? DEFAULT_HOSTNAME;
  const data = options.data && new RunData(options.data, options.now ?? (() => performance.now()));
  const state = () => hub.record.state(hub.retryWhenDone);
  const close = () => {
    hub.close();
    void data?.[Symbol.asyncDispose]();
  };
  return {
    app: createApp({ run: generator, hub, token, cookieName, hostname, data }),
    token,
    cookieName,
    get retryWhenDone() {
      return hub.retryWhenDone;
    },
    set retryWhenDone(value) {
      hub.retryWhenDone = value;
    },
    get isWatched() {
      return hub.isWatched || data?.isWatched === true;
    },
    state,
    finish: () => hub.finish(),
    report: () => reportOf(hub),
    close,
    [Symbol.dispose]: close,
  };
}

/**
 * Makes a monitor and serves it. Needs `--allow-net` and nothing else.
 *
 * @throws {UsageError} when the address cannot be listened on
 */
export function serveMonitor(
  generator: MonitoredRun,
  options: ServeMonitorOptions = {},
): ServedMonitor {
  const { hostname = DEFAULT_HOSTNAME, port = 0 } = options;
  const monitor = createMonitor(generator, options);
  const abort = new AbortController();
  const server = listen(monitor, hostname, port, abort.signal);
  // A run that is done must not continue because a user could look at it.
  server.unref();
  const close = async () => {
    monitor.close();
    await new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS));
    // Not `server.shutdown()`: it waits for requests that never end, and to abort the server while it
    // does so ends the process.
    server.ref();
    abort.abort();
    await server.finished;
  };
  let closed: Promise<void> | undefined;
  const closeOnce = () => closed ??= close();
  return {
    url: `http://${shownHost(hostname)}:${server.addr.port}/?token=${monitor.token}`,
    port: server.addr.port,
    monitor,
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  };
}

function listen(
  monitor: Monitor,
  hostname: string,
  port: number,
  signal: AbortSignal,
): Deno.HttpServer<Deno.NetAddr> {
  const onError = () => new Response("Cannot answer: the monitor has failed", { status: 500 });
  try {
    return Deno.serve(
      { hostname, port, signal, onError, onListen: () => {} },
      (request) => monitor.app.fetch(request),
    );
  } catch (error) {
    monitor.close();
    throw new UsageError(
      `Cannot serve the monitor on ${bracketed(hostname)}:${port}: ${reasonOf(error)}: ` +
        "name another port, or none for any free one",
      { cause: error },
    );
  }
}

/** No browser can open "all addresses". */
function shownHost(hostname: string): string {
  if (hostname === "0.0.0.0") return DEFAULT_HOSTNAME;
  return hostname === "::" ? "[::1]" : bracketed(hostname);
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "the port is taken";
  return error instanceof Error ? error.message : String(error);
}
