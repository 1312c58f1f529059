/** All problems of the inputs are reported at once, with solutions, and cost nothing. @module */

import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { unicodeAdvice } from "../../lib/formats/conversion_advice.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { POSIX, runCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";
import { assertExit, distill, numberedRows } from "./fixture.ts";

const ENCODER = new TextEncoder();
const ROWS = numberedRows(3).map((row) => `${JSON.stringify(row)}\n`).join("");

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function utf16(text: string, mark: boolean): Uint8Array<ArrayBuffer> {
  const units = [...(mark ? "\ufeff" : "") + text].map((character) => character.charCodeAt(0));
  return Uint8Array.from(units.flatMap((unit) => [unit & 255, unit >> 8]));
}

/** Files in other formats than JSON Lines: name, content, what the message says, and its advice. */
const FOREIGN: [name: string, content: string | Uint8Array, what: string, advice: string][] = [
  [
    "d.json",
    `{\n  "prompt": "a"\n}\n`,
    "JSON over several lines",
    "jq -c . DIR/d.json > DIR/d.jsonl",
  ],
  [
    "e.json",
    `{"data": [\n  {"prompt": "a"}\n]}\n`,
    "JSON over several lines",
    `jq -c '.["data"][]'`,
  ],
  ["g.txt.jsonl", `"id","prompt"\n1,"hello"\n`, "a CSV file", "Add --input-format csv"],
  ["i.data", "id;prompt\n1;hello\n", "a CSV file", "Add --input-format csv"],
  ["j.data", "id\tprompt\n1\thello\n", "a TSV file", "Add --input-format tsv"],
  [
    "m.jsonl.xz",
    bytes("\xfd7zXZ\0\0\x04"),
    "compressed with xz",
    "xz -dc DIR/m.jsonl.xz > DIR/m.jsonl",
  ],
  ["m.xz", bytes("\xfd7zXZ\0\0\x04"), "compressed with xz", "xz -dc DIR/m.xz > DIR/m"],
  [
    "m.tar.xz",
    bytes("\xfd7zXZ\0\0\x04"),
    "compressed with xz",
    "tar -xOf DIR/m.tar.xz > DIR/m.jsonl",
  ],
  [
    "row.json",
    `{\n  "query": "what is x?",\n  "passages": [\n    {"text": "x is y"}\n  ]\n}\n`,
    "JSON over several lines",
    "jq -c . DIR/row.json > DIR/row.jsonl",
  ],
  [
    "splits.json",
    `{\n  "train": [\n    {"prompt": "a"}\n  ],\n  "test": [\n    {"prompt": "b"}\n  ]\n}\n`,
    "JSON over several lines",
    `jq -c '.["train"][], .["test"][]'`,
  ],
  ["n.zip", bytes("PK\x03\x04\x14\0"), "a zip archive", "unzip -p DIR/n.zip > DIR/n.jsonl"],
  ["p.jsonl.bz2", bytes("BZh91AY&SY"), "compressed with bzip2", "bzip2 -dc"],
  [
    "q.jsonl",
    utf16(ROWS, true),
    "UTF-16 text",
    unicodeAdvice("UTF-16")("DIR/q.jsonl"),
  ],
  ["r.jsonl", utf16(ROWS, false), "UTF-16 text", unicodeAdvice("UTF-16LE")("DIR/r.jsonl")],
  ["s.jsonl", new Uint8Array(5_000), "filled with NUL bytes", "copy or download it again"],
  ["t.jsonl", "<!DOCTYPE html>\n<html>\n", "a web page", "download it again"],
  [
    "u.jsonl",
    "version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
    "a Git LFS pointer",
    "git lfs pull",
  ],
  [
    "v.tar.gz",
    gzipSync(bytes("x.jsonl".padEnd(257, "\0") + "ustar\0")),
    "a tar archive",
    "tar -xOf",
  ],
  ["w.jsonl.gz", gzipSync(gzipSync(ROWS)), "compressed twice", "gzip -dc"],
  ["x.xlsx", bytes("PK\x03\x04\x14\0\x06"), "a zip archive", "Convert it to JSON Lines"],
  ["run.yaml", "input: a.jsonl\n", "a YAML file", "name it with --config"],
  ["z.jsonl", `["prompt"]\n["a"]\n`, "JSON Lines of arrays", "jq"],
  ["notes.md", "# Notes\n", "plain text. Add --input-format txt", ""],
];

