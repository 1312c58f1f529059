/** Foreign files are not changed, and replaced files keep their type. @module */

import { assertEquals, assertMatch } from "../../lib/deps/std_assert.ts";
import { chatAnswer, serveLedger } from "../support/ledger_server.ts";
import { runCli } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { assertExit, distill, numberedRows } from "./fixture.ts";

const answer = () => Response.json(chatAnswer("42"));
const refuse = () => Response.json({ error: { message: "no" } }, { status: 400 });
const modeOf = async (path: string) => (await Deno.stat(path)).mode! & 0o777;

Deno.test("standard input leaves a file alone that has the old name of its copy", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(answer);
  await dir.write("data.input", "the user's own\n");
  const stdin = '{"prompt":"one"}\n';
  assertExit(await distill(server, ["-", "-o", dir.path("data.jsonl")], { stdin }), 0);
  assertEquals(await dir.read("data.input"), "the user's own\n");
  assertEquals(await dir.names(), [
    ".retort",
    "data.input",
    "data.jsonl",
    "data.lock",
    "data.run.json",
    "data_error.jsonl",
  ]);
});

/** Files of the user's with names of ours, and what a run says of them. */
const FOREIGN: readonly [name: string, text: string, says: RegExp][] = [
  ["poetry.lock", "# made by Poetry\n".repeat(100), /not a lock file of Retort/],
  [
    "poetry.jsonl",
    '{"uid":"row-0","prompt":"mine"}\n{"uid":"row-1","pro',
    /it is not a results file of Retort/,
  ],
  [
    "poetry_error.jsonl",
    '{"uid":"row-0","message":"mine"}\nhalf',
    /it is not a failures file of Retort/,
  ],
  ["poetry.run.json", '{"identity":"mine"}', /poetry.run.json": .*Move it away/],
];

for (const [name, text, says] of FOREIGN) {
  for (const flags of [[], ["--no-resume", "--overwrite"]]) {
    Deno.test(`a run leaves a foreign ${name} as it is (${["run", ...flags].join(" ")})`, async () => {
      await using dir = await tempDir();
      await using server = serveLedger(answer);
      const input = await dir.write("in.jsonl", numberedRows(3));
      await dir.write(name, text);
      const run = await distill(server, [input, "-o", dir.path("poetry.jsonl"), ...flags]);
      assertExit(run, 2);
      assertMatch(run.stderr, says);
      assertEquals([await dir.read(name), server.posts], [text, 0]);
    });
  }
}

Deno.test("results that are a copy of the input are no answers", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(answer);
  const rows = numberedRows(5).map(({ id, prompt }) => ({ uid: id, prompt }));
  const input = await dir.write("in.jsonl", rows);
  await dir.write("out.jsonl", rows);
  const run = await distill(server, [input, "-o", dir.path("out.jsonl")]);
  assertExit(run, 2);
  assertMatch(run.stderr, /out\.jsonl": it is not a results file of Retort/);
});

Deno.test("a run treats an empty lock file as its own", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(answer);
  const input = await dir.write("in.jsonl", numberedRows(1));
  await dir.write("out.lock", "");
  assertExit(await distill(server, [input, "-o", dir.path("out.jsonl")]), 0);
});

Deno.test("the next run removes what a killed one left under its temporary names", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(answer);
  const token = "0123456789abcdef";
  const note = { pid: 1, started: "", running: false, in_flight: 0, token };
  await dir.write("out.lock", `${JSON.stringify(note)}\n`);
  const left = ["out.jsonl", "out_error.jsonl", "out.run.json"].map((name) =>
    `${name}.${token}.tmp`
  );
  for (const name of [...left, `out.input.${token}`]) await dir.write(name, "half");
  await dir.write(`notes.${token}.tmp`, "the user's own");
  await dir.write("out.jsonl.tmp", "the user's own");
  const input = await dir.write("in.jsonl", numberedRows(1));
  assertExit(await distill(server, [input, "-o", dir.path("out.jsonl")]), 0);
  assertEquals(await dir.names(), [
    ".retort",
    "in.jsonl",
    `notes.${token}.tmp`,
    "out.jsonl",
    "out.jsonl.tmp",
    "out.lock",
    "out.run.json",
    "out_error.jsonl",
  ]);
});

/**
 * Runs once with one row that fails, and then a retry of it, which rewrites results and failures.
 */
async function runAndRetry(dir: TempDir, prepare: () => Promise<void>): Promise<void> {
  let isRefusing = true;
  await using server = serveLedger(({ prompt }) =>
    isRefusing && prompt === "prompt 0" ? refuse() : answer()
  );
  const args = [dir.path("in.jsonl"), "-o", dir.path("out.jsonl")];
  assertExit(await distill(server, args), 3);
  await prepare();
  isRefusing = false;
  await dir.write("in.jsonl", numberedRows(3).map((row) => ({ ...row, prompt: `${row.prompt}!` })));
  assertExit(await distill(server, [...args, "--retry", "--changed", "reask"]), 0);
}

Deno.test({
  name: "permissions are kept when results and failures are rewritten",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    await dir.write("in.jsonl", numberedRows(3));
    const files = ["out.jsonl", "out_error.jsonl", "out.run.json"].map(dir.path);
    await runAndRetry(dir, async () => {
      for (const path of files) await Deno.chmod(path, 0o600);
    });
    assertEquals(await Promise.all(files.map(modeOf)), [0o600, 0o600, 0o600]);
  },
});

Deno.test({
  name: "no one reads in the output what he may not read in the input",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    await using server = serveLedger(answer);
    const input = await dir.write("in.jsonl", numberedRows(1));
    await Deno.chmod(input, 0o600);
    await dir.write("keep/out.jsonl", "");
    const report = dir.path("out/report.html");
    assertExit(await distill(server, [input, "-o", dir.path("out/"), "--report", report]), 0);
    const names = (await dir.names("out")).filter((name) => name !== ".retort");
    assertEquals(names.length, 5);
    for (const name of [...names, ".retort/in.status.json"]) {
      assertEquals([name, await modeOf(dir.path(`out/${name}`))], [name, 0o600]);
    }
  },
});

Deno.test("results and failures that are links stay links, and what they lead to is replaced", async () => {
  await using dir = await tempDir();
  await dir.write("in.jsonl", numberedRows(3));
  for (const name of ["out.jsonl", "out_error.jsonl"]) {
    await Deno.symlink(await dir.write(`store/${name}`, ""), dir.path(name));
  }
  await runAndRetry(dir, () => Promise.resolve());
  assertEquals((await dir.rows("store/out.jsonl")).length, 3);
  assertEquals(await dir.read("store/out_error.jsonl"), "");
  for (const name of ["out.jsonl", "out_error.jsonl"]) {
    assertEquals((await Deno.lstat(dir.path(name))).isSymlink, true);
  }
  assertEquals(await dir.names("store"), ["out.jsonl", "out_error.jsonl"]);
});

Deno.test("a run and verify take blank lines and a byte order mark in the results alike", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(answer);
  const args = [await dir.write("in.jsonl", numberedRows(3)), "-o", dir.path("out.jsonl")];
  assertExit(await distill(server, args), 0);
  const lines = (await dir.read("out.jsonl")).split("\n");
  await dir.write("out.jsonl", `\ufeff${lines[0]}\r\n\n  \n${lines.slice(1).join("\n")}\n`);
  assertExit(await runCli(["verify", ...args]), 0);
  assertExit(await distill(server, args), 0);
  assertEquals(server.posts, 3);
});
