import { assertEquals } from "../../lib/deps/std_assert.ts";
import { shortReason } from "../../lib/terminal/status.ts";

const REFUSED = "Cannot connect to 127.0.0.1:7094: connection refused";

const CASES: readonly [reason: string | null, cells: number, shown: string][] = [
  [null, 26, ""],
  [REFUSED, 80, REFUSED],
  [REFUSED, 26, "connection refused: Canno…"],
  ["401: Incorrect API key provided", 26, "401: Incorrect API key pr…"],
  ["no\x1b[2J\ncredit", 26, "no credit"],
];
for (const [reason, cells, shown] of CASES) {
  Deno.test(`shortReason() of ${JSON.stringify(reason)} in ${cells} cells`, () => {
    assertEquals(shortReason(reason, cells), shown);
  });
}
