import { assertEquals, assertRejects, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { SinkError, UsageError } from "../../lib/errors.ts";
import { makeFolders, outputFilesOf } from "../../lib/run/mod.ts";
import { verify } from "../../lib/run/mod.ts";
import { prompts, runShard } from "../shards/fixture.ts";
import { tempDir } from "../support/temp.ts";

async function refusal(inputs: string[], output: string): Promise<string> {
  return (await assertRejects(() => outputFilesOf(inputs, output), UsageError)).message;
}

Deno.test("outputFilesOf() names the files in a folder after each input", async () => {
  assertEquals(await outputFilesOf(["data/a.jsonl", "b.ndjson"], "nowhere/"), [
    {
      input: "data/a.jsonl",
      pieces: [{ path: "data/a.jsonl", name: "data/a.jsonl" }],
      results: "nowhere/a.jsonl",
      failures: "nowhere/a_error.jsonl",
      runJson: "nowhere/a.run.json",
      lock: "nowhere/a.lock",
    },
    {
      input: "b.ndjson",
      pieces: [{ path: "b.ndjson", name: "b.ndjson" }],
      results: "nowhere/b.jsonl",
      failures: "nowhere/b_error.jsonl",
      runJson: "nowhere/b.run.json",
      lock: "nowhere/b.lock",
    },
  ]);
});

for (const name of ["out.jsonl", "new/out.ndjson"]) {
  Deno.test(`outputFilesOf() takes ${name} for the one results file`, async () => {
    const [files] = await outputFilesOf(["a.jsonl"], name);
    const stem = name.replace(/\.\w+$/, "");
    assertEquals(files.results, name);
    assertEquals(files.failures, `${stem}_error.jsonl`);
    assertEquals(files.runJson, `${stem}.run.json`);
    assertEquals(files.lock, `${stem}.lock`);
  });
}

for (
  const [input, stem] of [
    ["a.jsonl", "a"],
    ["a.jsonl.gz", "a"],
    ["a.ndjson.gz", "a"],
    ["a.json", "a"],
    ["a.gz", "a"],
    ["a.txt", "a"],
    ["a.csv.zst", "a"],
    ["a.parquet", "a"],
    ["a.b.jsonl", "a.b"],
    ["a.jsonl.bak", "a.jsonl.bak"],
    ["/x/y.jsonl/a", "a"],
    ["-", "stdin"],
  ]
) {
  Deno.test(`outputFilesOf() names the results of ${input} ${stem}.jsonl`, async () => {
    assertEquals((await outputFilesOf([input], "out"))[0].results, `out/${stem}.jsonl`);
  });
}

Deno.test("outputFilesOf() treats a name that ends in a slash, or is a folder, as a folder", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(dir.path("is_a_folder.jsonl"));
  for (
    const [output, results] of [
      ["x.jsonl/", "x.jsonl/a.jsonl"],
      ["out///", "out/a.jsonl"],
      [".", "./a.jsonl"],
      ["/", "/a.jsonl"],
      [dir.path("is_a_folder.jsonl"), dir.path("is_a_folder.jsonl/a.jsonl")],
    ]
  ) {
    assertEquals((await outputFilesOf(["a.jsonl"], output))[0].results, results);
  }
});

Deno.test("outputFilesOf() refuses a missing input or output", async () => {
  assertStringIncludes(await refusal([], "out/"), "name one");
  assertStringIncludes(await refusal(["a.jsonl"], ""), "name a file or folder");
});

Deno.test("outputFilesOf() refuses to write several inputs to one file", async () => {
  assertStringIncludes(await refusal(["a.jsonl", "b.jsonl"], "out.jsonl"), "2 inputs");
});

for (
  const [inputs, path] of [
    [["x/a.jsonl", "y/a.jsonl"], "out/a.jsonl"],
    [["a.jsonl", "a.jsonl.gz"], "out/a.jsonl"],
    [["a.jsonl", "a.jsonl"], "out/a.jsonl"],
    [["a.jsonl", "a_error.jsonl"], "out/a_error.jsonl"],
    [["a_error.jsonl", "a.jsonl"], "out/a_error.jsonl"],
    [["-", "stdin.jsonl"], "out/stdin.jsonl"],
    [["x.jsonl", "x.ndjson"], "out/x.jsonl"],
    [["a.jsonl", "a.outdated.jsonl"], "out/a.outdated.jsonl"],
    [["a.outdated.jsonl", "a.jsonl"], "out/a.outdated.jsonl"],
  ] as const
) {
  Deno.test(`outputFilesOf() refuses ${inputs.join(" with ")}, for both would write one file`, async () => {
    const message = await refusal([...inputs], "out");
    for (const part of [path, ...inputs]) assertStringIncludes(message, `"${part}"`);
  });
}

