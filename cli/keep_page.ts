/**
 * Opens the page of a run in the user's browser, and keeps it after the run while it is open there.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import { formatDuration } from "../lib/figures.ts";
import type { Monitor } from "../web/server.ts";
import type { Io } from "./io.ts";
import type { Settings } from "./settings.ts";
import { watchParent } from "./signals.ts";

/**
 * How long the page stays up after the run: while a browser shows it, or for a number of
 * milliseconds. `Infinity` means until the process is interrupted.
 */
export type PageKeep = "watched" | number;

/**
 * Limit for `"watched"` without a terminal: a script may be waiting for the process, and its user
 * may have forgotten the page.
 */
const MAX_UNATTENDED_MS = 600_000;

const POLL_MS = 250;

/** Reads `--monitor-keep`. */
export function readPageKeep(settings: Settings): PageKeep {
  const text = settings.text("monitor-keep");
  if (text === undefined) return "watched";
  if (text === "forever") return Infinity;
  if (text === "0") return 0;
  try {
    return settings.milliseconds("monitor-keep") ?? 0;
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new UsageError(`${cause.message}, or forever, or 0`, { cause });
  }
}

export interface KeepPageOptions {
  readonly keep: PageKeep;
  readonly say: (message: string) => void;
  /** A monotonic clock, in milliseconds. @default performance.now */
  readonly now?: () => number;
}

/**
 * Waits until the page of an ended run is no longer needed: the time of `keep` is over, a signal
 * arrives, or the parent process ends. With `"watched"`, also once no browser shows the page.
 */
export async function keepPage(
  monitor: Pick<Monitor, "isWatched">,
  io: Io,
  { keep, say, now = () => performance.now() }: KeepPageOptions,
): Promise<void> {
  const startMs = now();
  const maxMs = keep !== "watched" ? keep : io.isTerminal ? Infinity : MAX_UNATTENDED_MS;
  const isNeeded = () => now() - startMs < maxMs && (keep !== "watched" || monitor.isWatched);
  if (!isNeeded()) return;
  const ended = Promise.withResolvers<void>();
  const stopListening = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) =>
    io.onSignal(signal, ended.resolve)
  );
  using _parent = watchParent(io, ended.resolve);
  const poll = setInterval(() => isNeeded() || ended.resolve(), POLL_MS);
  say(`The run has ended. Its page stays up ${formatKeep(keep, maxMs)}; Ctrl-C closes it now`);
  try {
    await ended.promise;
  } finally {
    clearInterval(poll);
    for (const stop of stopListening) stop();
  }
}

function formatKeep(keep: PageKeep, maxMs: number): string {
  if (keep === Infinity) return "until you stop Retort";
  if (keep !== "watched") return `for ${formatDuration(keep)}`;
  return maxMs === Infinity
    ? "while it is open in a browser"
    : `while it is open in a browser, for ${formatDuration(maxMs)} at most`;
}

/** Commands that open a URL. Other systems have `xdg-open`. */
const OPENERS: Partial<Record<typeof Deno.build.os, readonly [string, ...string[]]>> = {
  darwin: ["open"],
  windows: ["rundll32", "url.dll,FileProtocolHandler"],
};

/**
 * Opens a URL. Resolves when the command that opens it has ended, which may be when the browser is
 * closed: do not wait for it. Needs the permission to run that command.
 *
 * @throws {Error} if there is no such command, if it may not be run, or if it fails
 */
export async function openBrowser(url: string): Promise<void> {
  const [command, ...args] = OPENERS[Deno.build.os] ?? ["xdg-open"];
  const child = spawn(command, [...args, url]);
  child.unref();
  const { code } = await child.status;
  if (code !== 0) throw new Error(`${command} ended with code ${code}`);
}

/**
 * Starts a command. Replaces Deno's message for a missing one, "Failed to spawn 'xdg-open': entity
 * not found".
 */
function spawn(command: string, args: readonly string[]): Deno.ChildProcess {
  const options = { stdin: "null", stdout: "null", stderr: "null" } as const;
  try {
    return new Deno.Command(command, { ...options, args: [...args] }).spawn();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new Error(`there is no "${command}" on this machine`, { cause });
  }
}
