import { assert, assertEquals, assertLessOrEqual } from "../../lib/deps/std_assert.ts";
import { sha256Hex } from "../../lib/hash.ts";
import { ASK_AGAIN, HAS_FAILURE, HAS_RESULT, IdTable, SEEN } from "../../lib/index/id_table.ts";

const FLAGS = [HAS_RESULT, HAS_FAILURE, SEEN, ASK_AGAIN];
const HASH = "0123456789abcdef";
const encoder = new TextEncoder();

Deno.test("IdTable finds what was inserted and nothing else", () => {
  const table = new IdTable();
  assertEquals(table.find("a"), -1);
  const slot = table.insert("a");
  assertEquals(table.find("a"), slot);
  assertEquals(table.insert("a"), slot);
  assertEquals(table.find("b"), -1);
  assertEquals(table.size, 1);
});

Deno.test("IdTable gives a new id no flags and an empty fingerprint", () => {
  const table = new IdTable();
  const slot = table.insert("a");
  for (const flag of FLAGS) assertEquals(table.has(slot, flag), false);
  assertEquals(table.hasFingerprint(slot), false);
});

Deno.test("IdTable keeps each flag separately", () => {
  const table = new IdTable();
  const slot = table.insert("a");
  const other = table.insert("b");
  for (const flag of FLAGS) {
    table.set(slot, flag);
    assertEquals(FLAGS.map((one) => table.has(slot, one)), FLAGS.map((one) => one <= flag));
  }
  table.clear(slot, HAS_FAILURE);
  assertEquals(FLAGS.map((flag) => table.has(slot, flag)), [true, false, true, true]);
  assertEquals(FLAGS.map((flag) => table.has(other, flag)), [false, false, false, false]);
  for (const flag of FLAGS) table.clear(slot, flag);
  assertEquals(table.find("a"), slot);
  assertEquals(table.size, 2);
});

Deno.test("IdTable keeps the fingerprint with the id, from text and from bytes", () => {
  const table = new IdTable();
  const slot = table.insert("a");
  table.setFingerprint(slot, HASH);
  assertEquals(table.fingerprintEquals(slot, HASH), true);
  assertEquals(table.hasFingerprint(slot), true);
  for (const hex of ["1123456789abcdef", "0123456789abcdee", "0123456709abcdef"]) {
    assertEquals(table.fingerprintEquals(slot, hex), false);
  }
  const other = table.insert("b");
  table.setFingerprintBytes(other, encoder.encode(`xx${"fedcba9876543210"}yy`), 2);
  assertEquals(table.fingerprintEquals(other, "fedcba9876543210"), true);
  assertEquals(table.fingerprintEquals(slot, HASH), true);
});

Deno.test("IdTable accepts a fingerprint of which one half is zero", () => {
  const table = new IdTable();
  for (const hex of ["0000000000000001", "0000000100000000", "ffffffff00000000"]) {
    const slot = table.insert(hex);
    table.setFingerprint(slot, hex);
    assertEquals(table.hasFingerprint(slot), true);
    assertEquals(table.fingerprintEquals(slot, hex), true);
  }
});

Deno.test("IdTable keeps line numbers with ids while it grows, and uses no memory for them before", () => {
  using table = new IdTable(10);
  const slot = table.insert("a"), before = table.byteLength;
  assertEquals(table.lineOf(slot), 0);
  assertEquals(table.byteLength, before);
  for (let i = 1; i <= 5_000; i++) table.setLine(table.insert(`row-${i}`), i);
  table.setLine(table.find("row-7"), 4_000_000_000);
  for (let i = 8; i <= 5_000; i++) assertEquals(table.lineOf(table.find(`row-${i}`)), i);
  assertEquals(["a", "row-7"].map((uid) => table.lineOf(table.find(uid))), [0, 4_000_000_000]);
});

