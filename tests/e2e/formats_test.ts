/**
 * The same rows in every format lead to the same run: the same requests, resumed and verified
 * alike. @module
 */

import { zstdCompressSync } from "node:zlib";
import { assert, assertEquals, assertLessOrEqual } from "../../lib/deps/std_assert.ts";
import { convertFiles, distillFiles, openai, verify } from "../../mod.ts";
import { type LedgerServer, serveLedger } from "../support/ledger_server.ts";
import { KILLED, runCli } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { assertExit, distill, startDistill } from "./fixture.ts";

/** `RETORT_FORMAT_ROWS=10000` tries a larger file. */
const COUNT = Number(Deno.env.get("RETORT_FORMAT_ROWS") ?? 120);

const ROWS = Array.from({ length: COUNT }, (_, index) => ({
  id: `r${index}`,
  messages: [
    { role: "system", content: "Be brief; \"quote\", 'too'" },
    { role: "user", content: `Question ${index}, with a comma;\nand a second line ü 🎉` },
  ],
}));
const LINES = ROWS.map((row) => JSON.stringify(row)).join("\n");
const table = (delimiter: string) =>
  `id${delimiter}messages\r\n` +
  ROWS.map(({ id, messages }) =>
    `${id}${delimiter}"${JSON.stringify(messages).replaceAll('"', '""')}"\r\n`
  ).join("");

const HALF = COUNT >> 1;
const CONCURRENCY = 10;

/** Writes the rows in a format. Returns the inputs of the run. */
const FORMATS: Readonly<Record<string, (dir: TempDir) => Promise<string>>> = {
  "JSON Lines": (dir) => dir.write("in.jsonl", LINES),
  "a JSON array": (dir) => dir.write("in.json", JSON.stringify(ROWS, null, 2)),
  "CSV": (dir) => dir.write("in.csv", table(",")),
  "TSV": (dir) => dir.write("in.tsv", table("\t")),
  "JSON Lines compressed with zstd": (dir) => dir.write("in.jsonl.zst", zstdCompressSync(LINES)),
  "Parquet": async (dir) => {
    const input = await dir.write("rows.jsonl", LINES);
    await convertFiles({ input, output: dir.path("in.parquet") });
    return dir.path("in.parquet");
  },
  "a folder of several formats": async (dir) => {
    const lines = LINES.split("\n");
    await dir.write("folder/part-1.jsonl", lines.slice(0, HALF).join("\n"));
    await dir.write("folder/part-2.json", `[${lines.slice(HALF).join(",")}]`);
    await dir.write("folder/notes.md", "# Not rows");
    return dir.path("folder");
  },
};

/** The bodies of all requests, sorted. */
function bodiesOf(server: LedgerServer): string[] {
  return server.requests.map(({ text }) => text).toSorted();
}

const expected = new Set<string>();

for (const [name, write] of Object.entries(FORMATS)) {
  Deno.test(`${name}: the same requests, resume without a request, verify without a gap`, async () => {
    await using dir = await tempDir();
    await using server = serveLedger();
    await using teacher = openai({ baseUrl: server.url, model: "m" });
    const input = await write(dir), output = dir.path("out/");
    const options = { teacher, concurrency: CONCURRENCY };
    const isFolder = input.endsWith("folder");
    await distillFiles(input, output, { ...options, limit: isFolder ? HALF >> 1 : HALF });
    assertEquals(server.posts, isFolder ? 2 * (HALF >> 1) : HALF);
    await distillFiles(input, output, options);
    assertEquals(server.posts, COUNT);
    await distillFiles(input, output, options);
    assertEquals(server.posts, COUNT);
    const bodies = bodiesOf(server);
    assertEquals(new Set(bodies).size, COUNT);
    if (expected.size === 0) { for (const body of bodies) expected.add(body); }
    assertEquals(bodies, [...expected]);
    const found = await verify({ input, output });
    assertEquals(found.map(({ succeeded, total }) => succeeded - total), found.map(() => 0));
  });
}

for (const name of ["Parquet", "JSON Lines compressed with zstd"]) {
  Deno.test(`${name}: kill -9 in the middle costs no more than the calls in flight`, async () => {
    await using dir = await tempDir();
    let held: PromiseWithResolvers<void> | undefined = Promise.withResolvers<void>();
    await using server = serveLedger(async ({ n }) => {
      // From here on calls stay in flight until the run was killed.
      if (n > HALF) await held?.promise;
    });
    const args = [await FORMATS[name](dir), "-o", dir.path("out/"), "-c", `${CONCURRENCY}`];
    await using child = await startDistill(server, args);
    await server.untilPosts(HALF + CONCURRENCY);
    child.kill("SIGKILL");
    assertEquals((await child.output()).signal, KILLED);
    held.resolve();
    held = undefined;
    const before = server.posts;
    assertExit(await distill(server, args), 0);
    assert(server.posts > before);
    assertLessOrEqual(server.posts, COUNT + CONCURRENCY);
    assertEquals(new Set(server.requests.map(({ text }) => text)).size, COUNT);
    assertExit(await runCli(["verify", ...args.slice(0, 3)]), 0);
  });
}
