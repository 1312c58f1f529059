/** Ctrl-C and its kin, as a terminal and a service manager send them. @module */

import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { delay } from "../../lib/timer.ts";
import { type LedgerServer, serveLedger } from "../support/ledger_server.ts";
import { cleanEnv, Collected, DENO_RUN, POSIX, REPOSITORY } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import {
  argsFor,
  assertExit,
  assertVerified,
  distill,
  numberedRows,
  startDistill,
} from "./fixture.ts";

const CTRL_C = new Uint8Array([3]);
const CTRL_Z = new Uint8Array([26]);

/** A server that answers `answered` prompts at once, and holds the others until `release`. */
function serveHolding(answered: number): { server: LedgerServer; release: () => void } {
  const released = Promise.withResolvers<void>();
  const server = serveLedger(async ({ n }) => {
    if (n > answered) await released.promise;
    return undefined;
  });
  return { server, release: () => released.resolve() };
}

/** `script` of util-linux, which gives a program a terminal of its own. */
async function hasPseudoTerminal(): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  try {
    const { stdout } = await new Deno.Command("script", { args: ["--version"] }).output();
    return new TextDecoder().decode(stdout).includes("util-linux");
  } catch {
    return false;
  }
}

/** A run that hears no signal would never end. A busy machine takes ten seconds to start one. */
const PATIENCE_MS = 90_000;

/** Kills a run that hears no signal: `using limit = patience()`. */
function patience(): { signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), PATIENCE_MS);
  return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) };
}

/** `deno task distill …`, or another command, in a pseudo-terminal. */
class Terminal implements AsyncDisposable {
  text = "";
  #hasEnded = false;
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #read: Promise<void>;
  readonly #limit: ReturnType<typeof setTimeout>;
  #changed = Promise.withResolvers<void>();

  constructor(args: string[], home: string, { before = "", start = ["task", "distill"] } = {}) {
    const command = before + [Deno.execPath(), ...start, ...args]
      .map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
    this.#child = new Deno.Command("script", {
      args: ["-qfec", command, "/dev/null"],
      cwd: REPOSITORY,
      clearEnv: true,
      env: { ...cleanEnv(home), TERM: "xterm", SHELL: "/bin/sh" },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#limit = setTimeout(() => this.#kill(), PATIENCE_MS);
    this.#keys = this.#child.stdin.getWriter();
    this.#read = this.#collect();
  }

  async press(key: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#keys.write(key);
  }

  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) {
      assert(!this.#hasEnded, `the terminal was closed without ${pattern}:\n${this.text}`);
      await this.#changed.promise;
    }
  }

  async code(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#read;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#limit);
    this.#kill();
    await this.#child.status;
    await this.#read;
    await this.#keys.close().catch(() => {});
  }

  #kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
  }

  async #collect(): Promise<void> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      this.text += text;
      this.#wake();
    }
    this.#hasEnded = true;
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

const ignore = !(await hasPseudoTerminal());

Deno.test({
  name:
    "one Ctrl-C through deno task in a terminal waits for the calls in flight, and the run can continue",
  ignore,
  async fn() {
    await using dir = await tempDir();
    const { server, release } = serveHolding(4);
    await using _server = server;
    const input = await dir.write("in.jsonl", numberedRows(20));
    const args = [input, "-o", dir.path("out/"), "-c", "4"];
    await using terminal = new Terminal(argsFor(server, args), dir.root);
    await server.untilPosts(8);
    await terminal.press(CTRL_C);
    await terminal.until(/Waiting for 4 paid calls in flight; press Ctrl-C again/);
    release();
    assertEquals(await terminal.code(), 130, terminal.text);
    assertEquals(server.posts, 8);
    assertEquals((await dir.rows("out/in.jsonl")).length, 8);
    assertMatch(terminal.text, /Interrupted .*: 12 rows still to do/);
    assertStringIncludes(terminal.text, `deno task distill ${input}`);
    assert(!terminal.text.includes("Ending now"), terminal.text);

    assertExit(await distill(server, args), 0);
    assertEquals(server.posts, 20);
    await assertVerified(dir, "in.jsonl", "out/");
  },
});

