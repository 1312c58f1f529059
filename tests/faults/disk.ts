/**
 * Runs that are killed while their disk is full: a tmpfs of a few KB, which only root can mount.
 *
 * @module
 */

import { startCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { Checker } from "./checker.ts";
import type { LedgerTeacher } from "./ledger.ts";
import { delay, within } from "./time.ts";

const ROWS = 400;
const CONCURRENCY = 16;
const HANG_MS = 120_000;

/** Fills the disk, kills the run, makes room, and runs to the end. */
export async function fullDiskTrial(
  teacher: LedgerTeacher,
  seed: number,
): Promise<{ inFlightLost: number } | "skipped"> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "skipped";
  await using dir = await tempDir();
  const rows = Array.from({ length: ROWS }, (_, i) => ({ id: `row-${i}`, prompt: `prompt ${i}` }));
  await dir.write("in.jsonl", rows);
  await Deno.mkdir(dir.path("out"));
  if (!await mount("-t", "tmpfs", "-o", "size=256k", "tmpfs", dir.path("out"))) return "skipped";
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => void await system("umount", dir.path("out")));
  const trial = await teacher.trial({ delayMs: [0, 5], bytes: 2_000, seed, wholeFrom: 200 });
  const checker = new Checker(dir, trial);
  const start = () =>
    startCli([
      ...[dir.path("in.jsonl"), "-o", dir.path("out/"), "-m", "test-model", "-p", "seed=0"],
      ...["--base-url", trial.url, "-c", String(CONCURRENCY), "--no-careful-start"],
      ...["--max-tokens", "100", "--on-truncated", "escalate"],
    ]);
  await using full = await start();
  await within(HANG_MS, full.untilStderr(/no requests are sent until/));
  // The lock is written once more, with what waits in memory.
  await delay(1_200);
  full.kill("SIGKILL");
  await full.output();
  const { lost } = await checker.check({ kind: "crash" });
  if (!await mount("-o", "remount,size=16m", dir.path("out"))) throw new Error("No room was made");
  await using last = await start();
  const { code, stderr } = await within(HANG_MS, last.output());
  if (code !== 0) throw new Error(`The last run ended with ${code}:\n${stderr}`);
  await checker.check({ kind: "orderly", isComplete: true });
  return { inFlightLost: lost };
}

async function mount(...args: string[]): Promise<boolean> {
  return await system("mount", ...args);
}

async function system(name: string, ...args: string[]): Promise<boolean> {
  const command = new Deno.Command(name, { args, stdout: "null", stderr: "null" });
  return (await command.output()).success;
}
