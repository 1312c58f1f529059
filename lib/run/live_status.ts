/**
 * Publishes the status of a run for other processes; and for a shard, takes what the others leave of shared
 * limits.
 *
 * @module
 */

import type { Summary } from "../progress/mod.ts";
import type { RunContext } from "./context.ts";
import type { Jobs } from "./jobs.ts";
import type { ResolvedRunOptions } from "./option_rules.ts";
import type { Fleet, ShardFiles } from "./own_shard.ts";
import { readStatus, StatusFile, statusPathOf } from "./status_file.ts";

/** The part of an engine that takes a share of limits. */
interface Limited {
  setRateShare(share: number): void;
}

/** The status file of a run, and the share of a shard. */
export class LiveStatus {
  readonly #file: StatusFile;
  readonly #fleet: Fleet | undefined;
  /** US dollars that earlier runs of the shard have spent. */
  readonly spentBefore: number;

  private constructor(file: StatusFile, fleet: Fleet | undefined, spentBefore: number) {
    this.#file = file;
    this.#fleet = fleet;
    this.spentBefore = spentBefore;
  }

  /** Writes the first status. A shard waits for it: the others have to know of it before it sends. Of any other
   * run it only informs, and the first request does not wait for the disk. */
  static async open(
    { progress, generator, prepared }: Pick<RunContext, "progress" | "generator" | "prepared">,
    { shard }: ResolvedRunOptions,
    jobs: Jobs,
    model: string,
  ): Promise<LiveStatus> {
    const [job] = jobs.list;
    const path = job.files.results;
    const isShared = generator.teachers.some(({ rpm, tpm }) => (rpm ?? tpm) !== undefined);
    const fleet = jobs.shard && isShared ? await fleetOf(jobs.shard, shard!) : undefined;
    const before = shard && await readStatus(statusPathOf(path));
    const spentBefore = before?.spent_usd ?? 0;
    const file = new StatusFile(path, {
      snapshot: () => progress.snapshot(),
      model,
      shard,
      spentBefore,
      share: fleet && (() => fleet.share),
      mode: job.replacing.mode,
      isLedger: shard !== undefined && prepared.budget.maxCostUsd !== null,
    });
    const written = file.write();
    if (shard !== undefined) await written;
    return new LiveStatus(file, fleet, spentBefore);
  }

  /** To be called about once a second: writes the status when it is due, and then reads those of the others. */
  tick(engine: Limited | undefined): void {
    if (this.#file.tick()) this.takeShare(engine);
  }

  /** Gives the engine the share of the rate limits that the other shards leave. */
  takeShare(engine: Limited | undefined): void {
    const fleet = this.#fleet;
    if (fleet === undefined) return;
    engine?.setRateShare(fleet.share);
    fleet.look().then((share) => engine?.setRateShare(share), () => {});
  }

  /** Writes the end of the run. */
  async end(summary: Summary | undefined): Promise<void> {
    await this.#file.end(summary);
  }
}

async function fleetOf(
  { stem }: ShardFiles,
  shard: NonNullable<ResolvedRunOptions["shard"]>,
): Promise<Fleet> {
  const { Fleet } = await import("./own_shard.ts");
  const fleet = new Fleet(stem, shard, shard.parallel ?? shard.count);
  await fleet.look();
  return fleet;
}
