import { assertEquals } from "../lib/deps/std_assert.ts";
import { codeSpan, posixWord, printable, printableJson, printableLines } from "../lib/printable.ts";

const CASES: readonly [name: string, text: string, expected: string][] = [
  ["leaves plain text as it is", "Rate limit: 3 €, 天地 👍", "Rate limit: 3 €, 天地 👍"],
  ["drops colors", "a\x1b[1;31mred\x1b[0m", "ared"],
  ["drops cursor movements and erasures", "a\x1b[2J\x1b[Hb\x1b[?25lc", "abc"],
  ["drops window titles and links", "\x1b]0;owned\x07a\x1b]8;;http://x\x1b\\b", "ab"],
  ["drops device control strings", "a\x1bPq#0;2;0\x1b\\b", "ab"],
  ["drops sequences of 8-bit controls", "a\x9b31mb\x9d0;t\x9cc", "abc"],
  ["drops short sequences", "a\x1bcb\x1b(Bc", "abc"],
  ["drops a sequence that never ends", "a\x1b]0;title", "a"],
  ["drops a lone escape", "a\x1b", "a"],
  ["makes one line of many", "a\r\n\tb\n\nc\u2028d", "a b c d"],
  ["makes spaces of control characters", "a\x00b\x08c\x7fd\x85e", "a b c d e"],
  ["drops what turns the direction or cannot be seen", "a\u202eb\u200bc\u2066d\ufeff", "abcd"],
  ["drops tags and other invisible characters", "a\u{e0041}\ufe0f\u034f\u3164\u{e0100}b", "ab"],
  ["replaces lone surrogates", "a\ud800b", "a\ufffdb"],
];

for (const [name, text, expected] of CASES) {
  Deno.test(`printable() ${name}`, () => assertEquals(printable(text), expected));
}

/**
 * Every character that a terminal may act on, and every one that changes the direction of others.
 */
const CONTROLS = [...Array(0x20).keys(), ...Array.from({ length: 0x21 }, (_, i) => 0x7f + i)]
  .map((code) => String.fromCharCode(code)).join("") +
  "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff\u{e0041}";
const STEERING =
  // deno-lint-ignore no-control-regex
  /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\u{e0041}]/u;

Deno.test("printableLines() keeps line breaks and indents, and no control", () => {
  assertEquals(printableLines("a\x1b[2J\n  b\u202e\tc\n\nd\r"), "a\n  b c\n\nd");
  assertEquals(STEERING.test(printableLines(CONTROLS)), false);
});

Deno.test("printableJson() means the same and holds no control", () => {
  for (const value of [CONTROLS, { [CONTROLS]: [CONTROLS, "a\x1b[31m\x9b31m\u202eb"] }]) {
    const text = printableJson(JSON.stringify(value, null, 2));
    assertEquals(JSON.parse(text), value);
    assertEquals(STEERING.test(text), false);
  }
});

Deno.test("posixWord() writes invisible characters as bytes", () => {
  assertEquals(posixWord("a\u{e0041}"), String.raw`$'a\363\240\201\201'`);
});

Deno.test("codeSpan() is not ended by the text", () => {
  assertEquals(codeSpan("qwen3"), "`qwen3`");
  assertEquals(codeSpan("a`\n\n# <b>``"), "``` a` # <b>`` ```");
});
