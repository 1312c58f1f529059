/**
 * The monitor and the report of a run through the command line, for the user, a scraper and an
 * intruder. @module
 */

import {
  assert,
  assertEquals,
  assertLess,
  assertMatch,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { dirname } from "../../lib/deps/std_path.ts";
import type { HelloMessage } from "../../web/protocol.ts";
import type { MonitorState } from "../../web/monitor_state.ts";
import {
  chatAnswer,
  errorAnswer,
  type LedgerHandler,
  serveLedger,
} from "../support/ledger_server.ts";
import { type CliProcess, type CliResult, REPOSITORY, runCli } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import {
  argsFor,
  assertExit,
  distill,
  distillHere,
  numberedRows,
  startDistill,
  startLimited,
} from "./fixture.ts";
import { Browser } from "./monitor_browser.ts";

/** Enough for a busy machine, and far below the ten minutes for which a page stays up. */
const SOON_MS = 20_000;
const KEY = "sk-monitor-0123456789abcdef";

/** A teacher that holds its answers back until they are let go. */
function holding(answer: LedgerHandler = () => {}) {
  let gate = Promise.withResolvers<void>();
  return {
    handler: (async (request) => {
      await gate.promise;
      return await answer(request);
    }) satisfies LedgerHandler,
    /** Releases all held answers; later ones are held again. */
    letGo() {
      gate.resolve();
      gate = Promise.withResolvers();
    },
    /** Holds none back any more. */
    open() {
      gate.resolve();
    },
  };
}

/** Waits for the end of a run whose page is open, and ends the page as a user would. */
async function endPage(child: CliProcess): Promise<CliResult> {
  await child.untilStderr(/^The run has ended\. Its page stays up/m);
  child.kill("SIGINT");
  return await child.output();
}

/** The run that a report holds. */
function stateIn(html: string): MonitorState {
  const [, json] = /<script type="application\/json" id="report-state">(.*?)<\/script>/s.exec(
    html,
  )!;
  return JSON.parse(json);
}

async function argsIn(dir: TempDir, rows: readonly unknown[]): Promise<string[]> {
  return [await dir.write("in.jsonl", rows), "-o", dir.path("out/")];
}

Deno.test({
  name: "connections without the token do not end the run, even if they use up its open files",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using dir = await tempDir();
    const { handler, open } = holding();
    await using server = serveLedger(handler);
    const args = [...await argsIn(dir, numberedRows(6)), "-c", "2", "--monitor"];
    await using child = startLimited("ulimit -n 150", argsFor(server, args), dir, "piped");
    const lines = child.stderr.pipeThrough(new TextDecoderStream());
    let port = 0, stderr = "";
    const reading = (async () => {
      for await (const text of lines) {
        stderr += text;
        port ||= Number(/^Monitor: http:\/\/127\.0\.0\.1:(\d+)/m.exec(stderr)?.[1] ?? 0);
      }
    })();
    await server.untilPosts(2);

    const connecting = Array.from({ length: 200 }, () => Deno.connect({ port }).catch(() => {}));
    const connections = await Promise.all(connecting);
    const ends = connections.map((connection) =>
      connection?.read(new Uint8Array(1)).catch(() => {})
    );
    // Some are closed or refused once the process has no file left for another.
    await Promise.race(ends);
    for (const connection of connections) connection?.close();
    await Promise.all(ends);
    open();
    const { code } = await child.status;
    await reading;

    assertEquals(code, 0, stderr);
    assertEquals(server.posts, 6);
  },
});

