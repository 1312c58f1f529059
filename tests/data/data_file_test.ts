/** Tests of one indexed file: lines that are too long, and growth. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { DataFile } from "../../lib/data/data_file.ts";
import { MAX_LINE_BYTES } from "../../lib/formats/mod.ts";
import { tempDir } from "../support/temp.ts";
import { failureLine, resultLine } from "./lines.ts";

/** Reads to the end and returns the uids; throws if the end is never reached. */
function readAll(file: DataFile): string[] {
  const uids: string[] = [];
  for (let blocks = 0; file.read(({ uid }) => uids.push(uid)); blocks++) {
    if (blocks > 100) throw new Error("The file never ends");
  }
  return uids;
}

Deno.test("data file: a line that is too long is reported once, and the lines after it are read", async () => {
  await using dir = await tempDir();
  const [a, b, c] = ["a", "b", "c"].map((uid) => resultLine({ uid }));
  const long = resultLine({ uid: "long", response: "x".repeat(5_000_000) });
  const damage = [{ line: 2, problem: "it is longer than 2 MiB" }];
  for (const [name, text, uids] of [["middle", a + long + b, "ab"], ["end", a + long, "a"]]) {
    const file = new DataFile(await dir.write(`${name}.jsonl`, text), { maxLineBytes: 2 ** 21 });
    file.refresh();
    assertEquals(readAll(file).join(""), uids);
    assertEquals([file.state, file.mark.damage], ["current", damage]);
    await Deno.writeTextFile(file.mark.path, c, { append: true });
    assertEquals([file.refresh(), readAll(file)], [false, ["c"]]);
    assertEquals(file.mark.lines, text === a + long ? 3 : 4);
    file.close();
  }
});

Deno.test("data file: the result of the longest row that a run accepts is a row", async () => {
  await using dir = await tempDir();
  const own = { image: "x".repeat(MAX_LINE_BYTES) };
  const file = new DataFile(await dir.write("x.jsonl", resultLine({ uid: "a", own })));
  file.refresh();
  assertEquals([readAll(file), file.mark.damage], [["a"], []]);
  file.close();
});

Deno.test("data file: a file without a line feed comes to its end", async () => {
  await using dir = await tempDir();
  const cut = a5MB('{"uid":"a","prompt_hash":"');
  for (const [text, state, count] of [[a5MB("["), "foreign", 0], [cut, "current", 1]] as const) {
    const file = new DataFile(await dir.write("x.jsonl", text), { maxLineBytes: 2 ** 21 });
    file.refresh();
    assertEquals(readAll(file), []);
    assertEquals([file.state, file.mark.damageCount], [state, count]);
    // The rest of the line brings no second report.
    if (state === "current") {
      await Deno.writeTextFile(file.mark.path, a5MB("y"), { append: true });
      assertEquals([file.refresh(), readAll(file), file.mark.damageCount], [false, [], 1]);
      await Deno.writeTextFile(file.mark.path, `\n${resultLine({ uid: "b" })}`, { append: true });
      assertEquals([file.refresh(), readAll(file), file.mark.damageCount], [false, ["b"], 1]);
    }
    file.close();
  }
});

Deno.test("data file: a byte order mark before a single line without a line feed is skipped", async () => {
  await using dir = await tempDir();
  const line = resultLine({ uid: "ä" }).trimEnd();
  const file = new DataFile(await dir.write("x.jsonl", `\ufeff${line}`));
  file.refresh();
  let text = "";
  file.read((_facts, { offset, bytes }) => {
    text = new TextDecoder().decode(file.lineAt(offset, bytes));
  });
  assertEquals([file.state, text], ["current", line]);
  await Deno.writeTextFile(file.mark.path, `\n${resultLine({ uid: "b" })}`, { append: true });
  assertEquals([file.refresh(), readAll(file), file.mark.lines], [false, ["b"], 2]);
  file.close();
});

Deno.test("data file: size, rows and run of a removed file are forgotten", async () => {
  await using dir = await tempDir();
  await dir.write("x.run.json", '{"input":"in.jsonl"}');
  const file = new DataFile(await dir.write("x.jsonl", resultLine({ uid: "a" })));
  file.refresh();
  readAll(file);
  assertEquals(file.hints.input, "in.jsonl");
  await Deno.remove(file.mark.path);
  assertEquals([file.refresh(), file.state], [true, "removed"]);
  assertEquals([file.size, file.mark.rows, file.hints], [0, 0, {}]);
});

Deno.test("data file: the run of an empty file is known", async () => {
  await using dir = await tempDir();
  await dir.write("x.run.json", JSON.stringify({ identity: { model: "qwen3" } }));
  const file = new DataFile(await dir.write("x.jsonl", ""));
  file.refresh();
  assertEquals([readAll(file), file.state, file.hints.model], [[], "current", "qwen3"]);
  file.close();
});

Deno.test({
  name: "data file: the run of a file that a link leads to is known",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using dir = await tempDir();
    await dir.write("out/x.run.json", JSON.stringify({ identity: { template: "{{q}}" } }));
    await dir.write("out/x.jsonl", resultLine({ uid: "a" }));
    await Deno.symlink("out/x.jsonl", dir.path("latest.jsonl"));
    const file = new DataFile(dir.path("latest.jsonl"));
    file.refresh();
    assertEquals([readAll(file), file.hints.template], [["a"], "{{q}}"]);
    file.close();
  },
});

function a5MB(start: string): string {
  return start + "x".repeat(5_000_000);
}

Deno.test("data file: a file that grew past a short start is the same, one with another start is not", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x.jsonl", failureLine("0"));
  const file = new DataFile(path);
  file.refresh();
  assertEquals(readAll(file), ["0"]);
  for (let round = 1; round < 4; round++) {
    await Deno.writeTextFile(path, resultLine({ uid: `${round}`, response: "x".repeat(5_000) }), {
      append: true,
    });
    assertEquals([file.refresh(), readAll(file)], [false, [`${round}`]]);
  }
  const bytes = await Deno.readFile(path);
  bytes[8] = "9".charCodeAt(0);
  await Deno.writeFile(path, bytes);
  await Deno.writeTextFile(path, resultLine({ uid: "4" }), { append: true });
  assertEquals([file.refresh(), readAll(file)], [true, ["9", "1", "2", "3", "4"]]);
  file.close();
});
