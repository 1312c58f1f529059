/**
 * Reasons of system errors in Retort's words.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../lib/deps/std_assert.ts";
import { SinkError, UsageError } from "../lib/errors.ts";
import { ifThere, namesIn, removeIfThere, systemReason } from "../lib/files.ts";
import { refuseLongName, refuseStream } from "../lib/sink/mod.ts";
import { CliServer, runCli } from "./support/process.ts";
import { tempDir } from "./support/temp.ts";

Deno.test("removeIfThere() says what cannot be deleted", async () => {
  await using dir = await tempDir();
  await dir.write("folder/file", "");
  await removeIfThere(dir.path("none"));
  const error = await assertRejects(() => removeIfThere(dir.path("folder")), SinkError);
  assertStringIncludes(error.message, `Cannot delete "${dir.path("folder")}": `);
});

Deno.test("namesIn() says which folder cannot be read, and finds none in one that does not exist", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using dir = await tempDir();
  assertEquals(await namesIn(dir.path("none")), []);
  const folder = dir.path("loop");
  await Deno.symlink(folder, folder);
  const error = await assertRejects(() => namesIn(folder), SinkError);
  assertStringIncludes(error.message, `Cannot read "${folder}": `);
});

Deno.test("systemReason() names what is wrong in a user's words", () => {
  const cases: [Error, string][] = [
    [new Deno.errors.NotFound("No such file or directory (os error 2)"), "no such file"],
    [new Deno.errors.PermissionDenied("Permission denied (os error 13)"), "permission denied"],
    [new Error("Is a directory (os error 21)"), "it is a folder"],
    [
      new Deno.errors.NotADirectory("Not a directory (os error 20)"),
      "a part of its path is a file, not a folder",
    ],
    [new Error("No space left on device (os error 28)"), "No space left on device (os error 28)"],
    // Deno has no class for these on Windows.
    [withCode("Invalid function. (os error 1)", "EISDIR"), "it is a folder"],
    [withCode("Invalid name. (os error 123)", "ENOENT"), "Windows does not allow such a name"],
    [
      new Deno.errors.NotCapable(
        'Requires all access to "/proc/x", run again with the --allow-all flag',
      ),
      "Retort may not open files in /proc, /sys and most of /dev: name another path",
    ],
    [
      new Deno.errors.NotCapable(
        'Requires all access to "\\\\server\\share\\x.jsonl", run again with the --allow-all flag',
      ),
      "Deno opens files on network shares only with -A (all permissions): use it, or a local disk",
    ],
    [
      new Deno.errors.NotCapable(
        'Requires write access to "/x", run again with the --allow-write flag',
      ),
      "Retort was started without the permission for it (--allow-write)",
    ],
  ];
  const tooMany = systemReason(new Error("Too many open files (os error 24): open 'x'"));
  assert(tooMany.startsWith("too many open files") && tooMany.includes("--concurrency"), tooMany);
  for (const [error, reason] of cases) assertEquals(systemReason(error), reason);
  assertEquals(systemReason("odd"), "odd");
});

function withCode(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

Deno.test("ifThere() takes a name that Windows does not allow for one that is missing", async () => {
  const read = (code: string) => ifThere(Promise.reject(withCode("os error 123", code)));
  assertEquals(await read("ENOENT"), undefined);
  await assertRejects(() => read("EIO"));
});

Deno.test("systemReason() knows what Deno says of a missing file and of a folder", async () => {
  const read = (path: string) => Deno.readTextFile(path).then(() => "", systemReason);
  assertEquals(await read("/no/such/file"), "no such file");
  assertEquals(await read("/"), "it is a folder");
});

Deno.test("an output is not written to a hidden stream of another file", () => {
  for (const path of ["llama3:8b.jsonl", "C:\\out\\llama3:8b.lock", "C:out/llama3:8b.jsonl"]) {
    assertThrows(() => refuseStream(path, "windows"), UsageError, `Cannot write "${path}"`);
    refuseStream(path, "linux");
  }
  for (const path of ["C:\\out\\x.jsonl", "c:x.jsonl", "\\\\?\\C:\\out\\x.jsonl", "x.jsonl"]) {
    refuseStream(path, "windows");
  }
});

Deno.test("an output whose temporary file would have too long a name is refused with advice", () => {
  const nameOf = (length: number) => `out/${"é".repeat(length / 2)}.run.json`;
  refuseLongName(nameOf(224), "linux");
  assertThrows(
    () => refuseLongName(nameOf(226), "linux"),
    UsageError,
    "1 byte too long. Name a shorter",
  );
  refuseLongName(nameOf(450), "windows");
  assertThrows(() => refuseLongName(nameOf(454), "windows"), UsageError, "2 characters too long");
});

/** With the permissions of the task `distill`. */
const asTask = new CliServer(["--allow-net", "--allow-read", "--allow-write", "--allow-env"]);

