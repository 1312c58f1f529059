/** Tests of the page's texts: states, figures and durations. @module */

import { assertEquals, assertMatch } from "../../lib/deps/std_assert.ts";
import { formatCountOf } from "../../lib/figures.js";
import {
  formatAge,
  formatAxisTime,
  formatBytesTick,
  formatCapUsd,
  formatClock,
  formatCompactOf,
  formatDate,
  formatId,
  formatLatencyTick,
  formatMoment,
  formatRate,
} from "../../web/page/figures.js";
import {
  describeState,
  lastRowTexts,
  limitText,
  missingEtaText,
  sampleCountText,
} from "../../web/page/run_state.js";
import { nextStep } from "../../web/page/problems.js";
import { filesText, nearText, noteTexts } from "../../web/view/page/status.js";
import { RunStore } from "../../web/page/store.js";
import { formatRate as terminalRate } from "../../lib/terminal/status.ts";
import type { RunStart, Summary, TeacherStatus } from "../../lib/progress/mod.ts";
import type { MonitorState, WireSnapshot } from "../../web/monitor_state.ts";
import { makeErrorGroup, makeSummary, makeTeacher } from "../progress/fixtures.ts";
import { makeSnapshotMessage, makeState, makeWireSnapshot } from "./page_fixture.ts";

const NOW_MS = 1_000_000;

/** The start of a run over files. */
const RUN: RunStart = {
  type: "run-start",
  time: new Date(NOW_MS).toISOString(),
  model: "m",
  teacher: "http://gpu1:8000/v1",
  total: 200,
  skipped: 0,
  pending: 200,
  concurrency: 8,
  concurrency_is_auto: false,
};

function storeOf(snapshot: Partial<WireSnapshot>, changes: Partial<MonitorState> = {}): RunStore {
  const store = new RunStore();
  store.replace(makeState(0, { snapshot: makeWireSnapshot(snapshot), ...changes }), NOW_MS);
  return store;
}

Deno.test("ids that differ only in invisible characters look different", () => {
  assertEquals(formatId("row-1 ü مرحبا"), "row-1 ü مرحبا");
  assertEquals(formatId("a\u{e0041}"), "a\\udb40\\udc41");
  assertEquals(formatId("\u202egnp.exe\u202c\ufeff"), "\\u202egnp.exe\\u202c\\ufeff");
});

Deno.test("each state has a word, an icon and a color with the same meaning", () => {
  const wordOf = (state: WireSnapshot["state"]) => {
    const { word, icon, tone } = describeState(storeOf({ state, reason: null }), NOW_MS);
    return [word, icon, tone];
  };
  assertEquals(wordOf("preparing"), ["Preparing", "dots", "calm"]);
  assertEquals(wordOf("running"), ["Running", "play", "good"]);
  assertEquals(wordOf("backing_off"), ["Backing off", "clock", "wait"]);
  assertEquals(wordOf("paused"), ["Paused", "pause", "wait"]);
  assertEquals(wordOf("disk_full"), ["Cannot write", "alert", "bad"]);
  assertEquals(wordOf("draining"), ["Draining", "drain", "calm"]);
  assertEquals(wordOf("halted"), ["Halted", "stop", "bad"]);
  assertEquals(wordOf("done"), ["Done", "check", "good"]);
});

Deno.test("the rows of generate(), which has no summary, do not end with an error, or with advice about files", () => {
  const errors = [makeErrorGroup({ actions: { retried: 0, failed: 30, halted: 0 } })];
  const stateOf = (state: WireSnapshot["state"], changes: Partial<MonitorState>) =>
    storeOf({ state, reason: null, failed: 30, succeeded: 70, errors }, changes);
  const wordOf = (state: WireSnapshot["state"], run: MonitorState["run"]) => {
    const { word, detail } = describeState(stateOf(state, { run, ended: true }), NOW_MS);
    return `${word} ${detail}`.trim();
  };
  assertEquals(wordOf("done", null), "Done");
  assertEquals(wordOf("halted", null), "Halted rows are left");
  assertEquals(wordOf("running", null), "Ended");
  assertEquals(wordOf("preparing", null), "Ended with an error; see the terminal");
  assertEquals(wordOf("done", RUN), "Ended with an error; see the terminal");
  assertEquals(nextStep(stateOf("running", { run: null }).state)?.words.includes("Ctrl-C"), false);
});