Deno.test("IdTable accepts any text as an id", () => {
  const table = new IdTable();
  const uids = [
    "__proto__",
    "constructor",
    "",
    " ",
    "0",
    "é",
    "e\u0301",
    "\0",
    "😀",
    "a".repeat(9_999),
  ];
  for (const uid of uids) assertEquals(table.find(uid), -1);
  for (const uid of uids) table.insert(uid);
  assertEquals(table.size, uids.length);
  for (const uid of uids) assertEquals(table.find(uid) !== -1, true);
});

Deno.test("IdTable finds an id of 32 hex digits however it was inserted", () => {
  const table = new IdTable();
  for (
    const uid of ["00000000000000000000000000000000", "f".repeat(32), sha256Hex("x").slice(0, 32)]
  ) {
    const slot = table.insertBytes(encoder.encode(`"${uid}"`), 1, 33);
    assertEquals(table.insert(uid), slot);
    assertEquals(table.find(uid), slot);
  }
  assertEquals(table.size, 3);
});

Deno.test("IdTable distinguishes hex ids of another case or length from ids of 32 digits", () => {
  const table = new IdTable();
  const uid = sha256Hex("x").slice(0, 32);
  for (const one of [uid, uid.toUpperCase(), uid.slice(1), `${uid}0`, `${uid.slice(1)}g`]) {
    assertEquals(table.find(one), -1);
    table.insert(one);
  }
  assertEquals(table.size, 5);
});

const PORTION = 6_000;

/** Inserts the ids of a portion and finds them again; returns the duration in ms. */
function fill(table: IdTable, portion: number, uidOf: (number: number) => string): number {
  const from = portion * PORTION, until = from + PORTION;
  const startedAt = performance.now();
  for (let i = from; i < until; i++) table.insert(uidOf(i));
  for (let i = from; i < until; i++) assert(table.find(uidOf(i)) !== -1);
  return performance.now() - startedAt;
}

// Users may choose ids that differ in only a few digits, at any position.
for (let digits = 4; digits <= 32; digits += 4) {
  Deno.test(`IdTable distinguishes 60,000 hex ids that differ in the digits up to ${digits}`, () => {
    const table = new IdTable();
    const hex = (number: number) =>
      number.toString(16).padStart(digits, "0").slice(-digits).padEnd(32, "0");
    // The shortest of several: other programs may take the processor at any moment.
    const plainMs = Math.min(
      ...[0, 1, 2].map(() => fill(new IdTable(), 0, (number) => `row ${number} of prompts`)),
    );
    const portionsMs = Array.from({ length: 10 }, (_, portion) => fill(table, portion, hex));
    assertEquals(table.size, 60_000);
    // If ids clustered, each of a late portion would probe 30,000 slots: hundreds of times as long.
    assertLessOrEqual(Math.min(...portionsMs.slice(5)), 20 * plainMs);
  });
}

Deno.test("IdTable distinguishes hex ids that differ in the last digits only", () => {
  const table = new IdTable();
  const head = sha256Hex("x").slice(0, 30);
  for (let i = 0; i < 256; i++) table.insert(head + i.toString(16).padStart(2, "0"));
  assertEquals(table.size, 256);
});

