/** Tests of lib/sink/last_resort.ts. @module */

import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { SinkError } from "../../lib/errors.ts";
import { LastResort } from "../../lib/sink/last_resort.ts";
import { tempDir } from "../support/temp.ts";

Deno.test("LastResort goes to another folder if that of the output takes no more", async () => {
  await using dir = await tempDir();
  // Nothing can be written below a file.
  const output = `${await dir.write("full", "")}/x.jsonl`;
  const files: unknown[] = [];
  const lastResort = new LastResort(output, {
    makeFolder: () => Promise.resolve(dir.path("tmp")),
    onFile: (...file) => files.push(file),
  });
  await Promise.all([lastResort.append("1\n"), lastResort.append("2\n3\n")]);
  await lastResort.untilIdle();
  assertEquals(files, [[dir.path("tmp/x.rescued-1.jsonl"), true]]);
  assertEquals(await dir.read("tmp/x.rescued-1.jsonl"), "1\n2\n3\n");
});

Deno.test("LastResort rejects if lines can be kept nowhere", async () => {
  await using dir = await tempDir();
  const output = `${await dir.write("full", "")}/x.jsonl`;
  const makeFolder = () => Promise.reject(new Deno.errors.PermissionDenied("no"));
  const lastResort = new LastResort(output, { makeFolder });
  await assertRejects(() => lastResort.append("1\n"), SinkError, "permission denied");
  await lastResort.untilIdle();
});
