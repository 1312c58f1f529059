/** Tests of the routes of the data page. @module */

import { gzipSync } from "node:zlib";
import { assert, assertEquals, assertMatch, assertRejects } from "../../lib/deps/std_assert.ts";
import { DataService } from "../../lib/data/mod.ts";
import { delay } from "../../lib/timer.ts";
import { createMonitor } from "../../web/server.ts";
import { createViewApp } from "../../web/view/server.ts";
import { failureLine, resultLine } from "../data/lines.ts";
import { FakeRun } from "./fake_run.ts";
import { type TempDir, tempDir } from "../support/temp.ts";

/** The app over some rows, and a browser with the cookie. */
async function openApp(dir: TempDir) {
  await dir.write(
    "out/x.jsonl",
    resultLine({ uid: "a", own: { lang: "en" } }) + resultLine({ uid: "b", own: { lang: "de" } }) +
      resultLine({ uid: "a#1", inputUid: "a", response: "Another answer to the same row" }),
  );
  await dir.write("out/x_error.jsonl", failureLine("c"));
  const service = await DataService.open({ paths: [dir.path("out")] });
  const { app, token, cookieName } = createViewApp(service, { program: "retort" });
  const headers = { host: "127.0.0.1:1", cookie: `${cookieName}=${token}` };
  // deno-lint-ignore no-explicit-any -- a test knows what it asked for
  const get = async (path: string): Promise<any> =>
    await (await app.request(path, { headers })).json();
  while (!(await get("/data/state")).index.isCurrent) await delay(5);
  const post = (body: string, more: Record<string, string> = {}) =>
    app.request("/data/selection", {
      method: "POST",
      body,
      headers: {
        ...headers,
        "content-type": "application/json",
        origin: "http://127.0.0.1:1",
        ...more,
      },
    });
  return {
    app,
    service,
    token,
    headers,
    get,
    post,
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

Deno.test("view: answers its own page only", async () => {
  await using dir = await tempDir();
  await using scene = await openApp(dir);
  const { app, headers, token } = scene;
  const status = async (path: string, init: RequestInit = {}) => {
    const response = await app.request(path, init);
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await status("/data/state", { headers: { host: "127.0.0.1:1" } }), 401);
  assertEquals(await status("/data/", { headers: { host: "127.0.0.1:1" } }), 401);
  assertEquals(await status("/data/state", { headers: { ...headers, host: "evil.example" } }), 403);
  assertEquals(
    await status("/data/state", { headers: { ...headers, "sec-fetch-site": "cross-site" } }),
    403,
  );
  assertEquals(await status(`/?token=${token}`, { headers: { host: "127.0.0.1:1" } }), 303);
  assertEquals(await status("/?token=other", { headers: { host: "127.0.0.1:1" } }), 401);
  assertEquals(await status("/data/nothing", { headers }), 404);
  assertEquals(await status("/data/view.js", { headers }), 200);
  const page = await app.request("/prefix/data/", { headers });
  assert((await page.text()).includes("<title>Retort: data</title>"));
  assert(
    page.headers.get("content-security-policy")!.includes("require-trusted-types-for 'script'"),
  );
});

Deno.test("view: returns rows, counts and whole rows", async () => {
  await using dir = await tempDir();
  await using scene = await openApp(dir);
  const { get } = scene;
  const where = encodeURIComponent('status == "answered"');
  const { total, rows } = await get(`/data/rows?where=${where}&from=0&count=10&column=lang`);
  assertEquals([total, rows.map(({ uid, own }: { uid: string; own: unknown }) => [uid, own])], [3, [
    ["a", { lang: "en" }],
    ["b", { lang: "de" }],
    ["a#1", { lang: "" }],
  ]]);
  const row = await get(`/data/row?id=${rows[0].id}`);
  assertEquals([row.uid, row.turns, row.samples.length], ["a", [{
    role: "user",
    text: "prompt of a",
  }], 2]);
  assertEquals(await get(`/data/row?id=9:9`), null);
  assertEquals(await get(`/data/locate?uid=b`), 1);
  assertEquals((await get(`/data/rows?from=0&count=9999999`)).rows.length, 4);
  assertEquals(
    (await get(`/data/rows?where=x%20%3D%3D`)).error.slice(0, 24),
    "Cannot use the condition",
  );
  while (true) {
    const page = await get(
      `/data/rows?where=${encodeURIComponent('response contains "Another"')}&from=0&count=5`,
    );
    if (!page.scan.isDone) continue;
    assertEquals([page.total, page.rows[0].uid], [1, "a#1"]);
    break;
  }
});

Deno.test({
  name: "view: a selection is as private as the results",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    await using scene = await openApp(dir);
    await Deno.chmod(dir.path("out/x.jsonl"), 0o600);
    const { path } = await (await scene.post('{"where":"uid == \\"a\\""}')).json();
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  },
});

Deno.test("view: saves a selection for its own page, and writes nothing else", async () => {
  await using dir = await tempDir();
  await using scene = await openApp(dir);
  const { post, get } = scene;
  const { rows } = await get("/data/rows?from=0&count=4");
  const ids = [rows[1].id, rows[3].id, rows[1].id];
  const saved = await (await post(JSON.stringify({ ids }))).json();
  assertEquals([saved.count, await Deno.readTextFile(saved.path)], [2, "b\nc\n"]);
  const all = await (await post(JSON.stringify({ where: 'status == "answered"' }))).json();
  assertEquals([all.path.split(/[\\/]/).at(-1), await Deno.readTextFile(all.path)], [
    "selection-2.uids",
    "a\nb\na#1\n",
  ]);
  const refused: [body: string, headers: Record<string, string>, status: number][] = [
    ["{}", { origin: "http://evil.example" }, 403],
    ["{}", { origin: "" }, 403],
    ["{}", { "content-type": "text/plain" }, 415],
    ["{", {}, 400],
    ['{"ids":[1]}', {}, 400],
    ['{"ids":[]}', {}, 400],
    ['{"where":"x =="}', {}, 400],
  ];
  for (const [body, headers, status] of refused) {
    assertEquals((await post(body, headers)).status, status, body);
  }
  const names = await dir.names("out/.retort");
  assertEquals(names.filter((name) => name.endsWith(".uids")), [
    "selection-1.uids",
    "selection-2.uids",
  ]);
});

Deno.test("view: a damaged file hides no other new ones, and is shown once it is whole", async () => {
  await using dir = await tempDir();
  await dir.write("out/x.jsonl", resultLine({ uid: "a" }));
  await using service = await DataService.open({
    paths: [dir.path("out")],
    isSaved: false,
    findMs: 10,
  });
  const packed = gzipSync(resultLine({ uid: "c" }));
  await dir.write("out/b.jsonl.gz", packed.subarray(0, -12));
  await dir.write("out/y.jsonl", resultLine({ uid: "b" }));
  const uids = async () => {
    const query = { where: "", from: 0, count: 9, columns: [] };
    const { rows } = await service.ask("rows", query);
    return rows.map(({ uid }) => uid).toSorted();
  };
  const untilShown = async (count: number) => {
    const end = performance.now() + 20_000;
    while ((await uids()).length < count) {
      assert(performance.now() < end, `${count} rows`);
      await delay(20);
    }
  };
  await untilShown(2);
  assertEquals(await uids(), ["a", "b"]);
  // A compressor has created the file, but has not written anything yet.
  await dir.write("out/z.jsonl.gz", "");
  await dir.write("out/b.jsonl.gz", packed);
  await untilShown(3);
  assertEquals(await uids(), ["a", "b", "c"]);
  await dir.write("out/z.jsonl.gz", gzipSync(resultLine({ uid: "d" })));
  await untilShown(4);
  assertEquals(await uids(), ["a", "b", "c", "d"]);
});

Deno.test({
  name: "view: another path to a file, or a new link to it, does not show its rows twice",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using dir = await tempDir();
    const path = await dir.write("out/x.jsonl", resultLine({ uid: "a" }));
    const { root } = dir;
    await using service = await DataService.open({
      paths: [path, dir.path("out/../out/x.jsonl"), dir.path("out")],
      isSaved: false,
      findMs: 10,
    });
    await Deno.symlink(path, dir.path("out/a.jsonl"));
    // Found with the link, or after it.
    await dir.write("out/y.jsonl", resultLine({ uid: "b" }));
    const end = performance.now() + 20_000;
    while (!service.files.includes(`${root}/out/y.jsonl`)) {
      assert(performance.now() < end, "the new file was not found");
      await service.ask("state", {});
    }
    assertEquals(service.files, [path, `${root}/out/y.jsonl`]);
  },
});

