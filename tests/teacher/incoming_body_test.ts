import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { IncomingBody } from "../../lib/teacher/incoming_body.ts";
import { Buffer } from "node:buffer";
import { chatAnswer } from "../support/ledger_server.ts";
import { ask, pair } from "./pair.ts";

Deno.test("IncomingBody ends a body that is too long also where its lines have to be decoded", () => {
  let isTooLong = false;
  const body = new IncomingBody({
    onEvents() {},
    onBodyEnd() {},
    onTooLong() {
      isTooLong = true;
    },
  });
  body.start(false, { "content-type": "text/html; charset=iso-8859-1" });
  const chunk = new Uint8Array(16 * 1024).fill(0xe9);
  let chunks = 0;
  for (; !isTooLong && chunks < 100; chunks++) body.receive(chunk);
  assert(isTooLong);
  assertEquals(chunks, 5);
  assertEquals(body.text().slice(0, 3), "\u00e9\u00e9\u00e9");
});

const CHARSETS = { "utf-8": "utf8", "iso-8859-1": "latin1", "utf-16le": "utf16le" } as const;

for (const [charset, encoding] of Object.entries(CHARSETS)) {
  Deno.test(`a whole answer in ${charset} is kept when its time is up before its connection ends`, async () => {
    const bytes = Buffer.from(JSON.stringify(chatAnswer("Über")), encoding);
    const body = () => new ReadableStream({ start: (controller) => controller.enqueue(bytes) });
    const headers = { "content-type": `application/json; charset=${charset}` };
    await using scene = pair(() => new Response(body(), { headers }), { timeoutMs: 1_500 });
    assertEquals((await ask(scene.teacher)).response, "Über");
  });
}
