/**
 * Runs that `monitor.ts` and `view.ts` measure, with open pages and without. The pages are opened
 * without a browser, in a separate process.
 *
 * @module
 */

import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import process from "node:process";
import { ResponseGenerator, type Teacher, TeacherError } from "../mod.ts";
import type { Completion } from "../lib/teacher/teacher.ts";
import { openWebSocket } from "../tests/support/web_socket.ts";
import type { ServedMonitor, ServerMessage } from "../web/server.ts";
import { alternate, type Rounds } from "./measure.ts";
import { type Helper, startHelper, untilEnd } from "./processes.ts";
import { COMPLETION, questionOf } from "./rows.ts";

export interface Watchers {
  readonly reading: number;
  readonly stalled: number;
}

export interface RunWindow {
  readonly rowsPerS: number;
  readonly cpuMicrosPerRow: number;
  /** Mean number of busy cores. */
  readonly cores: number;
  /** The largest resident memory, sampled every 50 ms. */
  readonly peakRssBytes: number;
}

export interface WatchedWindow extends RunWindow {
  readonly pages: PagesReport;
}

const CONCURRENCY = 64;

/** Time in which V8 compiles the code and the heap grows. */
const WARM_UP_MS = 2_000;

/** Time from opening pages to measuring, in which each page gets the whole state. */
const OPENING_MS = 300;

/** Measures one run, alternately with and without pages, because two runs would differ more. */
export async function watchedAlternately(
  { rounds, windowS, watchers }: { rounds: number; windowS: number; watchers: Watchers },
): Promise<Rounds<WatchedWindow, RunWindow>> {
  await using run = await startRun(nextTurn);
  return await alternate(
    rounds,
    () => watchedWindow(run, watchers, windowS),
    () => run.window(windowS),
  );
}

/** Measures a run with a latency of 50 ms, and the size of its last snapshot as JSON. */
export async function watched(
  { windowS, watchers }: { windowS: number; watchers: Watchers },
): Promise<WatchedWindow & { snapshotBytes: number }> {
  await using run = await startRun(() => sleep(50));
  const window = await watchedWindow(run, watchers, windowS);
  const snapshot = JSON.stringify(run.generator.snapshot());
  return { ...window, snapshotBytes: new TextEncoder().encode(snapshot).length };
}

async function watchedWindow(
  run: MonitoredRun,
  watchers: Watchers,
  windowS: number,
): Promise<WatchedWindow> {
  const { monitor: { cookieName, token }, port } = run.served;
  await using pages = await openPages({ port, cookie: `${cookieName}=${token}`, ...watchers });
  await sleep(OPENING_MS);
  const window = await run.window(windowS);
  return { ...window, pages: await pages.end() };
}

export interface MonitoredRun extends AsyncDisposable {
  readonly generator: ResponseGenerator;
  readonly served: ServedMonitor;
  window(seconds: number): Promise<RunWindow>;
}

/**
 * Starts an endless run with a monitor. Resolves after a warm-up.
 *
 * @param waitForAnswer Resolves after the latency of the teacher.
 */
export async function startRun(waitForAnswer: () => Promise<unknown>): Promise<MonitoredRun> {
  // Imported on demand, so that other scenarios do not load the monitor.
  const { serveMonitor } = await import("../web/server.ts");
  const teacher = sometimesFailingTeacher(waitForAnswer);
  const generator = new ResponseGenerator({ teacher, concurrency: CONCURRENCY });
  const served = serveMonitor(generator);
  let rows = 0, isOver = false;
  async function consume(): Promise<void> {
    for await (const _ of generator.generate(endlessRows())) {
      rows++;
      if (isOver) return;
    }
  }
  async function window(seconds: number): Promise<RunWindow> {
    let peakRssBytes = 0;
    const timer = setInterval(() => {
      peakRssBytes = Math.max(peakRssBytes, Deno.memoryUsage().rss);
    }, 50);
    const rowsBefore = rows, startedMs = performance.now(), cpuBefore = cpuMicros();
    await sleep(seconds * 1_000);
    clearInterval(timer);
    const windowRows = rows - rowsBefore, elapsedMs = performance.now() - startedMs;
    const micros = cpuMicros() - cpuBefore, cores = micros / elapsedMs / 1_000;
    const rowsPerS = 1_000 * windowRows / elapsedMs, cpuMicrosPerRow = micros / windowRows;
    return { rowsPerS, cpuMicrosPerRow, cores, peakRssBytes };
  }
  const consumption = consume();
  await sleep(WARM_UP_MS);
  return {
    generator,
    served,
    window,
    async [Symbol.asyncDispose]() {
      isOver = true;
      await consumption;
      await served.close();
    },
  };
}