Deno.test("view: a path that was removed does not hide new files in another one", async () => {
  await using dir = await tempDir();
  await dir.write("x.jsonl", resultLine({ uid: "a" }));
  await dir.write("out/y.jsonl", resultLine({ uid: "b" }));
  await using service = await DataService.open({
    paths: [dir.path("x.jsonl"), dir.path("out")],
    isSaved: false,
    findMs: 10,
  });
  await Deno.remove(dir.path("x.jsonl"));
  await dir.write("out/z.jsonl", resultLine({ uid: "c" }));
  const end = performance.now() + 20_000;
  while (!service.files.includes(dir.path("out/z.jsonl"))) {
    assert(performance.now() < end, "the new file was not found");
    await service.ask("state", {});
  }
});

Deno.test("view: an interruption does not wait for compressed files, and leaves no copies", async () => {
  await using dir = await tempDir();
  await dir.write("x.jsonl.gz", gzipSync(resultLine({ uid: "a" }).repeat(1_000)));
  const interruption = new AbortController();
  const { makeTempDir } = Deno;
  const copies: string[] = [];
  Deno.makeTempDir = async (options) => {
    copies.push(await makeTempDir(options));
    interruption.abort();
    return copies[0];
  };
  try {
    const { signal } = interruption;
    const opening = DataService.open({ paths: [dir.path("x.jsonl.gz")], signal });
    assertEquals(await opening.catch((error) => error), signal.reason);
  } finally {
    Deno.makeTempDir = makeTempDir;
  }
  assertEquals(copies.length, 1);
  await assertRejects(() => Deno.stat(copies[0]), Deno.errors.NotFound);
});

