/** Keys typed in a wrong place, and addresses that hold them: nothing written shows them. */

import { assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { type CliResult, runCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { assertExit, numberedRows } from "./fixture.ts";

const KEY = "sk-Zx9secretSecret/0123+ab==";

const MISTAKES: [name: string, args: string[], problem: string][] = [
  ["--api-key-env KEY", ["--api-key-env", KEY], "api-key-env must name a variable"],
  ["--api-key-env=KEY", [`--api-key-env=${KEY}`], "api-key-env must name a variable"],
  [
    "--api-key-env with letters only",
    ["--api-key-env", "gsk_secretSecret0123"],
    "must name a variable",
  ],
  ["--api-key-file KEY", ["--api-key-file", KEY], "api-key-file must name an existing file"],
  [
    "--api-key-file with letters only",
    ["--api-key-file", "gsk_secretSecret0123"],
    "must name an existing file",
  ],
  [
    "--header X=@env:KEY",
    ["--header", `X=@env:${KEY}`],
    'send the header "X": it must name a variable',
  ],
  ["--header with a scheme", ["--header", `X: Bearer @env:${KEY}`], "it must name a variable"],
  ["--base-url @env:KEY", ["--base-url", `@env:${KEY}`], "base-url must name a variable"],
  ["-p api_key", ["-p", `api_key=${KEY}`], 'Cannot send the parameter "api_key"'],
  ["-p extra_body.api_key", ["-p", `extra_body.api_key="${KEY}"`], '"extra_body.api_key"'],
  ["--params", ["--params", `{"Authorization":"Bearer ${KEY}"}`], '"Authorization"'],
  ["--api-key", ["--api-key", KEY], "Cannot take the key from --api-key"],
  [
    "--api-key-file -KEY",
    ["--api-key-file", `-${KEY}`],
    "Cannot use --api-key-file: it needs a value",
  ],
  ["--client-key KEY", ["--client-key", KEY], "--client-key: it must name an existing file"],
  [
    "--client-key -----BEGIN",
    ["--client-key", "-----BEGIN PRIVATE KEY-----\nsecretSecret"],
    "Cannot use --client-key: it needs a value",
  ],
];

function assertHidden({ stdout, stderr }: CliResult): void {
  const shown = stdout + stderr;
  assertEquals([shown.includes("secretSecret"), shown], [false, shown]);
}

for (const [name, args, problem] of MISTAKES) {
  Deno.test(`a key in the place of a name is not echoed: ${name}`, async () => {
    await using dir = await tempDir();
    const input = await dir.write("p.jsonl", numberedRows(1));
    const where = args.includes("--base-url") ? [] : ["--base-url", "http://127.0.0.1:9/v1"];
    const result = await runCli([input, "-o", dir.path("out/"), "-m", "m", ...where, ...args]);
    assertExit(result, 2);
    assertStringIncludes(result.stderr, problem);
    assertHidden(result);
  });
}

for (const name of ["chat_config", "params"]) {
  Deno.test(`a key in ${name} of the configuration is refused and not echoed`, async () => {
    await using dir = await tempDir();
    const input = await dir.write("p.jsonl", numberedRows(1));
    const config = await dir.write("c.yaml", `${name}:\n  api_key: ${KEY}\n`);
    const result = await runCli([input, "-o", dir.path("out/"), "-m", "m", "--config", config]);
    assertExit(result, 2);
    assertStringIncludes(result.stderr, `${name}.api_key contains the key itself`);
    assertHidden(result);
  });
}

Deno.test("the command that continues names no secret of an address, and works with its variable", async () => {
  await using dir = await tempDir();
  const input = await dir.write("p.jsonl", numberedRows(3));
  const seen: string[] = [];
  let isRefusing = true;
  await using server = serveLedger((request) => {
    seen.push(`${request.headers.get("authorization")} ${request.path}`);
    return isRefusing ? new Response("no money", { status: 402 }) : undefined;
  });
  const typed = `${
    server.url.replace("//", "//me:secretSecret@")
  }?api_key=secretSecret&sig=secretSecret`;
  const args = [input, "-o", dir.path("out/"), "-m", "m", "-c", "1"];
  const halted = await runCli([...args, "--base-url", typed]);
  assertExit(halted, 5);
  assertHidden(halted);
  const printed = /To continue:?\s+deno task distill (.*)/.exec(halted.stderr)?.[1] ?? "";
  // No word has spaces. On Windows, the last one is in quotes.
  const command = printed.replaceAll('"', "");
  assertStringIncludes(command, "--base-url @env:OPENAI_BASE_URL");
  const unset = await runCli(command.split(" "));
  assertExit(unset, 2);
  assertStringIncludes(
    unset.stderr,
    "the variable OPENAI_BASE_URL, which base-url names, is not set",
  );
  isRefusing = false;
  const done = await runCli(command.split(" "), { env: { OPENAI_BASE_URL: typed } });
  assertExit(done, 0);
  assertHidden(done);
  assertEquals(new Set(seen).size, 1);
  assertEquals(
    seen[0],
    `Basic ${btoa("me:secretSecret")} /v1/chat/completions?api_key=secretSecret&sig=secretSecret`,
  );
  const reports = (await dir.names("out/.retort")).map((name) => `.retort/${name}`);
  assertEquals(reports.length, 3);
  const others = (await dir.names("out")).filter((name) => name !== ".retort");
  for (const name of [...others, ...reports]) {
    assertEquals(
      (await Deno.readTextFile(dir.path(`out/${name}`))).includes("secretSecret"),
      false,
    );
  }
});

Deno.test("an address with a secret in the environment or the configuration is not in the command", async () => {
  await using dir = await tempDir();
  const input = await dir.write("p.jsonl", numberedRows(2));
  await using server = serveLedger(() => new Response("no money", { status: 402 }));
  const url = server.url.replace("//", "//me:secretSecret@");
  const args = [input, "-o", dir.path("out/"), "-m", "m"];
  const config = await dir.write("c.yaml", `base_url: ${url}\n`);
  for (
    const [more, env] of [[[], { OPENAI_BASE_URL: url }], [["--config", config], {}]] as const
  ) {
    const halted = await runCli([...args, ...more], { env });
    assertExit(halted, 5);
    assertHidden(halted);
    assertEquals(/To continue:?\s+(.*)/.exec(halted.stderr)?.[1].includes("--base-url"), false);
  }
});

for (
  const [name, env, file, problem] of [
    ["a proxy password with %ZZ", { HTTPS_PROXY: "http://me:hi%ZZ@p:3128" }, "", "percent-encoded"],
    ["a configuration that holds itself", {}, "params: &p {a: *p}\n", "never ends"],
  ] as const
) {
  Deno.test(`${name} is bad usage`, async () => {
    await using dir = await tempDir();
    const input = await dir.write("p.jsonl", numberedRows(1));
    const config = await dir.write("c.yaml", file);
    const result = await runCli(
      [
        input,
        "-o",
        dir.path("out/"),
        "-m",
        "m",
        "--base-url",
        "https://h.invalid/v1",
        "--config",
        config,
      ],
      { env },
    );
    assertExit(result, 2);
    assertStringIncludes(result.stderr, problem);
    assertEquals(/hi%ZZ|at file:/.test(result.stderr), false);
  });
}

Deno.test("a run.json without rows is bad usage for run, retry, verify and export", async () => {
  await using dir = await tempDir();
  const input = await dir.write("p.jsonl", numberedRows(2));
  await using server = serveLedger();
  const args = [input, "-o", dir.path("out/")];
  const ask = [...args, "-m", "m", "--base-url", server.url];
  assertExit(await runCli(ask), 0);
  const runJson = dir.path("out/p.run.json");
  const { rows: _rows, ...rest } = JSON.parse(await Deno.readTextFile(runJson));
  await Deno.writeTextFile(runJson, JSON.stringify(rest));
  const exported = [
    "export",
    dir.path("out/p.jsonl"),
    "-o",
    dir.path("t.jsonl"),
    "--format",
    "messages",
  ];
  for (const command of [ask, ["retry", ...ask], ["verify", ...args], exported]) {
    const result = await runCli(command);
    assertExit(result, 2);
    assertStringIncludes(result.stderr, `Cannot read "${runJson}": it has no "rows"`);
  }
});
