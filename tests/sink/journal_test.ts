import { setImmediate } from "node:timers";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLessOrEqual,
  assertRejects,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { SinkError } from "../../lib/errors.ts";
import { Journal } from "../../lib/sink/journal.ts";
import { tempDir } from "../support/temp.ts";
import { diskError, FaultyDisk, ManualDelay, NO_SPACE, openJournal } from "./faulty_disk.ts";

/** Whether a promise is still pending after a whole turn of the event loop. */
async function stateOf(promise: Promise<unknown>): Promise<"pending" | "settled"> {
  // A timer that is late fires before what the same turn does at its end.
  const later = new Promise<"pending">((resolve) =>
    setTimeout(() => setImmediate(() => resolve("pending")), 0)
  );
  const settled = () => "settled" as const;
  return await Promise.race([promise.then(settled, settled), later]);
}

Deno.test("Journal writes 2,000 appends of one turn in one call", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk();
  const durable: number[] = [];
  await using journal = await openJournal<number>(dir.path("x.jsonl"), {
    openFile: disk.openFile,
    maxUnsyncedRows: 8_000,
    onDurable: (records) => durable.push(...records),
  });
  const numbers = Array.from({ length: 2_000 }, (_, i) => i);
  const appends = numbers.map((i) => journal.append(`{"n":${i}}`, i));
  assertEquals(new Set(appends).size, 1, "the promise is shared by the batch");
  await Promise.all(appends);
  assertEquals(disk.writes.length, 1);
  await journal.flush();
  assertEquals(durable, numbers);
  assertEquals(await dir.rows("x.jsonl"), numbers.map((n) => ({ n })));
});

Deno.test("Journal lets lanes continue within the same turn of the event loop", async () => {
  await using dir = await tempDir();
  const order: string[] = [];
  await using journal = await openJournal<number>(dir.path("x"), {
    now: () => 0,
    openFile: async (path) => {
      const file = await Deno.open(path, { append: true, create: true });
      return Object.assign(file, {
        startSize: 0,
        write: () => {
          throw new Error("a thread would take a turn");
        },
        writeSync: (bytes: Uint8Array) => {
          order.push(new TextDecoder().decode(bytes));
          return bytes.length;
        },
      });
    },
  });
  // Two turns: a batch may wait for the end of its turn only.
  for (const turn of ["first", "second"]) {
    const turnEnds = new Promise<void>((resolve) =>
      setImmediate(() => {
        order.push(`the ${turn} turn ends`);
        resolve();
      })
    );
    await Promise.all([..."bcdefghi"].map((line, i) => journal.append(line, i)));
    order.push("lanes continue");
    const few = journal.append("a", 0);
    await turnEnds;
    await few;
    order.push("a lane continues");
  }
  const full = ["b\nc\nd\ne\nf\ng\nh\ni\n", "lanes continue"];
  const few = ["a\n", "a lane continues"];
  assertEquals(order, [
    ...full,
    "the first turn ends",
    ...few,
    ...full,
    "the second turn ends",
    ...few,
  ]);
});

Deno.test("Journal lets timers run even if every write is fast", async () => {
  await using dir = await tempDir();
  await using journal = await openJournal<number>(dir.path("x"), {
    fsync: "never",
    openFile: async (path) => {
      const file = await Deno.open(path, { append: true, create: true });
      const writeSync = (bytes: Uint8Array) => bytes.length;
      return Object.assign(file, { startSize: 0, writeSync });
    },
  });
  let isOver = false;
  setTimeout(() => isOver = true, 1);
  let batches = 0;
  for (; !isOver && batches < 1_000_000; batches++) {
    await Promise.all(Array.from({ length: 16 }, (_, i) => journal.append("line", i)));
  }
  assert(isOver, `${batches} batches went by without a turn`);
});

