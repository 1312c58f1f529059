import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { IncomingBody } from "../../lib/teacher/incoming_body.ts";

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
