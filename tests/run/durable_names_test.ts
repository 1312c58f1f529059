/** Whether the names of new files survive a power failure once a run pays for answers. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { ResponseGenerator } from "../../lib/response_generator.ts";
import type { Completion, Teacher } from "../../lib/teacher/mod.ts";
import { POSIX } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

/** Records which outputs were created in a folder, and which run files were replaced, since the
 * folder was last synced. */
function watchNames(folder: string) {
  const { open, rename } = Deno, created = new Set<string>(), unsynced = new Set<string>();
  const counts = { syncs: 0, runFiles: 0 };
  Deno.open = async (path, options) => {
    const file = await open(path, options);
    if (options?.create && /\/out\/\w+\.jsonl$/.test(`${path}`) && !created.has(`${path}`)) {
      created.add(`${path}`);
      unsynced.add(`${path}`);
    }
    if (path === folder) {
      file.sync = async function () {
        counts.syncs++;
        const names = [...unsynced];
        await Deno.FsFile.prototype.sync.call(this);
        for (const name of names) unsynced.delete(name);
      };
    }
    return file;
  };
  Deno.rename = async (from, to) => {
    await rename(from, to);
    if (!`${to}`.endsWith(".run.json")) return;
    counts.runFiles++;
    unsynced.add(`${to}`);
  };
  const restore = () => void Object.assign(Deno, { open, rename });
  return { created, unsynced, counts, [Symbol.dispose]: restore };
}

// Up to 64 outputs stay open. If there are more, each is opened for its first line.
for (const inputs of [1, 3, 65]) {
  const name = `one sync makes all names of ${inputs} inputs durable before the first request`;
  Deno.test(name, POSIX, async () => {
    await using dir = await tempDir();
    const input: string[] = [];
    for (let i = 0; i < inputs; i++) {
      input.push(await dir.write(`in${i}.jsonl`, [{ prompt: `${i}` }]));
    }
    using names = watchNames(dir.path("out"));
    const { created, unsynced, counts } = names;
    const lost = new Set<string>(), syncsBefore = new Set<number>();
    let requests = 0;
    const teacher: Teacher = {
      complete(): Promise<Completion> {
        requests++;
        for (const name of unsynced) lost.add(name);
        syncsBefore.add(counts.syncs);
        return Promise.resolve({ response: "x", finishReason: "stop", usage: null, model: "m" });
      },
    };
    const run = new ResponseGenerator({ teacher }).run({ input, output: dir.path("out/") });
    assertEquals([(await run).state, requests, [...lost]], ["done", inputs, []]);
    assertEquals(created.size, 2 * inputs);
    // The run files are written again at the end, and made durable together.
    assertEquals([counts.runFiles, [...unsynced]], [2 * inputs, []]);
    assertEquals([[...syncsBefore], counts.syncs], [[1], 2]);
  });
}
