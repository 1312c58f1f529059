/** Options of a run through the command line. @module */

import { gzipSync } from "node:zlib";
import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { chatAnswer, errorAnswer, serveLedger } from "../support/ledger_server.ts";
import { runCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { assertExit, assertVerified, distill, numberedRows } from "./fixture.ts";

const ENCODER = new TextEncoder();

function jsonl(rows: readonly unknown[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}

Deno.test("several inputs, one of them gzipped in two parts, have outputs and ids of their own", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(({ prompt }) =>
    prompt === "refused" ? errorAnswer(400) : undefined
  );
  const parts = [jsonl(numberedRows(3)), jsonl([{ id: "row-3", prompt: "refused" }])];
  const zipped = parts.flatMap((part) => [...gzipSync(ENCODER.encode(part))]);
  const one = await dir.write("one.jsonl.gz", new Uint8Array(zipped));
  const two = await dir.write("two.ndjson", [{ id: "row-0", prompt: "another row-0" }]);
  const args = [one, two, "-o", dir.path("out")];
  assertExit(await distill(server, args), 3);
  assertEquals(server.posts, 5);
  assertEquals((await dir.rows("out/one.jsonl")).length, 3);
  assertEquals((await dir.rows("out/one_error.jsonl")).map(({ uid }) => uid), ["row-3"]);
  const [other] = await dir.rows("out/two.jsonl");
  assertEquals([other.uid, other.response], ["row-0", "answer to another row-0"]);
  assertEquals(other.distill.source, `${two}:1`);
  assertExit(await distill(server, args), 3);
  assertEquals(server.posts, 5);
  const verified = await runCli(["verify", ...args]);
  assertExit(verified, 3);
  assertStringIncludes(verified.stdout, "1  failed permanently");
});

Deno.test("standard input is read like a file, and no copy of it is left", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const args = ["-", "-o", dir.path("out.jsonl")];
  const stdin = jsonl(numberedRows(3));
  assertExit(await distill(server, args, { stdin }), 0);
  assertExit(await distill(server, args, { stdin: stdin + jsonl([{ prompt: "more" }]) }), 0);
  assertEquals(server.posts, 4);
  assertEquals((await dir.rows("out.jsonl")).length, 4);
  assertEquals((await dir.names()).some((name) => name.includes(".input")), false);
  const bad = await distill(server, args, { stdin: "nope\n" });
  assertExit(bad, 2);
  assertStringIncludes(bad.stderr, "  -:1: not JSON");
  assertEquals((await dir.names()).some((name) => name.includes(".input")), false);
});

Deno.test("standard input is decompressed where it is gzip, and refused where it is damaged", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const args = ["-", "-o", dir.path("out.jsonl")];
  const plain = jsonl(numberedRows(300));
  const packed = gzipSync(ENCODER.encode(plain));
  assertExit(await distill(server, [...args, "--limit", "200"], { stdin: packed }), 0);
  const members = [...packed, ...gzipSync(ENCODER.encode(jsonl([{ prompt: "more" }])))];
  assertExit(await distill(server, args, { stdin: new Uint8Array(members) }), 0);
  assertEquals([server.posts, (await dir.rows("out.jsonl")).length], [301, 301]);
  // The rows are those of the same uncompressed text.
  assertExit(await distill(server, args, { stdin: plain }), 0);
  const damaged = await distill(server, args, { stdin: packed.subarray(0, packed.length - 9) });
  assertExit(damaged, 2);
  assertStringIncludes(damaged.stderr, 'Cannot read "-": its gzip data is damaged (');
  assertEquals([server.posts, (await dir.names()).some((name) => name.includes(".input"))], [
    301,
    false,
  ]);
});

Deno.test("--limit takes the first rows, and the run continues without it", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(5));
  const args = [input, "-o", dir.path("out/")];
  assertExit(await distill(server, [...args, "--limit", "2"]), 0);
  assertEquals([...server.prompts.keys()].sort(), ["prompt 0", "prompt 1"]);
  const verified = await runCli(["verify", ...args]);
  assertExit(verified, 3);
  assertStringIncludes(verified.stdout, "3  pending");
  assertExit(await runCli(["verify", ...args, "--limit", "2"]), 0);
  assertExit(await distill(server, args), 0);
  assertEquals(server.posts, 5);
});

Deno.test("--dry-run shows the first request and the number of rows, without calls or files", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(5));
  const args = [input, "-o", dir.path("out/"), "-p", "temperature=1.0", "--system", "Be brief"];
  const key = "sk-secret-of-the-test";
  const result = await distill(server, [...args, "--dry-run"], { env: { OPENAI_API_KEY: key } });
  assertExit(result, 0);
  assertStringIncludes(
    result.stderr,
    "5 rows to send, about 60 prompt tokens; the first request would be",
  );
  assertStringIncludes(result.stdout, `"temperature": 1.0`);
  assertStringIncludes(result.stdout, "prompt 0");
  assertStringIncludes(result.stdout, "Be brief");
  assertStringIncludes(result.stdout, "test-model");
  assert(!`${result.stdout}${result.stderr}`.includes(key));
  assertEquals([server.posts, await dir.exists("out")], [0, false]);

  assertExit(await distill(server, [...args, "--limit", "2"]), 0);
  const later = await distill(server, [...args, "--dry-run"]);
  assertStringIncludes(later.stderr, "3 rows to send");
  assertStringIncludes(later.stdout, "prompt 2");
  const sampled = await distill(server, [...args, "--dry-run", "--samples", "2"]);
  assertStringIncludes(sampled.stderr, "8 answers to request, about 96 prompt tokens");
  assertEquals(server.posts, 2);
});

