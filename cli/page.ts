/**
 * The page of a run: its flags, serving it, opening it in the user's browser, and keeping it open
 * after the run.
 *
 * @module
 */

import { dirname, relative, resolve } from "../lib/deps/std_path.ts";
import { UsageError } from "../lib/errors.ts";
import { formatDuration } from "../lib/figures.js";
import { systemReason } from "../lib/files.ts";
import type { ResponseGenerator } from "../lib/response_generator.ts";
import type { ResolvedRunOptions } from "../lib/run/mod.ts";
import type { Monitor, MonitorOptions } from "../web/server.ts";
import type { Io } from "./io.ts";
import type { Settings } from "./settings.ts";
import { Interruption, watchParent } from "./exit.ts";

export interface PageRequest {
  /** The port to listen on; 0 for any free port. */
  readonly port: number;
  /** @default 127.0.0.1 */
  readonly hostname: string | undefined;
  readonly opensBrowser: boolean;
  readonly keep: PageKeep;
}

/** How long the page stays up after its run: while a browser shows it, or a number of ms. */
export type PageKeep = "watched" | number;

/**
 * Maximum time for `"watched"` without a terminal, because a script may be waiting for the process.
 */
const MAX_UNATTENDED_MS = 600_000;

const POLL_MS = 250;

export function readPageKeep(settings: Settings): PageKeep {
  const text = settings.text("monitor-keep");
  if (text === undefined) return "watched";
  if (text === "forever") return Infinity;
  if (text === "0") return 0;
  return settings.milliseconds("monitor-keep", ", or forever, or 0") ?? 0;
}

export function readPage(settings: Settings): PageRequest | undefined {
  const text = settings.text("monitor");
  const hostname = settings.text("monitor-host") || undefined;
  const opensBrowser = settings.isOn("open");
  const keep = readPageKeep(settings);
  if (text !== undefined) {
    const port = text === "" ? 0 : settings.port("monitor") ?? 0;
    return { port, hostname, opensBrowser, keep };
  }
  const loneFlag = hostname !== undefined
    ? "monitor-host"
    : opensBrowser
    ? "open"
    : settings.isTyped("monitor-keep")
    ? "monitor-keep"
    : undefined;
  if (loneFlag === undefined) return undefined;
  throw new UsageError(`Cannot use --${loneFlag} alone: it requires --monitor`);
}

export interface ShownRun
  extends Pick<ResolvedRunOptions, "input" | "output">, Pick<MonitorOptions, "about"> {}

/** Serves the page, prints its address, and opens it if requested. */
export async function servePage(
  generator: ResponseGenerator,
  page: PageRequest,
  { about, output }: ShownRun,
  io: Io,
  say: (message: string) => void,
) {
  const data = { paths: [output], program: io.program };
  const { serveMonitor } = await import("../web/server.ts");
  const { hostname, port } = page;
  const { url, monitor, close } = serveMonitor(generator, { hostname, port, about, data });
  say(`Monitor: ${shownUrl(url, page.hostname)}`);
  const visitorsCan = "read the prompts and control the run";
  const shownPage = showPage({ ...page, url, visitorsCan, output }, say, io.env);
  return {
    monitor,
    async close() {
      await shownPage[Symbol.asyncDispose]();
      await close();
    },
  };
}

export interface KeepPageOptions {
  readonly keep: PageKeep;
  readonly say: (message: string) => void;
  /** @default performance.now */
  readonly now?: () => number;
}

/**
 * Waits until the time of `keep` is over or, with `"watched"`, no browser shows the page. A signal,
 * or the end of an npm, npx or `deno task` that started Retort, ends the wait.
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
  const unneeded = Promise.withResolvers<void>();
  using interruption = new Interruption(io);
  interruption.firstSignal.then(unneeded.resolve);
  using _parent = watchParent(io, unneeded.resolve);
  const poll = setInterval(() => isNeeded() || unneeded.resolve(), POLL_MS);
  say(`The run has ended. Its page stays up ${formatKeep(keep, maxMs)}; Ctrl-C closes it now`);
  try {
    await unneeded.promise;
  } finally {
    clearInterval(poll);
  }
}

function formatKeep(keep: PageKeep, maxMs: number): string {
  if (keep === Infinity) return "until you stop Retort";
  if (keep !== "watched") return `for ${formatDuration(keep)}`;
  return maxMs === Infinity
    ? "while it is open in a browser"
    : `while it is open in a browser, for ${formatDuration(maxMs)} at most`;
}

/** Matches host names that only this machine can reach. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i;

/** Matches wildcard addresses, with which the server listens on all interfaces. */
const ANY_ADDRESS = /^(0\.0\.0\.0|\[?::\]?)$/;

/** Returns the URL to print. A wildcard address would be useless on another machine. */
export function shownUrl(url: string, hostname = ""): string {
  if (!ANY_ADDRESS.test(hostname)) return url;
  const { port, pathname, search } = new URL(url);
  return `http://ADDRESS-OF-THIS-MACHINE:${port}${pathname}${search}`;
}

