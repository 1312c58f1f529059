/** The user's own header fields: sent to the teacher, never shown. @module */

import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { errorAnswer, serveLedger } from "../support/ledger_server.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { assertExit, distill, numberedRows } from "./fixture.ts";

const SECRET = "s3cr3t-0123456789abcdef";
const TYPED = "typed-0123456789abcdef";

/** All files below a folder, as one text. */
async function everythingIn(dir: TempDir, folder: string): Promise<string> {
  const texts: string[] = [];
  for await (const { name, isFile } of Deno.readDir(dir.path(folder))) {
    if (isFile) texts.push(name, await dir.read(`${folder}/${name}`));
    else texts.push(await everythingIn(dir, `${folder}/${name}`));
  }
  return texts.join("\n");
}

Deno.test("a secret in a header field is in no file and on no screen", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(({ n }) =>
    n === 2 ? errorAnswer(400, `No quota for ${SECRET}, and none for "${TYPED}"`) : undefined
  );
  const input = await dir.write("in.jsonl", numberedRows(4));
  const env = { TEAM: SECRET };
  const flags = ["--header", "X-Team=@env:TEAM", "--header", `X-Auth-Token=${TYPED}`];
  const args = [input, "-o", dir.path("out/"), "-c", "1", ...flags];
  const shown: string[] = [];
  for (const progress of ["json", "plain", "bar"]) {
    const more = ["--report", dir.path("out/report.html"), "--progress", progress, "--no-resume"];
    const overwrite = shown.length > 0 ? ["--overwrite", "--replace"] : [];
    const { stdout, stderr } = await distill(server, [...args, ...more, ...overwrite], { env });
    shown.push(stdout, stderr);
  }
  const dry = await distill(server, [...args, "--dry-run"], { env });
  assertStringIncludes(dry.stdout, '"x-team": "[redacted]"');
  shown.push(dry.stdout, dry.stderr, await everythingIn(dir, "out"));
  const all = shown.join("\n");
  assertStringIncludes(all, "No quota for [redacted]");
  for (const secret of [SECRET, TYPED]) assert(!all.includes(secret.slice(0, 12)), all);
  const { headers } = server.requests[0];
  assertEquals([headers.get("x-team"), headers.get("x-auth-token")], [SECRET, TYPED]);
});

Deno.test("a configuration adds header fields for all teachers, and for each", async () => {
  await using dir = await tempDir();
  await using first = serveLedger();
  await using second = serveLedger();
  const config = await dir.write(
    "run.yaml",
    [
      "headers:",
      "  X-Team: search",
      "  X-Version: 2",
      "teachers:",
      `  - model: a`,
      `  - base_url: ${second.url}`,
      `    headers: { api-key: "@env:SECOND_KEY", X-Team: other }`,
    ].join("\n"),
  );
  const input = await dir.write("in.jsonl", numberedRows(20));
  const args = [input, "-o", dir.path("out/"), "--config", config, "--no-careful-start"];
  const env = { SECOND_KEY: SECRET, OPENAI_API_KEY: "sk-default" };
  assertExit(await distill(first, args, { env }), 0);
  const names = ["x-team", "x-version", "api-key", "authorization"];
  const sent = (server: typeof first) => names.map((name) => server.requests[0].headers.get(name));
  assertEquals(sent(first), ["search", "2", null, "Bearer sk-default"]);
  // A key of its own takes the place of the one for all.
  assertEquals(sent(second), ["other", "2", SECRET, null]);
});

/** Header fields that cannot be sent, and the messages. */
const MISTAKES: readonly (readonly [field: string, says: string])[] = [
  ["X-Team=@env:MISSING", "the variable MISSING, which it names, is not set"],
  [SECRET, "it must be NAME=VALUE"],
  [`content-length=${SECRET}`, "it is reserved for the HTTP client"],
  [`X Team=${SECRET}`, "it must be NAME=VALUE"],
  [`X-Team=${SECRET}ü`, "its value must be one line of ASCII characters"],
];

for (const [field, says] of MISTAKES) {
  Deno.test(`--header ${field} is found before the first call, and not shown`, async () => {
    await using dir = await tempDir();
    await using server = serveLedger();
    const input = await dir.write("in.jsonl", numberedRows(1));
    const result = await distill(server, [input, "-o", dir.path("out/"), "--header", field]);
    assertExit(result, 2);
    assertStringIncludes(result.stderr, says);
    assert(!result.stderr.includes(SECRET), result.stderr);
    assertEquals(server.posts, 0);
  });
}
