/** Tests of lib/simulate/options.ts. @module */

import { assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import {
  parseSimulateOptions,
  resolveSimulateOptions,
  SIMULATE_DEFAULTS,
} from "../../lib/simulate/options.ts";

Deno.test("parseSimulateOptions() uses the defaults without arguments", () => {
  assertEquals(parseSimulateOptions(""), SIMULATE_DEFAULTS);
});

Deno.test("parseSimulateOptions() reads the named options and keeps the other defaults", () => {
  assertEquals(parseSimulateOptions("latency=50, errors=0.01,rpm=600,"), {
    ...SIMULATE_DEFAULTS,
    latency: 50,
    errors: 0.01,
    rpm: 600,
  });
});

Deno.test("parseSimulateOptions() names the bad option, and the right one or all", () => {
  assertThrows(
    () => parseSimulateOptions("latncy=5"),
    TypeError,
    'Cannot use option "simulate.latncy": there is no such option. Did you mean "latency"?',
  );
  assertThrows(
    () => parseSimulateOptions("banana=5"),
    TypeError,
    'Cannot use option "simulate.banana": there is no such option. ' +
      "The options are latency, jitter, tokens, ",
  );
  assertThrows(() => parseSimulateOptions("__proto__=5"), TypeError, "there is no such option");
});

Deno.test("parseSimulateOptions() says what a value must be", () => {
  assertThrows(
    () => parseSimulateOptions("errors=2"),
    RangeError,
    "Cannot use simulate.errors 2: it must be a fraction from 0 to 1",
  );
  for (const [text, shown] of [["latency=fast", '"fast"'], ["latency=", '""'], ["latency", '""']]) {
    const message =
      `Cannot use simulate.latency ${shown}: it must be a number of milliseconds from 0`;
    assertThrows(() => parseSimulateOptions(text), TypeError, message);
  }
  assertThrows(() => parseSimulateOptions("tokens=1.5"), RangeError, "a whole number from 0");
  assertThrows(() => parseSimulateOptions("seed=-1"), RangeError, "a whole number from 0");
  assertThrows(() => parseSimulateOptions("rpm=1,rpm=2"), TypeError, '"rpm" is given twice');
});

Deno.test("resolveSimulateOptions() takes numbers, the text of flags, and undefined", () => {
  assertEquals(resolveSimulateOptions({ latency: 5, seed: "7", rpm: undefined }), {
    ...SIMULATE_DEFAULTS,
    latency: 5,
    seed: 7,
  });
  assertThrows(
    () => resolveSimulateOptions({ latency: true }),
    TypeError,
    "latency true: it must be",
  );
});
