/** Tests of web/fleet/: many runs on one page. @module */

import { runStatuses } from "../../mod.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { SinkError, UsageError } from "../../lib/errors.ts";
import { createFleetApp } from "../../web/fleet/server.ts";
import { serveFolderMonitor } from "../../web/server.ts";
import { FolderWatch } from "../../web/fleet/watch.ts";
import { POSIX } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { nameOf, statusOf, writePlan, writeStatus } from "./fleet_files.ts";

Deno.test("totals are sums, the ETA is that of the slowest, and runs that need attention come first", async () => {
  await using dir = await tempDir();
  const statuses = [
    statusOf(0),
    statusOf(1, { rate_per_s: 1, eta_s: 600 }),
    statusOf(2, { ended: true, state: "done", succeeded: 898, in_flight: 0, eta_s: 0 }),
    statusOf(3, { ended: true, state: "halted", reason: "The key is wrong", in_flight: 0 }),
    statusOf(4, {
      teachers: [{ address: "http://b/v1", state: "down", in_flight: 0, answered: 0 }],
    }),
  ];
  for (const status of statuses) await writeStatus(dir, status);
  const watch = new FolderWatch(dir.path("out"));
  await watch.check();
  const view = watch.view(10);
  assertEquals([view.runs, view.total, view.done, view.failed], [5, 5_000, 4 * 402 + 1_000, 10]);
  assertEquals([view.in_flight, view.rate_per_s, view.eta_s, view.cost_usd], [48, 21, 600, 3.75]);
  assertEquals(view.errors, [{ type: "server", status: 500, count: 20 }]);
  assertEquals(view.teachers, { up: 1, down: 1 });
  assertEquals(view.rows.map(({ name }) => name), [3, 1, 0, 4, 2].map(nameOf));
  assertEquals(view.states, { running: 3, done: 1, halted: 1 });
});

Deno.test("runs of unknown cost are counted, unless they have sent nothing", async () => {
  await using dir = await tempDir();
  const costs = { cost_usd: null, spent_usd: null };
  await writeStatus(dir, statusOf(0));
  await writeStatus(dir, statusOf(1, { ...costs, attempts: 0 }));
  const watch = new FolderWatch(dir.path("out"));
  await watch.check();
  const before = watch.view(10);
  assertEquals([before.cost_usd, before.runs_of_unknown_cost], [0.75, 0]);
  await writeStatus(dir, statusOf(2, costs));
  await watch.check();
  const after = watch.view(10);
  assertEquals([after.cost_usd, after.runs_of_unknown_cost], [0.75, 1]);
});

Deno.test("the teachers of a run are all counted, though its status names only some", async () => {
  await using dir = await tempDir();
  const teacher = { address: "http://b/v1", state: "down", in_flight: 0, answered: 0 };
  await writeStatus(dir, statusOf(0));
  await writeStatus(dir, statusOf(1, { teachers: [teacher], teacher_states: { up: 39, down: 1 } }));
  const watch = new FolderWatch(dir.path("out"));
  await watch.check();
  assertEquals(watch.view(10).teachers, { up: 39, down: 1 });
});

Deno.test("files that cannot be read are named beside the runs that can", async () => {
  await using dir = await tempDir();
  await writeStatus(dir, statusOf(0));
  await dir.write(`out/.retort/${nameOf(1)}.status.json`, "{");
  await Deno.mkdir(dir.path("out/.retort/other.shards-2.json"));
  await dir.write("out/.retort/torn.shards-2.json", "{");
  const watch = new FolderWatch(dir.path("out"));
  await watch.check();
  const torn = new FolderWatch(dir.path("out"), "torn");
  await torn.check();
  assertEquals([torn.isEmpty, torn.view(10).states], [false, { silent: 1 }]);
  assertEquals(watch.view(10).states, { running: 1, silent: 3 });
  const reasons = watch.view(10).rows.map(({ name, reason }) => `${name}: ${reason}`);
  assertStringIncludes(reasons[0], `${nameOf(1)}: Cannot read "${dir.path("out/.retort")}`);
  assertStringIncludes(reasons[1], "other: Cannot read");
  assertStringIncludes(reasons[2], 'torn.shards-2.json": it is incomplete');
  const checking = watch.check();
  assertEquals(watch.view(10).states, { running: 1, silent: 3 }, "while files are read again");
  await checking;
  await writeStatus(dir, statusOf(1));
  for (const name of ["other", "torn"]) {
    await Deno.remove(dir.path(`out/.retort/${name}.shards-2.json`));
  }
  await watch.check();
  assertEquals(watch.view(10).states, { running: 2 });
});

