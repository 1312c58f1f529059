/** Tests of lib/run/claim.ts. @module */

import { assertEquals, assertMatch, assertRejects } from "../../lib/deps/std_assert.ts";
import { basename } from "../../lib/deps/std_path.ts";
import { UsageError } from "../../lib/errors.ts";
import { claimOutput, earlierRunOf, makeRoom } from "../../lib/run/claim.ts";
import { refuseSameNames } from "../../lib/run/jobs.ts";
import { filesOf, type OutputFiles } from "../../lib/run/mod.ts";
import { identityOf } from "../../lib/run/run_file.ts";
import { rescuedFilesOf } from "../../lib/sink/mod.ts";
import { distillFiles } from "../../mod.ts";
import { tempDir } from "../support/temp.ts";

const FAILURE = { uid: "a", prompt_hash: "", error: { type: "truncated", final: false } };
const RESULT = { uid: "a", prompt_hash: "", response: "b", distill: {} };

for (
  const [name, line] of [
    ["x.jsonl", RESULT],
    ["x_error.jsonl", FAILURE],
    ["x.rescued-1.jsonl", RESULT],
    ["x_error.rescued-1.jsonl", FAILURE],
  ] as const
) {
  Deno.test(`a run does not start over without --overwrite if only ${name} is not empty`, async () => {
    await using dir = await tempDir();
    const path = await dir.write(name, [line]);
    const files = filesOf(dir.path("in.jsonl"), dir.path("x"));
    const options = { options: { resume: false }, notices: { add() {} } };
    const message = `Cannot start over: "${path}" is not empty`;
    await assertRejects(() => claimOutput(files, options), UsageError, message);
  });
}

Deno.test("a crash while a run deletes files of rescued lines leaves none that the next run cannot find", async () => {
  const numbers = [1, 2, 3, 4, 5];
  const { remove } = Deno;
  for (let removals = 0; removals <= 13; removals++) {
    await using dir = await tempDir();
    for (const number of numbers) {
      await dir.write(`x.rescued-${number}.jsonl`, [RESULT]);
      await dir.write(`x_error.rescued-${number}.jsonl`, [FAILURE]);
    }
    const files = filesOf(dir.path("in.jsonl"), dir.path("x"));
    const options = { options: { resume: false }, notices: { add() {} } };
    let removed = 0;
    Deno.remove = (path) =>
      ++removed > removals ? Promise.reject(new Error("killed")) : remove(path);
    try {
      await makeRoom(files, new Set(), options, undefined).catch(() => {});
    } finally {
      Deno.remove = remove;
    }
    const found = [
      ...await rescuedFilesOf(files.results, "results"),
      ...await rescuedFilesOf(files.failures, "failures"),
    ];
    assertEquals(found.map((path) => basename(path)), await dir.names(), `${removals} removals`);
  }
});

Deno.test("a run that continues answers without a run file says that their settings are not known", async () => {
  await using dir = await tempDir();
  const files = filesOf(dir.path("in.jsonl"), dir.path("x"));
  const identity = identityOf({ model: "m", params: {}, finalMessages: false, think: "wrap" });
  const noticesOf = async (options: { allowMixed?: boolean } = {}) => {
    const texts: string[] = [];
    const notices = { add: (_level: string, text: string) => texts.push(text) };
    const given = { input: [], output: "x.jsonl", ...options };
    assertEquals(await earlierRunOf(files, { options: given, identity, notices }), undefined);
    return texts;
  };
  assertEquals(await noticesOf(), []);
  await dir.write("x.jsonl", [RESULT]);
  const [text] = await noticesOf();
  assertMatch(
    text,
    /^The settings of the answers in ".*x\.jsonl" are not known, because ".*x\.run\.json" is missing/,
  );
  assertEquals(await noticesOf({ allowMixed: true }), []);
});

Deno.test("two outputs that are one file, where the filesystem ignores case or accents, are refused", async () => {
  await using dir = await tempDir();
  const filesOfNames = (...names: string[]) =>
    names.map((name) => filesOf(dir.path(`in/${name}.jsonl`), dir.path(name)));
  const files = filesOfNames("Data", "data", "other"), accents = filesOfNames("\u00e9", "e\u0301");
  const list = (...names: string[]) => () => Promise.resolve(names);
  await refuseSameNames(files, list("Data.lock", "data.lock", "other.lock"));
  await refuseSameNames(accents, list("\u00e9.lock", "e\u0301.lock"));
  // The names of other outputs do not matter.
  await refuseSameNames([files[0], files[2]], list());
  const refusal = async (files: OutputFiles[], ...names: string[]) =>
    (await assertRejects(() => refuseSameNames(files, list(...names)), UsageError)).message;
  const advice =
    'and "[^"]*/in/data.jsonl" to "[^"]*": their names are the same .* to two folders$';
  assertMatch(await refusal(files, "Data.lock", "other.lock"), new RegExp(advice));
  // Folders may be listed in another form.
  assertMatch(await refusal(accents, "e\u0301.lock"), /to two folders$/);
  // As on a filesystem that ignores case, both names lead to one input.
  await dir.write("in/Data.jsonl", "");
  if (!(await dir.exists("in/data.jsonl"))) {
    await Deno.link(dir.path("in/Data.jsonl"), dir.path("in/data.jsonl"));
  }
  assertMatch(await refusal(files, "Data.lock"), /they are the same file\. Name it once$/);
});

Deno.test("outputs whose names differ in case are written where the filesystem tells them apart", async () => {
  await using dir = await tempDir();
  const files = ["x", "X"].map((name) => filesOf(`${name}.jsonl`, dir.path(name)));
  const names = refuseSameNames(files).then(() => dir.names());
  const tellsApart = Deno.build.os === "linux";
  if (tellsApart) assertEquals((await names).toSorted(), ["X.lock", "x.lock"]);
  else await names.catch((error) => assertMatch(error.message, /to two folders/));
});

Deno.test("a run refuses two outputs that are one file before it locks them", async () => {
  await using dir = await tempDir();
  const inputs = [await dir.write("in/a.jsonl", "{}\n"), await dir.write("in2/A.jsonl", "{}\n")];
  const { readDir } = Deno;
  // As where the filesystem of the output ignores case.
  Deno.readDir = async function* (path) {
    for await (const entry of readDir(path)) if (entry.name !== "A.lock") yield entry;
  };
  try {
    const teacher = { model: "m", complete: () => Promise.reject(new Error("called")) };
    const run = () => distillFiles(inputs, dir.path("out/"), { teacher });
    await assertRejects(run, UsageError, "their names are the same on this filesystem");
    assertEquals(await dir.read("out/a.lock"), "");
  } finally {
    Deno.readDir = readDir;
  }
});