// How soon is proven in tests/cli/signals_test.ts, in simulated time.
Deno.test({
  name: "two Ctrl-C in a terminal end the run, and nothing that is done is lost",
  ignore,
  async fn() {
    await using dir = await tempDir();
    const { server, release } = serveHolding(4);
    await using _server = server;
    const input = await dir.write("in.jsonl", numberedRows(20));
    const args = [input, "-o", dir.path("out/"), "-c", "4"];
    await using terminal = new Terminal(argsFor(server, args), dir.root);
    await server.untilPosts(8);
    await terminal.press(CTRL_C);
    await terminal.until(/Waiting for 4 paid calls/);
    // The first was counted before this was said. Within half a second, a second repeats it.
    await new Promise((resolve) => setTimeout(resolve, 600));
    await terminal.press(CTRL_C);
    assertEquals(await terminal.code(), 130, terminal.text);
    assertStringIncludes(terminal.text, "Ending now");
    release();
    // Requests on different connections may arrive in another order than rows were taken.
    const answered = server.requests.slice(0, 4).map(({ prompt }) => prompt);
    const kept = (await dir.rows("out/in.jsonl")).map(({ prompt }) => prompt);
    assertEquals(kept.toSorted(), answered.toSorted());
    assertEquals(await dir.read("out/in_error.jsonl"), "");

    assertExit(await distill(server, args), 0);
    assertEquals(server.posts, 24);
    await assertVerified(dir, "in.jsonl", "out/");
  },
});

Deno.test({
  name: "Ctrl-Z under deno task, which would block the terminal, changes nothing",
  ignore,
  async fn() {
    await using dir = await tempDir();
    const { server, release } = serveHolding(0);
    await using _server = server;
    const input = await dir.write("in.jsonl", numberedRows(3));
    const args = argsFor(server, [input, "-o", dir.path("out/"), "-c", "1"]);
    await using terminal = new Terminal(args, dir.root);
    await server.untilPosts(1);
    await terminal.press(CTRL_Z);
    await terminal.until(/Ctrl-Z stops nothing under deno task/);
    release();
    assertEquals(await terminal.code(), 0, terminal.text);
    assertEquals(server.posts, 3);
  },
});

Deno.test({
  name: "a run that nohup has started continues when its terminal is closed",
  ignore: ignore || Deno.build.os !== "linux",
  async fn() {
    await using dir = await tempDir();
    const { server, release } = serveHolding(0);
    await using _server = server;
    const input = await dir.write("in.jsonl", numberedRows(9));
    const args = argsFor(server, [input, "-o", dir.path("out/"), "-c", "3", "--grace", "1ms"]);
    const before = `echo "process $$."; NO_COLOR=1 exec nohup `;
    const start = [...DENO_RUN, "-A", `${REPOSITORY}/cli.ts`];
    await using terminal = new Terminal([...args, "--no-careful-start"], dir.root, {
      before: `cd '${dir.root}'; ${before}`,
      start,
    });
    await server.untilPosts(3);
    const pid = Number(/process (\d+)\./.exec(terminal.text)?.[1]);
    // The signal worker would kill the process 1.9 s after a second signal.
    for (const pauseMs of [600, 2_500]) {
      Deno.kill(pid, "SIGHUP");
      await delay(pauseMs);
    }
    // The first signal that is heard decides the exit code.
    Deno.kill(pid, "SIGTERM");
    assertEquals(await terminal.code(), 143, terminal.text);
    release();
  },
});

Deno.test("two SIGINT within a moment are one Ctrl-C", POSIX, async () => {
  await using dir = await tempDir();
  const { server, release } = serveHolding(0);
  await using _server = server;
  const input = await dir.write("in.jsonl", numberedRows(9));
  const args = [input, "-o", dir.path("out/"), "-c", "3", "--no-careful-start"];
  using limit = patience();
  await using child = await startDistill(server, args, limit);
  await server.untilPosts(3);
  // As `deno task` forwards one Ctrl-C.
  child.kill("SIGINT");
  child.kill("SIGINT");
  await child.untilStderr(/Waiting for 3 paid calls/);
  release();
  const result = await child.output();
  assertExit(result, 130);
  assert(!result.stderr.includes("Ending now"), result.stderr);
  assertEquals((await dir.rows("out/in.jsonl")).length, 3);
  assertEquals(server.posts, 3);
});

