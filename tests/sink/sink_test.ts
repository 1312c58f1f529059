import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { SinkError } from "../../lib/errors.ts";
import type { FinishedRow } from "../../lib/row.ts";
import { Sink } from "../../lib/sink/sink.ts";
import { type TempDir, tempDir } from "../support/temp.ts";
import { diskError, FaultyDisk, fullDisk, ManualDelay } from "./faulty_disk.ts";
import { completionOf, failureOf, FORMAT, rowOf, successOf } from "./outcomes.ts";

function filesIn(dir: TempDir) {
  return { results: dir.path("x.jsonl"), failures: dir.path("x_error.jsonl") };
}

const BAD_ROW = { file: "in", line: 3, problem: "it is not JSON", text: "{" };

Deno.test("Sink writes results, failures and bad rows to the right files", async () => {
  await using dir = await tempDir();
  const durable: FinishedRow[] = [];
  const sink = await Sink.open(filesIn(dir), {
    format: FORMAT,
    concurrency: 4,
    keepsOutcomes: () => true,
    onDurable: (rows) => durable.push(...rows),
  });
  const success = successOf(rowOf('{"a":1}', { uid: "good" }));
  const failure = failureOf(rowOf('{"a":2}', { uid: "failed" }));
  await Promise.all([sink.put(success), sink.put(failure), sink.putBadRow(BAD_ROW)]);
  await sink.close();
  assertEquals(durable.map(({ uid }) => uid).toSorted(), ["failed", "good"]);
  assertEquals(new Set(durable.map(({ outcome }) => outcome)), new Set([success, failure]));
  assertEquals((await dir.rows("x.jsonl")).map(({ uid, a }) => [uid, a]), [["good", 1]]);
  const failures = await dir.rows("x_error.jsonl");
  assertEquals(failures.map(({ uid }) => uid), ["failed", "bad_row:in:3"]);
});

Deno.test("Sink appends to existing files", async () => {
  await using dir = await tempDir();
  await dir.write("x.jsonl", [{ uid: "old" }]);
  const sink = await Sink.open(filesIn(dir), { format: FORMAT, concurrency: 1 });
  await sink.put(successOf(rowOf("{}", { uid: "new" })));
  await sink.close();
  assertEquals((await dir.rows("x.jsonl")).map(({ uid }) => uid), ["old", "new"]);
});

Deno.test("Sink reports once that both files of a full disk write again", async () => {
  await using dir = await tempDir();
  const disk = fullDisk();
  const delays = [new ManualDelay(), new ManualDelay()];
  const told: string[] = [];
  let waits = 0;
  const sink = await Sink.open(filesIn(dir), {
    format: FORMAT,
    concurrency: 4,
    openFile: disk.openFile,
    delay: (ms, signal) => delays[waits++].delay(ms, signal),
    onStall: () => told.push("stalled"),
    onRecover: () => told.push("recovered"),
  });
  const puts = [sink.put(successOf(rowOf("{}"))), sink.put(failureOf(rowOf("{}")))];
  await Promise.all(delays.map((delay) => delay.begun));
  assertEquals(told, ["stalled", "stalled"]);
  disk.beforeWrite = (length) => length;
  for (const delay of delays) delay.end();
  await Promise.all(puts);
  assertEquals(told, ["stalled", "stalled", "recovered"]);
  await sink.close();
});

Deno.test("Sink: the second file of a full disk need not wait once the first was rescued", async () => {
  await using dir = await tempDir();
  const disk = fullDisk(), stalled = Promise.withResolvers<void>();
  let isRescued = false;
  const sink = await Sink.open(filesIn(dir), {
    format: FORMAT,
    concurrency: 4,
    openFile: disk.openFile,
    onStall: () => isRescued ? sink.rescue() : stalled.resolve(),
  });
  const success = sink.put(successOf(rowOf("{}")));
  await stalled.promise;
  isRescued = true;
  sink.rescue();
  await Promise.all([success, sink.put(failureOf(rowOf("{}")))]);
  assertEquals(sink.missingLines, 0);
  await assertRejects(() => sink.close(), SinkError, "Cannot write");
});

Deno.test("Sink.abandon() lets a run end on a full disk", async () => {
  await using dir = await tempDir();
  const disk = fullDisk(), stalled = Promise.withResolvers<void>();
  const sink = await Sink.open(filesIn(dir), {
    format: FORMAT,
    concurrency: 4,
    openFile: disk.openFile,
    onStall: () => stalled.resolve(),
  });
  const put = sink.put(successOf(rowOf("{}")));
  await stalled.promise;
  sink.abandon();
  await put;
  await sink.close();
  assertEquals(sink.missingLines, 0);
});

Deno.test("Sink says once that nothing more can be made durable", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk();
  disk.beforeSync = () => {
    throw diskError("EIO", "Input/output error");
  };
  const broken: string[] = [];
  const sink = await Sink.open(filesIn(dir), {
    format: FORMAT,
    concurrency: 4,
    openFile: disk.openFile,
    onBroken: (error) => broken.push(error.message),
  });
  await Promise.all([sink.put(successOf(rowOf("{}"))), sink.put(failureOf(rowOf("{}")))]);
  await assertRejects(() => sink.close(), SinkError, "Cannot sync");
  assertEquals(broken.length, 1);
});

Deno.test("Sink limits unsynced rows by the concurrency, also when that changes", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk();
  const gate = Promise.withResolvers<void>();
  disk.beforeSync = () => gate.promise;
  const sink = await Sink.open(filesIn(dir), {
    format: FORMAT,
    concurrency: 1,
    openFile: disk.openFile,
  });
  const outcome = successOf(rowOf("{}"));
  const rows = () => disk.writes.join("").split("\n").length - 1;
  const puts = Array.from({ length: 10_000 }, () => sink.put(outcome));
  await puts[0];
  assertEquals(rows(), 8_192);
  sink.setConcurrency(2_500);
  await puts[9_999];
  assertEquals(rows(), 10_000);
  gate.resolve();
  await sink.close();
});

Deno.test("Sink.open() frees the results file when the failures file cannot be opened", async () => {
  await using dir = await tempDir();
  const files = { results: dir.path("x.jsonl"), failures: dir.path("missing/x.jsonl") };
  await assertRejects(
    () => Sink.open(files, { format: FORMAT, concurrency: 1 }),
    SinkError,
    files.failures,
  );
});

Deno.test("Sink writes a failure for an answer that cannot be written", async () => {
  await using dir = await tempDir();
  const durable: FinishedRow[] = [];
  const sink = await Sink.open(filesIn(dir), {
    format: FORMAT,
    concurrency: 1,
    onDurable: (rows) => durable.push(...rows),
  });
  const completion = completionOf({ toolCalls: [{ id: 1n }] });
  await sink.put(successOf(rowOf('{"a":1}', { uid: "u" }), { completion }));
  await sink.close();
  assertEquals(await dir.read("x.jsonl"), "");
  const [{ uid, error }] = await dir.rows("x_error.jsonl");
  assertEquals(uid, "u");
  assertEquals((error as { type: string }).type, "response");
  const finished = durable.map(({ failure, outcome }) => [failure?.type, outcome]);
  assertEquals(finished, [["response", undefined]]);
});
