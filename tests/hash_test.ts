import { assertEquals } from "../lib/deps/std_assert.ts";
import { sha256Hex } from "../lib/hash.ts";

Deno.test("sha256Hex() hashes the UTF-8 bytes of a text", async () => {
  const bytes = new TextEncoder().encode("prompt – 問題");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  assertEquals(sha256Hex("prompt – 問題"), digest.toHex());
});

Deno.test("sha256Hex() gives the same hashes after the texts that node:crypto hashes", async () => {
  const texts = ["", "prompt – 問題", "half a pair \ud83d", "x".repeat(100_000)];
  const before = texts.map(sha256Hex);
  for (let i = 0; i < 20_000; i++) sha256Hex(String(i));
  // The hash in WebAssembly was begun before this, so that it is there by then.
  const { createSHA256 } = await import("../lib/deps/hash_wasm.ts");
  await createSHA256();
  assertEquals(texts.map(sha256Hex), before);
});
