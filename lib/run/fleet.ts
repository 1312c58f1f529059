/**
 * What the shards of one input share: `--rpm` and `--tpm`. No process gives orders; each looks at the status files of
 * the others and takes no more than they have left.
 *
 * A shard starts with the limit divided by how many run at once. It takes more only where others have ended, or
 * have been silent for three looks: a counter that stands still, for the clocks of nodes differ.
 *
 * @module
 */

import { OWN_FOLDER } from "../paths.ts";
import { basename, dirname } from "../deps/std_path.ts";
import { type Shard, shardStem } from "../shards/mod.ts";
import { readStatus, type RunStatus } from "./status_file.ts";

/** Looks without a beat after which a shard is silent. */
const SILENT_LOOKS = 3;
/** The most files that are read for a look, so that a thousand shards do not read a million files. */
const FILES_A_LOOK = 100;

/** What is known of another shard. */
interface Other {
  status: RunStatus;
  /** Looks in a row that found the same beat. */
  silence: number;
}

/** The shards of one input, as one of them sees them. */
export class Fleet {
  readonly #folder: string;
  readonly #stem: string;
  readonly #shard: Shard;
  readonly #parallel: number;
  readonly #others = new Map<number, Other>();
  #share: number;
  #isLooking = false;
  #skipped = 0;

  /** `stem` is what the names of all outputs begin with, as `out/x`; `parallel` is how many shards run at once. */
  constructor(stem: string, shard: Shard, parallel: number) {
    this.#folder = `${dirname(stem)}/${OWN_FOLDER}`;
    this.#stem = basename(stem);
    this.#shard = shard;
    this.#parallel = Math.min(parallel, shard.count);
    this.#share = 1 / this.#parallel;
  }

  /** The share of each limit that this shard may take, from 0 to 1. */
  get share(): number {
    return this.#share;
  }

  /** Looks at the others, and gives the share. To be called about every 5 s. */
  async look(): Promise<number> {
    if (this.#isLooking || ++this.#skipped < this.#others.size / FILES_A_LOOK) return this.#share;
    this.#isLooking = true;
    this.#skipped = 0;
    try {
      for (const index of await this.#started()) await this.#lookAt(index);
      this.#share = this.#fairShare();
    } finally {
      this.#isLooking = false;
    }
    return this.#share;
  }

  /** The other shards that have a status. */
  async #started(): Promise<number[]> {
    const own = new RegExp(`^(.*)-(\\d{5,})-of-(\\d{5,})\\.status\\.json$`);
    const found: number[] = [];
    try {
      for await (const { name } of Deno.readDir(this.#folder)) {
        const match = own.exec(name);
        if (match === null || match[1] !== this.#stem) continue;
        if (Number(match[3]) !== this.#shard.count) continue;
        const index = Number(match[2]);
        if (index !== this.#shard.index) found.push(index);
      }
    } catch {
      // What cannot be read now may be read at the next look.
    }
    return found;
  }

  async #lookAt(index: number): Promise<void> {
    const before = this.#others.get(index);
    const stem = shardStem(this.#stem, { index, count: this.#shard.count });
    const status = await readStatus(`${this.#folder}/${stem}.status.json`);
    if (status === undefined) return;
    const isSame = before?.status.beat === status.beat && before.status.started === status.started;
    this.#others.set(index, { status, silence: isSame ? before.silence + 1 : 0 });
  }

  #fairShare(): number {
    let active = 0, taken = 0, unfinished = this.#shard.count;
    for (const { status, silence } of this.#others.values()) {
      const isDone = status.ended && status.state === "done";
      if (isDone) unfinished--;
      if (status.ended) continue;
      if (silence >= SILENT_LOOKS) {
        unfinished--;
        continue;
      }
      active++;
      taken += status.share ?? 0;
    }
    const running = Math.max(active + 1, Math.min(this.#parallel, unfinished));
    return Math.max(0, Math.min(1 / running, 1 - taken));
  }
}
