/// <reference lib="dom" />
/**
 * Measures the page: the time per snapshot, and the memory after many.
 *
 * @module
 */

import type { visit } from "./browser.ts";
import { makeRunStart, type StagedRun } from "./staged_run.ts";

/**
 * Time in which scripts of the page worked for one snapshot: the message, and all frames in which
 * it is drawn.
 */
export interface DrawCosts {
  medianMs: number;
  p95Ms: number;
  /** Longest frame of each snapshot. */
  frameMedianMs: number;
  frameP95Ms: number;
  /** Time of the page's thread per snapshot, including style and layout. */
  threadMs: number;
  /** The time of the fastest tenth divided by that of `yardstick`, which ran in turns with the
   * snapshots: comparable between machines. Other programs take the processor during the others. */
  ratio: number;
}

/** What the measuring script stores in the page. */
interface Meter {
  messages: number;
  workMs: number;
  longestMs: number;
}

/** Frames in which all charts of a snapshot are drawn. */
const FRAMES = 14;

/** High enough to show all charts: others are not drawn. */
const VIEW = { width: 1440, height: 5000 };

/** Just below the limit of points. */
const FIRST_POINTS = 900;

/** Measures the time of all scripts that run for a message, and in the frames after it. */
function installMeter(): void {
  const meter: Meter = { messages: 0, workMs: 0, longestMs: 0 };
  Reflect.set(globalThis, "meter", meter);
  // deno-lint-ignore no-explicit-any -- any function, with its own `this`
  const timed = (work: any) =>
    function (this: unknown, ...args: unknown[]) {
      const startMs = performance.now();
      work.apply(this, args);
      // uPlot draws in a microtask that comes before this one.
      queueMicrotask(() => {
        const tookMs = performance.now() - startMs;
        meter.workMs += tookMs;
        meter.longestMs = Math.max(meter.longestMs, tookMs);
      });
    };
  const { requestAnimationFrame } = globalThis;
  globalThis.requestAnimationFrame = (callback) => requestAnimationFrame(timed(callback));
  const onmessage = Object.getOwnPropertyDescriptor(WebSocket.prototype, "onmessage");
  Object.defineProperty(WebSocket.prototype, "onmessage", {
    set(handler) {
      const work = timed(handler);
      onmessage?.set?.call(this, (event: MessageEvent) => {
        work(event);
        meter.messages++;
      });
    },
  });
}

async function openMetered(stage: StagedRun, open: typeof visit, points: number) {
  stage.run.emit(makeRunStart());
  stage.play(points);
  const visited = await open("about:blank", { initScript: installMeter });
  await visited.page.setViewportSize(VIEW);
  await visited.page.goto(stage.served.url);
  await visited.page.getByRole("banner").getByText("Running").waitFor();
  await visited.page.locator("#process > summary").click();
  await visited.page.waitForFunction(() =>
    Array.from(document.querySelectorAll(".charts > *"))
      .every((chart) => chart.querySelector("canvas") !== null)
  );
  return visited;
}

/** Draws `count` snapshots (at most 100) one after the other, with all charts visible. */
export async function drawCosts(
  stage: StagedRun,
  open: typeof visit,
  snapshots: number,
): Promise<DrawCosts> {
  await using visited = await openMetered(stage, open, FIRST_POINTS);
  const { page } = visited;
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const threadS = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration")?.value ?? NaN;
  };
  await page.evaluate(settle, { messages: 0, frames: FRAMES * 4 });
  const startS = await threadS();
  const work: number[] = [], longest: number[] = [], yardsticks: number[] = [];
  for (let i = 0; i < snapshots; i++) {
    await page.evaluate(() => {
      Object.assign(Reflect.get(globalThis, "meter"), { messages: 0, workMs: 0, longestMs: 0 });
    });
    yardsticks.push(await page.evaluate(yardstick));
    stage.play(1);
    const { workMs, longestMs } = await page.evaluate(settle, { messages: 1, frames: FRAMES });
    work.push(workMs);
    longest.push(longestMs);
  }
  const medianMs = quantile(work, 0.5);
  return {
    medianMs,
    p95Ms: quantile(work, 0.95),
    frameMedianMs: quantile(longest, 0.5),
    frameP95Ms: quantile(longest, 0.95),
    threadMs: (await threadS() - startS) * 1000 / snapshots,
    ratio: quantile(work, 0.1) / quantile(yardsticks, 0.1),
  };
}

/** Parses JSON, makes elements and draws lines of 900 points, as a page with charts must. Returns
 * the time in milliseconds. */
function yardstick(): number {
  const values = Array.from({ length: 900 }, (_, index) => ({ index, text: `value ${index}` }));
  const json = JSON.stringify(values);
  const context = document.createElement("canvas").getContext("2d")!;
  const startMs = performance.now();
  for (let line = 0; line < 20; line++) {
    const list = document.createElement("ul");
    context.beginPath();
    for (const { index, text } of JSON.parse(json)) {
      if (index % 10 === 0) list.appendChild(document.createElement("li")).textContent = text;
      context.lineTo(index, (index * line * 7919) % 150);
    }
    context.stroke();
  }
  return performance.now() - startMs;
}

/** Snapshots that are sent before waiting for the page: far less than 1 MB. */
const BURST = 20;

/**
 * Returns the growth of the page's heap in bytes, after garbage collection, over a number of
 * snapshots.
 */
export async function heapGrowth(
  stage: StagedRun,
  open: typeof visit,
  snapshots: number,
): Promise<number> {
  await using visited = await openMetered(stage, open, FIRST_POINTS);
  const { page } = visited;
  const session = await page.context().newCDPSession(page);
  const used = async () => {
    for (let i = 0; i < 3; i++) await session.send("HeapProfiler.collectGarbage");
    return (await session.send("Runtime.getHeapUsage")).usedSize;
  };
  let messages = await page.evaluate(settle, { messages: 1, frames: 2 }).then((one) =>
    one.messages
  );
  const send = async (count: number) => {
    for (let sent = 0; sent < count; sent += BURST) {
      stage.play(BURST);
      messages = (await page.evaluate(settle, { messages: messages + BURST, frames: 1 })).messages;
    }
  };
  // First what is made once: compiled code, and the history at its longest.
  await send(200);
  const before = await used();
  await send(snapshots);
  return await used() - before;
}

/** Waits for a total number of messages, and then for a number of frames. */
async function settle({ messages, frames }: { messages: number; frames: number }): Promise<Meter> {
  const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const meter: Meter = Reflect.get(globalThis, "meter");
  while (meter.messages < messages) await nextFrame();
  for (let i = 0; i < frames; i++) await nextFrame();
  return { ...meter };
}

function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1];
}