Deno.test("Journal batches appends during a write", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk();
  const gate = Promise.withResolvers<void>();
  disk.beforeWrite = async (length) => {
    await gate.promise;
    return length;
  };
  await using journal = await openJournal<number>(dir.path("x"), { openFile: disk.openFile });
  const first = journal.append("a", 1);
  await stateOf(first);
  const second = journal.append("b", 2);
  await stateOf(second);
  const third = journal.append("c", 3);
  gate.resolve();
  await Promise.all([first, second, third]);
  assertEquals(disk.writes, ["a\n", "b\nc\n"]);
});

Deno.test("Journal resolves an append when it is written and reports it when it is synced", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk();
  const gate = Promise.withResolvers<void>();
  disk.beforeSync = () => gate.promise;
  const durable: string[] = [];
  await using journal = await openJournal<string>(dir.path("x"), {
    openFile: disk.openFile,
    onDurable: (records) => durable.push(...records),
  });
  await journal.append("a", "A");
  assertEquals(await dir.read("x"), "a\n");
  const flushed = journal.flush();
  assertEquals(await stateOf(flushed), "pending");
  assertEquals(durable, []);
  // Writes continue during a sync.
  await journal.append("b", "B");
  assertEquals(disk.syncs, 1);
  gate.resolve();
  await flushed;
  assertEquals(durable[0], "A");
  await journal.flush();
  assertEquals(durable, ["A", "B"]);
  assertEquals([disk.writes.length, disk.syncs], [2, 2]);
});

Deno.test("Journal keeps the order of appends across many batches", async () => {
  await using dir = await tempDir();
  const durable: number[] = [];
  await using journal = await openJournal<number>(dir.path("x"), {
    onDurable: (records) => durable.push(...records),
    maxUnsyncedRows: 7,
  });
  let next = 0;
  const expected: string[] = [];
  await Promise.all(Array.from({ length: 20 }, async () => {
    while (next < 2_000) {
      const n = next++;
      expected.push(`${n}`);
      await journal.append(`${n}`, n);
    }
  }));
  await journal.flush();
  assertEquals((await dir.read("x")).split("\n").slice(0, -1), expected);
  assertEquals(durable.map(String), expected);
});

Deno.test("Journal with fsync never reports a row once it is written", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk();
  const durable: number[] = [];
  await using journal = await openJournal<number>(dir.path("x"), {
    openFile: disk.openFile,
    fsync: "never",
    onDurable: (records) => durable.push(...records),
  });
  await journal.append("a", 1);
  await journal.flush();
  assertEquals(durable, [1]);
  assertEquals(disk.syncs, 0);
});

Deno.test("Journal limits unsynced rows to maxUnsyncedRows", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk();
  const gate = Promise.withResolvers<void>();
  disk.beforeSync = () => gate.promise;
  let durable = 0;
  let mostUnsynced = 0;
  const journal = await Journal.open<number>(dir.path("x"), {
    openFile: disk.openFile,
    maxUnsyncedRows: 10,
    onDurable: (records) => durable += records.length,
  });
  const appends = Array.from({ length: 100 }, (_, i) => journal.append("line", i));
  await appends[9];
  assertEquals(await stateOf(appends[10]), "pending");
  journal.maxUnsyncedRows = 30;
  await appends[29];
  assertEquals(await stateOf(appends[30]), "pending");
  disk.beforeSync = () => {
    const written = disk.writes.join("").split("\n").length - 1;
    mostUnsynced = Math.max(mostUnsynced, written - durable);
  };
  gate.resolve();
  await journal.close();
  assertEquals(durable, 100);
  assertLessOrEqual(mostUnsynced, 30);
});

Deno.test("Journal limits unsynced bytes to 64 MiB", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk();
  const gate = Promise.withResolvers<void>();
  disk.beforeSync = () => gate.promise;
  await using journal = await openJournal<number>(dir.path("x"), { openFile: disk.openFile });
  const line = "x".repeat(25 * 1024 * 1024);
  await journal.append(line, 1);
  await journal.append(line, 2);
  const third = journal.append(line, 3);
  assertEquals(await stateOf(third), "pending");
  gate.resolve();
  await third;
});

