/** `mod.ts` imported from an address by a script whose folder has no import map. @module */

import { assertEquals, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { serveLedger } from "../support/ledger_server.ts";
import { IMPORTED_FROM, pageCode } from "../support/page_code.ts";
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
  return `import { type Completion, distill, distillFiles, openai, TeacherError } from "${url}/mod.ts";

// As in programs that pass on what they have.
const apiKey: string | undefined = Deno.env.get("NO_SUCH_KEY");
const signal = undefined as AbortSignal | undefined;
const { stream, headers, status, reasoning } = {} as {
  [name in "stream" | "headers" | "status" | "reasoning"]: undefined;
};
await using teacher = openai({ baseUrl: "${server.url}", model: "test-model", apiKey, stream, headers });
const own: Completion = { response: "", reasoning, finishReason: "stop", usage: null, model: "" };
console.log(own.model + new TeacherError("failed", { status }).type);
const rows = [{ id: 1, prompt: "one" }, { id: 2, prompt: "two" }];
for await (const a of distill(rows, { teacher, signal, concurrency: 20, rejectPattern: "(x+)+$" })) {
  const id: number = a.input.id;
  const said: string = a.ok ? a.response : a.error.message;
  console.log(id, said);
}
const summary = await distillFiles("in.jsonl", "out/", { teacher });
const count: number = summary.succeeded;
console.log(count, summary.costUsd);
`;
}

/** Settings of the compiler that strict programs have. They do not apply to the library's own code,
 * which comes from an address. */
const STRICTEST = {
  strict: true,
  exactOptionalPropertyTypes: true,
  isolatedDeclarations: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
};

Deno.test("a script in a folder without an import map imports mod.ts from an address, typed, and runs", async () => {
  await using dir = await tempDir();
  await using repository = serveRepository();
  await using server = serveLedger();
  const env = await makeCache(dir);
  await dir.write("work/deno.json", JSON.stringify({ compilerOptions: STRICTEST }));
  const good = script(repository.url, server);
  await dir.write("work/script.ts", good);
  await dir.write(
    "work/wrong.ts",
    good.replace("const id: number", "const id: string")
      .replace("concurrency: 20", `concurrency: "20"`),
  );
  await dir.write("work/in.jsonl", [{ prompt: "three" }]);
  // tests/library/docs_test.ts runs them. Here, one check reads the library once for all.
  const examples = (await pageCode()).map(({ place, code }) => ({
    name: `${place.replaceAll(/\W/g, "_")}.ts`,
    code: code.replaceAll(IMPORTED_FROM, `${repository.url}/`),
  }));
  for (const { name, code } of examples) await dir.write(`work/${name}`, code);

  const allowed = `--allow-import=${new URL(repository.url).host}`;
  const names = examples.map(({ name }) => name);
  // All at once: the checker reads the whole library each time.
  const checked = await deno(["check", "--no-lock", allowed, "script.ts", "wrong.ts", ...names]);
  assertEquals(checked.code, 1, checked.text);
  assertStringIncludes(checked.text, "Type 'number' is not assignable to type 'string'");
  assertStringIncludes(checked.text, `Type '"20"' is not assignable to type 'number | "auto"`);
  // No other: the library, the good script and the examples have none.
  assertStringIncludes(checked.text, "Found 2 errors.");

  const ran = await deno(["run", "--no-lock", "--quiet", "-A", "script.ts"]);
  assertEquals(ran.code, 0, ran.text);
  assertStringIncludes(ran.text, "1 answer to one");
  assertStringIncludes(ran.text, "2 answer to two");
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
