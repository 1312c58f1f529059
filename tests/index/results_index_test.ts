import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { DamagedFileError } from "../../lib/errors.ts";
import { sha256Hex } from "../../lib/hash.ts";
import { HAS_RESULT, IdTable } from "../../lib/index/id_table.ts";
import { readIndex } from "../../lib/index/results_index.ts";
import { type TempDir, tempDir } from "../support/temp.ts";

const HASH = "0123456789abcdef";
const BLOCK_BYTES = 1 << 20;

interface Seen {
  uid: string;
  number: number;
  text: string;
}

/** Indexes a file; checks the offset and text of each line. */
async function indexOf(path: string): Promise<{ table: IdTable; seen: Seen[] }> {
  const table = new IdTable(10);
  const seen: Seen[] = [];
  const places: { offset: number; byteLength: number }[] = [];
  const count = await readIndex({ path, kind: "results" }, table, (slot, line) => {
    table.set(slot, HAS_RESULT);
    const { number, offset, byteLength } = line;
    const text = line.text();
    seen.push({ uid: line.uid(), number, text });
    places.push({ offset, byteLength });
    assertEquals([line.includes('"uid"'), line.includes("}}}}")], [true, text.includes("}}}}")]);
  });
  // Half a line at the end is counted as a line, but has no id.
  assert(count >= (seen.at(-1)?.number ?? 0));
  const bytes = seen.length === 0 ? new Uint8Array() : await Deno.readFile(path);
  const texts = places.map(({ offset, byteLength }) =>
    new TextDecoder().decode(bytes.subarray(offset, offset + byteLength))
  );
  assertEquals(texts, seen.map(({ text }) => text));
  return { table, seen };
}

function lineOf(uid: string, rest = '"response":"42"', hash = HASH): string {
  return `{"uid":${JSON.stringify(uid)},"prompt_hash":"${hash}",${rest},"distill":{"attempts":1}}`;
}

async function damageOf(dir: TempDir, content: string | Uint8Array): Promise<DamagedFileError> {
  const path = await dir.write("damaged.jsonl", content);
  const error = await assertRejects(() => indexOf(path), DamagedFileError);
  assertEquals(error.path, path);
  assertStringIncludes(error.message, path);
  return error;
}

Deno.test("readIndex() finds nothing in a file that is missing or empty", async () => {
  await using dir = await tempDir();
  assertEquals((await indexOf(dir.path("none.jsonl"))).seen, []);
  assertEquals((await indexOf(await dir.write("empty.jsonl", ""))).seen, []);
});

Deno.test("readIndex() enters ids with their prompt hashes and line numbers", async () => {
  await using dir = await tempDir();
  const hex = sha256Hex("x").slice(0, 32);
  const lines = [lineOf("a"), lineOf(hex, '"x":1', "fedcba9876543210"), lineOf("c d")];
  const { table, seen } = await indexOf(await dir.write("a.jsonl", `${lines.join("\n")}\n`));
  assertEquals(seen, [
    { uid: "a", number: 1, text: lines[0] },
    { uid: hex, number: 2, text: lines[1] },
    { uid: "c d", number: 3, text: lines[2] },
  ]);
  assertEquals(table.size, 3);
  assertEquals(table.fingerprintEquals(table.find("a"), HASH), true);
  assertEquals(table.fingerprintEquals(table.find(hex), "fedcba9876543210"), true);
});

Deno.test("readIndex() reads a line that Python wrote again, with spaces", async () => {
  await using dir = await tempDir();
  const lines = [
    `{"uid": "a", "prompt_hash": "${HASH}", "response": "x", "distill": {"attempts": 1}}`,
    `{"response": "x", "uid": "b\\u00e9", "prompt_hash": "${HASH}"}\r`,
    `{"uid":"c","prompt_hash":"","response":"x"}`,
    `{"uid":"e","prompt_hash":"${HASH}","response":"","x":1,"distill":{"a":1}} `,
  ];
  const { table, seen } = await indexOf(await dir.write("a.jsonl", `${lines.join("\n")}\n`));
  assertEquals(seen.map(({ uid }) => uid), ["a", "bé", "c", "e"]);
  assertEquals(seen.map(({ text }) => text), lines);
  for (const uid of ["a", "bé", "e"]) {
    assertEquals(table.fingerprintEquals(table.find(uid), HASH), true);
  }
  assertEquals(table.hasFingerprint(table.find("c")), false);
});

Deno.test("readIndex() skips a byte order mark and blank lines, which count for line numbers", async () => {
  await using dir = await tempDir();
  const content = `\ufeff\n${lineOf("a")}\r\n \t\r\n\n${lineOf("b")}\n  `;
  const { seen } = await indexOf(await dir.write("a.jsonl", content));
  assertEquals(seen.map(({ uid, number }) => [uid, number]), [["a", 2], ["b", 5]]);
  const marked = await indexOf(await dir.write("b.jsonl", `\ufeff${lineOf("a")}\n${lineOf("b")}`));
  assertEquals(marked.seen.map(({ uid }) => uid), ["a", "b"]);
});