Deno.test("a --uid-field that no row has is reported before the first call, and by --dry-run", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", [{ prompt: "one" }, { sku: "b", prompt: "two" }]);
  const args = [input, "-o", dir.path("out/"), "--uid-field"];
  const told = `No row of "${input}" has a value for the field "skuu" (--uid-field): ` +
    "rows are identified by a hash\n";
  for (const last of ["--dry-run", "--limit=1"]) {
    const mistyped = await distill(server, [...args, "skuu", last]);
    assertExit(mistyped, 0);
    assertStringIncludes(mistyped.stderr, told);
  }
  const right = await distill(server, [...args, "sku", "-o", dir.path("right/")]);
  assertExit(right, 0);
  assert(!right.stderr.includes("No row of"), right.stderr);
});

Deno.test("--final-messages adds what was sent and the answer, with the reasoning as --think says", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(() =>
    Response.json(chatAnswer("42", { message: { reasoning_content: "6 × 7" } }))
  );
  const input = await dir.write("in.jsonl", [{ prompt: "What is it?" }]);
  const messages = async (style: string, ...more: string[]) => {
    const args = [input, "-o", dir.path(`${style}/`), "--system", "Think"];
    assertExit(await distill(server, [...args, "--final-messages", ...more]), 0);
    const [row] = await dir.rows(`${style}/in.jsonl`);
    assertEquals([row.response, row.reasoning], ["42", "6 × 7"]);
    return row.final_messages;
  };
  const sent = [{ role: "system", content: "Think" }, { role: "user", content: "What is it?" }];
  const wrapped = { role: "assistant", content: "<think>\n6 × 7\n</think>\n\n42" };
  assertEquals(await messages("wrap"), [...sent, wrapped]);
  assertEquals(await messages("drop", "--think", "drop"), [
    ...sent,
    { role: "assistant", content: "42" },
  ]);
  assertEquals(await messages("field", "--think", "field"), [
    ...sent,
    { role: "assistant", content: "42", reasoning_content: "6 × 7" },
  ]);
});

Deno.test("--keep stores more fields of the raw answer", async () => {
  await using dir = await tempDir();
  const logprobs = { content: [{ token: "a", logprob: -0.5 }] };
  await using server = serveLedger(() => {
    const answer = chatAnswer("a", { system_fingerprint: "fp" }) as {
      choices: Record<string, unknown>[];
    };
    answer.choices[0].logprobs = logprobs;
    return Response.json(answer);
  });
  const input = await dir.write("in.jsonl", [{ prompt: "p" }]);
  const keep = ["--keep", "logprobs,system_fingerprint", "-p", "logprobs=true"];
  assertExit(await distill(server, [input, "-o", dir.path("out/"), ...keep]), 0);
  const [row] = await dir.rows("out/in.jsonl");
  assertEquals(JSON.parse(row.distill.kept), { logprobs, system_fingerprint: "fp" });
  assertEquals(server.requests[0].body.logprobs, true);
});

Deno.test("a truncated answer fails with what was paid for, or is kept with --on-truncated keep", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(() =>
    Response.json(chatAnswer("half an ans", { finish_reason: "length" }))
  );
  const input = await dir.write("in.jsonl", [{ prompt: "p" }]);
  assertExit(await distill(server, [input, "-o", dir.path("error/")]), 3);
  const [failure] = await dir.rows("error/in_error.jsonl");
  assertEquals([failure.error.type, failure.error.attempts], ["truncated", 1]);
  assertEquals(failure.partial.response, "half an ans");
  const keep = ["--on-truncated", "keep"];
  assertExit(await distill(server, [input, "-o", dir.path("keep/"), ...keep]), 0);
  const [row] = await dir.rows("keep/in.jsonl");
  assertEquals([row.response, row.distill.finish_reason], ["half an ans", "length"]);
  assertEquals(server.posts, 2);
});

Deno.test("--allow-failures sets how many failed rows are still a success", async () => {
  await using dir = await tempDir();
  await using server = serveLedger(({ prompt }) =>
    prompt === "prompt 0" ? errorAnswer(400) : undefined
  );
  const input = await dir.write("in.jsonl", numberedRows(20));
  const args = [input, "-o", dir.path("out/")];
  assertExit(await distill(server, [...args, "--allow-failures", "5%"]), 0);
  assertExit(await distill(server, [...args, "--allow-failures", "4%"]), 3);
  assertExit(await distill(server, [...args, "--allow-failures", "1"]), 0);
  assertExit(await distill(server, [...args, "--allow-failures", "0"]), 3);
  assertEquals(server.posts, 20);
});