Deno.test("--monitor prints an address whose page controls the run, and others cannot", async () => {
  await using dir = await tempDir();
  const { handler, letGo } = holding();
  await using server = serveLedger(handler);
  const args = [...await argsIn(dir, numberedRows(9)), "-c", "2", "--no-careful-start"];
  const report = dir.path("report.html");
  await using child = await startDistill(server, [...args, "--monitor", "--report", report]);
  await using browser = await Browser.open(child);
  await server.untilPosts(2);

  const [status, page] = await browser.get("");
  assertEquals(status, 200);
  assertMatch(page, /^<!doctype html>/i);
  const bearer = { authorization: `Bearer ${browser.token}` };
  assertEquals((await browser.get("metrics", {}))[0], 401);
  assertEquals((await browser.get("report", bearer))[0], 401);

  for (const origin of ["http://evil.example", browser.base.replace(/:\d+/, ":1").slice(0, -1)]) {
    assertEquals(await browser.post("abort", { confirm: "abort" }, { origin }), 403);
  }
  assertEquals(await browser.post("abort", { confirm: "abort" }, { cookie: "" }), 401);

  assertEquals(await browser.post("pause", {}), 200);
  letGo();
  await browser.untilSnapshot((one) => one.state === "paused" && one.succeeded === 2);
  assertEquals(server.posts, 2);
  const [, metrics] = await browser.get("metrics", bearer);
  assertMatch(metrics, /^retort_rows_finished_total\{result="succeeded"\} 2$/m);
  assertEquals(await browser.post("resume", {}), 200);
  await server.untilPosts(4);

  assertEquals(await browser.post("stop", {}), 200);
  const letGoMs = performance.now();
  letGo();
  const result = await endPage(child);
  // The page is still open. It takes 2 s on an idle machine; to wait for the page would be minutes.
  assertLess(performance.now() - letGoMs, SOON_MS);
  assertExit(result, 130);
  assertEquals([server.posts, (await dir.rows("out/in.jsonl")).length], [4, 4]);
  assertStringIncludes(result.stderr, "Paused (from the monitor)");
  assertEquals(browser.messages.at(-1)?.type, "end");
  const { summary, notices } = stateIn(await Deno.readTextFile(report));
  assertEquals([summary?.state, summary?.succeeded, summary?.pending], ["interrupted", 4, 5]);
  assertEquals(
    notices.map(({ message }) => /^(.*) \(from the monitor\)$/.exec(message)?.[1])
      .filter((control) => control !== undefined),
    ["Paused", "Resumed", "Stopping after the calls in flight"],
  );
});

Deno.test("the page outlives its run, whose files and summary are final, and Ctrl-C ends it at once", async () => {
  await using dir = await tempDir();
  const { handler, open } = holding(({ prompt }) =>
    prompt === "prompt 0" ? errorAnswer(422, "no") : undefined
  );
  await using server = serveLedger(handler);
  const report = dir.path("report.html");
  const args = [...await argsIn(dir, numberedRows(3)), "--report", report];
  await using child = distillHere(server, [...args, "--monitor"]);
  await using browser = await Browser.open(child);
  open();
  await child.untilStderr(
    /^The run has ended\. Its page stays up .*, for 10m 00s at most; Ctrl-C/m,
  );

  assertEquals((await dir.rows("out/in.jsonl")).length, 2);
  assertEquals(stateIn(await Deno.readTextFile(report)).summary?.failed, 1);
  // Another command has the lock while the page is still open.
  assertExit(await distill(server, await argsIn(dir, numberedRows(3))), 3);
  const [status, late] = await browser.get("report");
  assertEquals([status, stateIn(late).summary?.succeeded], [200, 2]);
  assertEquals(await browser.post("resume", {}), 409);
  await using second = await Browser.open(child);
  assertEquals((second.messages[0] as HelloMessage).ended, true);

  const nowMs = performance.now();
  child.kill("SIGINT");
  const result = await child.output();
  assertExit(result, 3);
  assertLess(performance.now() - nowMs, SOON_MS);
  assertMatch(result.stderr, /retry[^]*The run has ended/);
});

Deno.test("without an open page --monitor does not wait, and with --monitor-keep 0 never", async () => {
  await using dir = await tempDir();
  const { handler, open } = holding();
  await using server = serveLedger(handler);
  const args = await argsIn(dir, numberedRows(2));
  await using child = distillHere(server, [...args, "--monitor", "--monitor-keep", "0"]);
  await using browser = await Browser.open(child);
  // A tunnel whose other end is gone leaves connections that neither send nor read.
  using _page = await browser.goneAfter(
    "GET /ws HTTP/1.1",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "",
  );
  using _request = await browser.goneAfter("GET /report HTTP/1.1");
  open();
  const kept = await child.output();
  assertExit(kept, 0);
  const alone = await distill(server, [...args, "--monitor", "--no-resume", "--overwrite"]);
  assertExit(alone, 0);
  for (const { stderr } of [kept, alone]) assert(!stderr.includes("Its page stays up"));
});

Deno.test("nothing in page, report or metrics is the key, and no prompt becomes markup", async () => {
  await using dir = await tempDir();
  const { handler, open } = holding(({ prompt, headers }) => {
    const key = headers.get("authorization");
    if (prompt === "refused") return errorAnswer(400, `Bad ${key} </script><script>alert(1)`);
    return Response.json(chatAnswer(`${prompt} <img src=x onerror=alert(2)>`));
  });
  await using server = serveLedger(handler);
  const prompt = "</script><script>globalThis.isOwned = true</script><!--";
  const rows = [{ id: prompt, prompt }, { id: "b", prompt: "refused" }, ...numberedRows(9)];
  const report = dir.path("new/report.html");
  await using child = distillHere(
    server,
    [...await argsIn(dir, rows), "-c", "1", "--monitor", "--report", report],
    { env: { OPENAI_API_KEY: KEY } },
  );
  await using browser = await Browser.open(child);
  open();
  await browser.until(() => browser.messages.some(({ type }) => type === "end"));
  assertExit(await endPage(child), 3);

  const written = await Deno.readTextFile(report);
  const messages = JSON.stringify(browser.messages);
  assertEquals(server.requests[0].headers.get("authorization"), `Bearer ${KEY}`);
  for (const text of [written, messages, (await child.output()).stderr]) {
    assert(!text.includes(KEY));
  }
  assertStringIncludes(messages, "[redacted]");
  assert(!written.includes(browser.token));
  for (const word of ["<script>globalThis", "<img src=x", "<script>alert"]) {
    assert(!written.includes(word), word);
  }
  const { samples, summary, snapshot } = stateIn(written);
  assertEquals(samples.added.find(({ uid }) => uid === prompt)?.prompt, prompt);
  assertEquals([summary?.failed, snapshot?.errors.length], [1, 1]);
});

