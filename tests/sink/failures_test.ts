import { assertEquals, assertRejects } from "../../lib/deps/std_assert.ts";
import { DamagedFileError } from "../../lib/errors.ts";
import { rewriteFailures } from "../../lib/sink/failures.ts";
import { tempDir } from "../support/temp.ts";

const all = () => true;

Deno.test("rewriteFailures() keeps the last line of each uid, in the order of the file", async () => {
  await using dir = await tempDir();
  const lines = ['{"uid":"a","n":1}', '{"uid":"b","n":1.0}', '{"uid":"a","n":2}', '{"uid":"c"}'];
  const path = await dir.write("x_error.jsonl", lines.join("\n") + "\n");
  await rewriteFailures(path, all);
  assertEquals(await dir.read("x_error.jsonl"), lines.slice(1).join("\n") + "\n");
  assertEquals(await dir.exists("x_error.jsonl.tmp"), false);
});

Deno.test("rewriteFailures() drops the uids that keep() does not want", async () => {
  await using dir = await tempDir();
  const path = await dir.write(
    "x",
    '{"uid":"a"}\n{"uid":"bad_row:f:1"}\n{"uid":"q\\"é","n":"ü"}\n',
  );
  const seen: [string, string][] = [];
  await rewriteFailures(path, (uid, text) => {
    seen.push([uid, text]);
    return uid !== "a";
  });
  assertEquals(seen[2], ['q"é', '{"uid":"q\\"é","n":"ü"}']);
  assertEquals(await dir.read("x"), '{"uid":"bad_row:f:1"}\n{"uid":"q\\"é","n":"ü"}\n');
  await rewriteFailures(path, () => false);
  assertEquals(await dir.read("x"), "");
});

Deno.test("rewriteFailures() writes nothing where nothing changes", async () => {
  await using dir = await tempDir();
  await rewriteFailures(dir.path("missing"), all);
  assertEquals(await dir.exists("missing"), false);
  const path = await dir.write("x", '{"uid":"a"}\n{"uid":"b"}\n');
  const before = await Deno.stat(path);
  await rewriteFailures(path, all);
  const after = await Deno.stat(path);
  assertEquals([after.ino, after.mtime], [before.ino, before.mtime]);
});

Deno.test("rewriteFailures() copes with files and lines larger than a block", async () => {
  await using dir = await tempDir();
  const rows = Array.from({ length: 40 }, (_, i) => ({
    uid: `u${i % 30}`,
    text: "x".repeat(i === 25 ? 3_000_000 : 90_000),
    i,
  }));
  const path = await dir.write("x", rows);
  await rewriteFailures(path, (uid) => uid !== "u12");
  const expected = rows.filter(({ uid, i }) => i >= 10 && uid !== "u12");
  assertEquals(await dir.rows("x"), expected);
});

Deno.test("rewriteFailures() refuses a damaged line and leaves the file", async () => {
  await using dir = await tempDir();
  for (const damaged of ['{"uid":3}', "{", "null", ""]) {
    const content = `{"uid":"a"}\n{"uid":"a"}\n${damaged}\n{"uid":"b"}\n`;
    const path = await dir.write("x", content);
    await assertRejects(() => rewriteFailures(path, all), DamagedFileError, `"${path}" line 3`);
    assertEquals(await dir.read("x"), content);
    assertEquals(await dir.exists("x.tmp"), false);
  }
});

Deno.test("rewriteFailures() throws the new file away when keep() throws", async () => {
  await using dir = await tempDir();
  const path = await dir.write("x", '{"uid":"a"}\n{"uid":"a"}\n');
  await assertRejects(
    () =>
      rewriteFailures(path, () => {
        throw new TypeError("no");
      }),
    TypeError,
  );
  assertEquals(await dir.exists("x.tmp"), false);
});