Deno.test("Journal continues after a short write", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk();
  disk.beforeWrite = (length) => Math.min(length, 3);
  let stalls = 0;
  await using journal = await openJournal<number>(dir.path("x"), {
    openFile: disk.openFile,
    onStall: () => stalls++,
  });
  await Promise.all([journal.append("abcdef", 1), journal.append("ghé", 2)]);
  assertEquals(await dir.read("x"), "abcdef\nghé\n");
  assertEquals(stalls, 0);
});

Deno.test("Journal trims a torn write, waits for room and loses nothing", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x", "old\n");
  const disk = new FaultyDisk();
  const manual = new ManualDelay();
  const told: string[] = [];
  const durable: number[] = [];
  let room = 7;
  disk.beforeWrite = (length) => {
    if (room === 0) throw NO_SPACE;
    const taken = Math.min(length, room);
    room -= taken;
    return taken;
  };
  await using journal = await openJournal<number>(path, {
    openFile: disk.openFile,
    delay: manual.delay,
    onStall: (error) => told.push(error.message),
    onRecover: () => told.push("recovered"),
    onDurable: (records) => durable.push(...records),
  });
  const appends = [journal.append("one", 1), journal.append("two", 2), journal.append("three", 3)];
  await manual.begun;
  assertEquals(await dir.read("x"), "old\none\n", "whole lines, as many as there was room for");
  const late = journal.append("four", 4);
  room = 2;
  manual.end();
  await stateOf(late);
  await manual.begun;
  assertEquals(await dir.read("x"), "old\none\n");
  assertEquals(await stateOf(Promise.race([...appends, late])), "pending");
  room = Infinity;
  manual.end();
  await Promise.all([...appends, late]);
  assertEquals(await dir.read("x"), "old\none\ntwo\nthree\nfour\n");
  await journal.flush();
  assertEquals(durable, [1, 2, 3, 4]);
  assertEquals(told.length, 2, "one stall is told once");
  assertStringIncludes(told[0], `Cannot write "${path}": No space left on device`);
  assertEquals(told[1], "recovered");
});

Deno.test("Journal trims before the next try if trimming failed too", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk();
  const manual = new ManualDelay();
  let isBad = true;
  let writes = 0;
  disk.beforeWrite = (length) => {
    if (isBad && writes++ > 0) throw diskError("EIO", "Input/output error");
    return isBad ? 2 : length;
  };
  disk.beforeTruncate = () => {
    if (isBad) throw diskError("EIO", "Input/output error");
  };
  await using journal = await openJournal<number>(dir.path("x"), {
    openFile: disk.openFile,
    delay: manual.delay,
  });
  const append = journal.append("abc", 1);
  await manual.begun;
  assertEquals(await dir.read("x"), "ab");
  isBad = false;
  manual.end();
  await append;
  assertEquals(await dir.read("x"), "abc\n");
});

Deno.test("Journal.abandon() ends a stall: lines go to another file, and none is reported as durable", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk();
  const manual = new ManualDelay();
  const syncGate = Promise.withResolvers<void>();
  disk.beforeSync = () => syncGate.promise;
  let durable = 0;
  let broken = 0;
  const journal = await Journal.open<number>(dir.path("x"), {
    openFile: disk.openFile,
    delay: manual.delay,
    onDurable: (records) => durable += records.length,
    onBroken: () => broken++,
  });
  await journal.append("written", 1);
  disk.beforeWrite = () => {
    throw NO_SPACE;
  };
  const stuck = journal.append("stuck", 2);
  await manual.begun;
  const queued = journal.append("queued", 3);
  const closed = journal.close();
  journal.abandon();
  await Promise.all([stuck, queued]);
  await assertRejects(() => journal.append("late", 4), SinkError);
  syncGate.resolve();
  await closed;
  assertEquals([durable, broken], [0, 1]);
  assertEquals(await dir.read("x"), "written\n");
  const lines = (await dir.read("x.rescued-1.jsonl")).trimEnd().split("\n");
  assertEquals(lines.toSorted(), ["queued", "stuck"]);
});