Deno.test("/metrics and the page do not have the key while the run continues", async () => {
  await using dir = await tempDir();
  const { handler, letGo } = holding(({ headers }) =>
    errorAnswer(503, `Not now, ${headers.get("authorization")}`)
  );
  await using server = serveLedger(handler);
  await using child = await startDistill(server, [
    ...await argsIn(dir, numberedRows(3)),
    "--monitor",
  ], { env: { OPENAI_API_KEY: KEY } });
  await using browser = await Browser.open(child);
  await server.untilPosts(1);
  letGo();
  await browser.untilSnapshot(({ errors }) => errors.length > 0);
  for (const path of ["", "page.js", "metrics", "report"]) {
    const [status, text] = await browser.get(path);
    assertEquals([path, status, text.includes(KEY)], [path, 200, false]);
  }
  assertStringIncludes((await browser.get("report"))[1], "Not now");
});

Deno.test("a retry from the monitor runs in the same process", async () => {
  await using dir = await tempDir();
  const { handler, open } = holding(({ prompt, asked }) =>
    prompt === "prompt 1" && asked === 1 ? errorAnswer(422, "not yet") : undefined
  );
  await using server = serveLedger(handler);
  const report = dir.path("report.html");
  const args = [...await argsIn(dir, numberedRows(4)), "--monitor", "--report", report];
  await using child = distillHere(server, args);
  await using browser = await Browser.open(child);
  await server.untilPosts(1);
  assertEquals(await browser.post("retry", { retry_when_done: true }), 200);
  open();
  const result = await endPage(child);
  assertExit(result, 0);
  assertEquals([server.posts, server.prompts.get("prompt 1")], [5, 2]);
  assertStringIncludes(result.stderr, "Retrying 1 failed row, as requested on the page");
  assertEquals(await dir.read("out/in_error.jsonl"), "");
  const { summary, retry_when_done } = stateIn(await Deno.readTextFile(report));
  assertEquals([summary?.succeeded, summary?.skipped, retry_when_done], [1, 3, false]);
});

Deno.test("--report alone serves nothing, and is written however the run ends", async () => {
  await using dir = await tempDir();
  const report = dir.path("report.html");
  const state = async () => stateIn(await Deno.readTextFile(report)).summary?.state;
  const args = [...await argsIn(dir, numberedRows(3)), "--report", report, "--no-resume"];
  {
    await using server = serveLedger(() => errorAnswer(401));
    assertExit(await distill(server, args), 5);
    assertEquals(await state(), "halted");
  }
  const { handler, open } = holding();
  await using server = serveLedger(handler);
  {
    await using child = distillHere(server, args);
    await server.untilPosts(1);
    child.kill("SIGINT");
    await child.untilStderr(/Waiting for 1 paid call/);
    open();
    assertExit(await child.output(), 130);
    assertEquals(await state(), "interrupted");
  }
  const done = await distill(server, [...args, "--overwrite"]);
  assertExit(done, 0);
  assertEquals([await state(), done.stderr.includes("http://127.0.0.1:")], [
    "done",
    done.stderr.includes(server.url),
  ]);
  assert(!done.stderr.includes("token="));
  assertStringIncludes(done.stderr, `Wrote the report to ${report}`);
});

Deno.test("a report that cannot be written is exit 6 where the run itself succeeded", async () => {
  await using dir = await tempDir();
  const { handler, open } = holding();
  await using server = serveLedger(handler);
  const args = await argsIn(dir, numberedRows(2));
  await using child = distillHere(server, [...args, "--report", dir.path("report.html")]);
  await server.untilPosts(1);
  await Deno.mkdir(dir.path("report.html"));
  open();
  const result = await child.output();
  assertExit(result, 6);
  assertStringIncludes(result.stderr, `Cannot write the report to "${dir.path("report.html")}"`);
  assertEquals((await dir.rows("out/in.jsonl")).length, 2);
});

