/**
 * The last resort for lines that cannot be written to their output file: a file of rescued lines
 * next to it or, if that fails, in the folder for temporary files.
 *
 * @module
 */

import { basename } from "../deps/std_path.ts";
import { inFolder, writeAll } from "../files.ts";
import { delay } from "../timer.ts";
import { RETRY_DELAY_MS } from "./appender.ts";
import { cannotWrite, untilSynced } from "./durable_file.ts";
import { repairTail } from "./repair.ts";
import { createRescuedFile, numberOf } from "./rescued.ts";

export interface LastResortOptions {
  readonly mode?: number;
  /** `isTemporary`: the file is in the temporary folder. */
  readonly onFile?: (path: string, isTemporary: boolean) => void;
  readonly makeFolder?: () => Promise<string>;
  /** Whether lines that no disk takes are tried again each second, until `giveUp`. @default false */
  readonly retries?: boolean;
}

interface Place {
  readonly isTemporary: boolean;
  /** Undefined before the file was created. */
  path?: string;
  /** The size before a failed write, which may have left part of a line. */
  sizeBefore?: number;
}

/** Writes answers that arrive after fdatasync has failed, or after the run may no longer wait for
 * disk space. Opens its file only for each write. */
export class LastResort {
  readonly #output: string;
  readonly #options: LastResortOptions;
  readonly #beside: Place = { isTemporary: false };
  readonly #temporary: Place = { isTemporary: true };
  #place = this.#beside;
  readonly #givenUp = new AbortController();
  #last: Promise<void> = Promise.resolve();

  constructor(output: string, options: LastResortOptions = {}) {
    this.#output = output;
    this.#options = options;
  }

  /** Resolves once the lines are durable; rejects if they cannot be kept anywhere.
   *
   * @param lines With line feeds. */
  append(lines: string): Promise<void> {
    const appending = this.#last.then(() => this.#keep(new TextEncoder().encode(lines)));
    this.#last = appending.catch(() => {});
    return appending;
  }

  async untilIdle(): Promise<void> {
    await this.#last;
  }

  /** Ends retries: lines that no disk takes at the next try are rejected. */
  giveUp(): void {
    this.#givenUp.abort();
  }

  async #keep(lines: Uint8Array): Promise<void> {
    const { signal } = this.#givenUp;
    while (true) {
      try {
        return await this.#append(lines);
      } catch (error) {
        if (!this.#options.retries || signal.aborted) throw error;
        await Promise.all([this.#beside, this.#temporary].map(trim));
        await delay(RETRY_DELAY_MS, signal);
        // Users free space for the output, so its disk is tried first: the temporary folder may
        // stay full.
        this.#place = this.#beside;
      }
    }
  }

  async #append(lines: Uint8Array): Promise<void> {
    try {
      await this.#write(lines, this.#place);
    } catch (cause) {
      if (this.#place.isTemporary) throw cannotWrite(this.#output, cause);
      this.#place = this.#temporary;
      await this.#append(lines);
    }
  }

  async #write(lines: Uint8Array, place: Place): Promise<void> {
    place.path ??= await this.#create(place);
    if (place.sizeBefore !== undefined) await repairTail(place.path);
    place.sizeBefore = (await Deno.stat(place.path)).size;
    using file = await Deno.open(place.path, { append: true });
    await writeAll(file, lines);
    await untilSynced(file.syncData());
    place.sizeBefore = undefined;
  }

  async #create({ isTemporary }: Place): Promise<string> {
    const { mode, onFile, makeFolder = () => Deno.makeTempDir({ prefix: "retort-" }) } =
      this.#options;
    const output = isTemporary
      ? inFolder(await makeFolder(), basename(this.#output))
      : this.#output;
    // The user moves the temporary file next to the one beside the output, so their numbers must
    // differ.
    const lastNumber = this.#beside.path === undefined ? 0 : numberOf(this.#beside.path);
    const path = await createRescuedFile(output, mode, lastNumber);
    onFile?.(path, isTemporary);
    return path;
  }
}

/** Removes what a failed write has left, as the lines are tried again. `repairTail` would leave a
 * file with half a line at each try. */
async function trim(place: Place): Promise<void> {
  if (place.sizeBefore === undefined) return;
  await Deno.truncate(place.path!, place.sizeBefore).then(
    () => place.sizeBefore = undefined,
    () => {},
  );
}