Deno.test("a counter that stops makes a run silent, then dead; one that moves again makes it alive", async () => {
  await using dir = await tempDir();
  const watch = new FolderWatch(dir.path("out"));
  const stateAfter = async (checks: number, beat?: number) => {
    if (beat !== undefined) await writeStatus(dir, statusOf(0, { beat }));
    for (let i = 0; i < checks; i++) await watch.check();
    return watch.view(10).rows[0].state;
  };
  assertEquals(await stateAfter(1, 1), "running");
  assertEquals(await stateAfter(2), "running");
  assertEquals(await stateAfter(1), "silent");
  assertEquals(await stateAfter(9), "dead");
  assertEquals([watch.view(10).in_flight, watch.view(10).rate_per_s], [0, 0]);
  assertEquals(await stateAfter(1, 20), "running");
});

Deno.test("shards that have not started wait, with the rows that they will have", async () => {
  await using dir = await tempDir();
  await writePlan(dir, 3, 1_000);
  const watch = new FolderWatch(dir.path("out"));
  await watch.check();
  const { rows, total, states } = watch.view(10);
  assertEquals([states, total, rows[0].total], [{ waiting: 3 }, 3_000, 1_000]);
});

Deno.test("a plan that was removed and made again has its new rows", async () => {
  await using dir = await tempDir();
  await writePlan(dir, 3, 1_000);
  const watch = new FolderWatch(dir.path("out"));
  const rowsOf = async () => {
    await watch.check();
    const { runs, total } = watch.view(10);
    return [runs, total];
  };
  assertEquals(await rowsOf(), [3, 3_000]);
  await Deno.remove(dir.path("out/.retort/in.shards-1000.json"));
  assertEquals(await rowsOf(), [0, 0]);
  await writePlan(dir, 2, 9_000);
  assertEquals(await rowsOf(), [2, 18_000]);
  await writePlan(dir, 2, 19_000);
  assertEquals(await rowsOf(), [2, 38_000]);
});

Deno.test("rows change places only if their rank changes", async () => {
  await using dir = await tempDir();
  const watch = new FolderWatch(dir.path("out"));
  const orderFor = async (...etas: (number | null)[]) => {
    for (const [i, eta_s] of etas.entries()) {
      await writeStatus(dir, statusOf(i, { beat: ++beat, eta_s }));
    }
    await watch.check();
    return watch.view(10).rows.map(({ name }) => name);
  };
  let beat = 7;
  const inOrder = [0, 1, 2, 3].map(nameOf);
  assertEquals(await orderFor(60, 61, 62, 63), inOrder);
  assertEquals(await orderFor(61, 59, 64, 60), inOrder);
  // A shard that began late ends last, though it is as fast as the others.
  assertEquals(await orderFor(60, 60, 60, 200), [3, 0, 1, 2].map(nameOf));
  // At the start of a job, most shards have no estimate yet.
  assertEquals(await orderFor(null, null, null, 60), inOrder);
});

Deno.test("shards that have not started have as many samples for each row as those that have", async () => {
  await using dir = await tempDir();
  await writePlan(dir, 1_000, 250);
  await writeStatus(dir, statusOf(0));
  await writeStatus(dir, statusOf(1, { total: null }));
  const watch = new FolderWatch(dir.path("out"));
  await watch.check();
  const { rows } = watch.view(Infinity);
  assertEquals(rows.find(({ name }) => name === nameOf(2))?.total, 1_000);
  assertEquals(watch.view(10).total, null);
  await writeStatus(dir, statusOf(1, { beat: 8 }));
  await watch.check();
  assertEquals(watch.view(10).total, 1_000_000);
});

Deno.test("a run's name does not match runs whose names only begin with it", async () => {
  await using dir = await tempDir();
  const names = ["in", nameOf(0), "in2", "in-hard", nameOf(1).replace("in", "in2")];
  for (const name of names) await writeStatus(dir, statusOf(0, { name }));
  const seen = async (stem: string) => {
    const watch = new FolderWatch(dir.path("out"), stem);
    await watch.check();
    return watch.view(10).rows.map(({ name }) => name).toSorted();
  };
  assertEquals(await seen("in"), ["in", nameOf(0)]);
  assertEquals(await seen(nameOf(0)), [nameOf(0)]);
  assertEquals(await seen("i"), []);
});