Deno.test("IdTable agrees with a Map of 30,000 ids while it grows", () => {
  const table = new IdTable(10);
  const oracle = new Map<string, { flags: number; check: string }>();
  let seed = 42;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  for (let i = 0; i < 40_000; i++) {
    const number = i < 30_000 ? i : random(30_000);
    const uid = number % 3 === 0 ? sha256Hex(String(number)).slice(0, 32) : `row-${number}`;
    const entry = oracle.get(uid) ?? { flags: 0, check: "" };
    oracle.set(uid, entry);
    const slot = table.insert(uid);
    const flag = FLAGS[random(FLAGS.length)];
    if (random(4) === 0) {
      table.clear(slot, flag);
      entry.flags &= ~flag;
    } else {
      table.set(slot, flag);
      entry.flags |= flag;
    }
    if (random(2) === 0) {
      entry.check = (number * 2_654_435_761 + 1).toString(16).padStart(16, "0").slice(-16);
      table.setFingerprint(slot, entry.check);
    }
  }
  assertEquals(table.size, oracle.size);
  const wrong: string[] = [];
  for (const [uid, { flags, check }] of oracle) {
    const slot = table.find(uid);
    const found = FLAGS.reduce((sum, flag) => sum | (table.has(slot, flag) ? flag : 0), 0);
    const isRight = slot !== -1 && found === flags &&
      (check === "" ? !table.hasFingerprint(slot) : table.fingerprintEquals(slot, check));
    if (!isRight) wrong.push(uid);
    if (table.find(`${uid}!`) !== -1) wrong.push(`${uid}!`);
  }
  assertEquals(wrong, []);
  for (const flag of FLAGS) {
    const expected = oracle.values().reduce((n, entry) => n + (entry.flags & flag ? 1 : 0), 0);
    assertEquals(table.count({ all: flag }), expected);
  }
});

Deno.test("IdTable.count() counts ids that have some flags and lack others", () => {
  const table = new IdTable();
  for (let i = 0; i < 16; i++) {
    const slot = table.insert(String(i));
    FLAGS.forEach((flag, bit) => i & (1 << bit) && table.set(slot, flag));
  }
  assertEquals(table.count({}), 16);
  assertEquals(table.count({ all: SEEN }), 8);
  assertEquals(table.count({ all: SEEN | HAS_RESULT }), 4);
  assertEquals(table.count({ all: SEEN, none: HAS_RESULT }), 4);
  assertEquals(table.count({ all: SEEN, none: HAS_RESULT | HAS_FAILURE }), 2);
  assertEquals(table.count({ none: SEEN }), 8);
});

Deno.test("IdTable takes at most 40 bytes a row at every size", () => {
  const table = new IdTable();
  for (let rows = 1; rows <= 90_000; rows++) {
    table.insert(String(rows));
    // Entries are allocated in blocks of 100 KB.
    if (rows > 20_000) assertLessOrEqual(table.byteLength / rows, 40);
  }
  const made = new IdTable(90_000);
  for (let rows = 1; rows <= 90_000; rows++) made.insert(String(rows));
  assertLessOrEqual(made.byteLength / 90_000, 31);
});

Deno.test("IdTable finds ids with the same index bits", () => {
  const table = new IdTable(60_000);
  // 60,000 ids leave 16 bits of the hash in a slot of the index. Of 100,000 other ids, some agree
  // in these with an id that they meet: only the whole hash tells them apart.
  const slots = Array.from({ length: 60_000 }, (_, i) => table.insert(`row-${i}`));
  for (let i = 0; i < 100_000; i++) assert(table.find(`other-${i}`) === -1);
  assert(slots.every((slot, i) => table.find(`row-${i}`) === slot));
});

Deno.test({
  name: "IdTable returns the memory of fingerprints, lines and index to the system",
  // Other systems may count freed pages until they need them.
  ignore: Deno.build.os !== "linux",
  async fn() {
    // Alone in a process: other tests allocate and free memory, too.
    const modules = JSON.stringify(new URL("../../lib/index/mod.ts", import.meta.url).href);
    const rows = 500_000;
    const script = `
      const { IdTable, SEEN } = await import(${modules});
      const table = new IdTable(${rows});
      for (let row = 0; row < ${rows}; row++) {
        const slot = table.insert(String(row));
        table.set(slot, SEEN);
        table.setFingerprint(slot, "${HASH}");
        table.setLine(slot, row + 1);
      }
      const before = Deno.memoryUsage().rss;
      table.releaseKeys();
      console.log(before - Deno.memoryUsage().rss);`;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", script],
    }).output();
    const freedBytes = Number(new TextDecoder().decode(stdout));
    // 8 for the fingerprint, 4 for the line, 5 for the index.
    assert(freedBytes > 15 * rows, `${freedBytes} bytes`);
  },
});
