/**
 * Measures `monitor OUT` over the status files of 1,000 runs that are all replaced every 5 s, and
 * prints `FolderCosts` of `bench/monitor.ts` as JSON, for `deno task bench --only folder`. The argument is the seconds of
 * each window. Linux only.
 *
 * @module
 */

import { nameOf, statusOf } from "../web/fleet_files.ts";
import { startBrowser, stopBrowser, visit } from "./browser.ts";

const RUNS = 1_000;
/** The page shows this many runs at first. */
const SHOWN = 200;
/** Runs do not write in step: each of these parts is written a second after the one before. */
const PARTS = 5;
/** Linux counts the CPU time of processes in hundredths of a second. */
const TICKS_PER_S = 100;

async function fleetCosts(windowS: number) {
  const folder = await Deno.makeTempDir({ prefix: "retort_fleet_" });
  try {
    await Deno.mkdir(`${folder}/.retort`);
    for (let part = 0; part < PARTS; part++) await writePart(folder, part, 1);
    using _runs = playRuns(folder);
    await using program = await startMonitor(folder);
    const closedPercent = await cpuPercent(program.pid, windowS);
    const startMs = performance.now();
    await using visited = await visit(program.url);
    await visited.page.locator("#fleet-runs tbody tr").nth(SHOWN - 1).waitFor();
    const shownMs = performance.now() - startMs;
    return {
      runs: RUNS,
      shownMs,
      closedPercent,
      openPercent: await cpuPercent(program.pid, windowS),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Replaces the status files as runs do, one part each second. */
function playRuns(folder: string): Disposable {
  let turn = PARTS;
  let writing = Promise.resolve();
  const timer = setInterval(() => {
    const part = turn % PARTS, beat = Math.floor(turn++ / PARTS) + 1;
    writing = writing.then(() => writePart(folder, part, beat)).catch(() => {});
  }, 1_000);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

async function writePart(folder: string, part: number, beat: number): Promise<void> {
  const writes: Promise<void>[] = [];
  for (let run = part; run < RUNS; run += PARTS) {
    const path = `${folder}/.retort/${nameOf(run)}.status.json`;
    const text = JSON.stringify(statusOf(run, { beat, succeeded: 300 + beat }));
    writes.push(
      Deno.writeTextFile(`${path}.new`, text).then(() => Deno.rename(`${path}.new`, path)),
    );
  }
  await Promise.all(writes);
}

/** Starts `retort monitor` as users do, and resolves once it has printed its address. */
async function startMonitor(
  folder: string,
): Promise<{ url: string; pid: number } & AsyncDisposable> {
  const main = new URL("../../cli.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", "--no-lock", main, "monitor", folder],
    cwd: new URL("../../", import.meta.url).pathname,
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream());
  let text = "", url: string | undefined;
  for await (const part of lines.values({ preventCancel: true })) {
    text += part;
    url = /^Monitor: (\S+)$/m.exec(text)?.[1];
    if (url !== undefined) break;
  }
  if (url === undefined) throw new Error(`Cannot start the monitor: ${text}`);
  return {
    url,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await lines.cancel();
      await child.status;
    },
  };
}

async function cpuPercent(pid: number, seconds: number): Promise<number> {
  const before = await cpuTicks(pid), startMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const elapsedS = (performance.now() - startMs) / 1_000;
  return 100 * (await cpuTicks(pid) - before) / TICKS_PER_S / elapsedS;
}

async function cpuTicks(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

if (import.meta.main) {
  await startBrowser();
  const costs = await fleetCosts(Number(Deno.args[0]));
  await stopBrowser();
  console.log(JSON.stringify(costs));
}
