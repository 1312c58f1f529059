/** `mod.ts` imported from an address by a script in an empty folder that has no import map. @module */

import { assert, assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { cleanEnv, REPOSITORY } from "../support/process.ts";
import { type TempDir, tempDir } from "../support/temp.ts";

const TYPES: Record<string, string> = {
  ".ts": "application/typescript",
  ".js": "text/javascript",
  ".json": "application/json",
  ".html": "text/html",
  ".css": "text/css",
};

/** Serves the files of the repository that a module may consist of. */
function serveRepository(): { url: string } & AsyncDisposable {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    const type = TYPES[/\.\w+$/.exec(pathname)?.[0] ?? ""];
    if (type === undefined) return new Response("not found", { status: 404 });
    try {
      const bytes = await Deno.readFile(`${REPOSITORY}${pathname}`);
      return new Response(bytes, { headers: { "content-type": type } });
    } catch {
      return new Response("not found", { status: 404 });
    }
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Packages are those that this process has; modules from addresses are kept nowhere else. */
async function makeCache(dir: TempDir): Promise<Record<string, string>> {
  const env = cleanEnv(dir.root);
  await Deno.mkdir(dir.path("cache"));
  await Deno.symlink(`${env.DENO_DIR}/npm`, dir.path("cache/npm"));
  return { ...env, DENO_DIR: dir.path("cache") };
}

function script(url: string, server: { url: string }): string {
  return `import { openaiCompatible, ResponseGenerator } from "${url}/mod.ts";

const teacher = openaiCompatible({ baseUrl: "${server.url}", model: "test-model" });
const generator = new ResponseGenerator({ teacher, concurrency: 20, rejectPattern: "(x+)+$" });
for await (const outcome of generator.generate([{ prompt: "one" }, { prompt: "two" }])) {
  const said: string = outcome.ok ? outcome.row.response : outcome.error.message;
  console.log(said);
}
const summary = await generator.run({ input: ["in.jsonl"], output: "out/" });
const count: number = summary.succeeded;
console.log(count);
await teacher.close();
`;
}

Deno.test("a script in an empty folder imports mod.ts from an address, typed, and runs", async () => {
  await using dir = await tempDir();
  await using repository = serveRepository();
  await using server = serveLedger();
  const env = await makeCache(dir);
  const good = script(repository.url, server);
  await dir.write("work/script.ts", good);
  await dir.write(
    "work/wrong.ts",
    good.replace("const count: number", "const count: string")
      .replace("concurrency: 20", `concurrency: "20"`),
  );
  await dir.write("work/in.jsonl", [{ prompt: "three" }]);

  const allowed = `--allow-import=${new URL(repository.url).host}`;
  const right = await deno(["check", "--no-lock", allowed, "script.ts"]);
  assertEquals(right.code, 0, right.text);
  const wrong = await deno(["check", "--no-lock", allowed, "wrong.ts"]);
  assertEquals(wrong.code, 1, wrong.text);
  assertStringIncludes(wrong.text, "Type 'number' is not assignable to type 'string'");
  assertStringIncludes(wrong.text, `Type '"20"' is not assignable to type 'number | "auto"`);
  assert(!wrong.text.includes("/mod.ts:"), wrong.text);

  const ran = await deno(["run", "--no-lock", "--quiet", "-A", "script.ts"]);
  assertEquals(ran.code, 0, ran.text);
  assertStringIncludes(ran.text, "answer to one");
  assertStringIncludes(ran.text, "answer to two");
  assertEquals(server.posts, 3);
  assertEquals((await dir.rows("work/out/in.jsonl"))[0].response, "answer to three");

  async function deno(args: string[]): Promise<{ code: number; text: string }> {
    const output = await new Deno.Command(Deno.execPath(), {
      args,
      cwd: dir.path("work"),
      clearEnv: true,
      env,
    }).output();
    const decoder = new TextDecoder();
    return {
      code: output.code,
      text: decoder.decode(output.stdout) + decoder.decode(output.stderr),
    };
  }
});
