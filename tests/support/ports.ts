/**
 * Ports at which nothing listens for a while: `unusedPort()`.
 *
 * @module
 */

/** Below the ports that systems give to servers and connections by themselves, from 32,768. */
const FIRST = 20_000, LAST = 32_000;

/**
 * Returns a port of 127.0.0.1 at which nothing listens. Unlike one that the system has given out
 * and got back, it is not given to a test that runs at the same time.
 */
export function unusedPort(): number {
  while (true) {
    // Not `Math.random`, which some tests replace.
    const [random] = crypto.getRandomValues(new Uint32Array(1));
    const port = FIRST + random % (LAST - FIRST);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
