/** How long the page stays after a run. @module */

import { assertEquals, assertMatch, assertThrows } from "../../lib/deps/std_assert.ts";
import { keepPage, type PageKeep, readPageKeep, redirectPlaces, showPage } from "../../cli/page.ts";
import type { Io } from "../../cli/io.ts";
import { parseCommandLine } from "../../cli/parse.ts";
import { Settings } from "../../cli/settings.ts";
import { UsageError } from "../../lib/errors.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { tempDir } from "../support/temp.ts";

function read(text: string): PageKeep {
  return readPageKeep(new Settings(parseCommandLine(["--monitor-keep", text])));
}

/** Keeps the page of a run that has just ended. */
function keep(keep: PageKeep, { isTerminal = true, isWatched = true } = {}) {
  const monitor = { isWatched };
  const handlers = new Set<() => void>();
  const said: string[] = [], exits: number[] = [];
  let nowMs = 0, isOver = false;
  const io = {
    isTerminal,
    env: () => undefined,
    onSignal(_signal: string, handler: () => void) {
      handlers.add(handler);
      return () => void handlers.delete(handler);
    },
    exit: (code: number) => exits.push(code),
  } as unknown as Io;
  const over = keepPage(monitor, io, { keep, say: (text) => said.push(text), now: () => nowMs })
    .then(() => void (isOver = true));
  return {
    monitor,
    handlers,
    said,
    exits,
    over,
    async isOverAfter(clock: FakeClock, ms: number) {
      nowMs += ms;
      await clock.advance(250);
      return isOver;
    },
  };
}

Deno.test("readPageKeep() reads a time, forever and 0", () => {
  assertEquals([read("0"), read("90s"), read("2h"), read("forever")], [
    0,
    90_000,
    7_200_000,
    Infinity,
  ]);
  const { message } = assertThrows(() => read("long"), UsageError);
  assertMatch(message, /^Cannot use --monitor-keep "long": .* or forever, or 0$/);
});

Deno.test("a page that is not open is not kept", async () => {
  const { over, said, handlers } = keep("watched", { isWatched: false });
  await over;
  assertEquals([said, handlers.size], [[], 0]);
  await keep(0).over;
});

Deno.test("a page is kept for as long as it is watched, without a terminal for 10 minutes", async () => {
  using clock = new FakeClock();
  const attended = keep("watched");
  assertEquals(await attended.isOverAfter(clock, 86_400_000), false);
  attended.monitor.isWatched = false;
  assertEquals(await attended.isOverAfter(clock, 0), true);
  const script = keep("watched", { isTerminal: false });
  assertMatch(script.said[0], /10m 00s at most/);
  assertEquals(await script.isOverAfter(clock, 599_999), false);
  assertEquals(await script.isOverAfter(clock, 1), true);
  assertEquals([script.handlers.size, clock.pendingTimers], [0, 0]);
});

Deno.test("a given time applies whether or not a page is open, with a terminal or without", async () => {
  using clock = new FakeClock();
  const kept = keep(1_200_000, { isTerminal: false, isWatched: false });
  assertEquals(await kept.isOverAfter(clock, 1_199_999), false);
  assertEquals(await kept.isOverAfter(clock, 1), true);
  const forever = keep(Infinity, { isTerminal: false, isWatched: false });
  assertEquals(await forever.isOverAfter(clock, 1e12), false);
  [...forever.handlers][0]();
  await forever.over;
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("a Ctrl-C that deno task repeats does not end the process before the page is closed", async () => {
  using clock = new FakeClock();
  const { over, handlers, exits } = keep(Infinity);
  const press = () => [...handlers].slice(0, 1).forEach((handler) => handler());
  press();
  await over;
  press();
  assertEquals([handlers.size, exits], [3, []]);
  await clock.advance(1_000);
  press();
  assertEquals([exits, clock.pendingTimers], [[130], 0]);
});

Deno.test("a redirect page that cannot be written leaves no file", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using dir = await tempDir();
  const { writeTextFile } = Deno;
  const written: string[] = [], said: string[] = [];
  Deno.writeTextFile = (path) => {
    written.push(String(path));
    return Promise.reject(new Error("No space left on device"));
  };
  try {
    const page = {
      hostname: undefined,
      opensBrowser: true,
      visitorsCan: "",
      output: dir.path("out/"),
    };
    const say = (text: string) => said.push(text);
    await showPage({ ...page, url: "http://127.0.0.1/" }, say, () => undefined)
      [Symbol.asyncDispose]();
  } finally {
    Deno.writeTextFile = writeTextFile;
  }
  assertEquals(said.length, 1);
  assertMatch(said[0], /^Cannot open a browser: .*\. Open the address above$/);
  const left = await Promise.all(written.map((path) => Deno.stat(path).then(() => path, () => "")));
  assertEquals(left, ["", ""]);
});

Deno.test("a redirect page is written where browsers that read only the home folder find it", {
  ignore: Deno.build.os === "windows",
}, () => {
  const first = (output: string, home = "/home/ann") => {
    const [{ dir, prefix }] = redirectPlaces(output, home);
    return `${dir}: ${prefix}`;
  };
  assertEquals(
    ["/home/ann/data/out/", "/home/ann/out.jsonl", "/home/ann/.cache/out/", "/data/out/"].map((
      output,
    ) => first(output)),
    [
      "/home/ann/data/out/: .retort_",
      "/home/ann/out.jsonl: .retort_",
      "/home/ann: retort_",
      "/home/ann: retort_",
    ],
  );
  assertEquals(first("/data/out/", ""), "/data/out/: .retort_");
  // A results file that does not exist yet is no folder: the next place is used.
  const places = redirectPlaces("/home/ann/out.jsonl", "/home/ann").map(({ dir }) => dir);
  assertEquals(places.slice(0, 2), ["/home/ann/out.jsonl", "/home/ann"]);
  assertEquals(places.at(-1), undefined);
});
