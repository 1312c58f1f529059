/**
 * Where a training set is written to: a file that appears whole or not at all, or a stream.
 *
 * @module
 */

import { cannotWrite, Replacement } from "../sink/mod.ts";

const BUFFER_CHARS = 1 << 20;

/** Takes text in small pieces and writes it in large ones. */
export class Output implements AsyncDisposable {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  readonly #commit: () => Promise<void>;
  readonly #abandon: () => Promise<void>;
  readonly #encoder = new TextEncoder();
  #waiting = "";
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

  /** Adds text; the promise is there only when there is something to wait for. */
  write(text: string): Promise<void> | undefined {
    this.#waiting += text;
    return this.#waiting.length < BUFFER_CHARS ? undefined : this.#flush();
  }

  /** Writes the rest and makes it stay. */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#commit();
    this.#isFinished = true;
  }

  /** Throws away what was not finished. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isFinished) await this.#abandon();
  }

  async #flush(): Promise<void> {
    const bytes = this.#encoder.encode(this.#waiting);
    this.#waiting = "";
    if (bytes.length > 0) await this.#write(bytes);
  }
}

/**
 * Opens an output. The folder of a file is made where there is none.
 *
 * @throws {SinkError} when it cannot be written
 */
export async function openOutput(output: string | WritableStream<Uint8Array>): Promise<Output> {
  if (typeof output !== "string") return toStream(output);
  try {
    const info = await Deno.stat(output).catch(() => undefined);
    // A pipe or a device is written to; a rename would put a file in its place.
    if (info && !info.isFile) return toStream((await Deno.open(output, { write: true })).writable);
    const slash = output.lastIndexOf("/");
    if (slash > 0) await Deno.mkdir(output.slice(0, slash), { recursive: true });
  } catch (cause) {
    throw cannotWrite(output, cause);
  }
  const replacement = await Replacement.open(output);
  return new Output(
    (bytes) => replacement.write(bytes),
    async () => {
      await replacement.commit();
      await replacement[Symbol.asyncDispose]();
    },
    () => replacement[Symbol.asyncDispose](),
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