Deno.test({
  name: "no command advises to give up Deno's sandbox",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using dir = await tempDir();
    const input = await dir.write("in.jsonl", [{ prompt: "why" }]);
    const out = dir.path("out/");
    const done = await runCli([input, "-o", out, "--simulate=latency=1"]);
    assertEquals(done.code, 0, done.stderr);
    const results = dir.path("out/in.jsonl");
    const cases: [args: string[], code: number, message: string][] = [
      [[input, "-o", "/proc/x/", "--simulate"], 6, 'Cannot read "/proc/x/in'],
      [[input, "-o", "/sys/x.jsonl", "--simulate"], 6, 'Cannot read "/sys/x.jsonl"'],
      [["/dev/fd/63", "-o", out, "--simulate"], 2, 'Cannot read "/dev/fd/63"'],
      [[input, "-o", out, "--simulate", "--report", "/proc/a.html"], 6, '"/proc/a.html"'],
      [["--config", "/proc/a.yaml"], 2, 'Cannot use "/proc/a.yaml"'],
      [[input, "-o", out, "--system", "@/proc/a"], 2, 'Cannot read "/proc/a" for --system'],
      [["verify", "/proc/a.jsonl", "-o", out], 2, 'Cannot read "/proc/a.jsonl"'],
      [["verify", input, "-o", "/proc/x/"], 6, 'Cannot read "/proc/x/in'],
      [
        ["export", "/proc/a.jsonl", "-o", dir.path("t.jsonl"), "--format", "messages"],
        2,
        'Cannot read "/proc/a.jsonl"',
      ],
      [["export", results, "-o", "/proc/a.jsonl", "--format", "messages"], 2, '"/proc/a.jsonl"'],
    ];
    for (const [args, code, message] of cases) {
      const ended = await asTask.run(args);
      assertEquals(ended.code, code, `${args.join(" ")}\n${ended.stderr}`);
      assertStringIncludes(ended.stderr, message);
      assertStringIncludes(ended.stderr, "Retort may not open files in /proc, /sys");
      assert(!/Requires|--allow-all|^\s+at /m.test(ended.stderr), ended.stderr);
    }
  },
});

Deno.test("a run without the permission to connect ends at once, and says which one is missing", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", [{ prompt: "why" }]);
  const args = [input, "-o", dir.path("out/"), "-m", "m", "--base-url", "http://127.0.0.1:9/v1"];
  const permissions = ["--allow-read", "--allow-write", "--allow-env"];
  const ended = await runCli(args, { permissions });
  assertEquals(ended.code, 5, ended.stderr);
  assertStringIncludes(
    ended.stderr,
    "Retort was started without the permission (--allow-net). Start Retort with --allow-net",
  );
  assert(!ended.stderr.includes("Requires"), ended.stderr);
  // The program itself may not be readable: it needs only the files that it is given.
  const narrow = [
    "--allow-env",
    "--allow-net",
    `--allow-read=${dir.root}`,
    `--allow-write=${dir.root}`,
  ];
  const simulated = [input, "-o", dir.path("out2/"), "--simulate=latency=1"];
  const done = await runCli(simulated, { permissions: narrow });
  assertEquals(done.code, 0, done.stderr);
  assert(!done.stderr.includes("Requires"), done.stderr);
});
