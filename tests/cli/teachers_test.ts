import type { TeacherSpec } from "../../cli/config.ts";
import type { Io } from "../../cli/io.ts";
import { parseCommandLine } from "../../cli/parse.ts";
import { Settings } from "../../cli/settings.ts";
import { modelsOf, type OpenTeachers, openTeachers } from "../../cli/teachers.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { UsageError } from "../../lib/errors.ts";
import type { TeacherPlace } from "../../lib/run/options.ts";
import type { Completion } from "../../lib/teacher/teacher.ts";
import { chatAnswer, serveLedger } from "../support/ledger_server.ts";
import { fakeIo } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

const REQUEST = { uid: "1", messages: [{ role: "user", content: "hi" }], params: {} };
const OPENAI = "https://api.openai.com/v1";

/** A system with these environment variables. */
function ioOf(env: Record<string, string>): Io {
  return fakeIo({ env: (name) => env[name] });
}

/** Opens the teachers of these arguments and of a configuration. */
function open(
  args: string[],
  specs: TeacherSpec[] = [],
  env: Record<string, string> = {},
): Promise<OpenTeachers> {
  const config = args.includes("-m") ? new Map() : new Map([["model", "from-config"]]);
  return openTeachers(new Settings(parseCommandLine(args), config), specs, ioOf(env));
}

async function refusal(...args: Parameters<typeof open>): Promise<string> {
  return (await assertRejects(() => open(...args), UsageError)).message;
}

async function ask({ teacher }: TeacherPlace): Promise<Completion> {
  return await teacher.complete(REQUEST, new AbortController().signal);
}

function addressesOf({ teachers }: OpenTeachers): (string | undefined)[] {
  return teachers.map(({ teacher }) => teacher.address);
}

Deno.test("openTeachers() makes a teacher of each --base-url, with one model and one key", async () => {
  await using a = serveLedger();
  await using b = serveLedger();
  const args = ["--base-url", a.url, "--base-url", b.url, "-m", "x"];
  await using opened = await open(args, [], { OPENAI_API_KEY: "sk-one" });
  assertEquals(addressesOf(opened), [a.url, b.url]);
  for (const teacher of opened.teachers) await ask(teacher);
  for (const { requests: [{ body, headers }] } of [a, b]) {
    assertEquals([body.model, headers.get("authorization")], ["x", "Bearer sk-one"]);
  }
});

Deno.test("openTeachers() fills in settings that a teacher of the configuration leaves open", async () => {
  await using dir = await tempDir();
  await using a = serveLedger();
  await using b = serveLedger();
  await using c = serveLedger();
  const file = await dir.write("key", "sk-file\n");
  const specs = [
    { baseUrl: a.url, model: "own", apiKeyEnv: "A_KEY", weight: 2, maxConcurrency: 8, rpm: 60 },
    { baseUrl: b.url, apiKeyFile: file, tpm: 1e6 },
    { weight: 3 },
  ];
  const args = ["--base-url", c.url, "--api-key-env", "C_KEY"];
  const env = { A_KEY: "sk-a", C_KEY: "sk-c", OPENAI_API_KEY: "sk-open" };
  await using opened = await open(args, specs, env);
  assertEquals(addressesOf(opened), [a.url, b.url, c.url]);
  assertEquals(
    opened.teachers.map((
      { weight, maxConcurrency, rpm, tpm },
    ) => [weight, maxConcurrency, rpm, tpm]),
    [
      [2, 8, 60, undefined],
      [undefined, undefined, undefined, 1e6],
      [3, undefined, undefined, undefined],
    ],
  );
  for (const teacher of opened.teachers) await ask(teacher);
  const asked = [a, b, c].map(({ requests: [{ body, headers }] }) => [
    body.model,
    headers.get("authorization"),
  ]);
  assertEquals(asked, [
    ["own", "Bearer sk-a"],
    ["from-config", "Bearer sk-file"],
    ["from-config", "Bearer sk-c"],
  ]);
});

