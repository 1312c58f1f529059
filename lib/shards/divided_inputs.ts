/**
 * Recognizes files that were divided into shards, whatever their paths are now.
 *
 * @module
 */

import { basename } from "../deps/std_path.ts";
import { readFully, statOf } from "../files.ts";
import { fileKeyOf } from "../paths.ts";
import type { PlannedInput } from "./divide.ts";

/** An input, and what it belongs to. */
interface Divided<T> {
  readonly owner: T;
  readonly planned: PlannedInput;
  /** The file that is at its path now; undefined if there is none. */
  readonly there: Deno.FileInfo | undefined;
}

/** Inputs of divisions, by what identifies them. */
export class DividedInputs<T> {
  readonly #byKey = new Map<string, T>();
  readonly #byName = new Map<string, Divided<T>[]>();

  async add(owner: T, inputs: readonly PlannedInput[]): Promise<void> {
    for (const planned of inputs) {
      const there = await statOf(planned.path);
      if (there?.isFile) this.#byKey.set(fileKeyOf(planned.path, there), owner);
      const name = basename(planned.path), others = this.#byName.get(name);
      if (others === undefined) this.#byName.set(name, [{ owner, planned, there }]);
      else others.push({ owner, planned, there });
    }
  }

  /**
   * The owner of an input that is this file: by its path, by a link, or as a copy of the same name.
   * The folder may have had another path then, as on another machine.
   */
  async ownerOf(file: string): Promise<T | undefined> {
    const info = await statOf(file);
    if (info === undefined) return undefined;
    const owner = this.#byKey.get(fileKeyOf(file, info));
    if (owner !== undefined) return owner;
    for (const name of new Set([basename(file), basename(await Deno.realPath(file))])) {
      for (const { owner, planned, there } of this.#byName.get(name) ?? []) {
        if (planned.size !== info.size) continue;
        // Parts of two datasets may have the same name and size.
        const isSame = there?.size !== info.size ||
          await haveSameEnds(file, planned.path, info.size);
        if (isSame) return owner;
      }
    }
    return undefined;
  }
}

/** Bytes at the beginning and the end of files that are compared. */
const COMPARED_BYTES = 1 << 16;

async function haveSameEnds(one: string, other: string, size: number): Promise<boolean> {
  for (const offset of [0, Math.max(0, size - COMPARED_BYTES)]) {
    const [a, b] = await Promise.all([one, other].map((path) => bytesAt(path, offset)));
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
