/**
 * Recognizes files that were divided into shards, whatever their paths are now.
 *
 * @module
 */

import { basename } from "../deps/std_path.ts";
import { readFully, statOf } from "../files.ts";
import { fileKeyOf } from "../paths.ts";
import type { PlannedInput } from "./divide.ts";

/** An input that was divided. */
interface DividedInput<T> {
  /** The division that it belongs to, or what stands for that. */
  readonly owner: T;
  readonly planned: PlannedInput;
  /** The file at its path as it is now; undefined if there is none. */
  readonly info: Deno.FileInfo | undefined;
}

/** Inputs of divisions, by what identifies them. */
export class DividedInputs<T> {
  readonly #byKey = new Map<string, T>();
  readonly #byName = new Map<string, DividedInput<T>[]>();

  /** Adds the inputs of one division. */
  async add(owner: T, inputs: readonly PlannedInput[]): Promise<void> {
    for (const planned of inputs) {
      const info = await statOf(planned.path);
      if (info?.isFile) this.#byKey.set(fileKeyOf(planned.path, info), owner);
      const name = basename(planned.path), sameNamed = this.#byName.get(name);
      if (sameNamed === undefined) this.#byName.set(name, [{ owner, planned, info }]);
      else sameNamed.push({ owner, planned, info });
    }
  }

  /**
   * The owner of the input that is this file: at its path, through a link, or as a copy of the same
   * name, because the folder may have had another path, as on another machine.
   */
  async ownerOf(file: string): Promise<T | undefined> {
    const info = await statOf(file);
    // All empty files of a name are alike, and hold no rows.
    if (info === undefined || info.size === 0) return undefined;
    const owner = this.#byKey.get(fileKeyOf(file, info));
    if (owner !== undefined) return owner;
    for (const name of new Set([basename(file), basename(await Deno.realPath(file))])) {
      for (const { owner, planned, info: plannedInfo } of this.#byName.get(name) ?? []) {
        if (planned.size !== info.size) continue;
        // Parts of two datasets may have the same name and size.
        const isSame = plannedInfo?.size !== info.size ||
          await haveSameEnds(file, planned.path, info.size);
        if (isSame) return owner;
      }
    }
    return undefined;
  }
}

/** The bytes of files that are compared, both at the beginning and at the end. */
const COMPARED_BYTES = 1 << 16;

/** Whether two files of the same size begin and end with the same bytes. */
async function haveSameEnds(first: string, second: string, size: number): Promise<boolean> {
  for (const offset of [0, Math.max(0, size - COMPARED_BYTES)]) {
    const [a, b] = await Promise.all([first, second].map((path) => bytesAt(path, offset)));
    if (a.length !== b.length || a.some((byte, i) => byte !== b[i])) return false;
  }
  return true;
}

async function bytesAt(path: string, offset: number): Promise<Uint8Array> {
  using file = await Deno.open(path);
  await file.seek(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(COMPARED_BYTES);
  return bytes.subarray(0, await readFully(file, bytes));
}
