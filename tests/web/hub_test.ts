import { assert, assertEquals, assertLessOrEqual } from "../../lib/deps/std_assert.ts";
import type { Teacher } from "../../lib/teacher/mod.ts";
import { BEAT_MS, Hub, MAX_PAGES } from "../../web/hub.ts";
import { MAX_BACKLOG_BYTES } from "../../web/page_link.ts";
import type { HelloMessage, SamplesMessage, SnapshotMessage } from "../../web/protocol.ts";
import { HISTORY_COLUMNS } from "../../web/monitor_state.ts";
import { makeSnapshot, makeSummary, makeTeacher, ManualClock } from "../progress/fixtures.ts";
import { FakeRun, FakeSocket, makeAnswer } from "./fake_run.ts";

/** A run, a hub that follows it, and a stopped clock. */
class Stage {
  readonly clock = new ManualClock();
  readonly run = new FakeRun();
  readonly hub: Hub;

  constructor(now?: FakeRun["now"]) {
    this.run.now = now;
    this.hub = new Hub(this.run, {
      now: this.clock.now,
      every: this.clock.every,
      wallClock: () => this.clock.nowMs,
      random: () => 0.5,
    });
  }

  /** Opens a page. */
  open(): { socket: FakeSocket; page: ReturnType<Hub["join"]> } {
    const socket = new FakeSocket();
    const page = this.hub.join(socket);
    page.onOpen();
    return { socket, page };
  }

  /** Sends a snapshot of the clock's time, and lets one beat pass. */
  step(): void {
    this.run.emit(makeSnapshot({ elapsed_ms: this.clock.nowMs }));
    this.clock.advance(BEAT_MS);
  }
}

Deno.test("Hub.join() sends a page the whole state at once, however late it joins", () => {
  const stage = new Stage();
  stage.run.emit({
    type: "run-start",
    time: "",
    model: "qwen3",
    teacher: "http://t/v1",
    total: 100,
    skipped: 0,
    pending: 100,
    concurrency: 20,
    concurrency_is_auto: false,
  });
  stage.run.settle([makeAnswer("u1")]);
  for (let i = 0; i < 5; i++) stage.step();
  stage.run.notice("warning", "slow");
  const [hello] = stage.open().socket.messages as HelloMessage[];
  assertEquals(hello.type, "hello");
  assertEquals(hello.run?.model, "qwen3");
  assertEquals(hello.snapshot?.state, "running");
  assertEquals(hello.history.columns.elapsed_s.length, 5);
  assertEquals(hello.samples.added.map(({ uid }) => uid), ["u1"]);
  assertEquals(hello.notices.map(({ message }) => message), ["slow"]);
  assertEquals([hello.ended, hello.summary, hello.retry_when_done], [false, null, false]);
});

Deno.test("Hub.join() shows the snapshot of a run that was active before the hub", () => {
  const [hello] = new Stage(makeSnapshot({ state: "paused" })).open().socket.messages;
  assertEquals((hello as HelloMessage).snapshot?.state, "paused");
});

Deno.test("Hub sends at most two snapshots a second, each encoded once for all pages", () => {
  const stage = new Stage();
  const pages = Array.from({ length: 50 }, () => stage.open().socket);
  pages.forEach((socket) => socket.taken());
  for (let i = 0; i < 100; i++) {
    stage.run.emit(makeSnapshot({ elapsed_ms: stage.clock.nowMs }));
    stage.clock.advance(100);
  }
  const snapshots = pages[0].messages.filter(({ type }) => type === "snapshot");
  assertEquals(snapshots.length, 20);
  assert(pages.every(({ texts }) => texts.every((text, i) => text === pages[0].texts[i])));
});

Deno.test("Hub sends a snapshot every 2 s while nothing changes, and none when the run has ended", () => {
  const stage = new Stage();
  const { socket } = stage.open();
  stage.step();
  socket.taken();
  stage.run.now = makeSnapshot({ state: "paused", elapsed_ms: 2_500 });
  stage.clock.advance(20_000);
  const [mark, ...others] = socket.messages;
  assertEquals([mark.type, JSON.stringify(mark).includes("Paused")], ["marks", true]);
  const sent = others as SnapshotMessage[];
  assertEquals(sent.map(({ type }) => type), Array(10).fill("snapshot"));
  assertEquals(sent[0].snapshot.state, "paused");
  stage.run.emit(makeSummary());
  socket.taken();
  stage.clock.advance(20_000);
  assertEquals(socket.taken(), []);
});

