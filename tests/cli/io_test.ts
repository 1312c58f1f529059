/** Tests of cli/io.ts. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { systemSignals } from "../../cli/io.ts";

Deno.test("systemSignals() names what Windows has, Ctrl-Break as another Ctrl-C", () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    assertEquals(systemSignals(signal, "linux"), [signal]);
    assertEquals(systemSignals(signal, "darwin"), [signal]);
  }
  assertEquals(systemSignals("SIGINT", "windows"), ["SIGINT", "SIGBREAK"]);
  assertEquals(systemSignals("SIGTERM", "windows"), []);
  assertEquals(systemSignals("SIGHUP", "windows"), ["SIGHUP"]);
});
