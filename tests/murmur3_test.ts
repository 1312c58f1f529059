import { assertEquals } from "../lib/deps/std_assert.ts";
import { murmur3 } from "../lib/hash.ts";

/** Hashes a text inside a larger buffer. */
function hexOf(text: string): string {
  const bytes = new TextEncoder().encode(`##${text}##`);
  const words = new Uint32Array(4);
  murmur3(bytes, 2, bytes.length - 2, words);
  return Array.from(words, (word) => word.toString(16).padStart(8, "0")).join("");
}

// What the reference implementation gives for the seed 0.
for (
  const [text, hash] of [
    ["", "00000000000000000000000000000000"],
    ["a", "a794933c5556b01b5556b01b5556b01b"],
    ["The quick brown fox jumps over the lazy dog", "2f1583c3ecee2c675d7bf66ce5e91d2c"],
  ]
) {
  Deno.test(`murmur3() of ${JSON.stringify(text)} is that of the reference`, () => {
    assertEquals(hexOf(text), hash);
  });
}

Deno.test("murmur3() distinguishes texts of every length", () => {
  const seen = new Set<string>();
  for (let length = 0; length < 100; length++) {
    for (const last of "ab") seen.add(hexOf("x".repeat(length) + last));
  }
  assertEquals(seen.size, 200);
});