Deno.test("Hub notifies a page every 2 s that there is no snapshot yet", () => {
  const stage = new Stage();
  const { socket } = stage.open();
  socket.taken();
  stage.clock.advance(6_000);
  assertEquals(socket.taken(), Array(3).fill("hello"));
});

Deno.test("Hub sends the point of the history with each snapshot", () => {
  const stage = new Stage();
  const { socket } = stage.open();
  stage.run.emit(makeSnapshot({ elapsed_ms: 500 }));
  stage.clock.advance(BEAT_MS);
  stage.run.emit(makeSnapshot({ elapsed_ms: 1_000, succeeded: 390 }));
  stage.clock.advance(BEAT_MS);
  const sent = socket.messages.slice(1) as SnapshotMessage[];
  assertEquals(sent.map((message) => message.point_index), [0, 1]);
  assertEquals(sent[1].point.slice(0, 2), [1, 20]);
});

Deno.test("Hub sends what answers and teachers do with each snapshot", () => {
  const stage = new Stage();
  const { socket } = stage.open();
  const teacher = makeTeacher();
  stage.run.settle([makeAnswer("u1", { teacher: teacher as Partial<Teacher> as Teacher })]);
  stage.run.emit(makeSnapshot({ teachers: [teacher] }));
  stage.clock.advance(BEAT_MS);
  const { answers, teacher_figures } = socket.messages.at(-1) as SnapshotMessage;
  assertEquals([answers.answered, teacher_figures.length], [1, 1]);
  assert(teacher_figures[0].rows_per_s > 0);
});

Deno.test("Hub sends pages the whole state again when points of the history were merged", () => {
  const stage = new Stage();
  const { socket } = stage.open();
  socket.taken();
  let hellos = 0;
  for (let i = 0; i < 2_200; i++) {
    stage.step();
    const types = socket.taken();
    if (types.includes("hello")) hellos++;
    assertLessOrEqual(types.length, 1, "a page that is told everything needs no snapshot as well");
  }
  assertEquals(hellos, 2, "at 500 s and at 1,000 s");
});

Deno.test("Hub sends a hidden page one snapshot in 4 s, and the whole state when it is shown again", () => {
  const stage = new Stage();
  const { socket, page } = stage.open();
  page.onMessage('{"visible":false}');
  socket.taken();
  for (let i = 0; i < 45; i++) {
    stage.run.settle([makeAnswer("u")]);
    stage.step();
  }
  assertEquals(socket.taken(), Array(5).fill("snapshot"));
  page.onMessage('{"visible":true}');
  assertEquals(socket.taken(), []);
  stage.step();
  assertEquals(socket.taken(), ["hello"]);
  stage.step();
  assertEquals(socket.taken(), ["snapshot"]);
});

Deno.test("Hub sends a hidden page a snapshot in 4 s of a run with few events", () => {
  const stage = new Stage(makeSnapshot());
  const { socket, page } = stage.open();
  page.onMessage('{"visible":false}');
  socket.taken();
  stage.clock.advance(40_000);
  assertEquals(socket.taken(), Array(9).fill("snapshot"), "the first after 4.5 s");
});

Deno.test("Hub sends a hidden page the whole state when the run ends: the server may be gone later", () => {
  const stage = new Stage();
  const { socket, page } = stage.open();
  page.onMessage('{"visible":false}');
  socket.taken();
  stage.run.settle([makeAnswer("u")]);
  stage.run.emit(makeSnapshot({ state: "done", succeeded: 381 }));
  stage.run.emit(makeSummary());
  const [hello] = socket.messages as HelloMessage[];
  assertEquals([hello.type, hello.ended, hello.snapshot?.succeeded], ["hello", true, 381]);
  assertEquals(hello.samples.added.map(({ uid }) => uid), ["u"]);
  assertEquals(socket.taken(), ["hello", "end"]);
});

/** Returns the messages with samples that a page was sent. */
function samplesOf(socket: FakeSocket): SamplesMessage[] {
  return socket.messages.filter((message) => message.type === "samples");
}

Deno.test("Hub sends new samples every 2 s, each once, and none without changes", () => {
  const stage = new Stage(makeSnapshot());
  const { socket } = stage.open();
  socket.taken();
  for (let i = 0; i < 8; i++) {
    stage.run.settle([makeAnswer(`u${i}`)]);
    stage.clock.advance(BEAT_MS);
  }
  const sent = samplesOf(socket);
  assertEquals(sent.map(({ added }) => added.length), [4, 4]);
  assertEquals(sent[1].latest, [8, 7, 6, 5, 4, 3, 2, 1]);
  socket.taken();
  stage.clock.advance(10_000);
  assertEquals(samplesOf(socket), []);
});