Deno.test("SIGTERM waits as long as --grace says, and no longer", POSIX, async () => {
  await using dir = await tempDir();
  const { server, release } = serveHolding(2);
  await using _server = server;
  const input = await dir.write("in.jsonl", numberedRows(9));
  const args = [input, "-o", dir.path("out/"), "-c", "2"];
  using limit = patience();
  await using child = await startDistill(server, [...args, "--grace", "1"], limit);
  await server.untilPosts(4);
  const sentAt = performance.now();
  child.kill("SIGTERM");
  await child.untilStderr(/Waiting for 2 paid calls in flight, 1 s at most/);
  const result = await child.output();
  const tookMs = performance.now() - sentAt;
  assertExit(result, 143);
  assertGreater(tookMs, 900);
  assertEquals((await dir.rows("out/in.jsonl")).length, 2);
  release();
  assertExit(await distill(server, args), 0);
  assertEquals(server.posts, 11);
});

Deno.test(
  "a signal while every row waits for its next attempt ends the run at once",
  POSIX,
  async () => {
    await using dir = await tempDir();
    await using server = serveLedger(() =>
      new Response("later", { status: 503, headers: { "retry-after": "60" } })
    );
    const input = await dir.write("in.jsonl", numberedRows(3));
    using limit = patience();
    await using child = await startDistill(server, [input, "-o", dir.path("out/")], limit);
    // After three refusals without an answer between them, nothing more is sent to the teacher.
    await server.untilPosts(3);
    await child.untilStderr(/backing off|waiting/i);
    child.kill("SIGHUP");
    assertExit(await child.output(), 129);
    assertEquals(server.posts, 3);
    assertEquals(await dir.read("out/in_error.jsonl"), "");
  },
);

