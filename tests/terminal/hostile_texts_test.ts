/** Texts of prompts, models and servers cannot control the terminal. */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { createBar } from "../../lib/terminal/progress_lines.ts";
import type { RunEvent } from "../../lib/progress/events.ts";
import { createPlain } from "../../lib/terminal/progress_lines.ts";
import { HOSTILE_TEXTS } from "../support/hostile_texts.ts";
import {
  makeErrorGroup,
  makeSnapshot,
  makeSummary,
  makeTeacher,
  ManualClock,
} from "../progress/fixtures.ts";

/** Sends events of a run with a text in all fields. */
function sayEverywhere(text: string, hear: (event: RunEvent) => void): void {
  const time = new Date(0).toISOString();
  const group = makeErrorGroup({ message: text, uids: [text] });
  const teachers = ["down", "halted"] as const;
  const parts = {
    reason: text,
    errors: [group],
    teachers: teachers.map((state) =>
      makeTeacher({ state, address: text, model: text, reason: text })
    ),
  };
  hear({
    type: "run-start",
    time,
    model: text,
    teacher: text,
    total: 100,
    skipped: 0,
    pending: 100,
    concurrency: 20,
    concurrency_is_auto: false,
  });
  for (const state of ["running", "backing_off", "paused", "disk_full", "halted"] as const) {
    hear(makeSnapshot({ ...parts, state }));
  }
  for (const level of ["info", "warning"] as const) {
    hear({ type: "notice", time, level, message: text });
  }
  const file = { input: text, results: text, failures: text };
  const [counts] = makeSummary().files;
  hear(makeSummary({ ...parts, state: "halted", files: [{ ...counts, ...file }] }));
}

/** Returns the output for a text, with time between any two events. */
function written(text: string, isBar: boolean, isColored: boolean): string {
  const clock = new ManualClock();
  let output = "";
  const write = (more: string) => void (output += more);
  const listener = isBar
    ? createBar({ write, columns: () => 100, isColored, now: clock.now })
    : createPlain({ write, now: clock.now });
  sayEverywhere(text, (event) => {
    clock.advance(60_000);
    listener(event);
  });
  return output;
}

/** Matches what the bar itself writes: colors, cursor up, and erasing. */
// deno-lint-ignore no-control-regex
const OWN = /\x1b\[(?:[\d;]*m|\d+A|[JK])|[\r\n]/g;

Deno.test("no text of a prompt, a model or a server can control the terminal", () => {
  const harmless = new Set(written("harmless", true, true).match(OWN));
  for (const text of HOSTILE_TEXTS) {
    for (const [isBar, isColored] of [[true, true], [true, false], [false, false]]) {
      const output = written(text, isBar, isColored);
      assert(output.length > 200);
      // deno-lint-ignore no-control-regex
      const steering = /[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]/g;
      const rest = output.replaceAll(isBar ? OWN : /\n/g, "");
      assertEquals([text, rest.match(steering)], [text, null]);
      const colors = new Set(output.match(OWN)).difference(harmless);
      assertEquals([text, [...colors].filter((one) => one.endsWith("m"))], [text, []]);
    }
  }
});