Deno.test("a run with many failing rows is not shown as plain Running, and says why they fail", () => {
  const retried = { retried: 900, failed: 0, halted: 0 };
  const errors = [
    makeErrorGroup({ actions: retried }),
    makeErrorGroup({
      type: "request",
      status: 400,
      message: "Too long",
      actions: { ...retried, failed: 794 },
    }),
  ];
  const words = (failed: number, succeeded: number) => {
    const { word, tone, detail } = describeState(
      storeOf({ state: "running", failed, succeeded, errors }),
      NOW_MS,
    );
    return [word, tone, detail.includes("fail") ? detail : ""];
  };
  assertEquals(words(794, 1_747), [
    "Running",
    "wait",
    "31.2% of the rows fail, mostly request 400: Too long",
  ]);
  assertEquals([words(19, 0), words(30, 970)], [["Running", "good", ""], ["Running", "good", ""]]);
});

Deno.test("backing off has its end, its duration and the reason", () => {
  const store = storeOf({
    state: "backing_off",
    backing_off_until: new Date(NOW_MS + 12_000).toISOString(),
    reason: "429: tokens per min",
  });
  assertMatch(
    describeState(store, NOW_MS).detail,
    /^until \d\d:\d\d:\d\d, in 12 s \(429: tokens per min\)$/,
  );
  assertMatch(describeState(store, NOW_MS + 12_000).detail, /^until \d\d:\d\d:\d\d \(429/);
});

Deno.test("the state of a run counts teachers that are not up, including those that the page does not get", () => {
  const teachers = Array.from({ length: 40 }, (_, i) => makeTeacher({ address: `http://gpu${i}` }));
  teachers[34] = { ...teachers[34], state: "down", reason: "connection refused" };
  const one = describeState(storeOf({ state: "running", teachers }), NOW_MS);
  assertEquals([one.tone, one.detail], [
    "wait",
    "gpu34 is down: connection refused; its rows go to the others",
  ]);
  const down = [...teachers.slice(0, 3), ...Array(37).fill(teachers[34])];
  const many = describeState(storeOf({ state: "running", teachers: down }), NOW_MS);
  assertMatch(many.detail, /^37 of 40 teachers are not up\. .* is down/);
});

Deno.test("the state of a run names teachers that are not up", () => {
  const teachers = [makeTeacher(), makeTeacher({ state: "down" })];
  const { detail, tone } = describeState(storeOf({ state: "running", teachers }), NOW_MS);
  assertEquals([detail, tone], [
    "gpu1:8000 is down; its rows go to the other",
    "wait",
  ]);
  // One that left the list is no trouble.
  const left = makeTeacher({ state: "left" });
  const calm = describeState(
    storeOf({ state: "running", teachers: [makeTeacher(), left] }),
    NOW_MS,
  );
  assertEquals([calm.detail.includes("not up"), calm.tone], [false, "good"]);
});

Deno.test("rows that fail are named although a teacher cools down", () => {
  const teachers = [makeTeacher(), makeTeacher({ state: "cooling_down" })];
  const store = storeOf({ state: "running", teachers, succeeded: 50, failed: 50 });
  const { detail, tone } = describeState(store, NOW_MS);
  assertEquals([detail.startsWith("50.0% of the rows fail"), tone], [true, "wait"]);
});

Deno.test("each kind of end has its text: done, stopped, halted, or with an error", () => {
  const endOf = (summary: MonitorState["summary"]) => {
    const { word, detail } = describeState(
      storeOf({ reason: null }, { run: RUN, ended: true, summary }),
      NOW_MS,
    );
    return `${word} ${detail}`;
  };
  const parts = { elapsed_ms: 60_000, pending: 3, reason: null };
  assertEquals(endOf(makeSummary({ ...parts, state: "done", pending: 0 })), "Done after 1m 00s");
  assertEquals(
    endOf(makeSummary({ ...parts, state: "interrupted" })),
    "Stopped after 1m 00s, 3 rows left",
  );
  assertEquals(
    endOf(makeSummary({ ...parts, state: "halted", reason: "the key is refused" })),
    "Halted after 1m 00s, 3 rows left: the key is refused",
  );
  assertMatch(endOf(null), /^Ended with an error/);
});

Deno.test("a run that is done with failures counts them, and is green only without any", () => {
  const endOf = (parts: Partial<Summary>) => {
    const summary = makeSummary({ state: "done", elapsed_ms: 60_000, total: 90, ...parts });
    const { word, tone, icon, detail } = describeState(
      storeOf({}, { ended: true, summary }),
      NOW_MS,
    );
    return [word, tone, icon, detail];
  };
  const whole = { failures_on_disk: 0, pending: 0, bad_rows: 0 };
  assertEquals(endOf(whole), ["Done", "good", "check", "after 1m 00s"]);
  const failed = ["Done with failures", "wait", "alert", "30 failed, after 1m 00s"];
  assertEquals(endOf({ ...whole, failures_on_disk: 30 }), failed);
  assertEquals(endOf({ ...whole, failures_on_disk: 90 }).slice(0, 2), [
    "Done with failures",
    "bad",
  ]);
  assertEquals(endOf({ ...whole, bad_rows: 1, pending: 2 }), [
    "Done, incomplete",
    "wait",
    "alert",
    "2 left, 1 bad line skipped, after 1m 00s",
  ]);
});

Deno.test("a lost connection is never shown as Running, and has the time of its figures", () => {
  const store = storeOf({ state: "running" });
  store.lostSinceMs = NOW_MS;
  const { word, tone, detail } = describeState(store, NOW_MS + 60_000);
  assertEquals([word, tone, detail], [
    "Connection lost",
    "wait",
    `the figures are from ${formatClock(NOW_MS)}`,
  ]);
});

Deno.test("a list of samples that holds a part of the rows shows the total", () => {
  const failures = Array.from({ length: 20 }, (_, i) => i);
  const samples = { latest: [1, 2], reservoir: [], failures, added: [] };
  const { state } = storeOf({ failed: 333, succeeded: 2 }, { samples });
  assertEquals([sampleCountText(state, "failures"), sampleCountText(state, "latest")], [
    "20 of 333",
    "2",
  ]);
});

Deno.test("the last row on disk has a time, and an age while the run continues", () => {
  const last_durable = new Date(NOW_MS - 3_000).toISOString();
  assertEquals(lastRowTexts(storeOf({ last_durable }), NOW_MS).age, "3 s ago");
  assertEquals(lastRowTexts(storeOf({ last_durable }, { ended: true }), NOW_MS).age, "");
  assertEquals(lastRowTexts(storeOf({ last_durable: null }), NOW_MS), {
    time: "",
    age: "none yet",
  });
});

Deno.test("page and terminal write rates alike, and ages have no fractions of a second", () => {
  for (const rate of [0, 0.05, 0.423, 1, 31.44, 99.97, 1_240]) {
    const [, figure, per] = /^(\S+) rows(\/\w+)$/.exec(terminalRate(rate, "rows"))!;
    assertEquals(formatRate(rate), figure + (per === "/s" ? "" : per));
  }
  assertEquals([0, 999, 61_000].map(formatAge), ["0 s", "0 s", "1m 01s"]);
});

Deno.test("labels of axes are short", () => {
  assertEquals([0, 500, 2_500, 30_000, 60_000, 90_000].map(formatLatencyTick), [
    "0",
    "500 ms",
    "2.5 s",
    "30 s",
    "1m",
    "1m 30s",
  ]);
  assertEquals([0, 50e6, 1e9, 1.5e9].map(formatBytesTick), ["0", "50 MB", "1 GB", "1.5 GB"]);
});

Deno.test("a wait is shown once it lasts, and so is the reason for fewer attempts than allowed", () => {
  const store = new RunStore();
  store.replace(makeState(0, { snapshot: makeWireSnapshot() }), NOW_MS);
  const wait = { state: "backing_off", reason: "429" } as const;
  const words = (afterMs: number) => describeState(store, NOW_MS + afterMs).word;
  store.apply(makeSnapshotMessage(0, 1, wait), NOW_MS);
  assertEquals([words(0), words(1_900), words(2_100)], ["Running", "Running", "Backing off"]);
  store.apply(makeSnapshotMessage(0, 1), NOW_MS + 3_000);
  store.apply(makeSnapshotMessage(0, 1, wait), NOW_MS + 3_100);
  assertEquals(words(3_200), "Running");
  const limit = (changes: Partial<WireSnapshot>) =>
    limitText(storeOf({ limit: 7, concurrency: 64, refused_for_load: 0, ...changes }).state);
  assertEquals(limit({ limit: 64 }), "concurrency 64");
  assertEquals(limit({}), "ramping up to 64");
  assertEquals(limit({ refused_for_load: 3 }), "limited by the teacher, 64 requested");
  const unsure = (changes: Partial<WireSnapshot>) => missingEtaText(makeWireSnapshot(changes));
  const early = { elapsed_ms: 9_000 };
  assertEquals(unsure({ refused_for_load: 0, eta_s: 130, ...early }), "too few answers yet, ");
  assertEquals(unsure({ refused_for_load: 0, eta_s: null }), "too few answers yet, ");
  assertEquals(unsure({ refused_for_load: 0, eta_s: 130 }), "over 2m 10s left, ");
  assertEquals(unsure({ refused_for_load: 3, eta_s: 130, ...early }), "over 2m 10s left, ");
  assertEquals(unsure({ refused_for_load: 3, eta_s: null }), "");
  assertEquals(unsure({ refused_for_load: 0, eta_s: 0.04 }), "too few answers yet, ");
  assertEquals(unsure({ refused_for_load: 3, eta_s: 0.04 }), "");
  assertEquals(unsure({ total: null, refused_for_load: 0, eta_s: null }), "");
  const down = makeTeacher({ state: "down" }), coolingDown = makeTeacher({ state: "cooling_down" });
  const withOneOf = (...teachers: TeacherStatus[]) => limit({ teachers, refused_for_load: 3 });
  assertEquals(withOneOf(makeTeacher(), coolingDown), "of 64: not all teachers are up");
  assertEquals(withOneOf(down), "of 64: the teacher is not up");
  assertEquals(withOneOf(coolingDown), "limited by the teacher, 64 requested");
});

Deno.test("a cap has cents only if it is not whole dollars", () => {
  assertEquals([40, 25.5].map(formatCapUsd), ["$40", "$25.50"]);
});

Deno.test("a time axis has seconds, minutes or days, depending on the distance of its labels", () => {
  const noon = new Date(2026, 2, 14, 12, 3, 7).getTime();
  const midnight = new Date(2026, 2, 14).getTime();
  assertEquals(formatAxisTime(noon, 1_000), "12:03:07");
  assertEquals(formatAxisTime(noon, 60_000), "12:03");
  assertEquals(formatAxisTime(midnight, 3_600_000), formatAxisTime(noon, 86_400_000));
});

Deno.test("an invalid time is a dash", () => {
  const times = [
    formatClock(NaN),
    formatMoment(NaN, NOW_MS),
    formatMoment(Infinity, NOW_MS),
    formatDate(NaN),
    formatAxisTime(NaN, 1_000),
    formatAxisTime(NaN, 3_600_000),
  ];
  assertEquals(times, Array(6).fill("–"));
  const store = storeOf({ state: "backing_off", backing_off_until: "", last_durable: "soon" });
  assertMatch(describeState(store, NOW_MS).detail, /^waiting to try again/);
  assertEquals(lastRowTexts(store, NOW_MS).age, "none yet");
});

Deno.test("an ended run names its next step: continue, retry with advice, or export", () => {
  const stepOf = (changes: Partial<Summary>, commands = [{ name: "Next", command: "next" }]) => {
    const actions = { retried: 0, failed: 30, halted: 0 };
    const errors = [makeErrorGroup({ type: "truncated", actions })];
    const about = { facts: [], commands };
    const { state } = storeOf({ errors }, { ended: true, summary: makeSummary(changes), about });
    const step = nextStep(state);
    return step && [step.tone, step.words, step.command];
  };
  assertEquals(stepOf({}), ["good", "To make a training set", "next"]);
  assertEquals(stepOf({}, []), null);
  assertEquals(stepOf({ state: "halted", reason: "Key refused" }, []), ["bad", "Key refused", ""]);
  assertEquals(stepOf({ state: "interrupted", pending: 1, failures_on_disk: 30 }), [
    "wait",
    "1 row left. To continue",
    "next",
  ]);
  assertEquals(stepOf({ state: "interrupted", pending: 0, failures_on_disk: 30 }), [
    "wait",
    "30 rows failed. To continue",
    "next",
  ]);
  const retry = stepOf({ failures_on_disk: 30 });
  assertEquals([retry?.[0], retry?.[2]], ["wait", "next"]);
  const exported = [{ name: "Export", command: "export" }];
  assertEquals(stepOf({}, exported)?.[2], "export");
  assertEquals(stepOf({ state: "interrupted", pending: 1 }, exported), null);
  assertEquals(stepOf({ state: "halted", reason: "No credit" }, exported), [
    "bad",
    "No credit",
    "",
  ]);
  assertEquals(stepOf({ failures_on_disk: 30 }, exported), null);
  assertMatch(String(retry?.[1]), /^30 rows failed\. Raise --max-tokens.*\. To retry$/);
  const mixed = stepOf({ failures_on_disk: 1319 });
  assertEquals(mixed?.[0], "bad");
  assertMatch(String(mixed?.[1]), /^1,319 rows failed, 30 of them truncated\. Raise/);
});

Deno.test("a run in which many rows fail says why, and how to stop it without losing an answer", () => {
  const stepOf = (failed: number) => {
    const actions = { retried: 0, failed, halted: 0 };
    const errors = [makeErrorGroup({ type: "truncated", actions })];
    const snapshot = { state: "running" as const, failed, succeeded: 170, errors };
    return nextStep(storeOf(snapshot, { run: RUN }).state);
  };
  assertEquals([stepOf(18), stepOf(19)], [null, null]);
  const step = stepOf(30);
  assertEquals([step?.tone, step?.command], ["wait", ""]);
  // The type with the most rows counts, not the largest group.
  const groups = [["rejected", 25], ["truncated", 20], ["truncated", 20]] as const;
  const errors = groups.map(([type, failed]) =>
    makeErrorGroup({ type, actions: { retried: 0, failed, halted: 0 } })
  );
  const mixed = nextStep(storeOf({ state: "running", failed: 65, succeeded: 170, errors }).state);
  assertMatch(String(mixed?.words), /^65 rows failed, 40 of them truncated\. Raise/);
  assertMatch(String(step?.words), /^30 rows failed\. Raise --max-tokens.*press Ctrl-C.*is kept/);
});

Deno.test("a count of one takes the singular", () => {
  assertEquals([0, 1, 2, 1_319].map((count) => formatCountOf(count, "row")), [
    "0 rows",
    "1 row",
    "2 rows",
    "1,319 rows",
  ]);
  assertEquals(formatCompactOf(1, "token"), "1 token");
  assertEquals(formatCompactOf(12_345, "token"), "12.3K tokens");
  const near = { of: "prompt", state: "done", done: 9, total: 9, problem: null } as const;
  assertEquals(
    nearText({ ...near, copies: 1, groups: 1 }),
    "1 prompt is a near duplicate of earlier ones, in 1 group",
  );
  assertEquals(
    nearText({ ...near, copies: 3, groups: 2 }),
    "3 prompts are near duplicates of earlier ones, in 2 groups",
  );
  const file = {
    ...{ path: "x.jsonl", state: "current", problem: null, size: 9, read: 9, rows: 1 } as const,
    damage: [{ line: 3, problem: "not JSON" }],
    damageCount: 1,
  };
  const index = { files: [file], rows: 1, isCurrent: true, version: 1 };
  assertEquals(filesText({ index, paths: ["out/"] }), "out/ · 1 file");
  assertEquals(noteTexts(index), ["x.jsonl: 1 damaged line left out (line 3: not JSON)"]);
});
