/**
 * Keeps answers that arrive after fdatasync has failed on their output file: in a file of rescued
 * lines next to it, or in the temporary folder if that disk takes no more.
 *
 * @module
 */

import { basename } from "../deps/std_path.ts";
import { writeAll } from "../files.ts";
import { inFolder } from "../paths.ts";
import { cannotWrite } from "./durable_file.ts";
import { createRescuedFile } from "./rescued.ts";
import { repairTail } from "./tail.ts";

export interface LastResortOptions {
  /** The permissions of the file, before umask. @default 0o666 */
  readonly mode?: number;
  /** Called with each file that lines go to; `isTemporary`: it is in the temporary folder. */
  readonly onFile?: (path: string, isTemporary: boolean) => void;
  /** Creates a folder on another disk. @default in the folder for temporary files */
  readonly makeFolder?: () => Promise<string>;
}

/** Lines of one output file. Each is durable once `append` resolves. Keeps no file open. */
export class LastResort {
  readonly #output: string;
  readonly #options: LastResortOptions;
  /** The file of rescued lines; undefined before it is created. */
  #path: string | undefined;
  /** Whether lines go to the temporary folder, because a write next to the output has failed. */
  #isTemporary = false;
  /** Whether the last write to the file has failed, which may have left a part of a line. */
  #isTorn = false;
  #last: Promise<void> = Promise.resolve();

  constructor(output: string, options: LastResortOptions = {}) {
    this.#output = output;
    this.#options = options;
  }

  /**
   * Appends whole lines. Rejects if they cannot be kept anywhere.
   *
   * @param lines With their line feeds.
   */
  append(lines: string): Promise<void> {
    const appended = this.#last.then(() => this.#append(new TextEncoder().encode(lines)));
    this.#last = appended.catch(() => {});
    return appended;
  }

  /** Resolves once all lines so far are kept, or cannot be. */
  async untilIdle(): Promise<void> {
    await this.#last;
  }

  async #append(lines: Uint8Array): Promise<void> {
    try {
      this.#path ??= await this.#create();
      if (this.#isTorn) await repairTail(this.#path);
      this.#isTorn = false;
      using file = await Deno.open(this.#path, { append: true });
      await writeAll(file, lines);
      await file.syncData();
    } catch (cause) {
      if (this.#isTemporary) {
        this.#isTorn = this.#path !== undefined;
        throw cannotWrite(this.#output, cause);
      }
      this.#path = undefined;
      this.#isTemporary = true;
      await this.#append(lines);
    }
  }

  async #create(): Promise<string> {
    const { mode, onFile, makeFolder = () => Deno.makeTempDir({ prefix: "retort-" }) } =
      this.#options;
    const beside = this.#isTemporary
      ? inFolder(await makeFolder(), basename(this.#output))
      : this.#output;
    const path = await createRescuedFile(beside, mode);
    onFile?.(path, this.#isTemporary);
    return path;
  }
}
