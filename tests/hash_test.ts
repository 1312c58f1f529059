import { assertEquals } from "../lib/deps/std_assert.ts";
import { sha256Hex } from "../lib/hash.ts";

Deno.test("sha256Hex() hashes the UTF-8 bytes of a text", async () => {
  const bytes = new TextEncoder().encode("prompt – 問題");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  assertEquals(sha256Hex("prompt – 問題"), digest.toHex());
});