Deno.test("Hub sends a page that reads slowly its samples once it has caught up", () => {
  const stage = new Stage(makeSnapshot());
  const slow = stage.open().socket, quick = stage.open().socket;
  slow.taken();
  quick.taken();
  slow.bufferedAmount = 100_000;
  stage.run.settle([makeAnswer("u1")]);
  stage.clock.advance(4 * BEAT_MS);
  stage.run.settle([makeAnswer("u2")]);
  slow.bufferedAmount = 0;
  stage.clock.advance(4 * BEAT_MS);
  const added = (socket: FakeSocket) =>
    samplesOf(socket).map((one) => one.added.map(({ uid }) => uid).toSorted());
  assertEquals(added(slow), [["u1", "u2"]]);
  assertEquals(added(quick), [["u1"], ["u2"]]);
});

Deno.test("Hub drops a page with more than 1 MB of backlog, and no other", () => {
  const stage = new Stage();
  const stalled = stage.open().socket, reading = stage.open().socket;
  stalled.bufferedAmount = MAX_BACKLOG_BYTES + 1;
  reading.bufferedAmount = MAX_BACKLOG_BYTES;
  stage.step();
  assertEquals([stalled.closedWith, reading.closedWith], [1013, undefined]);
  assertEquals([stage.hub.pageCount, stalled.texts.length, reading.texts.length], [1, 1, 2]);
});

Deno.test("Hub closes a page that sends an invalid message", () => {
  const binary = [new Uint8Array(3).buffer, new Blob(["x"]), undefined, null, 7];
  const long = `{"visible":true}${" ".repeat(300)}`;
  const malformed = [
    "",
    "{",
    "null",
    "[]",
    "true",
    "{}",
    '{"visible":1}',
    '{"visible":null}',
    '{"visible":true,"more":1}',
    '{"__proto__":{"visible":true}}',
    '[{"visible":true}]',
    "\u0000",
  ];
  const closedWith = (data: unknown) => {
    const { socket, page } = new Stage().open();
    page.onMessage(data);
    return socket.closedWith;
  };
  assertEquals(binary.map(closedWith), binary.map(() => 1003));
  assertEquals(closedWith(long), 1009);
  assertEquals(malformed.map(closedWith), malformed.map(() => 1008));
  assertEquals(closedWith('{"visible":false}'), undefined);
});

Deno.test("Hub continues when a socket throws at every turn", () => {
  const stage = new Stage();
  const broken = {
    get readyState(): number {
      throw new Error("readyState");
    },
    get bufferedAmount(): number {
      throw new Error("bufferedAmount");
    },
    send: () => {
      throw new Error("send");
    },
    close: () => {
      throw new Error("close");
    },
  };
  const page = stage.hub.join(broken);
  page.onOpen();
  page.onMessage(undefined);
  const { socket } = stage.open();
  socket.taken();
  stage.step();
  assertEquals(socket.taken(), ["snapshot"]);
  assertEquals(stage.hub.pageCount, 1);
  page.onClose();
});

Deno.test("Hub counts its own errors, which affect neither the run nor the beat", () => {
  const stage = new Stage();
  const { socket } = stage.open();
  socket.taken();
  const row = {
    get text(): string {
      throw new Error("a row that cannot be read");
    },
  };
  stage.run.settle([{ ...makeAnswer("u"), row: row as never }]);
  stage.step();
  assertEquals([stage.hub.faults, socket.taken()], [1, ["snapshot"]]);
});

Deno.test("Hub refuses more than 100 pages, and forgets those that leave", () => {
  const stage = new Stage();
  const pages = Array.from({ length: MAX_PAGES }, () => stage.open());
  assertEquals(stage.open().socket.closedWith, 1013);
  pages.forEach(({ page }) => page.onClose());
  assertEquals([stage.hub.pageCount, stage.open().socket.closedWith], [0, undefined]);
});

Deno.test("Hub sends the last snapshot, the samples and the summary when the run ends", () => {
  const stage = new Stage();
  const { socket } = stage.open();
  socket.taken();
  stage.run.settle([makeAnswer("u")]);
  stage.run.emit(makeSnapshot({ state: "done" }));
  stage.run.emit(makeSummary());
  assertEquals(socket.taken(), ["snapshot", "samples", "end"]);
  const late = stage.open().socket.messages as HelloMessage[];
  assertEquals([late[0].ended, late[0].summary?.state], [true, "done"]);
});