Deno.test("view: a pattern that takes forever is stopped, and everything else is answered", async () => {
  await using dir = await tempDir();
  await dir.write("x.jsonl", resultLine({ uid: "a", response: "a".repeat(40) + "!" }));
  await using service = await DataService.open({ paths: [dir.path("x.jsonl")], isSaved: false });
  const query = { where: 'response matches "^(a+)+$"', from: 0, count: 1, columns: [] };
  while (!(await service.ask("state", {})).index.isCurrent) await delay(5);
  while (true) {
    const { scan } = await service.ask("rows", query);
    if (!scan?.isDone) {
      await delay(20);
      continue;
    }
    assert(
      /stopped at row 1 of 1: .* took more than 2 s/.test(scan.problem ?? ""),
      scan.problem ?? "",
    );
    break;
  }
  assertEquals((await service.ask("rows", { ...query, where: "" })).total, 1);
});

Deno.test("view: is a part of the page of a run, opened at the first request", async () => {
  await using dir = await tempDir();
  await dir.write("out/x.jsonl", resultLine({ uid: "a" }));
  using monitor = createMonitor(new FakeRun(), {
    data: { paths: [dir.path("out")], program: "retort" },
  });
  const headers = { host: "127.0.0.1:1", cookie: `${monitor.cookieName}=${monitor.token}` };
  const text = async (path: string) => await (await monitor.app.request(path, { headers })).text();
  assertMatch(await text("/"), /id="data-link"\s*>/, "the run's page has a link to it");
  assertEquals(monitor.isWatched, false);
  assert((await text("/data/")).includes("Retort: data"));
  while (JSON.parse(await text("/data/state")).index?.rows !== 1) await delay(5);
  assertEquals(monitor.isWatched, true);
  assert((await text("/prefix/data/view.js")).includes("aria-activedescendant"));
  using other = createMonitor(new FakeRun());
  const cookie = `${other.cookieName}=${other.token}`;
  const missing = await other.app.request("/data/", { headers: { ...headers, cookie } });
  assertEquals([missing.status, await missing.text()], [
    404,
    "Cannot answer: there is no such address",
  ]);
});

Deno.test("view: the page of a run says what is wrong with its output once there is one", async () => {
  await using dir = await tempDir();
  using monitor = createMonitor(new FakeRun(), {
    data: { paths: [dir.path("out")], program: "retort" },
  });
  const headers = { host: "127.0.0.1:1", cookie: `${monitor.cookieName}=${monitor.token}` };
  const error = async () => {
    const response = await monitor.app.request("/data/state", { headers });
    return (await response.json()).error;
  };
  assertEquals(await error(), "The run has not written anything yet");
  await dir.write("out/old.jsonl.gz", gzipSync(resultLine({ uid: "a" })).subarray(0, -12));
  assertMatch(await error(), /^Cannot read ".*old\.jsonl\.gz"/);
});