Deno.test("outputFilesOf() advises to name an input once if it was named twice", async () => {
  const advice = "they are the same file. Name it once";
  for (const inputs of [["a.jsonl", "./a.jsonl"], ["a.jsonl", "x/../a.jsonl"]]) {
    assertStringIncludes(await refusal(inputs, "out"), advice);
  }
  assertStringIncludes(await refusal(["x/a.jsonl", "a.jsonl"], "out"), "to two folders");
});

Deno.test("outputFilesOf() refuses an output that is an input, whatever it is called", async () => {
  await using dir = await tempDir();
  const input = await dir.write("data/a.jsonl", "{}\n");
  await Deno.symlink(dir.path("data"), dir.path("link"));
  await Deno.link(input, dir.path("hard.jsonl"));
  await Deno.symlink(input, dir.path("soft.jsonl"));
  for (
    const output of [
      dir.path("data"),
      dir.path("data/../data/"),
      dir.path("link/"),
      input,
      dir.path("hard.jsonl"),
      dir.path("soft.jsonl"),
    ]
  ) {
    assertStringIncludes(await refusal([input], output), `it is the input "${input}"`);
  }
});

Deno.test("outputFilesOf() refuses to write failures, run.json or lock over an input", async () => {
  await using dir = await tempDir();
  for (const name of ["a_error.jsonl", "a.run.json", "a.lock"]) {
    const input = await dir.write(name, "{}\n");
    const message = await refusal([input], dir.path("a.jsonl"));
    assertStringIncludes(message, `"${input}"`);
  }
});

Deno.test("outputFilesOf() refuses an output that is another input of the run", async () => {
  await using dir = await tempDir();
  await dir.write("in/a.jsonl", "{}\n");
  await dir.write("out/a.jsonl", "{}\n");
  await refusal([dir.path("in/a.jsonl"), dir.path("out/a.jsonl")], dir.path("out"));
  await dir.write("b/b.jsonl", "{}\n");
  await Deno.symlink(dir.path("in/a.jsonl"), dir.path("out/b.jsonl"));
  await Deno.remove(dir.path("out/a.jsonl"));
  await refusal([dir.path("b/b.jsonl"), dir.path("in/a.jsonl")], dir.path("out"));
});

/** Creates a file of each kind that is not regular. */
const SPECIAL: Record<string, (path: string) => Promise<Disposable | void>> = {
  "a FIFO": async (path) => {
    await new Deno.Command("mkfifo", { args: [path] }).output();
  },
  "a socket": (path) => {
    const listener = Deno.listen({ transport: "unix", path });
    return Promise.resolve({ [Symbol.dispose]: () => listener.close() });
  },
  "a device": (path) => Deno.symlink("/dev/null", path),
  "a folder": (path) => Deno.mkdir(path),
};

for (const [kind, make] of Object.entries(SPECIAL)) {
  for (
    const name of [
      "a.jsonl",
      "a_error.jsonl",
      "a.run.json",
      "a.lock",
      "a.outdated.jsonl",
    ]
  ) {
    Deno.test({
      name: `outputFilesOf() refuses ${name} where it is ${kind}`,
      ignore: Deno.build.os === "windows",
      async fn() {
        await using dir = await tempDir();
        using _open = await make(dir.path(name)) ?? { [Symbol.dispose]() {} };
        const message = await refusal(["in/a.jsonl"], dir.path("./"));
        assertStringIncludes(message, name);
        assertStringIncludes(message, `it must be a regular file, and it is ${kind}`);
      },
    });
  }
}

// Deno rounds large inodes, as of Lustre and NTFS: neighbours have the same number.
for (const ino of [null, 2 ** 57]) {
  Deno.test(`outputFilesOf() tells files apart where each has the inode ${ino}`, async () => {
    await using dir = await tempDir();
    const input = await dir.write("in/a.jsonl", "{}\n");
    for (const name of ["a.jsonl", "a_error.jsonl"]) await dir.write(`out/${name}`, "");
    const { stat } = Deno;
    Deno.stat = async (path) => ({ ...await stat(path), ino });
    try {
      assertEquals((await outputFilesOf([input], dir.path("out/"))).length, 1);
      assertStringIncludes(
        await refusal([input], dir.path("in/../in/a.jsonl")),
        `it is the input "${input}"`,
      );
    } finally {
      Deno.stat = stat;
    }
  });
}