Deno.test("an impossible monitor or report is exit 2, and nothing is sent", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const [input, ...output] = await argsIn(dir, numberedRows(2));
  await Deno.rename(input, dir.path("in.html"));
  const cases: [string[], string][] = [
    [["--open"], "Cannot use --open alone"],
    [
      ["--monitor", `${server.port}`],
      `127.0.0.1:${server.port}: the port is taken: choose another`,
    ],
    [["--report", dir.path("in.html")], "it is the input"],
    [["--report", dir.path("out/in.jsonl")], "must be a file that ends in .html"],
  ];
  for (const [flags, message] of cases) {
    const result = await distill(server, [dir.path("in.html"), ...output, ...flags]);
    assertExit(result, 2);
    assertStringIncludes(result.stderr, message);
  }
  assertEquals([server.posts, await dir.read("in.html")], [
    0,
    numberedRows(2).map((row) => `${JSON.stringify(row)}\n`).join(""),
  ]);
});

Deno.test("--open passes a file that leads to the page, so that no argument shows the token", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await using dir = await tempDir();
  const opened = dir.path("opened");
  const script = `#!/bin/sh
{ echo "$*"; stat -c %a "$1"; cat "$1"; } > "${opened}.tmp" && mv "${opened}.tmp" "${opened}"
`;
  await Deno.chmod(await dir.write("bin/xdg-open", script), 0o755);
  // The answer waits for the browser, so that the run cannot end before it.
  await using server = serveLedger(async () => {
    while (!await dir.exists("opened")) await new Promise((resolve) => setTimeout(resolve, 20));
  });
  const args = [...await argsIn(dir, numberedRows(1)), "--monitor", "--open"];
  // Beside the output, the file is only where all browsers may read: in the home folder.
  const env = { PATH: `${dir.path("bin")}:${Deno.env.get("PATH")}`, HOME: dirname(dir.root) };
  // The browser is looked for in the environment of the process. The output exists only at the
  // second time.
  for (const folder of [dir.path(""), dir.path("out")]) {
    await Deno.remove(opened).catch(() => {});
    const again = folder.endsWith("out") ? ["--no-resume", "--overwrite"] : [];
    const result = await distill(server, [...args, ...again], { env, ownProcess: true });
    assertExit(result, 0);
    const [path, mode, ...page] = (await Deno.readTextFile(opened)).split("\n");
    const [, url, token] = /^Monitor: (\S+token=(\S+))$/m.exec(result.stderr)!;
    assert(!path.includes(token), path);
    assertEquals([dirname(path), mode], [await Deno.realPath(folder), "600"]);
    assertStringIncludes(page.join("\n"), `content="0; url=${url}"`);
    assertEquals(await Deno.stat(path).catch(() => "removed"), "removed");
  }
  // One that fails is a notice, not an error.
  await dir.write("bin/xdg-open", "#!/bin/sh\nexit 3\n");
  const { handler, open } = holding();
  await using patient = serveLedger(handler);
  await using child = await startDistill(patient, [...args, "--no-resume", "--overwrite"], { env });
  await child.untilStderr(/^Cannot open a browser: xdg-open ended with code 3\. Open the address/m);
  open();
  assertExit(await child.output(), 0);
});

Deno.test("a browser that cannot be opened is no error", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const names = ["net", "read", "write", "env"].map((name) => `--allow-${name}`);
  const result = await distill(
    server,
    [...await argsIn(dir, numberedRows(1)), "--monitor", "--open"],
    { permissions: ["--no-prompt", ...names] },
  );
  assertExit(result, 0);
  assertMatch(result.stderr, /^Cannot open a browser: .+\. Open the address above$/m);
});

Deno.test("web/ and its framework are loaded only when they are used", async () => {
  await using dir = await tempDir();
  // A copy that has neither of them to load.
  await linkAll(`${REPOSITORY}/cli`, dir.path("cli"), []);
  await linkAll(`${REPOSITORY}/lib`, dir.path("lib"), ["deps"]);
  await linkAll(`${REPOSITORY}/lib/deps`, dir.path("lib/deps"), ["hono.ts", "uplot.ts"]);
  const script = await dir.write("cli.ts", await Deno.readTextFile(`${REPOSITORY}/cli.ts`));
  const args = [...await argsIn(dir, numberedRows(2)), "--simulate=latency=1"];
  assertExit(await runCli([...args, "--no-report"], { script }), 0);
  const refused = await runCli([...args, "--monitor"], { script });
  assertEquals(refused.code, 1);
  assertMatch(refused.stderr, /web\/server\.ts/);
});

/** Makes a folder with links to what is in another one, but for these names. */
async function linkAll(from: string, to: string, without: readonly string[]): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (without.includes(name)) continue;
    await Deno.symlink(`${from}/${name}`, `${to}/${name}`, { type: isDirectory ? "dir" : "file" });
  }
}
