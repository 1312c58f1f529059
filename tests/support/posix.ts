/**
 * For tests that need a POSIX shell, named pipes, permissions or signals.
 *
 * @module
 */

/** `Deno.test(name, POSIX, …)` lists the test as ignored on Windows. */
export const POSIX = { ignore: Deno.build.os === "windows" } as const;
