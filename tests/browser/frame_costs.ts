/**
 * Traces the page of a long run in a real Chromium and prints the CPU of its frames as JSON, for
 * `deno task bench --only frames`. CPU time hardly depends on other load of the machine; elapsed
 * time would.
 *
 * @module
 */

import { startBrowser, stopBrowser, visit } from "./browser.ts";
import { makeRunStart, stageRun } from "./staged_run.ts";

/** Just below the limit of points. */
const POINTS = 900;

/** Time in which all frames of a snapshot are drawn. */
const BETWEEN_MS = 400;

const CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline"];

/** Event of a trace; times are in microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  /** CPU time of the thread. */
  readonly tdur?: number;
  readonly args: { readonly name?: string };
}

/** Returns the CPU time, in milliseconds, of each task in which the page's thread made a frame. */
async function frameCosts(snapshots: number): Promise<number[]> {
  await using stage = stageRun();
  stage.run.emit(makeRunStart());
  stage.play(POINTS);
  await using visited = await visit(stage.served.url);
  const { page } = visited;
  await page.getByRole("banner").getByText("Running").waitFor();
  // The first drawing and the compilation of its code are not measured.
  for (let i = 0; i < 5; i++) {
    stage.play(1);
    await page.waitForTimeout(BETWEEN_MS);
  }
  const session = await page.context().newCDPSession(page);
  const events: TraceEvent[] = [];
  session.on("Tracing.dataCollected", ({ value }) => {
    for (const event of value) events.push(event as unknown as TraceEvent);
  });
  await session.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: CATEGORIES },
  });
  for (let i = 0; i < snapshots; i++) {
    stage.play(1);
    await page.waitForTimeout(BETWEEN_MS);
  }
  const complete = new Promise<void>((resolve) =>
    session.once("Tracing.tracingComplete", () => resolve())
  );
  await session.send("Tracing.end");
  await complete;
  return framesOf(events);
}

function framesOf(events: readonly TraceEvent[]): number[] {
  const frames: number[] = [];
  for (const [task, inner] of tasksOf(events)) {
    if (!inner.some(({ name }) => name === "FireAnimationFrame")) continue;
    frames.push((task.tdur ?? task.dur ?? 0) / 1_000);
  }
  return frames;
}

/** Yields each task of the threads of pages, with the events in it. */
function* tasksOf(events: readonly TraceEvent[]): Generator<[TraceEvent, TraceEvent[]]> {
  const threads = Map.groupBy(
    events.filter(({ ph }) => ph === "X"),
    ({ pid, tid }) => `${pid} ${tid}`,
  );
  for (const all of threads.values()) {
    let task: TraceEvent | undefined, inner: TraceEvent[] = [];
    for (const event of all.toSorted((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0))) {
      if (task !== undefined && event.ts < task.ts + (task.dur ?? 0)) {
        inner.push(event);
        continue;
      }
      if (task !== undefined) yield [task, inner];
      task = event.name === "RunTask" ? event : undefined;
      inner = [];
    }
    if (task !== undefined) yield [task, inner];
  }
}

if (import.meta.main) {
  await startBrowser();
  const frames = await frameCosts(Number(Deno.args[0]));
  await stopBrowser();
  console.log(JSON.stringify(frames));
}