Deno.test("a file of another format is named, with the way out, and nothing is sent", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const inputs: string[] = [];
  for (const [name, content] of FOREIGN) inputs.push(await dir.write(name, content));
  const result = await distill(server, [...inputs, "-o", dir.path("out/")]);
  assertExit(result, 2);
  const said = result.stderr.trimEnd().split("\n");
  assertEquals(said.length, FOREIGN.length, result.stderr);
  for (const [i, [name, , what, advice]] of FOREIGN.entries()) {
    const start = `Cannot read "${inputs[i]}": it is ${what}`;
    assert(said[i].startsWith(start), `${name}: ${said[i]}`);
    // On Windows, a path of the advice is in quotes.
    const unquoted = said[i].replaceAll(/'([A-Z]:[^']*)'/g, "$1");
    assertStringIncludes(unquoted, advice.replaceAll("DIR", dir.root));
  }
  assertEquals([server.posts, await dir.exists("out/a.run.json")], [0, false]);
  // They are no bad rows that could be skipped; and verify says the same.
  const skipping = await distill(server, [inputs[0], "-o", dir.path("out/"), "--skip-bad-rows"]);
  assertExit(skipping, 2);
  assertStringIncludes(skipping.stderr, "it is JSON over several lines");
  const verified = await runCli(["verify", inputs[0], "-o", dir.path("out/")]);
  assertExit(verified, 2);
  assertStringIncludes(verified.stderr, "it is JSON over several lines");
  const piped = await distill(server, ["-", "-o", dir.path("out/")], { stdin: "id,prompt\n1,x\n" });
  assertExit(piped, 2);
  assertStringIncludes(piped.stderr, `Cannot read "-": it is a CSV file`);
  assertEquals(server.posts, 0);
});

Deno.test("bad rows, mixed shapes and other formats are reported in one round, grouped", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const lines = [
    `{"prompt":"one"}`,
    ...Array(11).fill("nope"),
    `{"question":"two"}`,
    ...Array(4).fill(`{"text":"three"}`),
    `{"txt":"say four","id":1}`,
  ];
  const mixed = await dir.write("mixed.jsonl", lines.join("\n"));
  const table = await dir.write("table.data", "a,b\n1,2\n");
  const missing = dir.path("mixd.jsonl");
  const result = await distill(server, [mixed, table, missing, "-o", dir.path("out/")]);
  assertExit(result, 2);
  for (
    const part of [
      `Cannot read "${table}": it is a CSV file`,
      `Cannot read "${missing}": no such file. Did you mean "${mixed}"?`,
      "Cannot send 16 lines of the input; nothing was sent\n",
      `\n  11 lines of ${mixed}: not JSON\n    ${mixed}:2: not JSON: `,
      "\n    … and 6 more\n",
      `\n  4 lines of ${mixed}: no prompt found: use --prompt-field text\n    ${mixed}:14: `,
      `\n  ${mixed}:18: no prompt found: `,
      `the row has the fields "txt", "id": use --prompt-field txt\n`,
      "\nFix them, or add --skip-bad-rows to write them to the failures file and send the rest\n",
      "Cannot send rows of 2 shapes in one run: 1 prompt, 1 question. " +
      "Add --mixed-shapes if this is intended\n" +
      `  ${mixed}:1: the first prompt\n  ${mixed}:13: the first question\n`,
    ]
  ) assertStringIncludes(result.stderr, part);
  assertEquals([server.posts, await dir.exists("out")], [0, false]);
  const one = await distill(server, [mixed, "-o", dir.path("out/"), "--dry-run"]);
  assertExit(one, 2);
  assertStringIncludes(one.stderr, "\n  11 lines: not JSON\n");
  assertStringIncludes(one.stderr, "Add --mixed-shapes");
});

