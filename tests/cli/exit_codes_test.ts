import { assertEquals } from "../../lib/deps/std_assert.ts";
import { exitCodeOf, exitCodeOfError, parseAllowance } from "../../cli/exit.ts";
import {
  DamagedFileError,
  LockedError,
  RetortError,
  SinkError,
  SourceError,
  TeacherError,
  UsageError,
} from "../../lib/errors.ts";
import type { Summary } from "../../lib/progress/events.ts";
import { summaryOf } from "./summary_fixture.ts";

for (
  const [what, fields, code] of [
    ["every row has a result", {}, 0],
    ["there were no rows", { total: 0, succeeded: 0 }, 0],
    ["a row failed", { failures_on_disk: 1 }, 3],
    ["a line was no row", { bad_rows: 1 }, 3],
    ["a row is pending", { pending: 1 }, 3],
    ["a row failed in an earlier run and has its result now", { failed: 0, skipped: 3 }, 0],
    ["the teacher put an end to it", { state: "halted", pending: 5 }, 5],
    ["it was interrupted", { state: "interrupted", pending: 5 }, 130],
  ] as [string, Partial<Summary>, number][]
) {
  Deno.test(`exitCodeOf() gives ${code} when ${what}`, () => {
    assertEquals(exitCodeOf(summaryOf(fields)), code);
  });
}

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  Deno.test(`exitCodeOf() gives ${code} after ${signal}`, () => {
    assertEquals(exitCodeOf(summaryOf({ state: "interrupted", pending: 1 }), { signal }), code);
    // A signal after all rows were finished changes nothing.
    assertEquals(exitCodeOf(summaryOf(), { signal }), 0);
  });
}

for (
  const [allowed, fields, code] of [
    ["1%", { failures_on_disk: 1 }, 0],
    ["1%", { failures_on_disk: 2 }, 3],
    ["1.5%", { total: 1_000, failures_on_disk: 15 }, 0],
    ["1.5%", { total: 1_000, failures_on_disk: 16 }, 3],
    ["2", { failures_on_disk: 2 }, 0],
    ["2", { failures_on_disk: 3 }, 3],
    ["2", { failures_on_disk: 1, bad_rows: 1 }, 0],
    ["2", { failures_on_disk: 2, bad_rows: 1 }, 3],
    ["50%", { total: 1, bad_rows: 1 }, 0],
    ["0", { failures_on_disk: 1 }, 3],
    ["100%", { pending: 1 }, 3],
    ["100%", { failures_on_disk: 100 }, 0],
    ["100%", { state: "interrupted", pending: 1 }, 130],
  ] as [string, Partial<Summary>, number][]
) {
  Deno.test(`exitCodeOf() gives ${code} with ${allowed} allowed and ${JSON.stringify(fields)}`, () => {
    assertEquals(exitCodeOf(summaryOf(fields), { allowance: parseAllowance(allowed) }), code);
  });
}

Deno.test("parseAllowance() reads a number of rows and a share", () => {
  assertEquals(parseAllowance("10"), { value: 10, isPercent: false });
  assertEquals(parseAllowance("0.5%"), { value: 0.5, isPercent: true });
});

for (const text of ["", "%", "-1", "1.5", "1 %", "ten", "1%%", "Infinity"]) {
  Deno.test(`parseAllowance() refuses ${JSON.stringify(text)}`, () => {
    assertEquals(parseAllowance(text), undefined);
  });
}

for (
  const [error, code] of [
    [new UsageError("x"), 2],
    [new SourceError("x"), 2],
    [new DamagedFileError("x"), 2],
    [new LockedError("x"), 4],
    [new SinkError("x"), 6],
    [Object.assign(new Error("x"), { name: "EIO", code: "EIO" }), 6],
    // As of a port below 1024.
    [Object.assign(new Error("x"), { name: "EACCES", code: "EACCES" }), 1],
    [Object.assign(new Error("x"), { name: "ECONNREFUSED", code: "ECONNREFUSED" }), 1],
    [new RetortError("x"), 1],
    [new TeacherError("x"), 1],
    [new TypeError("x"), 1],
    ["x", 1],
    [undefined, 1],
  ] as [unknown, number][]
) {
  const name = error instanceof Error ? error.name : String(error);
  Deno.test(`exitCodeOfError() gives ${code} for ${name}`, () => {
    assertEquals(exitCodeOfError(error), code);
  });
}
