/**
 * Plays one shape of a row through the command line against a real server, with real files.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "../../../lib/deps/std_assert.ts";
import { xxHash64Hex } from "../../../lib/hash.ts";
import { parseLossless } from "../../../lib/source/mod.ts";
import { argsFor, linesOf } from "../../e2e/fixture.ts";
import { serveLedger } from "../../support/ledger_server.ts";
import { type TempDir, tempDir } from "../../support/temp.ts";
import { runInProcess } from "../run_case.ts";
import type { RowCase } from "./case.ts";

/** Runs it, and fails where something else is sent or written than expected. `$DIR` stands for the
 * folder above that of the input. */
export async function runRow(one: RowCase): Promise<void> {
  await using dir = await tempDir();
  await using server = serveLedger();
  const inDir = (text: string) => text.replaceAll("$DIR", dir.root);
  const rows = one.rows.map(inDir);
  const input = await dir.write("in/rows.jsonl", rows.map((row) => `${row}\n`).join(""));
  await writeFiles(dir, one.files ?? {});
  const args = argsFor(server, [input, "-o", dir.path("out/"), "-c", "1", "--progress", "plain"]);
  const flags = (one.flags ?? []).map(inDir);
  const bad = one.bad && inDir(one.bad);
  if (bad !== undefined) {
    const before = await runInProcess([...args, ...flags]);
    const help = one.help === undefined ? "" : `: ${one.help}`;
    assertStringIncludes(before.stderr, `${input}:1: ${bad}${help}`);
    assertEquals([before.code, await dir.exists("out/rows.jsonl")], [2, false], before.stderr);
    flags.push("--skip-bad-rows", "--allow-empty");
  }
  const { code, stderr } = await runInProcess([...args, ...flags]);
  assertEquals(code, bad === undefined ? 0 : 3, stderr);
  const bodies = server.requests.map(({ text }) => text);
  assertEquals(bodies, (one.sent ?? []).map(bodyOf), stderr);
  if (one.says !== undefined) assertStringIncludes(stderr, `${one.says}\n`);
  if (one.saysNothingOf !== undefined) assert(!stderr.includes(one.saysNothingOf), stderr);
  const lines = linesOf(await dir.read("out/rows.jsonl"));
  assertEquals(lines.length, bodies.length);
  for (const [i, line] of lines.entries()) checkLine(line, i, rows, one, bodies);
  if (bad === undefined) return;
  const [failure] = await dir.rows("out/rows_error.jsonl");
  const { raw, error } = failure;
  assertEquals([raw, error.type, error.message], [rows[0], "bad_row", bad]);
}

function bodyOf(sent: string): string {
  return sent.startsWith('"model":') ? `{${sent}}` : `{"model":"test-model",${sent}}`;
}

async function writeFiles(dir: TempDir, files: NonNullable<RowCase["files"]>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const target = typeof content === "string" && /^-> (.*)/.exec(content)?.[1];
    if (target) await Deno.symlink(target.replace("$DIR", dir.root), dir.path(path));
    else await dir.write(path, content);
  }
}

/** A line holds the row byte for byte, its uid, the answer, and the hash of what was sent. */
function checkLine(
  line: string,
  index: number,
  rows: readonly string[],
  { uids, files, flags = [] }: RowCase,
  bodies: readonly string[],
): void {
  const { uid, prompt_hash: hash, response } = JSON.parse(line);
  assert(rows.some((row) => holds(line, row)), `the bytes of no row: ${line}`);
  assertStringIncludes(response, "answer to ");
  if (uids !== undefined) assertEquals(uid, uids[index]);
  // Of files that are read when they are sent, lines hold nothing but the path.
  if (files !== undefined && !rows[0].includes("base64")) assert(!line.includes("base64,"), line);
  else if (!flags.includes("-p")) assertEquals(hash, hashOf(bodies[index]), line);
}

function holds(line: string, row: string): boolean {
  if (row.startsWith("[")) return line.includes(`"messages":${row}`);
  const own = JSON.parse(row), replaced = JSON.parse(JSON.parse(line).distill.replaced);
  if (Object.keys(replaced).length === 0) return line.includes(row.slice(1, -1));
  // Fields with a name of ours are moved within the line.
  return Object.entries(replaced).every(([name, value]) =>
    JSON.stringify(own[name]) === JSON.stringify(value)
  );
}

/** What README says of `prompt_hash`, from what the server got. */
function hashOf(body: string): string {
  const { model, messages, ...rest } = parseLossless(body) as Record<string, unknown>;
  const params = model === "test-model" ? rest : { model, ...rest };
  const text = Object.keys(params).length === 0 ? "" : JSON.stringify(params);
  return xxHash64Hex(`${JSON.stringify(messages)}\n${text}`);
}
