/**
 * Processes that `monitor.ts` measures: Retort with open pages and without.
 *
 * @module
 */

import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import process from "node:process";
import { ResponseGenerator, type Teacher, TeacherError } from "../mod.ts";
import type { Completion } from "../lib/teacher/teacher.ts";
import type { ServedMonitor } from "../web/server.ts";
import { alternate, type Rounds } from "./measure.ts";
import { openPages, type PagesReport } from "./monitor_pages.ts";
import { COMPLETION, questionOf } from "./rows.ts";

export interface Watchers {
  /** Number of pages that read what they are sent. */
  readonly reading: number;
  /** Number of pages that never read. */
  readonly stalled: number;
}

/** Figures of a run during a window of time. */
export interface RunWindow {
  /** Rows that became finished per second. */
  readonly rowsPerS: number;
  /** CPU of all threads of the process, in microseconds per row. */
  readonly cpuMicrosPerRow: number;
  /** CPU of all threads in seconds per second, which is a number of cores. */
  readonly cores: number;
  /** Peak memory of the process, sampled every 50 ms. */
  readonly peakRssBytes: number;
}

export interface WatchedWindow extends RunWindow {
  readonly pages: PagesReport;
}

/** Rows in flight in each run. */
const CONCURRENCY = 64;

/** In this time the code is compiled and the heap grows. */
const WARM_UP_MS = 2_000;

/** In this time new pages get the whole state, which must not be measured. */
const OPENING_MS = 300;

/**
 * Measures a run at full speed, alternately with pages and without: two separate runs differ by
 * more than pages may cost.
 */
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

/**
 * Measures a run with pages whose teacher takes 50 ms for an answer. Also returns the size of the
 * last snapshot as `--progress json` prints it, in bytes.
 */
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
  /** Measures the run for a number of seconds. */
  window(seconds: number): Promise<RunWindow>;
}

/**
 * Starts a run over endless rows whose results are not written. Dispose of it.
 *
 * @param waitForAnswer Resolves after the latency of the teacher.
 */
export async function startRun(waitForAnswer: () => Promise<unknown>): Promise<MonitoredRun> {
  // Imported only when called: no other scenario should have the monitor in its memory.
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
    const finished = rows - rowsBefore, elapsedMs = performance.now() - startedMs;
    const micros = cpuMicros() - cpuBefore, cores = micros / elapsedMs / 1_000;
    const rowsPerS = 1_000 * finished / elapsedMs, cpuMicrosPerRow = micros / finished;
    return { rowsPerS, cpuMicrosPerRow, cores, peakRssBytes };
  }
  const running = consume();
  await sleep(WARM_UP_MS);
  return {
    generator,
    served,
    window,
    async [Symbol.asyncDispose]() {
      isOver = true;
      await running;
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

/** One row in this number fails. */
const FAILING_EVERY = 100;
/** Number of different messages of failures, and so of error groups in a snapshot. */
const MESSAGES = 50;

/**
 * Answers with long reasoning, or fails with one of many messages, so that messages to pages are as
 * large as possible. `waitForAnswer` must let timers and sockets run.
 */
function sometimesFailingTeacher(waitForAnswer: () => Promise<unknown>): Teacher {
  const completion: Completion = { ...COMPLETION, reasoning: COMPLETION.response.repeat(8) };
  return {
    model: "zero",
    async complete({ messages: [{ content }] }) {
      await waitForAnswer();
      const index = parseInt(String(content));
      if (index % FAILING_EVERY !== FAILING_EVERY - 1) return completion;
      const why = questionOf(Math.floor(index / FAILING_EVERY) % MESSAGES);
      throw new TeacherError(`Cannot answer ${why}`, { status: 422 });
    },
  };
}
