/** Time that work takes, whatever else the machine does. @module */

/**
 * Returns the shortest time of several runs, in milliseconds: other programs may take the processor
 * during some of them.
 *
 * @param enoughMs Time that is short enough to end the measurement. @default 0
 */
export function fastestMs(work: () => void, enoughMs = 0): number {
  let fastest = Infinity;
  for (let run = 0; run < 5 && fastest > enoughMs; run++) {
    const startMs = performance.now();
    work();
    fastest = Math.min(fastest, performance.now() - startMs);
  }
  return fastest;
}
