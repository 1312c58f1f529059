/** Tests of the page's state. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { RunStore } from "../../web/page/store.js";
import { makeSummary } from "../progress/fixtures.ts";
import { makeSample, makeSnapshotMessage, makeState, makeWireSnapshot } from "./page_fixture.ts";

function greeted(points: number): RunStore {
  const store = new RunStore();
  store.apply({ type: "hello", ...makeState(points) }, 1_000_000);
  return store;
}

function ratesOf(store: RunStore): (number | null)[] {
  return store.state.history.columns.succeeded_per_s;
}

Deno.test("the last point grows, and the next one is added", () => {
  const store = greeted(2);
  assertEquals(store.apply(makeSnapshotMessage(1, 50), 1_000_000), ["snapshot", "history"]);
  assertEquals(ratesOf(store), [1, 50]);
  store.apply(makeSnapshotMessage(2, 60), 1_000_000);
  assertEquals(ratesOf(store), [1, 50, 60]);
  assertEquals(store.state.history.columns.rss_bytes, [1, 50, 60]);
});

Deno.test("a page that missed points does not change its charts until the next whole state", () => {
  const store = greeted(3);
  assertEquals(store.apply(makeSnapshotMessage(7, 70, { succeeded: 9 }), 1_000_000), ["snapshot"]);
  assertEquals(store.state.snapshot?.succeeded, 9);
  store.apply(makeSnapshotMessage(3, 80), 1_000_000);
  assertEquals(ratesOf(store), [1, 2, 3]);
  store.apply({ type: "hello", ...makeState(8) }, 1_000_000);
  store.apply(makeSnapshotMessage(8, 90), 1_000_000);
  assertEquals(ratesOf(store).at(-1), 90);
});

Deno.test("a history with merged points is not overwritten by points of another duration", () => {
  const store = greeted(1_000);
  store.apply(makeSnapshotMessage(500, 70), 1_000_000);
  assertEquals(ratesOf(store)[500], 501);
});

Deno.test("samples that no list names are forgotten, and known ones are not sent again", () => {
  const store = greeted(0);
  const tell = (latest: number[], failures: number[], added: number[]) =>
    store.apply({
      type: "samples",
      latest,
      reservoir: [],
      failures,
      added: added.map((id) => makeSample(id)),
    }, 0);
  tell([2, 1], [], [1, 2]);
  tell([3, 2], [4], [3, 4]);
  assertEquals([...store.samplesById.keys()].toSorted(), [2, 3, 4]);
});

Deno.test("full texts that the page has are kept when the whole state is sent again", () => {
  const cut = { ...makeSample(1), response: "The ans…", is_cut: true };
  const samples = { latest: [1], reservoir: [], failures: [], added: [cut] };
  const store = new RunStore();
  store.apply({ type: "hello", ...makeState(0, { samples }) }, 0);
  store.keepWholeTexts([{ ...cut, response: "The answer", is_cut: false }]);
  store.apply({ type: "hello", ...makeState(0, { samples }) }, 0);
  assertEquals(store.samplesById.get(1)?.response, "The answer");
  const other = { ...cut, time: cut.time + 1 };
  store.apply({ type: "hello", ...makeState(0, { samples: { ...samples, added: [other] } }) }, 0);
  assertEquals(store.samplesById.get(1)?.response, "The ans…");
});

Deno.test("the number of notices is bounded", () => {
  const store = greeted(0);
  for (let i = 0; i < 500; i++) {
    const notice = { type: "notice", time: "", level: "info", message: `${i}` } as const;
    store.apply({ type: "notice", notice }, 0);
  }
  assertEquals(store.state.notices.length, 100);
  assertEquals(store.state.notices.at(-1)?.message, "499");
});

Deno.test("a server that never thins cannot fill the page's memory", () => {
  const store = greeted(0);
  for (let i = 0; i < 5_000; i++) store.apply(makeSnapshotMessage(i, i), 0);
  assertEquals(ratesOf(store).length, 2_000);
});

Deno.test("a short wait is not shown because the whole state is sent again, and an older one is", () => {
  const waiting = makeState(0, { snapshot: makeWireSnapshot({ state: "backing_off" }) });
  const store = greeted(0);
  store.apply(makeSnapshotMessage(0, 1, { state: "backing_off" }), 1_000);
  store.apply({ type: "hello", ...waiting }, 1_300);
  assertEquals([store.shownState(1_400), store.shownState(60_000)], ["running", "backing_off"]);
  const opened = new RunStore();
  opened.apply({ type: "hello", ...waiting }, 1_300);
  assertEquals(opened.shownState(1_400), "backing_off");
});

Deno.test("times of a server whose clock is ahead are shown on the page's clock", () => {
  const store = new RunStore();
  const snapshot = makeWireSnapshot({ elapsed_ms: 10_000 });
  store.apply({ type: "hello", ...makeState(0, { time: 5_000_000, snapshot }) }, 1_000_000);
  assertEquals(store.localTime(new Date(5_000_000).toISOString()), 1_000_000);
  assertEquals(store.startMs, 990_000);
});

Deno.test("the charts of an ended run have the times of the run, however late they are opened", () => {
  const summary = makeSummary({ ended: new Date(400_000).toISOString() });
  const snapshot = makeWireSnapshot({ state: "done", elapsed_ms: 60_000 });
  const state = makeState(60, { time: 9_000_000, summary, snapshot, ended: true });
  const store = new RunStore();
  store.apply({ type: "hello", ...state }, 9_000_000);
  assertEquals(store.startMs, 340_000);
});

Deno.test("the end of the run is shown and everything is kept", () => {
  const store = greeted(3);
  assertEquals(store.apply({ type: "end", summary: null, about: null }, 0), ["run", "snapshot"]);
  assertEquals([store.state.ended, ratesOf(store).length], [true, 3]);
});