Deno.test("openTeachers() gives the teachers of each list the settings of that list", async () => {
  await using dir = await tempDir();
  const first = await dir.write("first.txt", "http://a/v1\nhttp://b/v1 weight=5 max=7\n");
  const second = await dir.write("second.txt", "http://c/v1\n");
  const specs = [
    { baseUrl: `@${first}`, model: "small", weight: 2, maxConcurrency: 4 },
    { baseUrl: `@${second}`, model: "large", rpm: 60 },
  ];
  await using opened = await open([], specs);
  assertEquals(
    opened.teachers.map(({ teacher, weight, maxConcurrency, rpm }) => [
      ...[teacher.address, teacher.model],
      ...[weight, maxConcurrency, rpm],
    ]),
    [
      ["http://a/v1", "small", 2, 4, undefined],
      ["http://b/v1", "small", 5, 7, undefined],
      ["http://c/v1", "large", undefined, undefined, 60],
    ],
  );
});

Deno.test("modelsOf() returns the models in the order in which openTeachers() opens the teachers", async () => {
  await using dir = await tempDir();
  const list = `@${await dir.write("list.txt", "http://a/v1\n")}`;
  const second = { model: "b", baseUrl: "http://b/v1" };
  const env = { OPENAI_API_KEY: "key", LIST: list, ONE: "http://a/v1" };
  const listed: [string[], TeacherSpec, Record<string, string>][] = [
    [[], { baseUrl: list }, env],
    [["--base-url", list], {}, env],
    [[], { baseUrl: "@env:LIST" }, env],
    [["--base-url", "@env:LIST"], {}, env],
    [[], {}, { ...env, OPENAI_BASE_URL: list }],
  ];
  const single: typeof listed = [
    [[], { baseUrl: "http://a/v1" }, env],
    [["--base-url", "http://a/v1"], {}, env],
    [["--base-url", "@env:ONE"], {}, { ...env, OPENAI_BASE_URL: list }],
    [[], {}, env],
  ];
  for (const [cases, models] of [[listed, ["b", "a"]], [single, ["a", "b"]]] as const) {
    for (const [args, first, env] of cases) {
      const specs = [{ ...first, model: "a" }, second];
      await using opened = await open(args, specs, env);
      const settings = new Settings(parseCommandLine(args));
      const openedModels = opened.teachers.map(({ teacher }) => teacher.model);
      assertEquals([openedModels, modelsOf(settings, specs, ioOf(env))], [models, models]);
    }
  }
  const specs = [{ model: "a", baseUrl: "@env:ONLY_ON_NODES" }, second];
  assertEquals(modelsOf(new Settings(parseCommandLine([])), specs, ioOf({})), ["a", "b"]);
});

Deno.test("openTeachers() uses OpenAI by default, and requires a key for it", async () => {
  const env = { OPENAI_API_KEY: "sk-open" };
  {
    await using opened = await open([], [], env);
    assertEquals(addressesOf(opened), [OPENAI]);
  }
  {
    await using opened = await open([], [], { OPENAI_BASE_URL: "http://gpu/v1" });
    assertEquals(addressesOf(opened), ["http://gpu/v1"]);
  }
  for (const args of [[], ["--base-url", OPENAI], ["--base-url", `${OPENAI}/`]]) {
    assertStringIncludes(await refusal(args), "without a key: set OPENAI_API_KEY");
  }
});

Deno.test("openTeachers() warns of a missing key if nothing is sent", async () => {
  let said = "";
  const io = { ...ioOf({}), writeErr: (text: string) => said += text };
  for (const args of [["-m", "x"], ["-m", "x", "--api-key-env", "NO_SUCH_KEY"]]) {
    const settings = new Settings(parseCommandLine(args), new Map());
    await using opened = await openTeachers(settings, [], io, "warn");
    assertEquals(addressesOf(opened), [OPENAI]);
  }
  assertStringIncludes(said, "Warning: Cannot call https://api.openai.com/v1 without a key");
  assertStringIncludes(said, "NO_SUCH_KEY");
});

