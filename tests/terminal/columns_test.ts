import { assertEquals } from "../../lib/deps/std_assert.ts";
import { stringWidth as packageWidth } from "../../lib/deps/string_width.ts";
import { clip, createPaint, joinSegments, stringWidth } from "../../lib/terminal/columns.ts";

Deno.test("clip() keeps texts that fit and cuts the others", () => {
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

Deno.test("stringWidth() counts the cells that terminals use", () => {
  for (let code = 0x20; code < 0x20_000; code += 13) {
    const character = String.fromCodePoint(code);
    // Marks without a letter and lone surrogates do not occur in shown texts.
    if (/[\p{Mark}\p{Cs}\p{Cf}]/u.test(character)) continue;
    assertEquals(stringWidth(character), packageWidth(character), `U+${code.toString(16)}`);
  }
  const texts = [
    "",
    "naïve · ▏█░ 50 %",
    "a\u0301e\u0308",
    "\u200b\u200dx",
    "한국어 ｶﾞ 字a",
    "ก่ำ नि",
    "👍🏽 👨‍👩‍👧 🇩🇪 1️⃣ ⚠️ ⚠",
  ];
  for (const text of texts) assertEquals(stringWidth(text), packageWidth(text), text);
});

Deno.test("joinSegments() omits segments that do not fit, from the end", () => {
  const segments = [{ text: "one" }, { text: "two" }, { text: "a long one" }, { text: "x" }];
  const paint = createPaint(false);
  assertEquals(joinSegments(segments, 80, paint), "one · two · a long one · x");
  assertEquals(joinSegments(segments, 12, paint), "one · two");
  assertEquals(joinSegments(segments, 9, paint), "one · two");
  assertEquals(joinSegments(segments, 8, paint), "one");
  assertEquals(joinSegments(segments, 2, paint), "o…");
});

Deno.test("createPaint() uses colors only where allowed", () => {
  assertEquals(createPaint(true)("no", "red"), "\x1b[31mno\x1b[0m");
  assertEquals(createPaint(true)("no", undefined), "no");
  assertEquals(createPaint(false)("no", "red"), "no");
});
