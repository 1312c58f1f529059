/**
 * Simulates a job of shards on many nodes, with failures, preemption, time limits and servers of
 * uneven speed. `deno run bench/fleet.ts` prints how much longer the job takes than a balanced one
 * without failures.
 *
 * @module
 */

export interface FleetJob {
  /** Each node runs one shard at a time. */
  readonly nodes: number;
  readonly shards: number;
  readonly rows: number;
  /** The mean over the nodes. */
  readonly rowsPerSecondPerNode: number;
  /** Standard deviation of a node's speed, as a fraction of the mean. */
  readonly unevenness: number;
  /** Mean time until a node fails, or is preempted without a warning. */
  readonly hoursToKill: number;
  /** Mean time until a node is preempted with a warning. Calls in flight can then finish. */
  readonly hoursToPreempt: number;
  /** Time limit of a shard. A shard that reaches it is requeued. */
  readonly limitHours: number;
  /** Calls in flight at each node. */
  readonly inFlight: number;
}

/** Time until a shard that ended early starts again: Slurm waits for more than two minutes. */
const REQUEUE_S = 150;
/** Time from the start of a shard to its first call: it first reads its input twice. */
const START_S = 3;

export interface FleetOutcome {
  readonly hours: number;
  /** The hours if nothing failed and all nodes worked to the end. */
  readonly idealHours: number;
  /** Rows that were sent twice, because they were in flight when a node was killed. */
  readonly repeated: number;
  readonly restarts: number;
}

export function simulateFleet(job: FleetJob, random: () => number): FleetOutcome {
  const { nodes, shards, rows, rowsPerSecondPerNode, unevenness, inFlight } = job;
  const speedOf = () => rowsPerSecondPerNode * Math.max(0.2, 1 + unevenness * normal(random));
  const speeds = Array.from({ length: nodes }, speedOf);
  const freeAtS = new Float64Array(nodes);
  const queue = Array.from({ length: shards }, () => ({ rowsLeft: rows / shards, readyAtS: 0 }));
  let repeated = 0, restarts = 0, endS = 0;
  while (queue.length > 0) {
    let node = 0;
    for (let other = 1; other < nodes; other++) if (freeAtS[other] < freeAtS[node]) node = other;
    const shard = queue.shift()!;
    const startS = Math.max(freeAtS[node], shard.readyAtS) + START_S;
    const workS = shard.rowsLeft / speeds[node];
    const killS = exponential(random, job.hoursToKill * 3_600);
    const preemptS = exponential(random, job.hoursToPreempt * 3_600);
    const stopS = Math.min(killS, preemptS, job.limitHours * 3_600);
    if (workS <= stopS) {
      freeAtS[node] = startS + workS;
      endS = Math.max(endS, freeAtS[node]);
      continue;
    }
    restarts++;
    const lostRows = stopS === killS ? Math.min(inFlight, stopS * speeds[node]) : 0;
    repeated += lostRows;
    freeAtS[node] = startS + stopS;
    const rowsLeft = shard.rowsLeft - stopS * speeds[node] + lostRows;
    queue.push({ rowsLeft, readyAtS: startS + stopS + REQUEUE_S });
  }
  const idealS = rows / speeds.reduce((sum, speed) => sum + speed, 0);
  return {
    hours: endS / 3_600,
    idealHours: idealS / 3_600,
    repeated: Math.round(repeated),
    restarts,
  };
}

function exponential(random: () => number, mean: number): number {
  return -Math.log(1 - random()) * mean;
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Returns a generator of random numbers in [0, 1) (mulberry32). */
function seededRandom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

if (import.meta.main) {
  console.log("nodes  shards  rows           ideal     takes     overhead  restarts  sent twice");
  for (const nodes of [10, 100, 1_000]) {
    for (const perNode of [1, 4, 16]) {
      const rows = nodes * 1_000_000, shards = nodes * perNode;
      const job: FleetJob = {
        ...{ nodes, shards, rows, rowsPerSecondPerNode: 32, unevenness: 0.1, inFlight: 256 },
        ...{ hoursToKill: 200, hoursToPreempt: 24, limitHours: 12 },
      };
      const { hours, idealHours, repeated, restarts } = simulateFleet(
        job,
        seededRandom(nodes + perNode),
      );
      const columns = [
        String(nodes).padEnd(6),
        String(shards).padEnd(7),
        rows.toLocaleString("en").padEnd(14),
        `${idealHours.toFixed(2)} h`.padEnd(9),
        `${hours.toFixed(2)} h`.padEnd(9),
        `${((hours / idealHours - 1) * 100).toFixed(1)} %`.padEnd(9),
        String(restarts).padEnd(9),
        repeated.toLocaleString("en"),
      ];
      console.log(columns.join(" "));
    }
  }
}
