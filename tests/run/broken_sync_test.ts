/** What a run does if fdatasync fails on its output, as over NFS with a full quota. @module */

import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
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
