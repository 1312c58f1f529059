/** Tests of the controls. @module */

import { assertEquals, assertMatch } from "../../lib/deps/std_assert.ts";
import { makeSummary } from "../progress/fixtures.ts";
import { get, own, post, stage } from "./app_fixture.ts";
import { UNPRICED_USD } from "./fake_run.ts";

const CONTROLS: [string, unknown, string | undefined, string][] = [
  ["pause", {}, "pause()", "Paused (from the monitor)"],
  ["resume", {}, "resume()", "Resumed (from the monitor)"],
  [
    "concurrency",
    { concurrency: 64 },
    "setConcurrency(64)",
    "Concurrency set to 64 (from the monitor)",
  ],
  ["budget", { max_cost_usd: 12.5 }, "setMaxCost(12.5)", "Budget set to $12.5 (from the monitor)"],
  ["budget", { max_cost_usd: null }, "setMaxCost(null)", "Budget removed (from the monitor)"],
  [
    "retry",
    { retry_when_done: true },
    undefined,
    "Failed rows will be retried at the end of the run (from the monitor)",
  ],
  [
    "stop",
    {},
    "stop()",
    "Stopping after the calls in flight (from the monitor)",
  ],
  [
    "abort",
    { confirm: "abort" },
    "abort()",
    "Aborting: calls in flight are canceled (from the monitor)",
  ],
];

Deno.test("each control does one thing, and is recorded in the run's events", async () => {
  for (const [name, body, call, words] of CONTROLS) {
    const { run, monitor } = stage();
    const response = await post(monitor, name, body);
    assertEquals([response.status, await response.json()], [200, { ok: true }]);
    assertEquals(run.calls, call === undefined ? [] : [call]);
    assertEquals(monitor.state().notices.map(({ message }) => message), [words]);
  }
});

Deno.test("the plan for the end of the run can be read, and undone", async () => {
  const { monitor } = stage();
  assertEquals([monitor.retryWhenDone, monitor.state().retry_when_done], [false, false]);
  await post(monitor, "retry", { retry_when_done: true });
  assertEquals([monitor.retryWhenDone, monitor.state().retry_when_done], [true, true]);
  await post(monitor, "retry", { retry_when_done: false });
  assertEquals(monitor.retryWhenDone, false);
  await post(monitor, "retry", { retry_when_done: true });
  monitor.retryWhenDone = false;
  assertEquals(monitor.state().retry_when_done, false);
  for (const [name, body] of [["stop", {}], ["abort", { confirm: "abort" }]] as const) {
    await post(monitor, "retry", { retry_when_done: true });
    await post(monitor, name, body);
    assertEquals(monitor.retryWhenDone, false, name);
  }
});

Deno.test("a control with an invalid body does nothing and names the valid values", async () => {
  const { run, monitor } = stage();
  const nonsense: [string, unknown][] = [
    ["pause", "{"],
    ["pause", ""],
    ["pause", null],
    ["pause", []],
    ["pause", { more: 1 }],
    ["concurrency", {}],
    ["concurrency", { concurrency: 0 }],
    ["concurrency", { concurrency: -1 }],
    ["concurrency", { concurrency: 1.5 }],
    ["concurrency", { concurrency: "20" }],
    ["concurrency", { concurrency: null }],
    ["concurrency", { concurrency: 100_001 }],
    ["concurrency", '{"concurrency":1e400}'],
    ["concurrency", { concurrency: 20, more: 1 }],
    ["budget", { max_cost_usd: -1 }],
    ["budget", { max_cost_usd: "1" }],
    ["budget", '{"max_cost_usd":1e400}'],
    ["budget", {}],
    ["retry", { retry_when_done: "yes" }],
    ["retry", { retry_when_done: null }],
    ["stop", { confirm: "stop" }],
    ["abort", {}],
    ["abort", { confirm: "Abort" }],
    ["abort", { confirm: true }],
    ["abort", { confirm: "abort", force: true }],
  ];
  for (const [name, body] of nonsense) {
    const response = await post(monitor, name, body);
    const answer = await response.json();
    assertEquals([name, body, response.status, answer.ok], [name, body, 400, false]);
    assertMatch(answer.error, /^Cannot /);
  }
  assertEquals([run.calls, monitor.state().notices], [[], []]);
});

Deno.test("a budget that the run cannot keep is refused with the run's own message", async () => {
  const { run, monitor } = stage();
  const response = await post(monitor, "budget", { max_cost_usd: UNPRICED_USD });
  assertEquals([response.status, await response.json()], [400, {
    ok: false,
    error: "Cannot limit the run to it: no price is known",
  }]);
  assertEquals([run.calls, monitor.state().notices], [[], []]);
});

Deno.test("controls are POSTs of small JSON to names that exist", async () => {
  const { run, monitor } = stage();
  assertEquals((await get(monitor, "/control/pause")).status, 404);
  assertEquals((await post(monitor, "explode", {})).status, 404);
  assertEquals((await post(monitor, "constructor", {})).status, 404);
  assertEquals((await post(monitor, "pause", `{${" ".repeat(2_000)}}`)).status, 413);
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""]) {
    const headers = { ...own(monitor), "content-type": type };
    assertEquals([type, (await post(monitor, "pause", {}, headers)).status], [type, 415]);
  }
  const headers = { ...own(monitor), "content-type": "application/json; charset=utf-8" };
  assertEquals((await post(monitor, "pause", {}, headers)).status, 200);
  assertEquals(run.calls, ["pause()"]);
});

Deno.test("an ended run cannot be controlled", async () => {
  const { run, monitor } = stage();
  run.emit(makeSummary());
  const response = await post(monitor, "pause", {});
  assertEquals([response.status, (await response.json()).error], [
    409,
    "Cannot use the control: the run has ended",
  ]);
  assertEquals(run.calls, []);
});
