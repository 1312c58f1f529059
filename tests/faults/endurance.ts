/**
 * Long runs, with samples of their memory: many rows, and a teacher that is flaky for hours.
 *
 * @module
 */

import { distillFiles, type Teacher } from "../../mod.ts";
import { compileArgs } from "../../tools/compile.ts";
import { REPOSITORY } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { startTeacher } from "./ledger.ts";
import { delay } from "./time.ts";

/** The result of a long run. */
export interface EnduranceFigures {
  /** Rows that have a result. */
  readonly rows: number;
  /** Its duration. */
  readonly seconds: number;
  /** Its peak memory (resident set), in MB. */
  readonly peakMb: number;
  /** The mean of the second quarter of the run, in MB. */
  readonly earlyMb: number;
  /** The mean of its last quarter, in MB. */
  readonly lateMb: number;
}

/**
 * Answers this many rows, and proves with `verify` that all have a result. The teacher is in this
 * process: HTTP takes four fifths of the time of a row, and the phase "flaky" is over HTTP.
 */
export async function manyRows(count: number): Promise<EnduranceFigures> {
  await using dir = await tempDir();
  const input = await writeRows(dir, count);
  const child = await start(import.meta.filename!, [input, dir.path("out/")]);
  return await endure(dir, child, 0);
}

/** Answers rows for this long while one attempt in five breaks. Rows that failed are data. */
export async function flakyRun(seconds: number, seed: number): Promise<EnduranceFigures> {
  await using dir = await tempDir();
  await using teacher = await startTeacher();
  const { url } = await teacher.trial({ delayMs: [0, 200], faults: 0.2, seed, keepsLedger: false });
  const input = await writeRows(dir, 1_000 * Math.max(1, seconds));
  const child = await cli([
    ...[input, "-o", dir.path("out/"), "-m", "test-model", "--progress", "none"],
    ...["--base-url", url, "-c", "64", "--deadline", `${seconds}s`],
  ]);
  return await endure(dir, child, 5);
}

async function writeRows(dir: TempDir, count: number): Promise<string> {
  using file = await Deno.open(dir.path("in.jsonl"), { create: true, write: true });
  const step = 10_000;
  for (let first = 0; first < count; first += step) {
    const lines = Array.from(
      { length: Math.min(step, count - first) },
      (_, i) => JSON.stringify({ id: `row-${first + i}`, prompt: `prompt ${first + i}` }) + "\n",
    );
    const bytes = new TextEncoder().encode(lines.join(""));
    for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
  }
  return dir.path("in.jsonl");
}

async function endure(
  dir: TempDir,
  child: Deno.ChildProcess,
  code: number,
): Promise<EnduranceFigures> {
  const begin = performance.now(), samples: number[] = [];
  const ended = child.output();
  let isOver = false;
  ended.finally(() => isOver = true);
  while (!isOver) {
    const mb = await residentMb(child.pid);
    if (mb !== undefined) samples.push(mb);
    await Promise.race([delay(1_000), ended]);
  }
  const seconds = (performance.now() - begin) / 1_000;
  const result = await ended;
  if (result.code !== code && result.code !== 0) {
    throw new Error(
      `The run ended with ${result.code}:\n${new TextDecoder().decode(result.stderr)}`,
    );
  }
  const verify = await cli(["verify", dir.path("in.jsonl"), "-o", dir.path("out/")]);
  const proof = await verify.output();
  const said = new TextDecoder().decode(proof.stdout);
  if (code === 0 && proof.code !== 0) throw new Error(`verify ends with ${proof.code}:\n${said}`);
  return {
    rows: await linesIn(dir.path("out/in.jsonl")),
    seconds: Math.round(seconds),
    peakMb: Math.round(Math.max(...samples)),
    earlyMb: meanOf(samples, 0.25, 0.5),
    lateMb: meanOf(samples, 0.75, 1),
  };
}

function cli(args: string[]): Promise<Deno.ChildProcess> {
  return start(`${REPOSITORY}/cli.ts`, args);
}

/** A program with the memory settings of `deno task distill`. */
async function start(script: string, args: string[]): Promise<Deno.ChildProcess> {
  const flags = (await compileArgs()).find((flag) => flag.startsWith("--v8-flags"))!;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", flags, "-A", script, ...args],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function linesIn(path: string): Promise<number> {
  let lines = 0;
  using file = await Deno.open(path);
  for await (const bytes of file.readable) for (const byte of bytes) if (byte === 10) lines++;
  return lines;
}

/** The resident set of a process; undefined where it has ended, or where there is no `/proc`. */
async function residentMb(pid: number): Promise<number | undefined> {
  try {
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    const kilobytes = /^VmRSS:\s+(\d+)/m.exec(status)?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1_024;
  } catch {
    return undefined;
  }
}

function meanOf(samples: readonly number[], from: number, to: number): number {
  const part = samples.slice(samples.length * from, samples.length * to);
  return Math.round(part.reduce((sum, mb) => sum + mb, 0) / Math.max(1, part.length));
}

/** Answers at once. */
function instantTeacher(): Teacher {
  const usage = { promptTokens: 3, completionTokens: 4 };
  const answer = (prompt: unknown) => {
    return { response: `answer to ${prompt}`, finishReason: "stop", usage, model: "test-model" };
  };
  return {
    model: "test-model",
    complete: ({ messages }) => Promise.resolve(answer(messages.at(-1)!.content)),
  };
}

if (import.meta.main) {
  const [input, output] = Deno.args;
  await distillFiles(input, output, { teacher: instantTeacher(), concurrency: 64 });
}
