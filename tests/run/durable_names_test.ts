/** Whether the names of new outputs survive a power failure once a run pays for answers. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { ResponseGenerator } from "../../lib/response_generator.ts";
import type { Completion, Teacher } from "../../lib/teacher/mod.ts";
import { POSIX } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

/** Records which outputs were created in a folder since the folder was last synced. An output is
 * created only after each run file has had its folder synced, so that no other sync helps. */
function watchNames(folder: string, runFiles: number) {
  const { open } = Deno, created = new Set<string>(), unsynced = new Set<string>();
  const haveRunFiles = Promise.withResolvers<void>();
  let syncs = 0;
  Deno.open = async (path, options) => {
    const isOutput = options?.create && /\/out\/\w+\.jsonl$/.test(`${path}`);
    if (isOutput) await haveRunFiles.promise;
    const file = await open(path, options);
    if (isOutput && !created.has(`${path}`)) {
      created.add(`${path}`);
      unsynced.add(`${path}`);
    }
    if (path === folder) {
      file.sync = async function () {
        const names = [...unsynced];
        await Deno.FsFile.prototype.sync.call(this);
        for (const name of names) unsynced.delete(name);
        if (++syncs === runFiles) haveRunFiles.resolve();
      };
    }
    return file;
  };
  return { created, unsynced, [Symbol.dispose]: () => void (Deno.open = open) };
}

// Up to 64 outputs stay open. If there are more, each is opened for its first line.
for (const inputs of [1, 3, 65]) {
  const name = `the names of all outputs of ${inputs} inputs are durable before the first request`;
  Deno.test(name, POSIX, async () => {
    await using dir = await tempDir();
    const input: string[] = [];
    for (let i = 0; i < inputs; i++) {
      input.push(await dir.write(`in${i}.jsonl`, [{ prompt: `${i}` }]));
    }
    using names = watchNames(dir.path("out"), inputs);
    const lost: string[] = [];
    let requests = 0;
    const teacher: Teacher = {
      complete(): Promise<Completion> {
        requests++;
        lost.push(...names.unsynced);
        return Promise.resolve({ response: "x", finishReason: "stop", usage: null, model: "m" });
      },
    };
    const run = new ResponseGenerator({ teacher }).run({ input, output: dir.path("out/") });
    assertEquals([(await run).state, requests, lost], ["done", inputs, []]);
    assertEquals(names.created.size, 2 * inputs);
  });
}