Deno.test("openTeachers() gives OpenAI's key to no other teacher by default", async () => {
  await using server = serveLedger();
  const specs = [{ baseUrl: OPENAI }, { baseUrl: server.url }];
  const env = { OPENAI_API_KEY: "sk-open", OWN: "sk-own" };
  {
    await using opened = await open([], specs, env);
    await ask(opened.teachers[1]);
  }
  {
    await using opened = await open(["--api-key-env", "OWN"], specs, env);
    await ask(opened.teachers[1]);
  }
  assertEquals(server.requests.map(({ headers }) => headers.get("authorization")), [
    null,
    "Bearer sk-own",
  ]);
});

Deno.test("openTeachers() gives each teacher its tags around reasoning", async () => {
  await using server = serveLedger(() => Response.json(chatAnswer("<a>why</a><b>42</b>")));
  const specs = [{ baseUrl: server.url }, { baseUrl: server.url, thinkTags: "<a>why</a><b>,</b>" }];
  await using opened = await open(["--think-tags", "<a>,</a>"], specs);
  const answers = await Promise.all(opened.teachers.map((teacher) => ask(teacher)));
  assertEquals(answers.map(({ response, reasoning }) => [response, reasoning]), [
    ["<b>42</b>", "why"],
    ["", "42"],
  ]);
});

Deno.test("openTeachers() closes all teachers", async () => {
  await using server = serveLedger();
  const opened = await open(["--base-url", server.url, "--base-url", server.url]);
  await opened[Symbol.asyncDispose]();
  for (const teacher of opened.teachers) await assertRejects(() => ask(teacher), Error, "closed");
  assertEquals(server.posts, 0);
});

Deno.test("openTeachers() says which variable of which teacher is missing", async () => {
  const specs = [{ baseUrl: "http://a/v1" }, { baseUrl: "http://b/v1", apiKeyEnv: "NOT_SET" }];
  assertStringIncludes(await refusal([], specs), "the variable NOT_SET");
});

const OWN = { baseUrl: "http://a/v1", model: "own", apiKeyFile: "key", rpm: 60 };
for (
  const [args, specs, what] of [
    [["--base-url", "http://b/v1"], [OWN], "Cannot use --base-url: every teacher of the config"],
    [["-m", "x"], [OWN, { model: "y" }], "Cannot use --model: every teacher"],
    [["--api-key-env", "KEY"], [OWN], "Cannot use --api-key-env: every teacher"],
    [["--rpm", "5"], [OWN], "Cannot use --rpm: every teacher"],
    [["--base-url", "http://b/v1", "--base-url", "http://c/v1"], [{}], "several addresses"],
    [["--simulate"], [OWN], "Cannot use --simulate with the teachers of the configuration"],
    [["--simulate", "--base-url", "http://a/v1"], [], "Cannot use --base-url with --simulate"],
    [
      ["--think-tags", "<a>"],
      [{ baseUrl: "http://a/v1" }],
      'Cannot use --think-tags "<a>": it must be an opening and a clos',
    ],
    [
      ["--think-tags", "<a>,<b>,<c>"],
      [{ baseUrl: "http://a/v1" }],
      "it must be an opening and a closing tag, as in <reason>",
    ],
    [
      ["--think-tags", "<a>,<a>"],
      [{ baseUrl: "http://a/v1" }],
      "it must be an opening and a closing tag",
    ],
    [["--base-url", "nowhere"], [], 'Cannot use "nowhere" as the address of a teacher'],
    [[], [OWN, { baseUrl: "ftp://b" }], "Cannot read the key"],
    [[], [{ baseUrl: "http://a/v1" }, { baseUrl: "ftp://b" }], 'Cannot use "ftp://b" as the add'],
  ] as [string[], TeacherSpec[], string][]
) {
  Deno.test(`openTeachers() refuses ${JSON.stringify(args)}: ${what}`, async () => {
    assertStringIncludes(await refusal(args, specs), what);
  });
}
