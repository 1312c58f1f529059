/** Tests of lib/in_memory.ts: bundled, on Node 24. @module */

import { assert, assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import { distill, type Teacher } from "../../lib/in_memory.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { cleanEnv, REPOSITORY } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

/** The release of Node that npm brings where this machine has none as new. */
const NODE = "24.21.0";

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
console.log(JSON.stringify({ said, isNode: "Bun" in globalThis || "Deno" in globalThis ? false : true }));
`;

Deno.test("engine and teacher are one file that Node 24 runs, without Deno", async () => {
  await using dir = await tempDir();
  const node = await findNode();
  const bundled = await run(Deno.execPath(), [
    ...["bundle", "--quiet", "--frozen", "--platform", "deno"],
    ...["-o", dir.path("retort.mjs"), `${REPOSITORY}/lib/in_memory.ts`],
  ], { ...cleanEnv(dir.root) });
  if (node === undefined || /esbuild|error sending request/i.test(bundled.stderr)) {
    console.warn(`Skipped: no Node ${NODE} or no bundler here (npm cannot be reached)`);
    return;
  }
  assertEquals(bundled.code, 0, bundled.stderr);
  const bundle = await Deno.readTextFile(dir.path("retort.mjs"));
  assertEquals(/\bDeno\s*\.\s*\w+/.exec(bundle)?.[0], undefined);
  assertEquals(/^import .* from "node:fs.*$/m.exec(bundle)?.[0], undefined);

  await using server = serveLedger();
  await Deno.writeTextFile(dir.path("script.mjs"), SCRIPT);
  const ran = await run(node, [dir.path("script.mjs"), server.url]);
  assertEquals(ran.code, 0, ran.stderr);
  assertEquals(JSON.parse(ran.stdout), {
    said: [
      [true, "answer to one", true],
      [true, "rejected", true],
      [true, "bad_row", false],
      true,
    ],
    isNode: true,
  });
});

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

/** Node 24 or newer: that of this machine, or that of npm; undefined where there is none. */
async function findNode(): Promise<string | undefined> {
  const own = await run("node", ["--version"]);
  if (Number(/^v(\d+)/.exec(own.stdout)?.[1]) >= 24) return "node";
  const { os, arch } = Deno.build;
  const name = `node${os === "darwin" && arch === "aarch64" ? "-bin" : ""}-${
    os === "windows" ? "win" : os
  }-${arch === "x86_64" ? "x64" : "arm64"}`;
  const cached = await run(Deno.execPath(), [
    ...["cache", "--quiet", "--no-config", "--no-lock", `npm:${name}@${NODE}`],
  ]);
  if (cached.code !== 0) return undefined;
  const info = await run(Deno.execPath(), ["info", "--json"]);
  const { npmCache } = JSON.parse(info.stdout);
  const file = os === "windows" ? "node.exe" : "node";
  return `${npmCache}/registry.npmjs.org/${name}/${NODE}/bin/${file}`;
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
