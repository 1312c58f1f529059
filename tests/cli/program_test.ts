/** Tests of cli/program.ts: the words that start the program again. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { FOLDER_VARIABLE, type ProcessStart, programOf } from "../../cli/program.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { POSIX } from "../support/process.ts";

/** A process that was started as `deno run -A /repo/cli.ts`, with Deno in PATH. */
async function start(dir: TempDir, changed: Partial<ProcessStart> = {}): Promise<ProcessStart> {
  const deno = await dir.write("bin/deno", "");
  return {
    isStandalone: false,
    execPath: deno,
    mainModule: `file://${dir.path("repo/cli.ts")}`,
    denoVersion: "2.9.6",
    folder: dir.path("data"),
    startFolder: dir.path("data"),
    isGranted: () => true,
    ...changed,
    env: (name) => name === "PATH" ? dir.path("bin") : changed.env?.(name),
  };
}

Deno.test(
  "programOf() names a script by its path from the user's folder, or by its URL",
  POSIX,
  async () => {
    await using dir = await tempDir();
    assertEquals(programOf(await start(dir)), `deno run -A ${dir.path("repo/cli.ts")}`);
    assertEquals(programOf(await start(dir, { folder: dir.path("repo") })), "deno run -A ./cli.ts");
    assertEquals(
      programOf(await start(dir, { mainModule: "https://h.example/a'b/cli.ts" })),
      "deno run -A 'https://h.example/a'\\''b/cli.ts'",
    );
    const isGranted = (name: string) => name === "read" || name === "net";
    assertEquals(
      programOf(await start(dir, { folder: dir.path("repo"), isGranted })),
      "deno run --allow-net --allow-read ./cli.ts",
    );
    const folder = dir.path("repo");
    const hidden = await start(dir, { folder, isGranted: () => false });
    assertEquals(programOf(hidden), "deno run ./cli.ts", "what may not be read is not looked for");
  },
);

Deno.test("programOf() names a Deno that is not on the path", POSIX, async () => {
  await using dir = await tempDir();
  const execPath = "/opt/my deno/deno";
  const env = () => undefined;
  const folder = dir.path("repo");
  const at = await start(dir, { execPath, folder });
  assertEquals(programOf({ ...at, env }), "'/opt/my deno/deno' run -A ./cli.ts");
});

Deno.test(
  "programOf() ignores programs for Windows elsewhere, as in the path of WSL",
  POSIX,
  async () => {
    await using dir = await tempDir();
    const folder = dir.path("repo");
    const at = await start(dir, { execPath: "/opt/deno", folder });
    await Deno.remove(dir.path("bin/deno"));
    await dir.write("bin/deno.exe", "");
    await dir.write("bin/retort.cmd", `deno run -A ${at.mainModule}`);
    assertEquals(programOf(at), "/opt/deno run -A ./cli.ts");
  },
);

Deno.test("programOf() begins a command of Windows so that PowerShell runs it", async () => {
  await using dir = await tempDir();
  const at = await start(dir, { isStandalone: true, folder: dir.path("data"), os: "windows" });
  const program = (name: string) => programOf({ ...at, execPath: dir.path(name) });
  assertEquals(program("data/retort.exe"), ".\\retort.exe");
  assertEquals(program("data/my retort.exe"), '& ".\\my retort.exe"');
  assertEquals(program("my bin/retort.exe"), `& "${dir.path("my bin/retort.exe")}"`);
});

Deno.test(
  "programOf() names the task, with its configuration where that is not found from there",
  POSIX,
  async () => {
    await using dir = await tempDir();
    await dir.write("repo/deno.json", "{}");
    await dir.write("repo/sub/prompts.jsonl", "");
    await dir.write("repo/other/package.json", "{}");
    const task = async (folder: string, npx = false) => {
      const env = (name: string) => {
        if (name === FOLDER_VARIABLE) return dir.path(folder);
        return npx ? { npm_command: "exec", npm_lifecycle_event: "npx" }[name] : undefined;
      };
      return programOf(
        await start(dir, { folder: dir.path(folder), startFolder: dir.path("repo"), env }),
      );
    };
    assertEquals(await task("repo"), "deno task distill");
    assertEquals(await task("repo/sub"), "deno task distill");
    assertEquals(await task("repo/sub", true), "npx -y deno@2.9.6 task distill");
    for (
      const [execPath, words] of [
        ["/home/u/.cache/pnpm/dlx/5f1/node_modules/deno/deno", "pnpm dlx deno@2.9.6"],
        ["/tmp/bunx-0-deno@2.9.6/node_modules/deno/deno", "bunx deno@2.9.6"],
      ]
    ) {
      const folder = dir.path("repo");
      const env = (name: string) => name === FOLDER_VARIABLE ? folder : undefined;
      const started = await start(dir, { execPath, folder, startFolder: folder, env });
      assertEquals(programOf(started), `${words} task distill`);
    }
    const config = `--config ${dir.path("repo/deno.json")}`;
    assertEquals(await task("data"), `deno task ${config} distill`);
    assertEquals(await task("repo/other", true), `npx -y deno@2.9.6 task ${config} distill`);
  },
);

Deno.test(
  "programOf() returns the name of a script that deno install has written for this program",
  POSIX,
  async () => {
    await using dir = await tempDir();
    const at = await start(dir);
    await dir.write("bin/retort", `#!/bin/sh\nexec deno run 'file:///another/cli.ts' "$@"\n`);
    assertEquals(programOf(at), `deno run -A ${dir.path("repo/cli.ts")}`);
    await dir.write("bin/retort", `#!/bin/sh\nexec deno run '${at.mainModule}' "$@"\n`);
    assertEquals(programOf(at), "retort");
    await dir.write("bin/retort", `exec deno run 'jsr:@retort/retort/cli' "$@"\n`);
    assertEquals(
      programOf({ ...at, mainModule: "https://jsr.io/@retort/retort/1.0.0/cli.ts" }),
      "retort",
    );
  },
);

Deno.test("programOf() names the executable as the user's shell finds it", POSIX, async () => {
  await using dir = await tempDir();
  const execPath = await Deno.realPath(await dir.write("repo/dist/retort", ""));
  const executable = { isStandalone: true, execPath };
  assertEquals(programOf(await start(dir, executable)), execPath);
  const folder = execPath.replace("/dist/retort", "");
  assertEquals(programOf(await start(dir, { ...executable, folder })), "./dist/retort");
  await Deno.symlink(execPath, dir.path("bin/retort"));
  assertEquals(programOf(await start(dir, executable)), "retort");
});