Deno.test("the app gives nothing without the token, and 200 runs unless all are requested", async () => {
  await using dir = await tempDir();
  await Promise.all(Array.from({ length: 300 }, (_, i) => writeStatus(dir, statusOf(i))));
  const watch = new FolderWatch(dir.path("out"));
  await watch.check();
  const { app, token, cookieName } = createFleetApp(watch);
  const ask = (path: string, headers: Record<string, string> = {}) =>
    app.request(`http://127.0.0.1${path}`, { headers: { host: "127.0.0.1", ...headers } });
  assertEquals((await ask("/state")).status, 401);
  const cookie = { cookie: `${cookieName}=${token}`, "sec-fetch-site": "same-origin" };
  const first = await (await ask("/state", cookie)).json();
  assertEquals([first.runs, first.rows.length, first.more], [300, 200, 100]);
  assertEquals((await (await ask("/state?all", cookie)).json()).rows.length, 300);
});

Deno.test("a script sees the runs of a folder as a page and as values", async () => {
  await using dir = await tempDir();
  for (const index of [1, 0]) await writeStatus(dir, statusOf(index));
  await dir.write("out/.retort/half.status.json", '{"retort":');
  const statuses = await runStatuses(dir.path("out/"));
  assertEquals(statuses.map(({ name }) => name), [0, 1].map(nameOf));
  assertEquals(await runStatuses(dir.path("none/")), []);
  await using page = await serveFolderMonitor(dir.path("out"));
  const { origin, searchParams } = new URL(page.url);
  const entered = await fetch(page.url, { redirect: "manual" });
  await entered.body?.cancel();
  const cookie = entered.headers.getSetCookie()[0];
  const state = await fetch(`${origin}/state`, { headers: { cookie: cookie.split(";")[0] } });
  assertEquals((await state.json()).states, { running: 2, silent: 1 });
  assertEquals(searchParams.get("token")?.length, 32);
  await assertRejects(() => serveFolderMonitor(dir.path("other.jsonl")), UsageError, "no run of");
});

Deno.test(
  "files of other programs, versions and kinds are left out or read as far as they can be",
  POSIX,
  async () => {
    await using dir = await tempDir();
    const odd: Record<string, unknown> = {
      half: '{"retort":"0.1.0","beat":',
      foreign: { hello: "world", errors: [] },
      number: 7,
      older: { retort: "0.0.1", beat: 1, started: "", ended: false },
      huge: statusOf(0, { total: 1e300, succeeded: -5, rate_per_s: 1e308, eta_s: 1e20 }),
      kinds: {
        ...statusOf(0),
        errors: [null, "x", { count: "many" }],
        teachers: { a: 1 },
        model: 3,
      },
      'with "<b>spaces\nand lines"': statusOf(0, { name: "another", model: "<script>" }),
      large: { ...statusOf(0), reason: "x".repeat(100_000) },
    };
    for (const [name, value] of Object.entries(odd)) {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      await dir.write(`out/.retort/${name}.status.json`, text);
    }
    await Deno.mkdir(dir.path("out/.retort/folder.status.json"));
    await Deno.symlink("loop.status.json", dir.path("out/.retort/loop.status.json"));
    const watch = new FolderWatch(dir.path("out"));
    await watch.check();
    const view = watch.view(10);
    const namesWith = (isSilent: boolean) =>
      view.rows.flatMap(({ name, state }) => (state === "silent") === isSilent ? [name] : [])
        .toSorted();
    assertEquals(namesWith(true), ["half", "loop"]);
    assertEquals(namesWith(false), [
      "huge",
      "kinds",
      "older",
      'with "<b>spaces\nand lines"',
    ]);
    assertEquals([view.done, view.rate_per_s, view.errors.length], [102 + 402 + 402, 20, 2]);
    // A run whose file is no status any more is dead.
    await dir.write("out/.retort/older.status.json", "null");
    await dir.write("out/.retort/kinds.status.json", "x".repeat(100_000));
    for (let checks = 0; checks < 12; checks++) await watch.check();
    assertEquals(watch.view(10).states, { silent: 2, dead: 4 });
    // A file that is gone for a minute is forgotten.
    await Deno.remove(dir.path("out/.retort"), { recursive: true });
    for (let checks = 0; checks < 14; checks++) await watch.check();
    assertEquals(watch.isEmpty, true);
    await dir.write("out/.retort", "a file");
    await assertRejects(() => watch.check(), SinkError, "Cannot read");
  },
);