Deno.test("for a row without a prompt, the message names the field that may hold it", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const cases: [row: unknown, hint: string | undefined][] = [
    [{ text: "a" }, "use --prompt-field text"],
    [{ id: 1, content: "a", label: "b" }, "use --prompt-field content"],
    [{ Prompt: "a", answer: "b" }, "use --prompt-field Prompt"],
    [{ promt: "a" }, "use --prompt-field promt"],
    [{ answer: "b", query: "a", text: "c" }, "use --prompt-field query"],
    [{ "my text": "say a" }, "use --prompt-field 'my text'"],
    [{ dialogue: [{ role: "user", content: "a" }] }, "use --prompt-field dialogue"],
    [
      { data: [{ prompt: "a" }] },
      `the rows are in "data": extract them with jq -c '.["data"][]'`,
    ],
    [
      { columns: [{ id: 1 }], data: { rows: [{ prompt: "a" }] } },
      `the rows are in "data.rows": extract them with jq -c '.["data"]["rows"][]'`,
    ],
    [
      { name: "x", version: 1, columns: [{ id: 1 }], rows: [{ question: "a" }] },
      `the rows are in "rows": extract them with jq -c '.["rows"][]'`,
    ],
    [{ id: 1, problem: "a b", level: 1, hints: [{ prompt: "c" }] }, "use --prompt-field problem"],
    [{ query: "what is x?", passages: [{ text: "a" }] }, "use --prompt-field query"],
    [
      { train: [{ prompt: "a" }], test: [{ prompt: "b" }] },
      `the rows are in "train" and "test": extract them with ` +
      `jq -c '.["train"][], .["test"][]'`,
    ],
    [{ text: "a b", meta: { entities: [{ start: 0 }] } }, "use --prompt-field text"],
    [{ answer: "b" }, undefined],
    [{ a: "x", b: "y" }, undefined],
    [{ n: 5 }, undefined],
  ];
  for (const [row, hint] of cases) {
    const input = await dir.write("in.jsonl", [row]);
    const result = await distill(server, [input, "-o", dir.path("out/")]);
    assertExit(result, 2);
    const line = result.stderr.split("\n")[1];
    assertStringIncludes(line, `  ${input}:1: no prompt found`);
    if (hint === undefined) assert(!line.includes("--prompt-field"), line);
    else assert(line.endsWith(`: ${hint}`), line);
  }
  assertEquals(server.posts, 0);
});

Deno.test("lines of other programs' formats are distinguished from damage", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const cases: [line: string | Uint8Array, hint: string][] = [
    [`{'prompt': 'a'}`, "written as Python: write rows with json.dumps"],
    [`{"prompt": "a", "score": NaN}`, "NaN and Infinity are not JSON: use null"],
    [`{"prompt": "a"},`, "lines must not end with a comma"],
    [`{"prompt": "a\0\0\0`, "NUL bytes: the file was not written completely"],
    [bytes(`{"prompt":"caf\xe9"}`), "iconv -f WINDOWS-1252 -t UTF-8"],
  ];
  for (const [line, hint] of cases) {
    const bad = typeof line === "string" ? ENCODER.encode(line) : line;
    const good = ENCODER.encode(`{"prompt":"good"}\n`);
    const input = await dir.write("in.jsonl", new Uint8Array([...good, ...bad, 10, ...bad, 10]));
    const result = await distill(server, [input, "-o", dir.path("out/")]);
    assertExit(result, 2);
    const heading = result.stderr.split("\n")[1];
    assert(heading.startsWith("  2 lines: "), heading);
    assertStringIncludes(heading, hint);
  }
});

