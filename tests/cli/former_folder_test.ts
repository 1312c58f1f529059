/** Runs of versions in which relative paths led to the project's folder. @module */

import { assertRejects, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { refuseFormerFolder } from "../../cli/program.ts";
import { UsageError } from "../../lib/errors.ts";
import { tempDir } from "../support/temp.ts";

Deno.test("refuseFormerFolder() throws only if a run of this name exists only in the former folder", async () => {
  await using dir = await tempDir();
  const folders = { user: dir.path("data"), start: dir.path("my clone") };
  const refuse = (input: string, output: string) =>
    refuseFormerFolder({ input: [input], output }, { folders });
  await dir.write("my clone/out/old.run.json", "{}");
  await dir.write("my clone/out/older.jsonl", "{}\n");
  await dir.write("my clone/one.jsonl", "{}\n");

  for (
    const [input, output, place] of [
      ["old.jsonl", "out/", "my clone/out/"],
      ["../x/old.csv", "./out", "my clone/out/"],
      ["older.jsonl", "out/", "my clone/out/"],
      ["in.jsonl", "one.jsonl", "my clone/one.jsonl"],
    ]
  ) {
    const error = await assertRejects(
      () => refuse(input, output),
      UsageError,
      "it contains no run",
    );
    // On Windows, the message has quotes and separators of its own.
    const message = error.message.replaceAll("\\", "/").replaceAll('-o "', "-o '");
    assertStringIncludes(message, `-o '${dir.path(place).replaceAll("\\", "/")}`);
    assertStringIncludes(message, `"${folders.user.replaceAll("\\", "/")}/`);
  }
  await refuse("new.jsonl", "out/");
  await refuse("old.jsonl", dir.path("my clone/out/"));
  await refuseFormerFolder({ input: ["old.jsonl"], output: "out/" }, {});
  await dir.write("data/out/old.run.json", "{}");
  await refuse("old.jsonl", "out/");
});