Deno.test(
  "Ctrl-C while standard input is still open ends the run before the first call",
  POSIX,
  async () => {
    await using dir = await tempDir();
    await using server = serveLedger();
    const args = argsFor(server, ["-", "-o", dir.path("out/"), "--progress", "json"]);
    await using child = new Deno.Command(Deno.execPath(), {
      args: [...DENO_RUN, "-A", `${REPOSITORY}/cli.ts`, ...args],
      clearEnv: true,
      env: cleanEnv(dir.root),
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    using limit = patience();
    limit.signal.addEventListener("abort", () => child.kill("SIGKILL"));
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(`{"prompt":"one"}\n`));
    const hasSpool = async () =>
      await dir.exists("out") && (await dir.names("out")).some((name) => name.includes(".input."));
    while (!(await hasSpool())) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    child.kill("SIGINT");
    assertEquals((await child.status).code, 130);
    await writer.close().catch(() => {});
    const events = (await child.stdout.text()).trim().split("\n").map((line) => JSON.parse(line));
    assertEquals(events.at(-1).state, "interrupted");
    assertEquals([server.posts, await hasSpool()], [0, false]);
  },
);

Deno.test(
  "signals end the process while its thread is frozen",
  POSIX,
  async () => {
    await using dir = await tempDir();
    const { server, release } = serveHolding(2);
    await using _server = server;
    const input = await dir.write("in.jsonl", numberedRows(9));
    // Once two rows are on disk, nothing else happens on the main thread.
    const freeze = await dir.write(
      "freeze.ts",
      `const results = ${JSON.stringify(dir.path("out/in.jsonl"))};
     const timer = setInterval(() => {
       try {
         if (Deno.readTextFileSync(results).split("\\n").length < 3) return;
       } catch {
         return;
       }
       clearInterval(timer);
       Deno.stderr.writeSync(new TextEncoder().encode("frozen"));
       while (true);
     }, 10);
     // What is preloaded is waited for.
     Deno.unrefTimer(timer);`,
    );
    const args = [input, "-o", dir.path("out/"), "-c", "2"];
    using limit = patience();
    const permissions = ["-A", "--preload", freeze];
    await using child = await startDistill(server, args, { ...limit, permissions });
    await child.untilStderr(/frozen/);
    // A busy machine may deliver two of them as one.
    const again = setInterval(() => child.kill("SIGINT"), 600);
    const result = await child.output().finally(() => clearInterval(again));
    assertEquals(result.signal, "SIGKILL", result.stderr);
    assertStringIncludes(result.stderr, "does not react to signals");
    release();
    assertExit(await distill(server, args), 0);
    await assertVerified(dir, "in.jsonl", "out/");
  },
);

Deno.test(
  "a run that cannot end by itself is ended after the second signal",
  POSIX,
  async () => {
    await using dir = await tempDir();
    const { server, release } = serveHolding(0);
    await using _server = server;
    const input = await dir.write("in.jsonl", numberedRows(2));
    // A disk that hangs.
    const hang = await dir.write(
      "hang.ts",
      "Deno.FsFile.prototype.syncData = () => new Promise(() => {});",
    );
    using limit = patience();
    const options = { ...limit, permissions: ["-A", "--preload", hang] };
    await using child = await startDistill(server, [input, "-o", dir.path("out/")], options);
    await server.untilPosts(1);
    child.kill("SIGTERM");
    await child.untilStderr(/Waiting for 1 paid call/);
    release();
    // Within half a second it is the same again.
    await new Promise((resolve) => setTimeout(resolve, 600));
    child.kill("SIGTERM");
    const { code, signal, stderr } = await child.output();
    // The main thread ends it with its exit code after 1.5 s; where a busy machine keeps it from
    // that for 0.4 s, the worker kills it. tests/cli/signals_test.ts proves both in simulated time.
    if (signal !== "SIGKILL") assertEquals(code, 143, stderr);
    assertStringIncludes(stderr, "Ending now");
  },
);

/** What a terminal, a scheduler or a container sees of a chain of programs: its first one. */
async function startBehind(dir: TempDir, env: Record<string, string>, args: string[]) {
  const outer = await dir.write(
    "outer.ts",
    `new Deno.Command(Deno.execPath(), { args: ["run", "-A", ...Deno.args] }).spawn();
     setInterval(() => {}, 1_000);`,
  );
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", outer, `${REPOSITORY}/cli.ts`, ...args],
    clearEnv: true,
    env: { ...cleanEnv(dir.root), ...env },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

for (
  const [runner, isRunner] of [["npm_command", true], ["INIT_CWD", true], ["TERM", false]] as const
) {
  Deno.test(
    `a run whose parent is gone ${
      isRunner ? "ends" : "continues"
    } with ${runner} in the environment`,
    {
      // Windows keeps the number of a parent that has ended.
      ignore: isRunner && Deno.build.os === "windows",
    },
    async () => {
      await using dir = await tempDir();
      const { server, release } = serveHolding(1);
      await using _server = server;
      const input = await dir.write("in.jsonl", numberedRows(9));
      const args = argsFor(server, [
        input,
        "-o",
        dir.path("out/"),
        "-c",
        "1",
        "--progress",
        "none",
      ]);
      const outer = await startBehind(dir, { [runner]: "x" }, args);
      // The run holds its end of the pipe until it ends.
      const stderr = new Collected(outer.stderr);
      await server.untilPosts(2);
      outer.kill("SIGKILL");
      await outer.status;
      // A run that does not notice it gets its answers in the end, and continues.
      const limit = setTimeout(release, isRunner ? PATIENCE_MS : 1_500);
      if (isRunner) await stderr.until(/The process that started this run has ended/);
      else await server.untilPosts(3);
      clearTimeout(limit);
      release();
      await stderr.all;
      assertEquals(server.posts, isRunner ? 2 : 9);
      assertEquals((await dir.rows("out/in.jsonl")).length, isRunner ? 2 : 9);
    },
  );
}
