/** The same rows in every format are the same run: the same requests, resumed and verified alike. @module */

import { zstdCompressSync } from "node:zlib";
import { assertEquals } from "../../lib/deps/std_assert.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { tempDir } from "../support/temp.ts";
import { runCli } from "../support/process.ts";
import { assertExit, distill } from "./fixture.ts";

const COUNT = 120;

function rowOf(index: number): { id: string; prompt: string } {
  return { id: `r${index}`, prompt: `Question "${index}", with a comma;\nand a second line` };
}

const ROWS = Array.from({ length: COUNT }, (_, index) => rowOf(index));
const LINES = ROWS.map((row) => JSON.stringify(row));
const csv = (delimiter: string) =>
  ["id", "prompt"].join(delimiter) + "\r\n" +
  ROWS.map(({ id, prompt }) => [id, `"${prompt.replaceAll('"', '""')}"`].join(delimiter) + "\r\n")
    .join("");

const FORMATS: Readonly<Record<string, string | Uint8Array>> = {
  "in.jsonl": LINES.join("\n"),
  "in.json": JSON.stringify(ROWS, null, 2),
  "in.csv": csv(","),
  "in.tsv": csv("\t"),
  "in.jsonl.zst": zstdCompressSync(LINES.join("\n")),
  "folder/in-1.jsonl": LINES.join("\n"),
};

for (const [name, content] of Object.entries(FORMATS)) {
  Deno.test(`${name}: the same requests, resume without a request, verify without a gap`, async () => {
    await using dir = await tempDir();
    await using server = serveLedger();
    const path = dir.path(name);
    if (name.includes("/")) await Deno.mkdir(dir.path("folder"));
    if (typeof content === "string") await Deno.writeTextFile(path, content);
    else await Deno.writeFile(path, content);
    const input = name.includes("/") ? dir.path("folder") : path;
    const args = [input, "-o", dir.path("out/")];
    assertExit(await distill(server, [...args, "--limit", "50"]), 0);
    assertEquals(server.posts, 50);
    assertExit(await distill(server, args), 0);
    assertEquals(server.posts, COUNT);
    assertExit(await distill(server, args), 0);
    assertEquals(server.posts, COUNT);
    assertEquals(
      [...server.prompts.keys()].toSorted(),
      ROWS.map(({ prompt }) => prompt).toSorted(),
    );
    assertExit(await runCli(["verify", ...args]), 0);
  });
}