Deno.test("Hub.close() notifies pages, closes all sockets with 1001 and stops following the run", () => {
  const stage = new Stage();
  const { socket } = stage.open();
  socket.taken();
  stage.hub.close();
  stage.hub.close();
  assertEquals(socket.messages, [{ type: "end", summary: null, about: null }]);
  assertEquals([socket.closedWith, stage.hub.pageCount, stage.run.followers], [1001, 0, 0]);
  assertEquals(stage.clock.timers, 0);
  assertEquals(stage.open().socket.closedWith, 1001);
});

Deno.test("Hub.close() does not say that a run has ended that continues", () => {
  const stage = new Stage();
  const { socket } = stage.open();
  stage.run.now = makeSnapshot();
  socket.taken();
  stage.hub.close();
  assertEquals([socket.messages, socket.closedWith], [[], 1001]);
});

Deno.test("Hub.close() does not repeat the end of the run", () => {
  const stage = new Stage();
  const { socket } = stage.open();
  stage.run.emit(makeSummary());
  socket.taken();
  stage.hub.close();
  assertEquals(socket.taken(), []);
});

Deno.test("Hub continues with the same charts when the generator runs again", () => {
  const stage = new Stage();
  const { socket } = stage.open();
  const hidden = stage.open();
  hidden.page.onMessage('{"visible":false}');
  const start = {
    type: "run-start",
    time: "",
    model: "m",
    teacher: "t",
    total: 100,
    skipped: 0,
    pending: 100,
    concurrency: 20,
    concurrency_is_auto: false,
  } as const;
  stage.run.emit(start);
  stage.run.emit(makeSnapshot({ elapsed_ms: 10_000 }));
  const failure = { type: "truncated", message: "cut off", status: null, retryable: true } as const;
  stage.run.settle([makeAnswer("kept"), makeAnswer("cut", { failure })]);
  stage.clock.advance(BEAT_MS);
  stage.run.emit(makeSummary());
  socket.texts.length = 0;
  hidden.socket.texts.length = 0;
  stage.run.emit({ ...start, pending: 3 });
  const [hiddenHello] = hidden.socket.messages as HelloMessage[];
  assertEquals([hiddenHello.type, hiddenHello.ended], ["hello", false]);
  stage.run.emit(makeSnapshot({ elapsed_ms: 2_000, succeeded: 0 }));
  stage.clock.advance(BEAT_MS);
  const [hello] = socket.messages as HelloMessage[];
  assertEquals([hello.type, hello.ended, hello.run?.pending], ["hello", false, 3]);
  assertEquals(hello.history.columns.elapsed_s, [10, 12]);
  // Figures are those of the new run, as in its snapshots.
  assertEquals([hello.answers.endings, hello.answers.answered], [{}, 0]);
  assertEquals(hello.latency.counts, []);
  const { samples } = hello;
  assertEquals([samples.latest.length, samples.failures.length], [1, 0]);
});

Deno.test("Hub shows how late its own timer is", () => {
  const stage = new Stage();
  const { socket } = stage.open();
  stage.run.emit(makeSnapshot());
  stage.clock.block(BEAT_MS + 300);
  const { point } = socket.messages.at(-1) as SnapshotMessage;
  assertEquals(point[HISTORY_COLUMNS.indexOf("lag_ms")], 300);
});

Deno.test("a run is watched for 3 minutes after a page's last message, and for 10 s after the page has left", () => {
  const stage = new Stage();
  const isWatched = (afterMs: number) => {
    stage.clock.advance(afterMs);
    return stage.hub.isWatched;
  };
  assertEquals(isWatched(0), false);
  const { page } = stage.open();
  assertEquals([isWatched(179_000), isWatched(1_000)], [true, false]);
  page.onMessage('{"visible":true}');
  assertEquals(isWatched(179_000), true);
  page.onClose();
  assertEquals([isWatched(9_999), isWatched(1)], [true, false]);
  // A page that was lost does not count as watching when its connection breaks at last.
  const lost = stage.open();
  stage.clock.advance(180_000);
  lost.page.onClose();
  assertEquals(stage.hub.isWatched, false);
});

Deno.test("Hub.finish() notifies pages of the end, keeps them, and accepts new ones", () => {
  const stage = new Stage();
  const { socket } = stage.open();
  stage.hub.finish();
  assertEquals([socket.messages.at(-1)?.type, socket.closedWith], ["end", undefined]);
  const [hello] = stage.open().socket.messages as HelloMessage[];
  assertEquals([hello.type, hello.ended, stage.hub.pageCount], ["hello", true, 2]);
  stage.hub.close();
  assertEquals(socket.messages.filter(({ type }) => type === "end").length, 1);
});
