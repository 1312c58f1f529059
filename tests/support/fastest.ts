/** Time that work takes, whatever else the machine does. @module */

const RUNS = 5;

/**
 * Returns the shortest time of several runs, in milliseconds: other programs may take the processor
 * during some of them. There are no more runs once one has taken less than `enoughMs`.
 */
export async function fastestMs(work: () => unknown, enoughMs: number): Promise<number> {
  let fastest = Infinity;
  for (let run = 0; run < RUNS && fastest >= enoughMs; run++) {
    const startMs = performance.now();
    await work();
    fastest = Math.min(fastest, performance.now() - startMs);
  }
  return fastest;
}