Deno.test("outputFilesOf() refuses two results that lead to one file", async () => {
  await using dir = await tempDir();
  const one = await dir.write("one.jsonl", "");
  await Deno.mkdir(dir.path("out"));
  for (const name of ["a", "b"]) await Deno.symlink(one, dir.path(`out/${name}.jsonl`));
  const message = await refusal(["a.jsonl", "b.jsonl"], dir.path("out"));
  assertStringIncludes(message, 'for both "a.jsonl" and "b.jsonl"');
});

for (const [name, sibling] of [["x.jsonl", "x.ndjson"], ["x.ndjson", "x.jsonl"]]) {
  Deno.test(`outputFilesOf() refuses ${name} where the results in ${sibling} have its side files`, async () => {
    await using dir = await tempDir();
    const line = '{"uid":"a","prompt_hash":"","response":""}\n';
    await dir.write(sibling, line);
    assertStringIncludes(await refusal(["in"], dir.path(name)), dir.path(sibling));
    // Without results, but with a run file: all rows have failed so far.
    await dir.write(sibling, "");
    await dir.write("x.run.json", "{}");
    assertStringIncludes(await refusal(["in"], dir.path(name)), dir.path(sibling));
    await dir.write(name, line);
    await outputFilesOf(["in"], dir.path(name));
    await dir.write(sibling, '{"prompt":"a file of the user\'s"}\n');
    await outputFilesOf(["in"], dir.path(name));
  });
}

for (const name of ["a.run.json", "a.lock", "a.outdated.jsonl"]) {
  Deno.test(`outputFilesOf() refuses ${name} where it is a link`, async () => {
    await using dir = await tempDir();
    await Deno.symlink(await dir.write("mine", ""), dir.path(name));
    assertStringIncludes(await refusal(["in/a.jsonl"], dir.path("./")), "it is a link");
    await Deno.remove(dir.path("mine"));
    assertStringIncludes(await refusal(["in/a.jsonl"], dir.path("./")), "it is a link");
  });
}

Deno.test("makeFolders() creates missing folders and leaves existing ones", async () => {
  await using dir = await tempDir();
  const files = await outputFilesOf(["a.jsonl", "b.jsonl"], dir.path("x/y/z/"));
  await makeFolders(files);
  await makeFolders(files);
  assertEquals((await Deno.stat(dir.path("x/y/z"))).isDirectory, true);
  await makeFolders(await outputFilesOf(["a.jsonl"], "out.jsonl"));
});

Deno.test("makeFolders() refuses a folder if a file has its name", async () => {
  await using dir = await tempDir();
  const file = await dir.write("notes", "mine");
  for (const output of [file, `${file}/inside/`]) {
    const files = await outputFilesOf(["a.jsonl"], output);
    const error = await assertRejects(() => makeFolders(files), UsageError);
    assertStringIncludes(
      error.message,
      `"${output.replace(/\/$/, "")}": it, or a folder above it, is a file`,
    );
  }
  assertEquals(await Deno.readTextFile(file), "mine");
});

Deno.test("a run, a shard and verify say that a file has the name of the output folder, or find nothing there", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", prompts(0, 4));
  const output = await dir.write("out", "mine");
  for (const shard of [undefined, { index: 0, count: 2 }]) {
    const run = () => runShard(input, output, { shard });
    await assertRejects(run, UsageError, "is a file");
  }
  assertEquals((await verify({ input, output })).map(({ pending }) => pending), [4]);
});

Deno.test("outputFilesOf() does not treat the name of another kind of file as a folder", async () => {
  await using dir = await tempDir();
  for (const name of ["out.json", "out.jsonl.gz", "out.jsonl.zst", "out.tsv", "out.parquet"]) {
    const refused = () => outputFilesOf(["a.jsonl"], dir.path(name));
    await assertRejects(refused, UsageError, "it must be a file that ends in .jsonl, or a folder");
    const [{ results }] = await outputFilesOf(["a.jsonl"], dir.path(`${name}/`));
    assertEquals(results, dir.path(`${name}/a.jsonl`));
  }
});

Deno.test("makeFolders() says which folder cannot be made", async () => {
  const files = await outputFilesOf(["a.jsonl"], "/dev/null\0/");
  const error = await assertRejects(() => makeFolders(files), SinkError);
  assertEquals(error.path, "/dev/null\0");
});

Deno.test("an input whose name is too long for the files of its run is refused", async () => {
  const input = `${"x".repeat(226)}.jsonl`;
  await assertRejects(
    () => outputFilesOf([input], "out/"),
    UsageError,
    `1 ${Deno.build.os === "windows" ? "character" : "byte"} too long`,
  );
});
