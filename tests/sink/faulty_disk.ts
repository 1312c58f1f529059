/**
 * Real files behind handles that fail on demand, and files that others change.
 *
 * @module
 */

import { SinkError } from "../../lib/errors.ts";
import type { JournalFile, JournalOptions } from "../../lib/sink/appender.ts";
import { Journal } from "../../lib/sink/journal.ts";
import type { Movable } from "../../lib/sink/open_files.ts";

/** Opens files whose writes and syncs can be made to fail. */
export class FaultyDisk {
  /** Content of each write that reached the disk. */
  readonly writes: string[] = [];
  /** How many syncs were started. */
  syncs = 0;
  /** Called before a write: throws, or returns how many bytes are written at most. */
  beforeWrite: (length: number) => number | Promise<number> = (length) => length;
  /** Called before a sync. */
  beforeSync: () => void | Promise<void> = () => {};
  /** Called before a truncate. */
  beforeTruncate: () => void = () => {};

  /** Use as `openFile`. */
  readonly openFile = async (path: string): Promise<JournalFile> => {
    const file = await Deno.open(path, { append: true, create: true });
    return {
      write: async (bytes) => {
        const part = bytes.subarray(0, await this.beforeWrite(bytes.length));
        const count = await file.write(part);
        this.writes.push(new TextDecoder().decode(part.subarray(0, count)));
        return count;
      },
      syncData: async () => {
        this.syncs++;
        await this.beforeSync();
        await file.syncData();
      },
      truncate: async (length) => {
        this.beforeTruncate();
        await file.truncate(length);
      },
      startSize: (await file.stat()).size,
      close: () => file.close(),
    };
  };
}

/** An error of the operating system. */
export function diskError(code: string, message: string): Error {
  return Object.assign(new Error(`${message} (os error 28)`), { code });
}

/** A disk without space, until `beforeWrite` is replaced. */
export function fullDisk(): FaultyDisk {
  const disk = new FaultyDisk();
  disk.beforeWrite = () => {
    throw NO_SPACE;
  };
  return disk;
}

export const NO_SPACE = diskError("ENOSPC", "No space left on device");

/** A delay that a test ends by hand. */
export class ManualDelay {
  /** How often `delay` was called. */
  calls = 0;
  #begun = Promise.withResolvers<void>();
  #end = Promise.withResolvers<void>();

  /** Use as `delay`. */
  readonly delay = async (_ms: number, signal: AbortSignal): Promise<void> => {
    this.calls++;
    signal.addEventListener("abort", () => this.#end.resolve());
    this.#begun.resolve();
    await this.#end.promise;
    this.#begun = Promise.withResolvers<void>();
    this.#end = Promise.withResolvers<void>();
  };

  /** Resolves once a caller waits. */
  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  /** Lets the waiting caller continue. */
  end(): void {
    this.#end.resolve();
  }
}

/** The new files to which `moveAway` redirects lines. */
export async function movedAway(files: Movable): Promise<string[]> {
  const paths: string[] = [];
  await files.moveAway(paths);
  return paths;
}

/** A journal that is closed at the end of the block. The test has seen why it is broken. */
export async function openJournal<T>(path: string, options: JournalOptions<T> = {}) {
  const journal = await Journal.open<T>(path, options);
  const close = async () => {
    await journal.close().catch((error) => {
      if (!(error instanceof SinkError)) throw error;
    });
  };
  return Object.assign(journal, { [Symbol.asyncDispose]: close });
}