function* endlessRows(): Generator<object> {
  for (let index = 0;; index++) yield { uid: `row-${index}`, question: questionOf(index) };
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

const FAILING_EVERY = 100;
/** Number of different failure messages. Each of them is an error group. */
const MESSAGES = 50;

/**
 * Returns a teacher whose long reasoning and many failure messages enlarge the messages to pages.
 *
 * @param waitForAnswer Must yield to the event loop.
 */
function sometimesFailingTeacher(waitForAnswer: () => Promise<unknown>): Teacher {
  const completion: Completion = { ...COMPLETION, reasoning: COMPLETION.response.repeat(8) };
  return {
    model: "zero",
    async complete({ messages: [{ content }] }) {
      await waitForAnswer();
      const index = parseInt(String(content));
      if (index % FAILING_EVERY !== FAILING_EVERY - 1) return completion;
      const question = questionOf(Math.floor(index / FAILING_EVERY) % MESSAGES);
      throw new TeacherError(`Cannot answer ${question}`, { status: 422 });
    },
  };
}

interface PagesOptions {
  readonly port: number;
  /** The cookie with the token: `name=value`. */
  readonly cookie: string;
  readonly reading: number;
  readonly stalled: number;
}

export interface PagesReport {
  readonly seconds: number;
  /** Bytes of all messages, without the headers of WebSocket frames. */
  readonly bytes: number;
  readonly snapshots: number;
  readonly largestSnapshotBytes: number;
  /** Pages whose connection the monitor closed. */
  readonly lost: number;
}

async function openPages(options: PagesOptions): Promise<Helper<PagesReport>> {
  return await startHelper(import.meta.filename!, options);
}

async function watch(options: PagesOptions): Promise<void> {
  const report = { bytes: 0, snapshots: 0, largestSnapshotBytes: 0, lost: 0 };
  const openings: Promise<unknown>[] = [];
  const readingPages = Array.from({ length: options.reading }, () => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    openings.push(promise);
    return openPage(options, {
      received(text) {
        resolve();
        const bytes = ENCODER.encode(text).length;
        report.bytes += bytes;
        // Real pages parse messages, too.
        const { type }: ServerMessage = JSON.parse(text);
        if (type !== "snapshot") return;
        report.snapshots++;
        report.largestSnapshotBytes = Math.max(report.largestSnapshotBytes, bytes);
      },
      closed() {
        reject(new Error("Cannot open a page of the monitor"));
        report.lost++;
      },
    });
  });
  const stalledPages = Array.from({ length: options.stalled }, () => openStalled(options));
  openings.push(...stalledPages);
  await Promise.all(openings);
  // Messages sent while pages open are not counted, but the largest snapshot may be one of them.
  report.bytes = report.snapshots = 0;
  const openedMs = performance.now();
  console.log("open");
  await untilEnd();
  const seconds = (performance.now() - openedMs) / 1_000;
  console.log(JSON.stringify({ seconds, ...report }));
  for (const page of readingPages) page.close();
  for (const connection of await Promise.all(stalledPages)) connection.close();
}

const ENCODER = new TextEncoder();

interface PageListener {
  received(text: string): void;
  closed(): void;
}

function openPage({ port, cookie }: PagesOptions, listener: PageListener): WebSocket {
  const host = `127.0.0.1:${port}`;
  const socket = openWebSocket(`ws://${host}/ws`, { origin: `http://${host}`, cookie });
  socket.onmessage = ({ data }) => listener.received(data);
  socket.onclose = () => listener.closed();
  socket.onerror = (event) => event.preventDefault();
  return socket;
}

const UPGRADED = "HTTP/1.1 101";

/** Opens a page that reads nothing after the upgrade. */
async function openStalled({ port, cookie }: PagesOptions): Promise<Deno.TcpConn> {
  const host = `127.0.0.1:${port}`;
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const head = [
    "GET /ws HTTP/1.1",
    `Host: ${host}`,
    `Origin: http://${host}`,
    `Cookie: ${cookie}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "",
    "",
  ];
  await connection.write(ENCODER.encode(head.join("\r\n")));
  const answer = new Uint8Array(UPGRADED.length);
  await connection.read(answer);
  const text = new TextDecoder().decode(answer);
  if (text !== UPGRADED) throw new Error(`Cannot open a page: the monitor replied "${text}"`);
  return connection;
}

if (import.meta.main) await watch(JSON.parse(Deno.args[0]));