Deno.test("Journal.abandon() ends the wait before the next try", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk();
  disk.beforeWrite = () => {
    throw NO_SPACE;
  };
  const stalled = Promise.withResolvers<void>();
  await using journal = await openJournal<number>(dir.path("x"), {
    openFile: disk.openFile,
    onStall: () => stalled.resolve(),
  });
  const append = journal.append("a", 1);
  await stalled.promise;
  journal.abandon();
  // The sanitizer finds the timer of the retry if it is left.
  await append;
});

Deno.test("Journal is broken by a failed sync and never syncs again", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk();
  const broken: SinkError[] = [], rescued: unknown[] = [];
  const durable: number[] = [];
  const journal = await Journal.open<number>(dir.path("x"), {
    openFile: disk.openFile,
    onDurable: (records) => durable.push(...records),
    onBroken: (error) => broken.push(error),
    onRescue: (...file) => rescued.push(file),
  });
  await journal.append("good", 1);
  await journal.flush();
  disk.beforeSync = () => {
    throw diskError("EIO", "Input/output error");
  };
  await journal.append("bad", 2);
  await assertRejects(() => journal.flush(), SinkError, "Cannot sync");
  disk.beforeSync = () => {};
  // The answers in flight are paid for, so their lines go to another file.
  await Promise.all([journal.append("late", 3), journal.append("later", 4)]);
  assertEquals(rescued, [[dir.path("x.rescued-1.jsonl"), false]]);
  assertEquals(await dir.read("x.rescued-1.jsonl"), "late\nlater\n");
  await assertRejects(() => journal.close(), SinkError);
  await assertRejects(() => journal.append("too late", 5), SinkError, "Input/output error");
  assertEquals(durable, [1]);
  assertEquals(disk.syncs, 2);
  assertEquals(broken.length, 1);
  assertInstanceOf(broken[0], SinkError);
  assertEquals(broken[0].path, dir.path("x"));
});

Deno.test("Journal rescues what waits for room when a sync fails", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk();
  const gate = Promise.withResolvers<void>();
  disk.beforeSync = () => gate.promise;
  await using journal = await openJournal<number>(dir.path("x"), {
    openFile: disk.openFile,
    maxUnsyncedRows: 1,
  });
  await journal.append("a", 1);
  const waiting = journal.append("b", 2);
  assertEquals(await stateOf(waiting), "pending");
  gate.reject(diskError("EIO", "Input/output error"));
  await waiting;
  assertEquals(await dir.read("x.rescued-1.jsonl"), "b\n");
  assertEquals([journal.appendedRows, journal.missingRows], [2, 1]);
});

Deno.test("Journal rescues what is being written when a sync fails, whether or not that succeeds", async () => {
  for (const isWritten of [true, false]) {
    await using dir = await tempDir();
    const disk = new FaultyDisk();
    const syncing = Promise.withResolvers<void>(), writing = Promise.withResolvers<number>();
    disk.beforeSync = () => syncing.promise;
    await using journal = await openJournal<number>(dir.path("x"), {
      openFile: disk.openFile,
      delay: () => Promise.resolve(),
      // Half of it is reached by the first row, which is then synced at once.
      maxUnsyncedRows: 2,
    });
    await journal.append("a", 1);
    disk.beforeWrite = () => writing.promise;
    const written = journal.append("b", 2);
    assertEquals(await stateOf(written), "pending");
    syncing.reject(diskError("EIO", "Input/output error"));
    assertEquals(await stateOf(written), "pending");
    if (isWritten) writing.resolve(2);
    else writing.reject(diskError("EIO", "Input/output error"));
    await written;
    assertEquals(await dir.read("x.rescued-1.jsonl"), "b\n");
    assertEquals([journal.appendedRows, journal.missingRows], [2, 1]);
  }
});

Deno.test("Journal.close() makes everything durable, and rejects later appends", async () => {
  await using dir = await tempDir();
  let durable = 0;
  const journal = await Journal.open<number>(dir.path("x"), {
    onDurable: (records) => durable += records.length,
  });
  const append = journal.append("a", 1);
  const closed = journal.close();
  await assertRejects(() => journal.append("b", 2), SinkError, "it is closed");
  await Promise.all([append, closed, journal.close()]);
  assertEquals(durable, 1);
  assertEquals(await dir.read("x"), "a\n");
});

