import { assertEquals } from "../lib/deps/std_assert.ts";
import { sha256Hex, sha256Start } from "../lib/hash.ts";

const TEXT = "prompt – 問題 \ud800";

Deno.test("sha256Hex() hashes the UTF-8 bytes of a text, with node:crypto and with WebAssembly", async () => {
  const bytes = new TextEncoder().encode(TEXT);
  const expected = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  assertHashes();
  // WebAssembly is instantiated after 10,000 texts.
  for (let i = 0; i < 10_000; i++) assertHashes();
  await new Promise((resolve) => setTimeout(resolve, 200));
  assertHashes();

  function assertHashes(): void {
    if (sha256Hex(TEXT) !== expected) assertEquals(sha256Hex(TEXT), expected);
    if (sha256Start(TEXT) !== expected.slice(0, 32)) {
      assertEquals(sha256Start(TEXT), expected.slice(0, 32));
    }
  }
});

Deno.test("sha256Hex() stays with node:crypto where WebAssembly cannot be instantiated", async () => {
  // A query makes another instance of the module.
  const hash: typeof import("../lib/hash.ts") = await import("../lib/hash.ts?without-wasm");
  const { instantiate } = WebAssembly;
  let failures = 0;
  const fail = () => {
    failures++;
    return Promise.reject(new RangeError("WebAssembly.Memory(): could not allocate memory"));
  };
  Object.assign(WebAssembly, { instantiate: fail });
  try {
    for (let i = 0; i < 10_001; i++) hash.sha256Hex(TEXT);
    await new Promise((resolve) => setTimeout(resolve, 50));
  } finally {
    Object.assign(WebAssembly, { instantiate });
  }
  assertEquals([failures, hash.sha256Hex(TEXT)], [1, sha256Hex(TEXT)]);
});
