/**
 * The shape of the code: the seam for third-party code, and the direction of imports.
 *
 * @module
 */

import { assert, assertEquals } from "../lib/deps/std_assert.ts";
import { VERSION } from "../lib/version.ts";
import { cleanEnv, REPOSITORY } from "./support/process.ts";
import { tempDir } from "./support/temp.ts";

/** An `import … from` or `export … from`. */
interface Import {
  /** The importing file, from the root of the repository. */
  readonly from: string;
  /** The imported file, from the root of the repository, or a package. */
  readonly to: string;
  /** As written in the source. */
  readonly specifier: string;
  /** Whether it disappears at run time. */
  readonly isTypeOnly: boolean;
}

/** A source file without its comments. */
interface Source {
  readonly path: string;
  readonly code: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

/** Small files that everything in `lib/` may use; they use only one another. */
const SHARED = [
  "errors",
  "answer",
  "params",
  "refusals",
  "row",
  "hash",
  "jq_filters",
  "json",
  "files",
  "line_blocks",
  "timer",
  "version",
  "printable",
  "similar_name",
  "options",
  "interruptible",
]
  .map((name) => `lib/${name}.ts`).concat("lib/figures.js");
/** The packages that `mod.ts` loads before any function is called. */
const MAIN_PACKAGES = [
  "deno-std",
  "eventsource-parser",
  "hash-wasm",
  "undici",
  "xxhash-wasm",
];
const TEACHER_TYPES = "lib/teacher/mod.ts";
/** Files above all folders of `lib/`. */
const TOP = ["response_generator", "distill", "in_memory"]
  .map((name) => `lib/${name}.ts`);

/** For each folder of `lib/`, the folders whose doors it may import: everything, or only types.
 * `lib/deps/` and the shared files are open to all. */
const LAYERS: Readonly<Record<string, { all?: readonly string[]; types?: readonly string[] }>> = {
  teacher: {},
  formats: {},
  endpoints: { all: ["teacher"] },
  shards: { all: ["formats", "sink"] },
  source: { types: ["teacher"] },
  index: {},
  sink: { types: ["teacher"] },
  checks: { types: ["teacher"] },
  prices: { types: ["teacher"] },
  progress: { types: ["teacher"] },
  simulate: {},
  where: {},
  data: { all: ["formats", "prices", "source", "where"], types: ["teacher"] },
  tables: { all: ["formats", "source"] },
  terminal: { types: ["progress"] },
  "engine/answers": { types: ["checks", "teacher"] },
  "engine/errors": {},
  "engine/flow": {
    types: ["engine/errors", "progress", "teacher"],
  },
  engine: {
    all: ["engine/errors", "engine/answers", "engine/flow"],
    types: ["checks", "progress", "teacher"],
  },
  run: {
    all: [
      "checks",
      "engine",
      "engine/answers",
      "formats",
      "index",
      "prices",
      "progress",
      "shards",
      "sink",
      "source",
      "teacher",
    ],
    types: ["engine/flow"],
  },
  submit: {},
  merge: { all: ["formats", "index", "run", "shards", "sink", "source"] },
  export: {
    all: ["data", "formats", "index", "run", "sink", "source", "tables", "where"],
    types: ["teacher"],
  },
};

const SOURCES = await readSources(["lib", "cli", "tests", "bench", "examples", "web"], [
  "mod.ts",
  "cli.ts",
  "lib/figures.js",
]);
const LIB = SOURCES.filter(({ path }) => path.startsWith("lib/"));
const IMPORTS = SOURCES.flatMap(({ imports }) => imports);

async function readSources(folders: string[], files: string[]): Promise<Source[]> {
  const paths = [...files];
  for (const folder of folders) await collect(folder, paths);
  return await Promise.all(paths.map(async (path) => {
    const text = await Deno.readTextFile(`${REPOSITORY}/${path}`);
    const code = text.split("\n").filter((line) => !/^\s*(\/\/|\/?\*)/.test(line)).join("\n");
    return { path, text, code, imports: importsOf(path, code) };
  }));
}

async function collect(folder: string, paths: string[], names = /\.ts$/): Promise<void> {
  try {
    for await (const { name, isDirectory } of Deno.readDir(`${REPOSITORY}/${folder}`)) {
      if (isDirectory) await collect(`${folder}/${name}`, paths, names);
      else if (names.test(name)) paths.push(`${folder}/${name}`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function importsOf(path: string, code: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: string, isTypeOnly: boolean) =>
    found.push({ from: path, to: resolve(path, specifier), specifier, isTypeOnly });
  const statements = /^(import|export)\s+(type\s)?\s*([\w$*{][^;"'`]*?)\s+from\s+"([^"]+)"/gm;
  for (const [, , type, names, specifier] of code.matchAll(statements)) {
    const named = /^\{(.*)\}$/s.exec(names)?.[1].split(",").map((name) => name.trim());
    const isAllTypes = named?.every((name) => name === "" || name.startsWith("type "));
    add(specifier, type !== undefined || isAllTypes === true);
  }
  for (const [, specifier] of code.matchAll(/\bimport\(\s*"([^"]+)"/g)) add(specifier, false);
  for (const [, specifier] of code.matchAll(/^import\s+"([^"]+)"/gm)) add(specifier, false);
  return found;
}

function resolve(from: string, specifier: string): string {
  return specifier.startsWith(".")
    ? new URL(specifier, `file:///${from}`).pathname.slice(1)
    : specifier;
}

/** The folder of `lib/` that holds a file: `engine/flow`; "" for files outside. */
function folderOf(path: string): string {
  return /^lib\/(?!deps\/)(.+)\/[^/]+$/.exec(path)?.[1] ?? "";
}

function isLocal({ specifier }: Import): boolean {
  return specifier.startsWith(".");
}

/** Whether an import leads from one folder of `lib/` to another. */
function crosses({ from, to }: Import): boolean {
  const folder = folderOf(to);
  return folder !== "" && folder !== folderOf(from);
}

function describe({ from, specifier, isTypeOnly }: Import): string {
  return `${from} imports ${isTypeOnly ? "types of " : ""}${specifier}`;
}

/** Fails with the imports that break a rule. */
function assertNone(broken: readonly Import[]): void {
  assertEquals(broken.map(describe), []);
}

Deno.test("the scan finds the imports that it checks", () => {
  const seen = new Set(IMPORTS.map(describe));
  assert(seen.has("lib/engine/lanes.ts imports ../deps/std_async.ts"));
  assert(seen.has("lib/engine/attempts.ts imports types of ../teacher/mod.ts"));
  assert(seen.has("lib/deps/undici_agent.ts imports npm:undici@8.12.4"));
  assert(seen.has("mod.ts imports ./lib/response_generator.ts"));
  assertEquals(
    importsOf("lib/x/y.ts", `import { type A, b } from "../z.ts";\nawait import("./q.ts");`),
    [
      { from: "lib/x/y.ts", to: "lib/z.ts", specifier: "../z.ts", isTypeOnly: false },
      { from: "lib/x/y.ts", to: "lib/x/q.ts", specifier: "./q.ts", isTypeOnly: false },
    ],
  );
});

Deno.test("third-party code enters through the seam only, with exact versions", () => {
  // Only the tests of the page use a browser; users do not download it.
  const isSeam = ({ from }: Import) => /^(lib|tests\/browser|tests\/faults)\/deps\//.test(from);
  const isOwn = ({ specifier }: Import) => /^(\.|node:)/.test(specifier);
  assertNone(IMPORTS.filter((one) => !isOwn(one) && !isSeam(one)));
  const packages = IMPORTS.filter((one) => isSeam(one) && !isOwn(one));
  const isPage = ({ to }: Import) => to.startsWith("tests/browser/");
  assertNone(IMPORTS.filter((one) => isPage(one) && !one.from.startsWith("tests/browser/")));
  assert(packages.length >= 10);
  const pinned = /^npm:(@[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+(\/[\w./-]+)?$/;
  assertNone(packages.filter(({ specifier }) => !pinned.test(specifier)));
  const versions = Map.groupBy(
    packages.map(({ specifier }) => /^(npm:@?[^@]+)@([\d.]+)/.exec(specifier)!.slice(1)),
    ([name]) => name,
  );
  for (const [name, found] of versions) {
    assertEquals(new Set(found.map(([, version]) => version)).size, 1, `${name} in one version`);
  }
});

Deno.test("nothing in lib/ imports the entry points: cli, web, tests, bench or mod.ts", () => {
  const isOutside = ({ to, specifier }: Import) =>
    specifier.startsWith(".") && !to.startsWith("lib/");
  assertNone(LIB.flatMap(({ imports }) => imports).filter(isOutside));
  const isTest = ({ to }: Import) => /^(tests|bench)\//.test(to);
  assertNone(IMPORTS.filter((one) => isTest(one) && !/^(tests|bench)\//.test(one.from)));
});

Deno.test("each folder of lib/ has one door, and others come in through it", () => {
  for (const folder of Object.keys(LAYERS)) {
    const door = LIB.find(({ path }) => path === `lib/${folder}/mod.ts`);
    assert(door !== undefined, `lib/${folder}/ has no mod.ts`);
    assert(/^\/\*\*\n( \*[^\n]*\n){4,}/.test(door.text), `${door.path} says what it is for`);
    assertEquals(
      door.imports.filter(crosses).map(describe),
      [],
      "a door opens its own folder only",
    );
  }
  const folders = new Set(LIB.map(({ path }) => folderOf(path)));
  assertEquals(
    [...folders].filter((folder) => folder !== "" && folder !== "deps").toSorted(),
    [
      ...Object.keys(LAYERS),
    ].toSorted(),
  );
  const isThroughDoor = ({ to }: Import) => to === `lib/${folderOf(to)}/mod.ts`;
  const users = IMPORTS.filter(({ from }) => !/^(tests|bench)\//.test(from));
  assertNone(users.filter((one) => isLocal(one) && crosses(one) && !isThroughDoor(one)));
});

Deno.test("imports go down the layers, never up or sideways", () => {
  for (const [folder, { all = [], types = [] }] of Object.entries(LAYERS)) {
    const imports = LIB.filter(({ path }) => folderOf(path) === folder)
      .flatMap(({ imports }) => imports).filter(isLocal);
    assertNone(imports.filter((one) => {
      if (one.to.startsWith("lib/deps/")) return false;
      if (folderOf(one.to) === "") return !SHARED.includes(one.to);
      if (!crosses(one)) return false;
      const allowed = one.isTypeOnly ? [...all, ...types] : all;
      return !allowed.includes(folderOf(one.to));
    }));
  }
});

Deno.test("files that are shared use one another only, and nothing is above the top", () => {
  const shared = LIB.filter(({ path }) => SHARED.includes(path));
  assertEquals(shared.length, SHARED.length);
  assertNone(
    shared.flatMap(({ imports }) => imports).filter(({ to, specifier, isTypeOnly }) =>
      specifier.startsWith(".") && !SHARED.includes(to) && !to.startsWith("lib/deps/") &&
      !(isTypeOnly && to === TEACHER_TYPES)
    ),
  );
  const topLevel = LIB.filter(({ path }) => /^lib\/[^/]+$/.test(path)).map(({ path }) => path);
  assertEquals(topLevel.sort(), [...SHARED, ...TOP].sort(), "a new file of lib/ needs a place");
});

Deno.test("no file imports itself through others", () => {
  const next = Map.groupBy(
    LIB.flatMap(({ imports }) => imports).filter(({ isTypeOnly }) => !isTypeOnly),
    ({ from }) => from,
  );
  const done = new Set<string>();
  function visit(path: string, trail: readonly string[]): void {
    assert(!trail.includes(path), `a circle: ${[...trail, path].join(" -> ")}`);
    if (done.has(path)) return;
    for (const { to } of next.get(path) ?? []) visit(to, [...trail, path]);
    done.add(path);
  }
  for (const { path } of LIB) visit(path, []);
});

/** Runs as a thread of its own, started by `cli.ts`. */
const SIGNAL_WORKER = "cli/signal_worker.ts";

Deno.test("only cli.ts touches arguments, environment, exit code, standard streams and console", () => {
  const world =
    /\bDeno\s*\.\s*(args|env|exit|exitCode|stdin|stdout|stderr|consoleSize|addSignalListener)\b|\bconsole\s*\.|\bprocess\s*\.\s*(env|argv|exit|std\w+)\b/;
  const touching = SOURCES
    .filter(({ path }) => /^(lib|cli|web)\//.test(path) || path === "mod.ts")
    .filter(({ path }) => path !== SIGNAL_WORKER)
    .filter(({ code }) => world.test(code))
    .map(({ path, code }) => `${path}: ${world.exec(code)![0]}`);
  assertEquals(touching, []);
  assert(world.test(SOURCES.find(({ path }) => path === "cli.ts")!.code));
});

Deno.test("paths are taken apart by the standard library, which knows those of Windows", () => {
  const cut = /lastIndexOf\("\/"|\.(?:starts|ends)With\("\/"|"node:path"|\.url\)\.pathname/;
  // Names in archives and URLs have slashes on every system; node:path matches patterns.
  const allowed = ["lib/run/inputs.ts"];
  const cutting = SOURCES
    .filter(({ path }) => /^(lib|cli)\/|^web\/(?!page\/)|^(cli|mod)\.ts$/.test(path))
    .filter(({ path }) => !allowed.includes(path))
    .filter(({ code }) => cut.test(code))
    .map(({ path, code }) => `${path}: ${cut.exec(code)![0]}: see lib/files.ts`);
  assertEquals(cutting, []);
});

Deno.test("a file of code, styles or markup has at most 300 lines", async () => {
  const paths: string[] = ["mod.ts", "cli.ts"];
  for (const folder of ["lib", "cli", "web", "tools"]) {
    await collect(folder, paths, /\.(ts|js|css|html)$/);
  }
  assert(["web/page/main.js", "web/page/frame.css"].every((path) => paths.includes(path)));
  const long: string[] = [];
  for (const path of paths) {
    const lines = (await Deno.readTextFile(`${REPOSITORY}/${path}`)).split("\n").length - 1;
    if (lines > 300) long.push(`${path}: ${lines} lines`);
  }
  assertEquals(long, []);
});

Deno.test("importing mod.ts needs no permission but undici's three variables", async () => {
  await using dir = await tempDir();
  const script = await dir.write(
    "script.ts",
    `import * as retort from "${new URL("../mod.ts", import.meta.url)}";
     console.log(typeof retort.ResponseGenerator);`,
  );
  const page = await Deno.readTextFile(`${REPOSITORY}/docs/library.md`);
  const [allowEnv] = /--allow-env=[A-Z_,]+/.exec(page)!;
  const { code, text } = await deno(dir.root, [
    "run",
    "--no-prompt",
    allowEnv,
    script,
  ]);
  assertEquals([code, text], [0, "function\n"]);
});

/** What an entry point loads when it is imported: files, and packages without their versions. */
async function loadedBy(entry: string): Promise<{ files: string[]; packages: string[] }> {
  const { code, text } = await deno(REPOSITORY, ["info", "--json", entry]);
  assertEquals(code, 0, text);
  const { modules, roots } = JSON.parse(text) as {
    roots: string[];
    modules: {
      specifier: string;
      npmPackage?: string;
      dependencies?: { isDynamic?: boolean; code?: { specifier: string } }[];
    }[];
  };
  const byName = new Map(modules.map((module) => [module.specifier, module]));
  const loaded = new Set<string>(roots);
  for (const specifier of loaded) {
    for (const { code, isDynamic } of byName.get(specifier)?.dependencies ?? []) {
      if (code !== undefined && !isDynamic) loaded.add(code.specifier);
    }
  }
  const packages = [...loaded].filter((specifier) => specifier.startsWith("npm:"))
    .map((specifier) => /^npm:\/?(@?[^@]+)@/.exec(specifier)![1]);
  return {
    files: [...loaded].filter((specifier) => specifier.startsWith("file:")),
    packages: [...new Set(packages)].toSorted(),
  };
}

Deno.test("importing mod.ts loads few modules, and a fixed list of packages", async () => {
  const { files, packages } = await loadedBy("mod.ts");
  assertEquals(packages, MAIN_PACKAGES);
  assert(files.length > 100 && files.length <= 190, `${files.length} modules`);
});

Deno.test("starting cli.ts loads no command, so that --help is quick", async () => {
  const { files, packages } = await loadedBy("cli.ts");
  assertEquals(packages, ["deno-std"]);
  assert(files.length >= 10 && files.length <= 30, `${files.length} modules`);
});

Deno.test("commands that run nothing load neither a teacher nor the code for runs", async () => {
  for (const command of ["proof_commands", "stats_command", "serve_commands", "export_command"]) {
    const { files } = await loadedBy(`cli/${command}.ts`);
    assert(files.length > 10, command);
    assertEquals(files.filter((file) => /\/lib\/(?:teacher|run)\//.test(file)), [], command);
  }
});

Deno.test("nothing from lib/deps has the type any", async () => {
  await using dir = await tempDir();
  const deps = LIB.filter(({ path }) => /^lib\/deps\/\w+\.ts$/.test(path));
  // `any`, and the type of an unresolved import, can be assigned to this; nothing else can.
  const lines = ["interface Nothing { readonly mark: unique symbol }"];
  let checks = 0;
  deps.forEach(({ path, code }, file) => {
    lines.push(`import * as m${file} from "${new URL(`../${path}`, import.meta.url)}";`);
    for (const { name, isType } of exportsOf(code)) {
      const type = isType ? `m${file}.${name}` : `typeof m${file}.${name}`;
      const result = `${type} extends (...args: never[]) => infer R ? R : string`;
      for (const [what, one] of [[name, type], [`result of ${name}`, result]]) {
        lines.push(
          `declare const value${++checks}: ${one};`,
          `// @ts-expect-error ${what} of ${path}`,
          `export const nothing${checks}: Nothing = value${checks};`,
        );
      }
    }
  });
  assert(checks >= 40);
  const script = await dir.write("script.ts", lines.join("\n"));
  const { code, text } = await deno(dir.root, ["check", script]);
  assertEquals(code, 0, text);
});

function exportsOf(code: string): { name: string; isType: boolean }[] {
  const found = [...code.matchAll(/export (type )?\{([^}]*)\}/g)].flatMap(([, type, list]) =>
    list.split(",").map((name) => name.trim()).filter((name) => name !== "").map((name) => ({
      name: name.replace(/^type /, "").replace(/^.* as /, ""),
      isType: type !== undefined || name.startsWith("type "),
    }))
  );
  assert(found.length > 0, code);
  return found;
}

Deno.test("lib/version.ts, deno.json and the changelog name the same version", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(`${REPOSITORY}/deno.json`));
  assertEquals(VERSION, version);
  const changelog = await Deno.readTextFile(`${REPOSITORY}/CHANGELOG.md`);
  const released = /^## \[?(\d[\w.+-]*)/m.exec(changelog)?.[1];
  if (released !== undefined) assertEquals(released, version);
});

async function deno(home: string, args: string[]): Promise<{ code: number; text: string }> {
  const output = await new Deno.Command(Deno.execPath(), {
    args: [args[0], "--quiet", `--lock=${REPOSITORY}/deno.lock`, "--frozen", ...args.slice(1)],
    cwd: home,
    clearEnv: true,
    env: cleanEnv(home),
  }).output();
  const decoder = new TextDecoder();
  return { code: output.code, text: decoder.decode(output.stdout) + decoder.decode(output.stderr) };
}
