/** Tests of lib/in_memory.ts: bundled, on Node 24 and on Bun. @module */

import { assert, assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import { distill, type Teacher } from "../../lib/in_memory.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { cleanEnv, REPOSITORY } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

/** Releases that npm provides if this machine has none as new. */
const NODE = "24.21.0", BUN = "1.4.5";

const SCRIPT = `
import { distill, HaltedError, openai } from "./retort.mjs";
const [baseUrl] = process.argv.slice(2);
const said = [];
const teacher = openai({ baseUrl, model: "test-model" });
const rows = ["one", "two", { nothing: 1 }];
for await (const a of distill(rows, { teacher, rejectPattern: "(t|w)wo", priceIn: 1, priceOut: 1 })) {
  said[a.index] = [a.input === rows[a.index], a.ok ? a.response : a.error.type, a.costUsd > 0];
}
try {
  for await (const _ of distill(["x", "y"], { teacher, concurrency: 1, priceIn: 1, priceOut: 1, maxCostUsd: 1e-9 }));
} catch (error) {
  said.push(error instanceof HaltedError);
}
for await (const _ of distill(["three", "four"], { teacher })) break;
await teacher.close();
const runtime = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";
console.log(JSON.stringify({ said, runtime }));
`;

Deno.test("engine and teacher are one file that Node 24 and Bun run, without Deno", async (context) => {
  await using dir = await tempDir();
  const bundled = await run(Deno.execPath(), [
    ...["bundle", "--quiet", "--frozen", "--platform", "deno"],
    ...["-o", dir.path("retort.mjs"), `${REPOSITORY}/lib/in_memory.ts`],
  ], { ...cleanEnv(dir.root) });
  if (/esbuild|error sending request/i.test(bundled.stderr)) {
    console.warn("Skipped: no bundler here (npm cannot be reached)");
    return;
  }
  assertEquals(bundled.code, 0, bundled.stderr);
  const bundle = await Deno.readTextFile(dir.path("retort.mjs"));
  assertEquals(/\bDeno\s*\.\s*\w+/.exec(bundle)?.[0], undefined);
  assertEquals(/^import .* from "node:fs.*$/m.exec(bundle)?.[0], undefined);

  await using server = serveLedger();
  await Deno.writeTextFile(dir.path("script.mjs"), SCRIPT);
  for (const [runtime, program] of [["node", await findNode()], ["bun", await findBun()]]) {
    if (program === undefined) console.warn(`Skipped: no ${runtime} here (npm cannot be reached)`);
    await context.step({
      name: `${runtime}`,
      ignore: program === undefined,
      fn: async () => {
        const ran = await run(program!, [dir.path("script.mjs"), server.url]);
        assertEquals(ran.code, 0, ran.stderr);
        assertEquals(JSON.parse(ran.stdout), { said: SAID, runtime });
      },
    });
  }
});

/** What the script prints on every runtime. */
const SAID = [
  [true, "answer to one", true],
  [true, "rejected", true],
  [true, "bad_row", false],
  true,
];

Deno.test("without files, paths of images and imagesRoot are refused", async () => {
  const teacher: Teacher = { complete: () => Promise.reject(new Error("never asked")) };
  assertThrows(
    () => distill(["x"], { teacher, imagesRoot: "/tmp" }),
    TypeError,
    "Cannot use imagesRoot",
  );
  const rows = [{ prompt: "<image> What is this?", images: ["x.png"] }];
  const [outcome] = await Array.fromAsync(distill(rows, { teacher }));
  assert(!outcome.ok);
  assertEquals(outcome.error.type, "bad_row");
  assert(outcome.error.message.includes("as an https: or data: URL"), outcome.error.message);
});

/** Returns Node 24 or newer, of this machine or from npm; undefined if there is none. */
async function findNode(): Promise<string | undefined> {
  const own = await run("node", ["--version"]);
  if (Number(/^v(\d+)/.exec(own.stdout)?.[1]) >= 24) return "node";
  const { os, arch } = Deno.build;
  const system = os === "windows" ? "win" : os;
  const name = `node${os === "darwin" && arch === "aarch64" ? "-bin" : ""}-${system}-${
    arch === "x86_64" ? "x64" : "arm64"
  }`;
  return await fromNpm(name, NODE, os === "windows" ? "node.exe" : "bin/node");
}

/** Returns Bun, of this machine or from npm. */
async function findBun(): Promise<string | undefined> {
  if ((await run("bun", ["--version"])).code === 0) return "bun";
  const { os, arch } = Deno.build;
  const name = `@oven/bun-${os}-${arch === "x86_64" ? "x64" : "aarch64"}`;
  return await fromNpm(name, BUN, os === "windows" ? "bin/bun.exe" : "bin/bun");
}

/**
 * Returns a program of an npm package; undefined if npm has no such package or cannot be reached.
 */
async function fromNpm(name: string, version: string, file: string): Promise<string | undefined> {
  const cached = await run(Deno.execPath(), [
    ...["cache", "--quiet", "--no-config", "--no-lock", `npm:${name}@${version}`],
  ]);
  if (cached.code !== 0) return undefined;
  const info = await run(Deno.execPath(), ["info", "--json"]);
  const { npmCache } = JSON.parse(info.stdout);
  return `${npmCache}/registry.npmjs.org/${name}/${version}/${file}`;
}

async function run(
  program: string,
  args: string[],
  env?: Record<string, string>,
): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    const command = new Deno.Command(program, { args, env, clearEnv: env !== undefined });
    const { code, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  } catch (error) {
    return { code: -1, stdout: "", stderr: String(error) };
  }
}
