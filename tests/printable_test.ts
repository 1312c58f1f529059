import { assertEquals } from "../lib/deps/std_assert.ts";
import { printable } from "../lib/printable.ts";

const CASES: readonly [name: string, text: string, expected: string][] = [
  ["leaves plain text as it is", "Rate limit: 3 €, 天地 👍", "Rate limit: 3 €, 天地 👍"],
  ["drops colours", "a\x1b[1;31mred\x1b[0m", "ared"],
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
  ["replaces lone surrogates", "a\ud800b", "a\ufffdb"],
];

for (const [name, text, expected] of CASES) {
  Deno.test(`printable() ${name}`, () => assertEquals(printable(text), expected));
}
