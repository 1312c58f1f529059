/**
 * What is published, compiled and run has the same parts and flags.
 *
 * @module
 */

import { assert, assertEquals } from "../lib/deps/std_assert.ts";
import { compileArgs, findWorkers } from "../tools/compile.ts";
import { REPOSITORY } from "./support/process.ts";

const config = JSON.parse(await Deno.readTextFile(`${REPOSITORY}/deno.json`));
const FLAGS: readonly string[] = config.tasks.distill.command.split(" ")
  .filter((word: string) => /^--(v8-flags|allow-)/.test(word));

Deno.test("JSR gets the library, the monitor and the command line, and nothing for development", async () => {
  assertEquals(Object.keys(config.exports), [".", "./monitor", "./cli"]);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty", "--no-check"],
    cwd: REPOSITORY,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assertEquals(code, 0, text);
  const root = new URL("../", import.meta.url).href;
  const files = [...text.matchAll(/^\s*(file:\S+) \([\d.]+[KM]?B\)$/gm)]
    .map(([, url]) => decodeURIComponent(url.slice(root.length)));
  const needed = [
    ...Object.values<string>(config.exports).map((path) => path.slice(2)),
    ...await findWorkers(),
    ...["LICENSE", "README.md", "deno.json", "lib/prices/public_prices.json", "web/page.html"],
  ];
  assertEquals(needed.filter((path) => !files.includes(path)), []);
  const known = /^(cli|lib|web)\/|^[\w.]+$/;
  assertEquals(files.filter((path) => !known.test(path) || /\.(png|svg|lock)$/.test(path)), []);
});

Deno.test("the executable has the workers, the permissions and the V8 flags of deno task distill", async () => {
  const workers = await findWorkers();
  assert(workers.includes("lib/checks/worker.ts"), "deno compile does not find workers by itself");
  const args = await compileArgs(["--target", "x86_64-pc-windows-msvc"]);
  const programs = args.find((word) => word.startsWith("--allow-run="))!.split(/[=,]/).slice(1);
  for (const flag of FLAGS) {
    if (!flag.startsWith("--allow-run=")) assert(args.includes(flag), flag);
    else assert(flag.split(/[=,]/).slice(1).every((name) => programs.includes(name)), flag);
  }
  for (const tool of ["sbatch", "squeue", "scancel", "scontrol", "kubectl"]) {
    assert(programs.includes(tool), `submit --send cannot call ${tool}`);
  }
  for (const word of [...workers, "--target"]) assert(args.includes(word), word);
  assertEquals(args.at(-1), "cli.ts");
});

Deno.test("what Deno downloads for the program includes the workers of a run: nodes may be offline", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "cli.ts"],
    cwd: REPOSITORY,
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout));
  const specifiers = modules.map(({ specifier }: { specifier: string }) => specifier);
  for (const worker of ["cli/signal_worker.ts", "lib/checks/worker.ts"]) {
    assert(specifiers.some((specifier: string) => specifier.endsWith(`/${worker}`)), worker);
  }
});

Deno.test("users download only packages that lib/deps/ or a test imports, and no browser", async () => {
  const { specifiers } = JSON.parse(await Deno.readTextFile(`${REPOSITORY}/deno.lock`));
  const imported = new Set<string>();
  for (const folder of ["lib/deps", "tests/faults/deps"]) {
    for await (const { name, isFile } of Deno.readDir(`${REPOSITORY}/${folder}`)) {
      if (!isFile) continue;
      const text = await Deno.readTextFile(`${REPOSITORY}/${folder}/${name}`);
      for (const [specifier] of text.matchAll(/npm:@?[^@"]+@[\d.]+/g)) imported.add(specifier);
    }
  }
  assertEquals(Object.keys(specifiers).filter((specifier) => !imported.has(specifier)), []);
});

Deno.test("documentation and commands name the V8 flags and the programs of deno task distill", async () => {
  const once = (name: string) => FLAGS.find((flag) => flag.startsWith(name))!;
  const pages = ["README.md"];
  for (const folder of ["docs", "cli"]) {
    for await (const { name, isFile } of Deno.readDir(`${REPOSITORY}/${folder}`)) {
      if (isFile && /\.(md|ts)$/.test(name)) pages.push(`${folder}/${name}`);
    }
  }
  for (const page of pages) {
    const text = await Deno.readTextFile(`${REPOSITORY}/${page}`);
    for (const [flag] of text.matchAll(/--(?:v8-flags|allow-run)=[\w=,-]+/g)) {
      assertEquals(flag, once(flag.split("=")[0]), page);
    }
  }
});
