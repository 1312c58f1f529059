/** The charts' script in a browser whose language is not a valid language tag. */

import { assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import { UPLOT_JS as ORIGINAL } from "../../lib/deps/uplot.ts";
import { UPLOT_JS } from "../../web/assets.ts";

/** Runs a script with those parts of a browser that uPlot uses while it is loaded. */
function load(
  script: string,
  language: string,
): { new (): unknown; fmtNum(value: number): string } {
  const target = new EventTarget();
  const matchMedia = () => target;
  const globals = {
    navigator: { language },
    window: target,
    document: {},
    devicePixelRatio: 1,
    matchMedia,
  };
  const run = new Function(...Object.keys(globals), `${script}; return uPlot;`);
  return run(...Object.values(globals));
}

Deno.test("charts do not use the browser's language, which Intl may not know", () => {
  const language = "en-US@posix";
  assertThrows(() => load(ORIGINAL, language), RangeError, "Invalid language tag");
  for (const one of [language, "", "de-DE", "en-US"]) {
    assertEquals(load(UPLOT_JS, one).fmtNum(1234567.5), "1,234,567.5");
  }
});