Deno.test("Journal accepts an append just when the writer becomes idle", async () => {
  await using dir = await tempDir();
  await using journal = await openJournal<number>(dir.path("x"));
  for (let hops = 0; hops < 8; hops++) {
    await journal.append("a", 1);
    for (let i = 0; i < hops; i++) await undefined;
    await journal.append("b", 2);
  }
  await journal.flush();
  assertEquals((await dir.read("x")).length, 32);
});

Deno.test("Journal.open() names the file that cannot be opened", async () => {
  await using dir = await tempDir();
  const error = await assertRejects(
    () => Journal.open(dir.path("missing/x.jsonl")),
    SinkError,
    `Cannot write "${dir.path("missing/x.jsonl")}"`,
  );
  assertEquals(error.path, dir.path("missing/x.jsonl"));
});

Deno.test("Journal.rescue() moves what waits for disk space, and all that follows, to another file", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk(), manual = new ManualDelay();
  const broken: string[] = [], rescued: unknown[] = [];
  const journal = await Journal.open<number>(dir.path("x"), {
    openFile: disk.openFile,
    delay: manual.delay,
    onBroken: ({ message }) => broken.push(message),
    onRescue: (...file) => rescued.push(file),
  });
  await journal.append("written", 1);
  journal.rescue();
  assertEquals(broken, []);
  disk.beforeWrite = () => {
    throw NO_SPACE;
  };
  const stuck = journal.append("stuck", 2);
  await manual.begun;
  const queued = journal.append("queued", 3);
  journal.rescue();
  await Promise.all([stuck, queued, journal.append("late", 4)]);
  assertEquals(await dir.read("x"), "written\n");
  const lines = (await dir.read("x.rescued-1.jsonl")).trimEnd().split("\n");
  assertEquals(lines.toSorted(), ["late", "queued", "stuck"]);
  assertEquals([rescued.length, broken.length, journal.missingRows], [1, 1, 0]);
  await assertRejects(() => journal.close(), SinkError, "Cannot write");
});

for (
  const reason of ["Transport endpoint is not connected (os error 107)", "Stale (os error 116)"]
) {
  Deno.test(`Journal does not wait for a handle whose mount is gone: ${reason}`, async () => {
    await using dir = await tempDir();
    const disk = new FaultyDisk();
    const broken: string[] = [], stalls: unknown[] = [];
    const journal = await Journal.open<number>(dir.path("x"), {
      openFile: disk.openFile,
      onStall: (error) => stalls.push(error),
      onBroken: ({ message }) => broken.push(message),
    });
    await journal.append("a", 1);
    disk.beforeWrite = () => Promise.reject(new Error(reason));
    await Promise.all([journal.append("b", 2), journal.append("c", 3)]);
    await journal.append("d", 4);
    assertEquals(await dir.read("x.rescued-1.jsonl"), "b\nc\nd\n");
    assertEquals([stalls, broken.length, journal.missingRows], [[], 1, 0]);
    assertStringIncludes(broken[0], reason);
    await assertRejects(() => journal.close(), SinkError);
  });
}

Deno.test("Journal.rescue() counts lines once if the disk accepts them after all", async () => {
  await using dir = await tempDir();
  const disk = new FaultyDisk(), manual = new ManualDelay();
  const journal = await Journal.open<number>(dir.path("x"), {
    openFile: disk.openFile,
    delay: manual.delay,
  });
  disk.beforeWrite = () => {
    throw NO_SPACE;
  };
  const stuck = journal.append("stuck", 1);
  await manual.begun;
  const retried = Promise.withResolvers<void>(), room = Promise.withResolvers<number>();
  disk.beforeWrite = () => {
    retried.resolve();
    return room.promise;
  };
  manual.end();
  await retried.promise;
  journal.rescue();
  room.resolve(Infinity);
  await stuck;
  assertEquals(await dir.read("x.rescued-1.jsonl"), "stuck\n");
  assertEquals(journal.missingRows, 0);
  await assertRejects(() => journal.close(), SinkError);
});