Deno.test("readIndex() requires an error in a line of the failures", async () => {
  await using dir = await tempDir();
  const path = await dir.write("a.jsonl", `${lineOf("a", '"error":{}')} \n${lineOf("b")} \n`);
  const reading = readIndex({ path, kind: "failures" }, new IdTable(), () => {});
  await assertRejects(() => reading, DamagedFileError, 'line 2: it has no "error"');
});

Deno.test("readIndex() reads only the start and the end of a line of Retort's", async () => {
  await using dir = await tempDir();
  const line = lineOf("a").replace('"42"', "no JSON at all");
  assertEquals((await indexOf(await dir.write("a.jsonl", `${line}\n`))).seen.length, 1);
});

Deno.test("readIndex() keeps the hash of a result, and that of the last failure", async () => {
  await using dir = await tempDir();
  const hex = sha256Hex("y").slice(0, 32);
  const later = "2".repeat(16);
  const lines = ["a", hex].map((uid) => `${lineOf(uid)}\n${lineOf(uid, "1", later)}\n`).join("");
  const path = await dir.write("a.jsonl", lines);
  const table = new IdTable();
  await readIndex({ path, kind: "results" }, table, () => {});
  assertEquals(table.fingerprintEquals(table.find("a"), later), true);
  assertEquals(table.fingerprintEquals(table.find(hex), later), true);
  const settled = new IdTable();
  for (const uid of ["a", hex]) {
    const slot = settled.insert(uid);
    settled.set(slot, HAS_RESULT);
    settled.setFingerprint(slot, HASH);
  }
  await readIndex({ path, kind: "results" }, settled, () => {});
  assertEquals(settled.fingerprintEquals(settled.find("a"), HASH), true);
  assertEquals(settled.fingerprintEquals(settled.find(hex), HASH), true);
});

Deno.test("readIndex() accepts a complete last line without a line break, and skips half a line", async () => {
  await using dir = await tempDir();
  const whole = `${lineOf("a")}\n${lineOf("b")}`;
  const { seen } = await indexOf(await dir.write("whole.jsonl", whole));
  assertEquals(seen.map(({ uid, number }) => [uid, number]), [["a", 1], ["b", 2]]);
  const start = lineOf("a").length + 1;
  for (let end = start; end < whole.length; end++) {
    const { table } = await indexOf(await dir.write("half.jsonl", whole.slice(0, end)));
    assertEquals(table.size, 1, `${end - start} characters of the last line are there`);
  }
});

Deno.test("readIndex() skips a last line that ends inside a character, or in NUL bytes", async () => {
  await using dir = await tempDir();
  const bytes = new TextEncoder().encode(`${lineOf("a")}\n${lineOf("b", '"x":"é')}`);
  const at = bytes.lastIndexOf(0xc3);
  const { seen } = await indexOf(await dir.write("a.jsonl", bytes.subarray(0, at + 1)));
  assertEquals(seen.map(({ uid }) => uid), ["a"]);
  const nuls = new TextEncoder().encode(`${lineOf("a")}\n${"\0".repeat(5_000)}`);
  assertEquals((await indexOf(await dir.write("b.jsonl", nuls))).seen.length, 1);
});

for (
  const [what, line] of [
    ["half a line", lineOf("b").slice(0, 40)],
    ["half a line that lacks its last brace", lineOf("b").slice(0, -1)],
    ["half a line that ends behind its hash", lineOf("b").slice(0, 48)],
    ["half a line with the next on it", lineOf("b").slice(0, 12) + lineOf("c")],
    ["a row of the user's own", '{"uid":"b","prompt":"x"}'],
    ["a row that has an answer of another program", '{"uid":"b","response":"x"}'],
    ["a failure", `{"uid":"b","prompt_hash":"${HASH}","error":{"type":"server"} }`],
    ["a NUL byte", lineOf("b", '"x":"\0"')],
    ["NUL bytes only", "\0\0\0\0"],
    ["a list", '["uid"]'],
    ["a number", "7"],
    ["null", "null"],
    ["no uid", '{"prompt_hash":"0123456789abcdef","distill":{}}'],
    ["a uid in the prototype only", '{"__proto__":{"uid":"b"},"distill":{}}'],
    ["a uid that is a number", '{"uid":7,"prompt_hash":"0123456789abcdef","distill":{}}'],
    ["a uid that is null", '{"uid":null}'],
  ]
) {
  Deno.test(`readIndex() refuses a file with ${what} in its middle, by the line`, async () => {
    await using dir = await tempDir();
    const content = `${lineOf("a")}\n${line}\n${lineOf("z")}\n`;
    assertStringIncludes((await damageOf(dir, content)).message, "line 2:");
  });
}

Deno.test("readIndex() refuses a line whose id is not UTF-8", async () => {
  await using dir = await tempDir();
  const bytes = new TextEncoder().encode(`${lineOf("a")}\n${lineOf("~")}\n`);
  bytes[bytes.lastIndexOf("~".charCodeAt(0))] = 0xff;
  assertStringIncludes((await damageOf(dir, bytes)).message, "line 2:");
});

