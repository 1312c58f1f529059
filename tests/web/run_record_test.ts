import { assert, assertEquals, assertLessOrEqual } from "../../lib/deps/std_assert.ts";
import type { Snapshot } from "../../lib/progress/events.ts";
import { Buffer } from "node:buffer";
import { cut } from "../../lib/printable.ts";
import type { SnapshotMessage } from "../../web/protocol.ts";
import { encodeSnapshot, MAX_SNAPSHOT_BYTES, wireSnapshot } from "../../web/run_record.ts";
import { makeErrorGroup, makeSnapshot, makeTeacher } from "../progress/fixtures.ts";

function encode(parts: Partial<Snapshot>): { bytes: number; message: SnapshotMessage } {
  const text = encodeSnapshot({
    type: "snapshot",
    time: 1_767_225_600_000,
    point_index: 999,
    point: Array(14).fill(12345678.9),
    latency: { bounds_ms: Array(109).fill(123456.7), counts: Array(108).fill(123456789) },
    answers: {
      endings: {
        whole: 123456789,
        limit: 123456789,
        context: 123456789,
        filter: 123456789,
        broken: 123456789,
        unknown: 123456789,
        none: 123456789,
      },
      finish_reasons: Array(9).fill(["a finish reason of forty characters, cut", 123456789]),
      answered: 123456789,
      truncated: 123456789,
      completion_tokens: 123456789012,
      reasoning_tokens: 123456789012,
      length_tokens: { p50: 123456, p90: 123456, p99: 123456, max: 123456 },
    },
    teacher_figures: Array(40).fill({ rows_per_s: 1234.5, p50_ms: 12345.6, cost_usd: 1234.56 }),
    retry_when_done: false,
  }, makeSnapshot(parts));
  return { bytes: Buffer.byteLength(text), message: JSON.parse(text) };
}

Deno.test("encodeSnapshot() keeps everything that is short", () => {
  const errors = [makeErrorGroup(), makeErrorGroup({ message: "x".repeat(300) })];
  const { message: { snapshot } } = encode({ errors });
  assertEquals(snapshot.errors, errors);
  assertEquals(snapshot.errors_total, 2);
});

for (
  const [what, unit] of [
    ["4-byte characters", "𝄞"],
    ["control characters", "\u0000"],
    ["quotes", '"'],
    ["lone surrogates", "\ud800"],
  ]
) {
  Deno.test(`encodeSnapshot() stays below 8 KB with 51 long errors and 40 teachers of ${what}`, () => {
    const long = unit.repeat(5_000);
    const group = makeErrorGroup({ message: long, uids: [long, long, long] });
    const teacher = makeTeacher({ address: long, model: long, reason: long });
    const { bytes, message: { snapshot } } = encode({
      errors: Array(51).fill(group),
      teachers: Array(40).fill(teacher),
      reason: long,
    });
    assertLessOrEqual(bytes, MAX_SNAPSHOT_BYTES);
    assertEquals([snapshot.errors_total, snapshot.teachers_total], [51, 40]);
    assert(snapshot.errors.length >= 2 && snapshot.teachers.length >= 2);
    assert(snapshot.errors[0].message.endsWith("…"));
  });
}

Deno.test("encodeSnapshot() stays below 8 KB however many errors there are and however long", () => {
  for (let count = 0; count <= 51; count += 3) {
    for (let length = 10; length <= 400; length += 13) {
      const errors = Array(count).fill(makeErrorGroup({ message: "界".repeat(length) }));
      assertLessOrEqual(encode({ errors }).bytes, MAX_SNAPSHOT_BYTES);
    }
  }
});

Deno.test("cut() never splits a character, and returns at most the given length", () => {
  assertEquals(cut("abcdef", 6), "abcdef");
  assertEquals(cut("abcdef", 4), "abc…");
  assertEquals(cut("a𝄞𝄞", 4), "a𝄞…");
  assertEquals(cut("a𝄞𝄞", 3), "a…");
  assertEquals(cut("abc", 1), "…");
  assertEquals(cut("abc", 0), "");
});

Deno.test("wireSnapshot() sums up the teachers that left in one entry, which always has room", () => {
  const present = Array.from({ length: 40 }, (_, i) => makeTeacher({ address: `http://gpu${i}` }));
  const left = Array.from(
    { length: 3 },
    () =>
      makeTeacher({ state: "left", answered: 5, failed: 1, completion_tokens: 7, cost_usd: 0.5 }),
  );
  left.push({ ...left[0], address: "(earlier teachers)", teachers: 97 });
  const { snapshot: wire } = wireSnapshot(makeSnapshot({ teachers: [...present, ...left] }), []);
  assertEquals([wire.teachers.length, wire.teachers_total, wire.teachers_left], [32, 41, 1]);
  const { address, answered, failed, completion_tokens, cost_usd } = wire.teachers.at(-1)!;
  assertEquals([address, answered, failed, completion_tokens, cost_usd], [
    "100 teachers that left",
    20,
    4,
    28,
    2,
  ]);
  const alone = wireSnapshot(makeSnapshot({ teachers: [makeTeacher(), left[0]] }), []);
  assertEquals(
    alone.snapshot.teachers.map(({ address }) => address),
    Array(2).fill("http://gpu1:8000/v1"),
  );
});

Deno.test("wireSnapshot() counts all teachers by state, and sends those in trouble first", () => {
  const teachers = Array.from({ length: 40 }, (_, i) => makeTeacher({ address: `http://gpu${i}` }));
  teachers[34] = { ...teachers[34], state: "down" };
  teachers[38] = { ...teachers[38], state: "cooling_down" };
  teachers.push(makeTeacher({ state: "left" }));
  const figures = teachers.map((_, i) => ({ rows_per_s: i, p50_ms: i }));
  const { snapshot: wire, teacher_figures } = wireSnapshot(makeSnapshot({ teachers }), figures);
  assertEquals(wire.teacher_states, { up: 38, down: 1, cooling_down: 1 });
  const kept = [...Array(29).keys(), 34, 38];
  assertEquals(
    wire.teachers.map(({ address }) => address),
    [...kept.map((i) => `http://gpu${i}`), "http://gpu1:8000/v1"],
  );
  assertEquals(teacher_figures.map(({ rows_per_s }) => rows_per_s), [...kept, 0]);

  const long = "\u0000".repeat(5_000);
  const { message } = encode({ teachers: teachers.map((one) => ({ ...one, model: long })) });
  const { teachers: few, teacher_states } = message.snapshot;
  assertEquals(few.map(({ state }) => state), ["up", "down", "cooling_down", "left"]);
  assertEquals(message.teacher_figures.length, few.length);
  assertEquals(teacher_states, wire.teacher_states);
});