Deno.test("an output that is an input, by whatever name, and outputs that collide are refused", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(2));
  const error = await dir.write("in_error.jsonl", numberedRows(2));
  const other = await dir.write("other/in.jsonl", numberedRows(2));
  await Deno.symlink(input, dir.path("link.jsonl"));
  const text = await dir.read("in.jsonl");
  const refusals: [args: string[], problem: string][] = [
    [[input, "-o", input], "it is the input"],
    [[input, "-o", dir.path("link.jsonl")], "it is the input"],
    [[dir.path("link.jsonl"), "-o", input], "it is the input"],
    [[input, "-o", `${dir.root}/`], "it is the input"],
    [[input, other, "-o", dir.path("out/")], "for both"],
    [[input, error, "-o", dir.path("out/")], "for both"],
    [[input, other, "-o", dir.path("both.jsonl")], "to the one file"],
  ];
  for (const [args, problem] of refusals) {
    const result = await distill(server, args);
    assertExit(result, 2);
    assertStringIncludes(result.stderr, problem);
  }
  assertEquals(server.posts, 0);
  assertEquals(await dir.read("in.jsonl"), text);
  assertEquals(await dir.exists("out"), false);
  assertExit(await distill(server, [input, "-o", dir.path("out/")]), 0);
  await assertVerified(dir, "in.jsonl", "out/");
});

Deno.test("--progress json writes events on standard output, the totals last, and the key nowhere", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(30));
  const keyFile = await dir.write("key", "sk-secret-of-the-test\n");
  const args = [input, "-o", dir.path("out/"), "--progress", "json", "--api-key-file", keyFile];
  const result = await distill(server, args);
  assertExit(result, 0);
  const events = result.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  const types = events.map(({ type }) => type);
  assertEquals([types[0], types.at(-2), types.at(-1)], ["run-start", "snapshot", "run-end"]);
  assertEquals(events.at(-1).succeeded, 30);
  assertEquals(server.requests[0].headers.get("authorization"), "Bearer sk-secret-of-the-test");
  const written = [result.stdout, result.stderr];
  for (const name of ["in.jsonl", "in_error.jsonl", "in.run.json"]) {
    written.push(await dir.read(`out/${name}`));
  }
  for (const text of written) assert(!text.includes("sk-secret"));
});

Deno.test("--config sets the same options as flags, which take precedence", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(1));
  const config = await dir.write(
    "run.yaml",
    `input: ${input}\noutput: ${dir.path("out/")}\nclient_config:\n  base_url: ${server.url}\n` +
      `chat_config:\n  model: from-config\n  temperature: 0.25\n  top_p: 0.5\n`,
  );
  assertExit(await runCli(["--config", config, "-p", "top_p=0.75"]), 0);
  const { model, temperature, top_p } = server.requests[0].body;
  assertEquals({ model, temperature, top_p }, {
    model: "from-config",
    temperature: 0.25,
    top_p: 0.75,
  });
  const keyed = await dir.write("keyed.yaml", "client_config:\n  api_key: sk-secret-of-the-test\n");
  const refused = await runCli(["--config", keyed]);
  assertExit(refused, 2);
  assertStringIncludes(refused.stderr, "OPENAI_API_KEY");
  assert(!refused.stderr.includes("sk-secret"));
});

const REFUSED: readonly [name: string, args: string[], message: string][] = [
  ["--max-tokens many", ["--max-tokens", "many"], 'Cannot use --max-tokens "many": it must be a n'],
  ["a model among the parameters", ["-p", "model=x"], 'Cannot send the parameter "model": use -m'],
  ["--retry --no-resume", ["--retry", "--no-resume"], "Cannot use --retry with --no-resume"],
  ["a template without a field", ["--template", "Solve: "], "it must name a field"],
];
for (const [name, flags, message] of REFUSED) {
  Deno.test(`${name} is refused before a call`, async () => {
    await using dir = await tempDir();
    await using server = serveLedger();
    const input = await dir.write("in.jsonl", numberedRows(1));
    const refused = await distill(server, [input, "-o", dir.path("out/"), ...flags]);
    assertExit(refused, 2);
    assertStringIncludes(refused.stderr, message);
    assertEquals(server.posts, 0);
  });
}

Deno.test("for a run that could not be started, only the error is printed", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  for (const style of ["plain", "json"]) {
    const args = [dir.path("no.jsonl"), "-o", dir.path("out/"), "--progress", style];
    const refused = await distill(server, args);
    assertExit(refused, 2);
    assertEquals(refused.stdout, "");
    assertEquals(refused.stderr, `Cannot read "${dir.path("no.jsonl")}": no such file\n`);
  }
});

Deno.test("for a key that no header can hold, the message names its variable", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(1));
  const env = { OPENAI_API_KEY: "two words" };
  const refused = await distill(server, [input, "-o", dir.path("out/")], { env });
  assertExit(refused, 2);
  assertStringIncludes(refused.stderr, "the key in the variable OPENAI_API_KEY");
  assertEquals(refused.stderr.includes("two words"), false);
});