Deno.test("readIndex() refuses a NUL byte after the first block too", async () => {
  await using dir = await tempDir();
  const padding = Array.from(
    { length: 3_000 },
    (_, i) => `${lineOf(`p${i}`, `"response":"${"-".repeat(500)}"`)}\n`,
  );
  const content = `${padding.join("")}${lineOf("b", '"x":"\0"')}\n${lineOf("c")}\n`;
  assertStringIncludes((await damageOf(dir, content)).message, "line 3001:");
});

Deno.test("readIndex() reads lines longer than a block", async () => {
  await using dir = await tempDir();
  const lines = [
    lineOf("a"),
    lineOf("b", `"x":"${"é".repeat(BLOCK_BYTES * 2)}"`),
    lineOf("c"),
    `{"x": "${"-".repeat(BLOCK_BYTES + 1)}", "uid": "d", "prompt_hash": "", "response": ""}`,
    lineOf("e"),
  ];
  const { seen } = await indexOf(await dir.write("a.jsonl", `${lines.join("\n")}\n`));
  assertEquals(seen.map(({ uid, number }) => [uid, number]), [
    ["a", 1],
    ["b", 2],
    ["c", 3],
    ["d", 4],
    ["e", 5],
  ]);
  assertEquals(seen.every(({ text }, index) => text === lines[index]), true);
});

Deno.test("readIndex() reads lines wherever the end of a block falls in them", async () => {
  await using dir = await tempDir();
  const tail = `${lineOf('q"\\é')}\n${lineOf("f".repeat(32))}\n${lineOf("z")}\n`;
  const tailBytes = new TextEncoder().encode(tail).length;
  const head = lineOf("a", '"x":"-"').length + 1;
  for (let inside = 0; inside <= tailBytes; inside += 3) {
    const filler = "-".repeat(BLOCK_BYTES - head - inside + 1);
    const content = `${lineOf("a", `"x":"${filler}"`)}\n${tail}`;
    const { seen } = await indexOf(await dir.write("a.jsonl", content));
    assertEquals(seen.map(({ uid }) => uid), ["a", 'q"\\é', "f".repeat(32), "z"]);
  }
});

/** Pseudo-random integers, the same for the same seed. */
function numbers(seed: number): (below: number) => number {
  return (below) => (seed = (seed * 48_271) % 2_147_483_647) % below;
}

const PIECES = [
  '"',
  "\\",
  "\\\\",
  '\\"',
  "/",
  "\n",
  "\t",
  "\u0001",
  "\u007f",
  "é",
  "日本",
  "😀",
  "\u2028",
  "\ufeff",
  " ",
  '","prompt_hash":"',
  "}}",
  "{",
  "0",
  "f",
  "a1",
  "__proto__",
  "uid",
  "\ud800",
  "%",
  "'",
  ":",
];

function someText(random: (below: number) => number): string {
  if (random(4) === 0) return sha256Hex(String(random(1_000_000))).slice(0, 32);
  return Array.from({ length: 1 + random(6) }, () => PIECES[random(PIECES.length)]).join("");
}

/** As `json.dumps` of Python writes it: spaces after colons and commas, nothing but ASCII. */
function asPythonWrites(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(asPythonWrites).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).map(([name, inner]) =>
      `${asPythonWrites(name)}: ${asPythonWrites(inner)}`
    );
    return `{${members.join(", ")}}`;
  }
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

for (let seed = 1; seed <= 5; seed++) {
  Deno.test(`readIndex() says of any line what JSON.parse says (seed ${seed})`, async () => {
    await using dir = await tempDir();
    const random = numbers(seed * 7_919);
    const rows = Array.from({ length: 400 }, () => ({
      uid: someText(random),
      prompt_hash: sha256Hex(String(random(1_000_000))).slice(0, 16),
      [someText(random)]: someText(random),
      nested: { list: [random(9), someText(random)], uid: "not this one" },
      response: someText(random),
      distill: { source: someText(random) },
    }));
    const compact = rows.map((row) => JSON.stringify(row));
    const variants = {
      compact,
      slow: compact.map((line) => `${line} `),
      python: rows.map(asPythonWrites),
      mixed: rows.map((row, index) => random(2) ? asPythonWrites(row) : compact[index]),
    };
    for (const [name, lines] of Object.entries(variants)) {
      const { table, seen } = await indexOf(await dir.write(name, `${lines.join("\n")}\n`));
      const expected = lines.map((text, index) => ({
        uid: (JSON.parse(text) as { uid: string }).uid,
        number: index + 1,
        text,
      }));
      assertEquals(seen, expected, name);
      const first = new Map(rows.toReversed().map((row) => [row.uid, row.prompt_hash]));
      assertEquals(table.size, first.size, name);
      for (const [uid, hash] of first) {
        assertEquals(table.fingerprintEquals(table.find(uid), hash), true, `${name}: ${uid}`);
      }
    }
  });
}

Deno.test("readIndex() ends when it is aborted", async () => {
  await using dir = await tempDir();
  const path = await dir.write("a.jsonl", [{ uid: "x" }]);
  const reading = readIndex(
    { path, kind: "results" },
    new IdTable(),
    () => {},
    AbortSignal.abort(),
  );
  await assertRejects(() => reading, DOMException);
});
