/** Time that work takes, whatever else the machine does. @module */

const RUNS = 5;

/**
 * Returns the shortest time of several runs, in milliseconds: other programs may take the processor
 * during some of them. There are no more runs once one has taken less than `enoughMs`.
 */
export function fastestMs(work: () => void, enoughMs: number): number {
  let fastest = Infinity;
  for (let run = 0; run < RUNS && fastest >= enoughMs; run++) {
    const startMs = performance.now();
    work();
    fastest = Math.min(fastest, performance.now() - startMs);
  }
  return fastest;
}

/** The same for work that is not done in one turn of the event loop. */
export async function fastestMsOf(work: () => Promise<void>, enoughMs: number): Promise<number> {
  let fastest = Infinity;
  for (let run = 0; run < RUNS && fastest >= enoughMs; run++) {
    const startMs = performance.now();
    await work();
    fastest = Math.min(fastest, performance.now() - startMs);
  }
  return fastest;
}
