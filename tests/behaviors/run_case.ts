/**
 * Plays one behavior of a server against the command line, with real sockets and real files.
 *
 * @module
 */

import { main } from "../../cli.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { argsFor, numberedRows } from "../e2e/fixture.ts";
import { fakeIo } from "../support/process.ts";
import { serveScript } from "../support/scripted_server.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import type { Part, ServerCase } from "./case.ts";

/** Runs it, and fails if the outcome differs from the expected one. */
export async function runCase(one: ServerCase): Promise<void> {
  const { script, flags = [], rows, expected, files = {}, path = "/v1" } = one;
  await using dir = await tempDir();
  await using server = serveScript(script);
  const input = await dir.write("in.jsonl", rowsOf(rows));
  for (const [name, content] of Object.entries(files)) {
    await dir.write(name, JSON.stringify(content));
  }
  const given = flags.map((flag) => flag in files ? dir.path(flag) : flag);
  const args = [input, "-o", dir.path("out/"), "--progress", "plain", ...given];
  const url = server.url.replace(/\/v1$/, path);
  const { code, stderr } = await runInProcess(argsFor({ url }, args), one.env);
  const results = await linesOf(dir, "out/in.jsonl");
  const failures = await linesOf(dir, "out/in_error.jsonl");
  const { sent, sentLast, head, result, failure, kept, posts = 1, says } = expected;
  const rowCount = rowsOf(rows).length;
  const [answered, failed, pending] = expected.counts ??
    [Number(result !== undefined), Number(failure !== undefined), 0];
  const exit = expected.exit ?? (pending > 0 ? 5 : failed > 0 ? 3 : 0);
  const written = JSON.stringify([...results, ...failures]);
  const final = failures.filter(({ error }) => error.final !== false);
  assertEquals(
    [results.length, final.length, rowCount - results.length - final.length],
    [answered, failed, pending],
    `${stderr}${written}`,
  );
  if (sent !== undefined) assertPart(server.posts[0].body, sent, "sent");
  if (sentLast !== undefined) assertPart(server.posts.at(-1)!.body, sentLast, "sent last");
  for (const text of head ?? []) assertStringIncludes(server.posts[0].head, text);
  if (result !== undefined) assertPart(firstOf(results), result, "result");
  if (failure !== undefined) assertPart(firstOf(failures), failure, "failure");
  if (kept !== undefined) {
    assertPart(failures.filter(({ error }) => error.final === false), kept, "kept");
  }
  if (says !== undefined) assertMatch(stderr, says);
  assertEquals(code, exit, stderr);
  assertEquals(server.posts.length, posts, `POSTs: ${stderr}${written}`);
}

/** The command line in this process; no wait is longer than it must be. */
export async function runInProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number; stderr: string }> {
  let stderr = "";
  const io = fakeIo({ writeErr: (text) => stderr += text, env: (name) => env[name] });
  const { random } = Math;
  Math.random = () => 0;
  try {
    return { code: await main(args, io), stderr };
  } finally {
    Math.random = random;
  }
}

function rowsOf(rows: ServerCase["rows"] = [{ id: "row-0", prompt: "hi" }]): readonly Part[] {
  return typeof rows === "number" ? numberedRows(rows) : rows;
}

// deno-lint-ignore no-explicit-any -- lines of our own files
async function linesOf(dir: TempDir, name: string): Promise<any[]> {
  return await dir.exists(name) ? await dir.rows(name) : [];
}

function firstOf<T extends { uid: string }>(lines: readonly T[]): T | undefined {
  return lines.find(({ uid }) => uid === "row-0") ?? lines[0];
}

/** Fails unless `actual` holds all of `part`. */
function assertPart(actual: unknown, part: unknown, path: string): void {
  if (part instanceof RegExp) return assertMatch(String(actual), part, path);
  // Results hold tool calls and what is kept as the text of their JSON.
  if (typeof actual === "string" && typeof part === "object" && part !== null) {
    return assertPart(JSON.parse(actual), part, path);
  }
  if (Array.isArray(part)) {
    assertEquals(
      (actual as unknown[] | undefined)?.length,
      part.length,
      `${path}: ${show(actual)}`,
    );
    part.forEach((one, i) => assertPart((actual as unknown[])[i], one, `${path}[${i}]`));
  } else if (typeof part === "object" && part !== null) {
    assertEquals(typeof actual, "object", `${path}: ${show(actual)}`);
    for (const [name, one] of Object.entries(part)) {
      assertPart((actual as Part)?.[name], one, `${path}.${name}`);
    }
  } else assertEquals(actual, part, path);
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? "undefined";
}
