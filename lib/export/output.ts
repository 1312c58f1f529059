/**
 * Opens the outputs of an export. A file appears complete or not at all.
 *
 * @module
 */

import { dirname } from "../deps/std_path.ts";
import { UsageError } from "../errors.ts";
import { endsWithSeparator, fileKeyOf, ifThere, statOf, systemReason } from "../files.ts";
import { orCannotWrite, Replacement } from "../sink/mod.ts";

/**
 * The destination of an export. Writes are not buffered, so pass large pieces. If it is disposed
 * before `finish`, no file is written.
 */
export interface Output extends AsyncDisposable {
  write(bytes: Uint8Array): Promise<void>;
  /** Renames a new file into place, or ends writing to the stream. */
  finish(): Promise<void>;
}

/** Opens a stream, a file, a pipe or a device; `-` and `/dev/stdout` are standard output. Creates
 * the folder of a file. */
export async function openOutput(
  output: string | WritableStream<Uint8Array>,
  guard: OutputGuard,
  mode?: number,
): Promise<Output> {
  if (typeof output !== "string") return toStream(output);
  await checkOutput(output, guard);
  const standard = standardStreamOf(output);
  if (standard !== undefined) return toPipe(Deno[standard].writable, output, { mustClose: false });
  const info = await Deno.stat(output).catch(() => undefined);
  // Renaming a file into place would replace a pipe or device.
  if (info && !info.isFile) {
    const file = await orCannotWrite(output, () => Deno.open(output, { write: true }));
    return toPipe(file.writable, output, { mustClose: true });
  }
  const replacement = await orCannotWrite(output, async () => {
    await Deno.mkdir(dirname(output), { recursive: true });
    return await Replacement.open(output, { mode, removesLeftovers: true });
  });
  return {
    write: (bytes) => replacement.write(bytes),
    async finish() {
      // A file may have appeared while this export was writing.
      await checkOutput(output, guard);
      await replacement.commit();
    },
    [Symbol.asyncDispose]: () => replacement[Symbol.asyncDispose](),
  };
}

/**
 * Writes to a pipe, a device or a standard stream. At the end, it closes a stream that the export
 * opened (`mustClose`), and only releases any other.
 */
function toPipe(
  stream: WritableStream<Uint8Array>,
  name: string,
  { mustClose }: { mustClose: boolean },
): Output {
  const writer = stream.getWriter();
  const end = async () => mustClose ? await writer.close() : writer.releaseLock();
  return {
    write: (bytes) => orCannotWrite(name, () => writer.write(bytes)),
    finish: () => orCannotWrite(name, end),
    // After `finish`, another `end` rejects or has no effect.
    [Symbol.asyncDispose]: () => end().catch(() => {}),
  };
}

function toStream(stream: WritableStream<Uint8Array>): Output {
  const writer = stream.getWriter();
  return {
    write: (bytes) => writer.write(bytes),
    finish: () => writer.close(),
    // After `finish`, `abort` has no effect.
    [Symbol.asyncDispose]: () => writer.abort().catch(() => {}),
  };
}

export interface OutputGuard {
  /** Whether to replace a file that is not empty, or a dataset. @default false */
  readonly replace?: boolean;
  /** Files that must not be replaced, by path, each with a description for the error. */
  readonly sources: ReadonlyMap<string, string>;
}

/** The paths of standard streams. Deno would open these paths only with all permissions. */
const STANDARD_STREAMS: ReadonlyMap<string, "stdout" | "stderr"> = new Map([
  ["-", "stdout"],
  ["/dev/stdout", "stdout"],
  ["/dev/fd/1", "stdout"],
  ["/proc/self/fd/1", "stdout"],
  ["/dev/stderr", "stderr"],
  ["/dev/fd/2", "stderr"],
  ["/proc/self/fd/2", "stderr"],
]);

export function standardStreamOf(path: string): "stdout" | "stderr" | undefined {
  return STANDARD_STREAMS.get(path);
}

/** @throws {UsageError} If the output is a folder, a socket, a source, a file of a run, or a file
 * that must not be replaced. */
export async function checkOutput(output: string, guard: OutputGuard): Promise<void> {
  if (output === "") throw new UsageError("Cannot write to an empty path: name a file");
  if (standardStreamOf(output) !== undefined) return;
  const refuse = (problem: string): never => {
    throw new UsageError(`Cannot write "${output}": ${problem}`);
  };
  const info = await infoOf(output);
  if (info?.isDirectory || endsWithSeparator(output)) refuse("it is a folder: name a file in it");
  if (info === undefined) return;
  if (info.isSocket) refuse("it is a socket. Name another output");
  for (const [path, description] of guard.sources) {
    if (await isSameFile(path, output, info)) refuse(`it is ${description}. Name another output`);
  }
  if (!info.isFile) return;
  const runFile = await runFileDescription(output);
  if (runFile !== undefined) refuse(`it is ${runFile}. Name another output`);
  if (info.size > 0 && !guard.replace) {
    refuse("it is not empty. Add --replace to replace it, or name another output");
  }
}

async function runFileDescription(path: string): Promise<string | undefined> {
  const hasRunFile = async (ending: RegExp) =>
    ending.test(path) && await infoOf(path.replace(ending, ".run.json")) !== undefined;
  if (/\.run\.json$/.test(path)) return "the run file of a run";
  if (await hasRunFile(/_error\.jsonl$/)) return "the failures file of a run";
  if (await hasRunFile(/\.(jsonl|ndjson)$/)) return "the results file of a run";
  return await holdsResults(path) ? "a results file of Retort" : undefined;
}

/** Matches the start of a results or failures file. */
const RESULTS_START = /^\{"uid":"(?:[^"\\]|\\.)*","prompt_hash":"/;
const START_BYTES = 4_096;

async function holdsResults(path: string): Promise<boolean> {
  try {
    using file = await Deno.open(path);
    const start = new Uint8Array(START_BYTES);
    const length = await file.read(start) ?? 0;
    return RESULTS_START.test(new TextDecoder().decode(start.subarray(0, length)));
  } catch (cause) {
    const problem = `${systemReason(cause)}, so Retort cannot tell whether it holds results`;
    throw new UsageError(`Cannot replace "${path}": ${problem}`, { cause });
  }
}

async function isSameFile(path: string, output: string, info: Deno.FileInfo): Promise<boolean> {
  const other = await statOf(path);
  return other !== undefined && fileKeyOf(path, other) === fileKeyOf(output, info);
}

export async function infoOf(path: string): Promise<Deno.FileInfo | undefined> {
  const errorOf = (cause: unknown) =>
    new UsageError(`Cannot write "${path}": ${systemReason(cause)}`, { cause });
  return await ifThere(Deno.stat(path), errorOf);
}
