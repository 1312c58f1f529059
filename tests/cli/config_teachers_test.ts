import { readConfig } from "../../cli/config.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { UsageError } from "../../lib/errors.ts";
import { REPOSITORY } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

async function read(yaml: string) {
  await using dir = await tempDir();
  return (await readConfig(await dir.write("c.yaml", yaml))).teachers;
}

Deno.test("readConfig() reads several teachers, each with its own settings", async () => {
  const yaml = `
teachers:
  - base_url: http://gpu1:8000/v1
    model: qwen3
    api_key_env: GPU_KEY
    weight: 2.5
    max_concurrency: 64
    rpm: 600
    tpm: 2_000_000
  - base-url: http://gpu2:8000/v1
    api-key-file: key
    weight:
`;
  assertEquals(await read(yaml), [
    {
      baseUrl: "http://gpu1:8000/v1",
      model: "qwen3",
      apiKeyEnv: "GPU_KEY",
      weight: 2.5,
      maxConcurrency: 64,
      rpm: 600,
      tpm: 2_000_000,
    },
    { baseUrl: "http://gpu2:8000/v1", apiKeyFile: "key" },
  ]);
});

for (
  const [yaml, what] of [
    ["teachers: http://a/v1", "teachers must be a list of blocks"],
    ["teachers: []", "teachers must be a list of blocks"],
    [
      "teachers: [http://a/v1]",
      "teacher 1 must be a block of names and values: current value is h",
    ],
    ["teachers: [{model: a}, 3]", "teacher 2 must be a block of names and values"],
    [
      "teachers: [{model: a}, {wieght: 2}]",
      'teacher 2: there is no "wieght". Did you mean "weight"',
    ],
    ["teachers: [{learning_rate: 1}]", 'there is no "learning_rate": its keys are '],
    ["teachers: [{baseurl: x}]", 'teacher 1: there is no "baseurl". Did you mean "base_url"?'],
    ["teachers: [{temperature: 1}]", 'teacher 1: there is no "temperature"'],
    ["teachers: [{__proto__: 1}]", 'teacher 1: there is no "__proto__"'],
    ["teachers: [{model: 3}]", "teacher 1: model must be a string: current value is 3"],
    ['teachers: [{base_url: ""}]', 'teacher 1: base_url must be a string: current value is ""'],
    ["teachers: [{weight: 0}]", "teacher 1: weight must be a number above 0: current value is 0"],
    ["teachers: [{rpm: many}]", 'teacher 1: rpm must be a number above 0: current value is "many"'],
    [
      "teachers: [{endpoint: respnses}]",
      'responses: current value is "respnses". Did you mean "responses"?',
    ],
    ['teachers: [{think_tags: "<a>"}]', "teacher 1: think_tags must be an opening and a closing"],
    ["teachers: [{tpm: .inf}]", "teacher 1: tpm must be a number above 0"],
    ["teachers: [{max_concurrency: 1.5}]", "max_concurrency must be a whole number, between 1 and"],
    ["teachers: [{max_concurrency: 100_001}]", "a whole number, between 1 and 100000"],
    ["teachrs: []", 'there is no "teachrs". Did you mean "teachers"?'],
  ]
) {
  Deno.test(`readConfig() refuses ${yaml}: ${what}`, async () => {
    const { message } = await assertRejects(() => read(yaml), UsageError);
    assertStringIncludes(message, what);
  });
}

for (const name of ["api_key", "api-key", "key"]) {
  Deno.test(`readConfig() refuses the key itself as ${name} of a teacher`, async () => {
    const yaml = `teachers: [{model: a}, {${name}: sk-secret}]`;
    const { message } = await assertRejects(() => read(yaml), UsageError);
    for (const part of [`teacher 2: ${name} contains the key`, "api_key_env", "api_key_file"]) {
      assertStringIncludes(message, part);
    }
    assertEquals(message.includes("sk-secret"), false);
  });
}

Deno.test("examples/teachers.yaml is a configuration of several teachers", async () => {
  const { teachers, flags } = await readConfig(`${REPOSITORY}/examples/teachers.yaml`);
  assertEquals(teachers.length, 3);
  for (const { baseUrl } of teachers) assertEquals(URL.canParse(baseUrl!), true);
  assertEquals(flags.has("model"), true);
});
