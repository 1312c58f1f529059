/** What a run does if fdatasync fails on its output, as over NFS with a full quota. @module */

import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { dirname } from "../../lib/deps/std_path.ts";
import { SinkError } from "../../lib/errors.ts";
import { ResponseGenerator } from "../../lib/response_generator.ts";
import type { Completion, Teacher } from "../../lib/teacher/mod.ts";
import { tempDir } from "../support/temp.ts";

Deno.test("answers in flight are kept if fdatasync fails, and the next run pays for none of them again", async () => {
  await using dir = await tempDir();
  const rows = Array.from({ length: 20 }, (_, i) => ({ id: `${i}`, prompt: `${i}` }));
  const input = await dir.write("in.jsonl", rows);
  const broken = Promise.withResolvers<void>();
  const asked: string[] = [];
  const teacher: Teacher = {
    async complete({ uid }): Promise<Completion> {
      asked.push(uid);
      // The first answer is written and not synced; the others arrive after that.
      if (asked.length > 1) await broken.promise;
      return { response: uid, finishReason: "stop", usage: null, model: "m" };
    },
  };
  const options = { teacher, concurrency: 4, carefulStart: false };
  const run = () =>
    new ResponseGenerator(options).run({ input: [input], output: dir.path("out/") });
  const { syncData } = Deno.FsFile.prototype;
  let isFull = true;
  Deno.FsFile.prototype.syncData = async function () {
    if (isFull) {
      isFull = false;
      // The run notices the failure before the next answer arrives.
      setTimeout(() => broken.resolve(), 0);
      throw Object.assign(new Error("Disk quota exceeded (os error 122)"), { code: "EDQUOT" });
    }
    return await syncData.call(this);
  };
  try {
    await assertRejects(run, SinkError, "Cannot sync");
  } finally {
    Deno.FsFile.prototype.syncData = syncData;
  }
  const paid = asked.length;
  assertEquals(paid < rows.length, true);
  const kept = await dir.rows("out/in.rescued-1.jsonl");
  assertEquals(kept.length, paid - 1);
  const summary = await run();
  assertEquals([summary.state, summary.succeeded + paid], ["done", rows.length]);
  assertEquals(asked.length, rows.length);
  assertEquals(await dir.exists("out/in.rescued-1.jsonl"), false);
});

Deno.test("a run whose answers are in the folder for temporary files says last to move them first", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", [{ prompt: "a" }, { prompt: "b" }]);
  const broken = Promise.withResolvers<void>();
  let calls = 0;
  const teacher: Teacher = {
    async complete({ uid }): Promise<Completion> {
      if (++calls > 1) await broken.promise;
      return { response: uid, finishReason: "stop", usage: null, model: "m" };
    },
  };
  const { syncData } = Deno.FsFile.prototype;
  const { open } = Deno;
  Deno.FsFile.prototype.syncData = function () {
    setTimeout(() => broken.resolve(), 0);
    return Promise.reject(new Error("the disk has failed"));
  };
  Deno.open = (path, options) =>
    String(path).startsWith(dir.path("out/in.rescued-"))
      ? Promise.reject(new Error("the disk has failed"))
      : open(path, options);
  const warnings: string[] = [];
  const generator = new ResponseGenerator({ teacher, concurrency: 2, carefulStart: false });
  generator.on((event) => {
    if (event.type === "notice" && event.level === "warning") warnings.push(event.message);
  });
  try {
    const running = generator.run({ input: [input], output: dir.path("out/") });
    const { message } = await assertRejects(() => running, SinkError, "Cannot sync");
    const path = /go to "(.*?)"/.exec(warnings.at(-1)!)![1];
    assertEquals(
      message.split("\n").at(-1),
      `Before the next run, move "${path}" to "${
        dir.path("out/")
      }": otherwise, these answers are paid for again`,
    );
    assertEquals((await Deno.readTextFile(path)).split("\n").length, 2);
    await Deno.remove(dirname(path), { recursive: true });
  } finally {
    Object.assign(Deno, { open });
    Deno.FsFile.prototype.syncData = syncData;
  }
});
