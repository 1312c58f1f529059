/** The run for Prometheus. @module */

import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { makeErrorGroup, makeSnapshot, makeTeacher } from "../progress/fixtures.ts";
import { get, HOST, stage } from "./app_fixture.ts";
import { makeAnswer } from "./fake_run.ts";

Deno.test("/metrics has the text format of Prometheus, also for a scraper with the token", async () => {
  const { run, monitor } = stage();
  run.emit(makeSnapshot({
    state: "paused",
    succeeded: 7,
    cost_usd: null,
    max_cost_usd: 5,
    teachers: [makeTeacher({ model: 'a"b\\c\nd' })],
    errors: [makeErrorGroup(), makeErrorGroup({ message: "other", count: 1 })],
  }));
  run.settle([makeAnswer("u", { latencyMs: 1_500 })]);
  const headers = { host: HOST, authorization: `Bearer ${monitor.token}` };
  const response = await monitor.app.request("/metrics", { headers });
  assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const lines = (await response.text()).split("\n");
  assertEquals(lines.at(-1), "", "the last line ends");
  const sample = /^[a-z_]+(\{([a-z]+="([^"\\\n]|\\[\\"n])*",?)*\})? (-?[\d.e+-]+|\+Inf)$/;
  for (const line of lines.slice(0, -1)) {
    assert(sample.test(line) || /^# (HELP|TYPE) /.test(line), line);
  }
  for (
    const line of [
      'retort_rows_finished_total{result="succeeded"} 7',
      'retort_state{state="paused"} 1',
      'retort_state{state="running"} 0',
      'retort_errors{type="rate_limit",status="429"} 13',
      'retort_teacher_up{index="0",address="http://gpu1:8000/v1",model="a\\"b\\\\c\\nd"} 1',
      'retort_latency_seconds_bucket{le="1.024"} 0',
      'retort_latency_seconds_bucket{le="2.048"} 1',
      'retort_latency_seconds_bucket{le="+Inf"} 1',
      "retort_latency_seconds_sum 1.5",
      "retort_latency_seconds_count 1",
      "retort_max_cost_usd 5",
      // `promtool check metrics` rejects quantiles of a gauge.
      "# TYPE retort_latency_quantile_seconds summary",
    ]
  ) assert(lines.includes(line), line);
  assert(
    !lines.some((line) => line.startsWith("retort_cost_usd")),
    "what is not known is left out",
  );
  const names = lines.filter((line) => line.startsWith("# TYPE")).map((line) => line.split(" ")[2]);
  assertEquals(new Set(names).size, names.length);
});

Deno.test("/metrics answers before the first snapshot, but not with a wrong token", async () => {
  const { monitor } = stage();
  assertStringIncludes(await (await get(monitor, "/metrics")).text(), "retort_monitor_pages 0\n");
  for (const authorization of ["Bearer", "Bearer x", `Bearer ${monitor.token}x`, monitor.token]) {
    const response = await monitor.app.request("/metrics", {
      headers: { host: HOST, authorization },
    });
    assertEquals(response.status, 401);
  }
});

Deno.test("docs/monitor.md lists each metric, and what it means", async () => {
  const { run, monitor } = stage();
  run.emit(makeSnapshot({
    ...{ cost_usd: 1, projected_cost_usd: 2, max_cost_usd: 5, eta_s: 60 },
    teachers: [makeTeacher()],
    errors: [makeErrorGroup()],
  }));
  run.settle([makeAnswer("u")]);
  const headers = { host: HOST, authorization: `Bearer ${monitor.token}` };
  const text = await (await monitor.app.request("/metrics", { headers })).text();
  const page = await Deno.readTextFile(new URL("../../docs/monitor.md", import.meta.url));
  const told = text.matchAll(/^# HELP (\w+) (.+)$/gm);
  const listed = page.matchAll(/^\| `(retort_\w+)` +\| (.+?) +\|$/gm);
  const pairs = (found: Iterable<RegExpExecArray>) =>
    [...found].map(([, name, help]) => [name, help]);
  assertEquals(pairs(listed), pairs(told));
});
