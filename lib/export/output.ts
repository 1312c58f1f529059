/**
 * Where a training set is written to: a file that appears whole or not at all, or a stream.
 *
 * @module
 */

import { dirname } from "../deps/std_path.ts";
import { SinkError } from "../errors.ts";
import { cannotWrite, Replacement } from "../sink/mod.ts";
import { checkOutput, type OutputGuard, standardStreamOf } from "./output_guard.ts";

/** Takes bytes, in large pieces. */
export class Output implements AsyncDisposable {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  readonly #commit: () => Promise<void>;
  readonly #abandon: () => Promise<void>;
  #isFinished = false;

  /** For `openOutput` to call. */
  constructor(
    write: (bytes: Uint8Array) => Promise<void>,
    commit: () => Promise<void>,
    abandon: () => Promise<void>,
  ) {
    this.#write = write;
    this.#commit = commit;
    this.#abandon = abandon;
  }

  /** Adds bytes. */
  write(bytes: Uint8Array): Promise<void> {
    return this.#write(bytes);
  }

  /** Makes what was written stay. */
  async finish(): Promise<void> {
    await this.#commit();
    this.#isFinished = true;
  }

  /** Throws away what was not finished. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isFinished) await this.#abandon();
  }
}

/**
 * Opens an output: a stream, a file, a pipe or a device; `-` and `/dev/stdout` are standard output. The
 * folder of a file is made where there is none, and a new file has the permissions `mode`.
 *
 * @throws {UsageError} when the file must not be written
 * @throws {SinkError} when it cannot be written
 */
export async function openOutput(
  output: string | WritableStream<Uint8Array>,
  guard: OutputGuard,
  mode?: number,
): Promise<Output> {
  if (typeof output !== "string") return toStream(output);
  const path = await checkOutput(output, guard);
  const standard = standardStreamOf(path);
  if (standard !== undefined) return toPipe(Deno[standard].writable, output, { isOurs: false });
  let replacement: Replacement;
  try {
    const info = await Deno.stat(path).catch(() => undefined);
    // A rename would put a file in the place of a pipe or a device.
    if (info && !info.isFile) {
      const file = await Deno.open(path, { write: true });
      return toPipe(file.writable, output, { isOurs: true });
    }
    await Deno.mkdir(dirname(path), { recursive: true });
    replacement = await Replacement.open(path, { mode });
  } catch (cause) {
    throw cause instanceof SinkError ? cause : cannotWrite(output, cause);
  }
  return new Output(
    (bytes) => replacement.write(bytes),
    async () => {
      // Writing takes a while: a file may have appeared meanwhile.
      await checkOutput(output, guard);
      await replacement.commit();
      await replacement[Symbol.asyncDispose]();
    },
    () => replacement[Symbol.asyncDispose](),
  );
}

/** Our own end of a pipe is closed at its end; a stream of the process is only let go. */
function toPipe(
  stream: WritableStream<Uint8Array>,
  name: string,
  { isOurs }: { isOurs: boolean },
): Output {
  const writer = stream.getWriter();
  const saying = <T>(work: Promise<T>) =>
    work.catch((cause) => {
      throw cannotWrite(name, cause);
    });
  const leave = async () => isOurs ? await writer.close() : writer.releaseLock();
  return new Output(
    (bytes) => saying(writer.write(bytes)),
    () => saying(leave()),
    () => leave().catch(() => {}),
  );
}

function toStream(stream: WritableStream<Uint8Array>): Output {
  const writer = stream.getWriter();
  return new Output(
    (bytes) => writer.write(bytes),
    () => writer.close(),
    () => writer.abort().catch(() => {}),
  );
}
