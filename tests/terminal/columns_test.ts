import { assertEquals } from "../../lib/deps/std_assert.ts";
import { stringWidth } from "../../lib/deps/string_width.ts";
import { clip, createPaint, joinSegments } from "../../lib/terminal/columns.ts";

Deno.test("clip() leaves what fits and cuts what does not", () => {
  assertEquals(clip("abcdef", 6), "abcdef");
  assertEquals(clip("abcdef", 5), "abcd…");
  assertEquals(clip("abcdef", 1), "…");
  assertEquals(clip("abcdef", 0), "");
  assertEquals(clip("abcdef", -3), "");
});

Deno.test("clip() counts the cells of wide characters", () => {
  for (let width = 1; width < 10; width++) {
    const clipped = clip("天a地玄👍黃", width);
    assertEquals(stringWidth(clipped) <= width, true);
  }
  assertEquals(clip("天地玄黃", 6), "天地…");
  assertEquals(clip("天地玄黃", 8), "天地玄黃");
});

Deno.test("joinSegments() leaves out what does not fit, from the end", () => {
  const segments = [{ text: "one" }, { text: "two" }, { text: "a long one" }, { text: "x" }];
  const paint = createPaint(false);
  assertEquals(joinSegments(segments, 80, paint), "one · two · a long one · x");
  assertEquals(joinSegments(segments, 12, paint), "one · two");
  assertEquals(joinSegments(segments, 9, paint), "one · two");
  assertEquals(joinSegments(segments, 8, paint), "one");
  assertEquals(joinSegments(segments, 2, paint), "o…");
});

Deno.test("createPaint() colours only where it may", () => {
  assertEquals(createPaint(true)("no", "red"), "\x1b[31mno\x1b[0m");
  assertEquals(createPaint(true)("no", undefined), "no");
  assertEquals(createPaint(false)("no", "red"), "no");
});
