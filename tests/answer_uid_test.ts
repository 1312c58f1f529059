/** Tests of `originOf`. @module */

import { assertEquals } from "../lib/deps/std_assert.ts";
import { originOf } from "../lib/answer.ts";

Deno.test("originOf() strips only what a run appended to the uid", () => {
  const hash = "0123456789abcdef".repeat(2);
  const cases: [line: Record<string, unknown>, inputUid: string, rowUid: string, sample: number][] =
    [
      [{ uid: "a" }, "a", "a", 0],
      [{ uid: "a", id: "b" }, "a", "a", 0],
      // Users' own ids, which the line does not repeat.
      [{ uid: "page#3" }, "page#3", "page#3", 0],
      [{ uid: "a~2" }, "a~2", "a~2", 0],
      [{ uid: "a~2#1", id: 7, title: "a" }, "a~2#1", "a~2#1", 0],
      // Ids that a run made from a row's `uid`, `id`, number, field of --uid-field, or hash.
      [{ uid: "a#1", distill: { replaced: '{"uid":"a"}' } }, "a", "a", 1],
      [{ uid: "page#3~2#10", distill: { replaced: '{"uid":"page#3"}' } }, "page#3", "page#3~2", 10],
      [{ uid: "page#3#1", id: "page#3" }, "page#3", "page#3", 1],
      [{ uid: "7~2", id: 7 }, "7", "7~2", 0],
      [{ uid: "k#999", key: "k", id: "x" }, "k", "k", 999],
      [
        { uid: "1234567890123456789#1", id: 1234567890123456789 },
        "1234567890123456789",
        "1234567890123456789",
        1,
      ],
      [{ uid: "1.0#1", id: 1.0 }, "1.0", "1.0", 1],
      [{ uid: "2#1", id: 1 }, "2#1", "2#1", 0],
      [{ uid: `${hash}~3#2` }, hash, `${hash}~3`, 2],
      // Not what a run appends.
      [{ uid: "a#0", id: "a" }, "a#0", "a#0", 0],
      [{ uid: "a#1000", id: "a" }, "a#1000", "a#1000", 0],
      [{ uid: "a#1~2", id: "a" }, "a#1~2", "a#1~2", 0],
      // Failures lines repeat an equal uid; early lines do not name what they replaced.
      [{ uid: "a#1", distill: { replaced: '{"uid":"a#1"}' } }, "a#1", "a#1", 0],
      [{ uid: "a#1", distill: { replaced: { uid: "a" } } }, "a", "a", 1],
      [{ uid: "a~2#1", distill: {} }, "a", "a~2", 1],
    ];
  for (const [line, inputUid, rowUid, sample] of cases) {
    const found = originOf({ distill: { replaced: "{}" }, ...line }, ["key"]);
    assertEquals(found, { inputUid, rowUid, sample }, JSON.stringify(line));
  }
});

Deno.test("originOf() finds a replaced field that --uid-field names", () => {
  for (const field of ["uid", "error"]) {
    const distill = { replaced: JSON.stringify({ [field]: "a" }) };
    const found = originOf({ uid: "a#1", error: null, distill }, [field]);
    assertEquals(found, { inputUid: "a", rowUid: "a", sample: 1 });
  }
});