Deno.test("an input without a row is exit 2 unless allowed", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const empty = await dir.write("empty.jsonl", "");
  const blank = await dir.write("blank.jsonl", "\n  \n");
  const full = await dir.write("full.jsonl", numberedRows(2));
  const out = ["-o", dir.path("out/")];
  const cases: [inputs: string[], message: string][] = [
    [[empty], `Cannot start: no rows in "${empty}". Add --allow-empty if this is intended`],
    [[blank], `Cannot start: no rows in "${blank}".`],
    [[empty, blank], `Cannot start: no rows in "${empty}", "${blank}".`],
  ];
  for (const [inputs, message] of cases) {
    for (const command of [[], ["--dry-run"], ["retry"]]) {
      const args = command[0] === "retry" ? ["retry", ...inputs] : [...inputs, ...command];
      const result = await distill(server, [...args, ...out]);
      assertExit(result, 2);
      assertStringIncludes(result.stderr, message);
    }
    const verified = await runCli(["verify", ...inputs, ...out]);
    assertExit(verified, 2);
    assertStringIncludes(verified.stderr, "Cannot verify: no rows in ");
    assertExit(await distill(server, [...inputs, ...out, "--allow-empty"]), 0);
    assertExit(await runCli(["verify", ...inputs, ...out, "--allow-empty"]), 0);
  }
  const piped = await distill(server, ["-", ...out], { stdin: "" });
  assertExit(piped, 2);
  assertStringIncludes(piped.stderr, "Cannot start: no rows in standard input");
  assertEquals(server.posts, 0);
  // Next to rows, an empty shard is not an error.
  assertExit(await distill(server, [empty, full, ...out]), 0);
  assertEquals(server.posts, 2);
  const bad = await dir.write("bad.jsonl", '{"prompt":\n{"prompt":\n');
  const skipping = await distill(server, [bad, ...out, "--skip-bad-rows"]);
  assertExit(skipping, 2);
  assertStringIncludes(skipping.stderr, "no row that can be sent (2 bad lines) in");
});

Deno.test("results and failures given as inputs, and a field that no row has, are announced", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(2));
  assertExit(await distill(server, [input, "-o", dir.path("out/")]), 0);
  const again = dir.path("out/in.jsonl");
  const result = await distill(server, [again, "-o", dir.path("again/"), "--dry-run"]);
  assertExit(result, 0);
  assertStringIncludes(
    result.stderr,
    `"${again}" has 2 lines that an earlier run wrote, and whose prompts are sent again`,
  );
  const args = [input, "-o", dir.path("new/"), "--dry-run"];
  const field = await distill(server, [...args, "--prompt-field", "promt"]);
  assertExit(field, 0);
  assertStringIncludes(
    field.stderr,
    `No row of "${input}" has the field "promt" (--prompt-field)`,
  );
  const found = await distill(server, [...args, "--prompt-field", "id"]);
  assert(!found.stderr.includes("--prompt-field"), found.stderr);
  assertEquals(server.posts, 2);
});

Deno.test("a run does not take standard output for a folder of that name", async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  const input = await dir.write("in.jsonl", numberedRows(1));
  const script = fileURLToPath(new URL("../../cli.ts", import.meta.url));
  const result = await distill(server, [input, "-o", "-"], { cwd: dir.root, script });
  assertExit(result, 2);
  assertStringIncludes(result.stderr, "Cannot write results to standard output");
  assertEquals([server.posts, await dir.exists("-")], [0, false]);
});

Deno.test("an input that cannot be opened is reported, with a solution", POSIX, async () => {
  await using dir = await tempDir();
  await using server = serveLedger();
  await Deno.mkdir(dir.path("folder"));
  await Deno.symlink(dir.path("circle"), dir.path("circle"));
  await Deno.symlink(dir.path("nothing"), dir.path("gone"));
  const fifo = dir.path("fifo");
  await new Deno.Command("mkfifo", { args: [fifo] }).output();
  const file = await dir.write("file.jsonl", ROWS);
  const cases: [input: string, message: string][] = [
    [
      dir.path("folder"),
      "it is a folder without a .jsonl, .json, .csv, .tsv, .parquet or .txt file. To read a " +
      "hidden file, or one that Retort has written, name it\n",
    ],
    [fifo, "this is a FIFO. Name - to read standard input"],
    [dir.path("file.json"), `no such file. Did you mean "${file}"?`],
    [dir.path("foldr/"), `no such file. Did you mean "${dir.path("folder")}"?`],
    [dir.path("gone/"), `it is a link to "${dir.path("nothing")}"`],
    [dir.path("nothing-like-it"), "no such file\n"],
    ["nothing-like-it", `no such file in "${Deno.cwd()}"\n`],
    [`${file}/x`, "a part of its path is a file, not a folder"],
    [dir.path("circle"), `Cannot read "${dir.path("circle")}": `],
  ];
  for (const [input, message] of cases) {
    const result = await distill(server, [input, "-o", dir.path("out/")]);
    assertExit(result, 2);
    assertStringIncludes(result.stderr, message);
    assert(!result.stderr.includes("os error"), result.stderr);
  }
  assertEquals([server.posts, await dir.exists("out")], [0, false]);
});