export interface ServedPage {
  readonly url: string;
  /** @default 127.0.0.1 */
  readonly hostname: string | undefined;
  readonly opensBrowser: boolean;
  /** What anyone who has the URL can do, for the warning: `see the runs`. */
  readonly visitorsCan: string;
  /** The output that the page shows: a folder or a results file, which may not exist yet. */
  readonly output: string;
}

/** Warns if others can reach the page. Opens it if requested; disposing deletes the redirect. */
export function showPage(
  { url, hostname, opensBrowser, visitorsCan, output }: ServedPage,
  say: (message: string) => void,
  env: Io["env"],
): AsyncDisposable {
  if (hostname !== undefined && !LOOPBACK.test(hostname)) {
    say(
      `Warning: anyone who has this address can ${visitorsCan}, and the connection is ` +
        "not encrypted",
    );
  }
  // On Windows, the URL need not be hidden: users cannot read the arguments of other users'
  // programs.
  const hidesUrl = opensBrowser && Deno.build.os !== "windows";
  const redirect = hidesUrl
    ? writeRedirect(url, redirectPlaces(output, homeOf(env)))
    : Promise.resolve(undefined);
  if (opensBrowser) {
    redirect.then((path = url) => openBrowser(path)).catch((error: Error) =>
      say(`Cannot open a browser: ${error.message}. Open the address above`)
    );
  }
  return {
    async [Symbol.asyncDispose]() {
      const path = await redirect.catch(() => undefined);
      if (path !== undefined) await Deno.remove(path).catch(() => {});
    },
  };
}

/** Permission bits of everyone but the owner. */
const OTHERS = 0o077;

const HIDDEN = ".retort_";

/**
 * Places for the file that redirects to a page, best first; the last is the folder of temporary
 * files. Browsers installed from snap read nothing outside of the home folder and no hidden file or
 * folder directly in it, so the file in the home folder is visible. A file beside the output is
 * hidden, because folders of results are loaded as data sets.
 */
export function redirectPlaces(output: string, home: string | undefined): Deno.MakeTempOptions[] {
  const beside = [output, dirname(output)].map((dir) => ({ dir, prefix: HIDDEN }));
  const places = [...beside, { prefix: HIDDEN }];
  if (!home) return places;
  // A path to a folder elsewhere begins with "..", and one to a hidden folder with a dot.
  const inHome = beside.filter(({ dir }) => /^[^.]/.test(relative(home, resolve(dir))));
  return [...inHome, { dir: home, prefix: "retort_" }, ...places];
}

/** Returns the home folder; undefined if Deno would prompt for the permission to use it. */
function homeOf(env: Io["env"]): string | undefined {
  const path = env("HOME");
  const isGranted = (name: "read" | "write") =>
    Deno.permissions.querySync({ name, path }).state === "granted";
  return path && isGranted("read") && isGranted("write") ? path : undefined;
}

/**
 * Writes a page that only the user may read and that redirects to `url`. Returns its path. Every
 * user of the machine can read the arguments of a program, and `url` has the token.
 */
async function writeRedirect(
  url: string,
  places: readonly Deno.MakeTempOptions[],
): Promise<string> {
  let problem: unknown;
  for (const place of places) {
    let path: string | undefined;
    try {
      path = await Deno.makeTempFile({ ...place, suffix: ".html" });
      const { mode } = await Deno.stat(path);
      // Some filesystems, such as FAT, cannot make a file private.
      if (((mode ?? 0) & OTHERS) !== 0) {
        throw new Error("a file with the token would be readable by others");
      }
      await Deno.writeTextFile(path, redirectPage(url));
      return await Deno.realPath(path);
    } catch (error) {
      problem = new Error(systemReason(error), { cause: error });
      if (path !== undefined) await Deno.remove(path).catch(() => {});
    }
  }
  throw problem;
}

function redirectPage(url: string): string {
  return `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta http-equiv="refresh" content="0; url=${url}">
    <title>Retort</title>
  </head>
  <body><a href="${url}">Continue</a></body>
</html>
`;
}

/** Commands that open a file or URL. Other systems use `xdg-open`. */
const OPENERS: Partial<Record<typeof Deno.build.os, readonly [string, ...string[]]>> = {
  darwin: ["open"],
  windows: ["rundll32", "url.dll,FileProtocolHandler"],
};

/** Resolves when the command ends. Some commands end only when the user closes the browser. */
async function openBrowser(target: string): Promise<void> {
  const [command, ...args] = OPENERS[Deno.build.os] ?? ["xdg-open"];
  const io = { stdin: "null", stdout: "null", stderr: "null" } as const;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(command, { ...io, args: [...args, target] }).spawn();
  } catch (cause) {
    // Replaces Deno's "Failed to spawn 'xdg-open': entity not found".
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new Error(`there is no "${command}" on this machine`, { cause });
  }
  child.unref();
  const { code } = await child.status;
  if (code !== 0) throw new Error(`${command} ended with code ${code}`);
}
