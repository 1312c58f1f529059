import { assertEquals } from "../../lib/deps/std_assert.ts";
import { kindOf, startsAsText } from "../../lib/teacher/content_coding.ts";

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

Deno.test("kindOf() distinguishes events from documents", () => {
  for (const text of ["data: {", "data:[DONE]", ": ping\n", "\n\nevent: x", "id:1", "error: {"]) {
    assertEquals(kindOf(bytes(text)), "events", text);
    assertEquals(kindOf(bytes(`\ufeff${text}`)), "events", text);
  }
  for (const text of ['{"a":1}', " \n[", "<html>", "database", "identity: x", "Error: oh", "ok"]) {
    assertEquals(kindOf(bytes(text)), "document", text);
  }
});

Deno.test("kindOf() waits as long as the bytes are ambiguous", () => {
  for (const text of ["", "\n \n", "d", "dat", "data", "\neve", "i"]) {
    assertEquals(kindOf(bytes(text)), undefined, text);
  }
});

Deno.test("startsAsText() recognizes JSON and events", () => {
  const texts = ['{"a"', "{", '\n{\n    "a"', '[{"a"', "data: {", "Data: {", ": ping"];
  for (const text of texts) {
    assertEquals(startsAsText(bytes(text)), true, text);
  }
  const gzip = [0x1f, 0x8b, 8], zlib = [0x78, 0x9c], zstd = [0x28, 0xb5, 0x2f, 0xfd];
  for (const start of [gzip, zlib, zstd, [0x7b, 0x8c], [0x5b, 0x7b]]) {
    assertEquals(startsAsText(new Uint8Array(start)), false);
  }
});
