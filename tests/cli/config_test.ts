import {
  assertEquals,
  assertLess,
  assertRejects,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { readConfig } from "../../cli/config.ts";
import { UsageError } from "../../lib/errors.ts";
import { fastestMs } from "../support/fastest.ts";
import { POSIX } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

async function read(yaml: string) {
  await using dir = await tempDir();
  const { flags, ...rest } = await readConfig(await dir.write("c.yaml", yaml));
  return { ...rest, flags: Object.fromEntries(flags) };
}

async function refusal(yaml: string): Promise<string> {
  await using dir = await tempDir();
  const path = await dir.write("c.yaml", yaml);
  const { message } = await assertRejects(() => readConfig(path), UsageError);
  assertStringIncludes(message, `Cannot use "${path}": `);
  return message;
}

Deno.test("readConfig() takes the names of the flags, with dashes or underscores", async () => {
  const { flags } = await read(`
model: gpt-5-mini
max-tokens: 800
base_url: http://127.0.0.1:8000/v1
temperature: 0.6
stream: true
dry_run: false
`);
  assertEquals(flags, {
    model: "gpt-5-mini",
    "max-tokens": "800",
    "base-url": ["http://127.0.0.1:8000/v1"],
    temperature: "0.6",
    stream: true,
    "dry-run": false,
  });
});

Deno.test("readConfig() takes one input or several", async () => {
  assertEquals((await read("input: a.jsonl")).inputs, ["a.jsonl"]);
  assertEquals((await read("input: [a.jsonl, b.jsonl]\n")).inputs, ["a.jsonl", "b.jsonl"]);
});

Deno.test("readConfig() takes parameters as a block", async () => {
  const { params } = await read("params:\n  temperature: 0.6\n  stop: [a, b]\n  x: {y: true}\n");
  assertEquals(params, { temperature: 0.6, stop: ["a", "b"], x: { y: true } });
});

Deno.test("readConfig() takes lists where a flag takes several values", async () => {
  const { flags } = await read(
    "param: [a=1, b=2]\nkeep: [logprobs, id]\nuid-field: a,b\nretry: [timeout, 429]\n",
  );
  assertEquals(flags, {
    param: ["a=1", "b=2"],
    keep: "logprobs,id",
    "uid-field": "a,b",
    retry: "timeout,429",
  });
  assertEquals((await read("param: a=1")).flags, { param: ["a=1"] });
});

Deno.test("readConfig() accepts true for an optional value", async () => {
  assertEquals((await read("simulate: true\nretry: false")).flags, { simulate: "" });
  assertEquals((await read("simulate: latency=5")).flags, { simulate: "latency=5" });
});

Deno.test("readConfig() accepts a switch that is on by default under both of its names", async () => {
  assertEquals((await read("resume: false")).flags, { resume: false });
  assertEquals((await read("no-resume: true")).flags, { resume: false });
  assertEquals((await read("no_lock: false")).flags, { lock: true });
  assertEquals((await read("careful_start: false")).flags, { "careful-start": false });
  assertEquals((await read("no-careful-start: true")).flags, { "careful-start": false });
});

Deno.test("readConfig() takes limits, checks and budgets by the names of their flags", async () => {
  const { flags } = await read(
    "concurrency: auto\nrpm: 600\ntpm: 2_000_000\nmax_cost: 2.5\nsamples: 4\nrequire_json: true\n" +
      "base_url: [http://a/v1, http://b/v1]\n",
  );
  assertEquals(flags, {
    concurrency: "auto",
    rpm: "600",
    tpm: "2000000",
    "max-cost": "2.5",
    samples: "4",
    "require-json": true,
    "base-url": ["http://a/v1", "http://b/v1"],
  });
});

Deno.test("readConfig() skips empty values", async () => {
  const nothing = { inputs: [], flags: {}, params: {}, teachers: [] };
  for (
    const yaml of ["", "# only a comment\n", "input:\nmodel:\nparams:\nteachers:\nchat_config:\n"]
  ) {
    assertEquals(await read(yaml), nothing);
  }
});

Deno.test("readConfig() takes the two blocks of ModelCall", async () => {
  const config = await read(`
client_config:
  base_url: https://example.com/v1
  timeout: 600.5
  max_retries: 3
  api_key_env: MY_KEY
  organization: null
chat_config:
  model: deepseek-reasoner
  temperature: 0.6
  stream: true
  top_p: null
  extra_body:
    chat_template_kwargs: {enable_thinking: true}
`);
  assertEquals(config, {
    inputs: [],
    flags: {
      "base-url": ["https://example.com/v1"],
      timeout: "600.5",
      "max-attempts": "4",
      "api-key-env": "MY_KEY",
      model: "deepseek-reasoner",
      stream: true,
    },
    params: {
      temperature: 0.6,
      extra_body: { chat_template_kwargs: { enable_thinking: true } },
    },
    teachers: [],
  });
});

for (
  const yaml of [
    "api_key: sk-secret",
    "api-key: sk-secret",
    "key: sk-secret",
    "client_config: {api_key: sk-secret}",
    "chat_config: {api_key: sk-secret}",
    "chat-config: {model: m, API-KEY: sk-secret}",
    "chat_config: {extra_body: {api_key: sk-secret}}",
    "chat_config: {extra_headers: {Authorization: Bearer sk-secret}}",
    "chat_config: {extra_query: {sig: x, api-key: sk-secret}}",
    "params: {api_key: sk-secret}",
    "params: {apikey: sk-secret}",
    "params: {OPENAI_API_KEY: sk-secret}",
    "params: {Authorization: Bearer sk-secret}",
    "params: {token: sk-secret}",
    "params: {access_token: sk-secret}",
    "params: {password: sk-secret}",
    "params: {client_secret: sk-secret}",
  ]
) {
  Deno.test(`readConfig() refuses the key in ${yaml.split("sk-")[0]}, with the way to do it`, async () => {
    const message = await refusal(yaml);
    assertEquals(message.includes("sk-secret"), false);
    for (const way of ["OPENAI_API_KEY", "api_key_env", "api_key_file"]) {
      assertStringIncludes(message, way);
    }
  });
}

for (
  const [yaml, what] of [
    ["modle: x", 'there is no "modle". Did you mean "model"?'],
    [
      "learning_rate: 1",
      'there is no "learning_rate". Keys are input, params, headers, teachers and the flags of a run',
    ],
    ["inputs: x", 'there is no "inputs". Did you mean "input"?'],
    ["client_confg: {}", 'Did you mean "client-config"?'],
    ["format: messages", 'there is no "format"'],
    ["help: true", 'there is no "help"'],
    ["config: other.yaml", 'there is no "config"'],
    ["stream: sometimes", "stream must be true or false: current value is sometimes"],
    ["stream: { a: 1 }", "stream must be true or false: current value is a block"],
    ["resume: false\noverwrite: true", "overwrite deletes answers each time the file is used"],
    ["no-resume: 1", "no-resume must be true or false: current value is 1"],
    ["params: 3", "params must be a block of names and values: current value is 3"],
    ["params: [a=1]", "params must be a block"],
    ["params: {seed: 12345678901234567890}", "use -p NAME=VALUE"],
    ["- a\n- b\n", "the file must be a block"],
    ["just text", "the file must be a block"],
    ["a: b: c", "it is not YAML"],
    ["a: [", "it is not YAML"],
    ["model: m\nsystem: @system.txt", "Put a value that begins with @ or * in quotes"],
    ['input: "C:\\data\\in.jsonl"', "put a Windows path in single quotes"],
    ['input: "C:\\users\\in.jsonl"', "put a Windows path in single quotes"],
    ["input: *.jsonl", "Put a value that begins with @ or * in quotes"],
    ["input:\n  - *.jsonl", "Put a value that begins with @ or * in quotes"],
    [
      "client_config: {organization: x}",
      "client_config.organization is not supported: client_config takes base_url",
    ],
    [
      "client_config: {max_retries: many}",
      "client_config.max_retries must be a whole number, 0 or more: current value is a string",
    ],
    ["client_config: {max_retries: [3, 4]}", "client_config.max_retries must be a whole number"],
    ["client_config: {max_retries: -1}", "0 or more: current value is -1"],
    [
      "client_config: {timeout: {s: 5}}",
      "client_config.timeout must be a string, a number or a list",
    ],
    [
      "chat_config: {stream: yes}",
      "chat_config.stream must be true or false: current value is yes",
    ],
    ["chat_config: {model: {name: m}}", "chat_config.model must be a string"],
    ["chat_config: {model: 2024-05-13}", "chat_config.model must be a string"],
    ["input: {path: a.jsonl}", "input must be a path or a list of paths"],
    ["input: [a.jsonl, {path: b.jsonl}]", "input must be a path or a list of paths"],
    ["system: {text: Be brief}", "system must be a string"],
    ["model: 2024-05-13", "model must be a string"],
    ["param: [{a: 1}]", "param must be a string"],
  ]
) {
  Deno.test(`readConfig() refuses ${JSON.stringify(yaml)}: ${what}`, async () => {
    assertStringIncludes(await refusal(yaml), what);
  });
}

Deno.test("readConfig() does not suggest the name that it refuses", async () => {
  for (const name of ["format", "port", "help", "config", "version"]) {
    assertEquals((await refusal(`${name}: x`)).includes(`Did you mean "${name}"`), false);
  }
});

Deno.test("readConfig() says that there is no such file", async () => {
  await using dir = await tempDir();
  const path = dir.path("none.yaml");
  const error = await assertRejects(() => readConfig(path), UsageError);
  assertEquals(error.message, `Cannot use "${path}": no such file`);
});

/** Aliases of aliases: 2^30 values in 600 bytes. */
const BOMB = Array.from(
  { length: 30 },
  (_, i) => `a${i}: &a${i} ${i === 0 ? "[x]" : `[*a${i - 1}, *a${i - 1}]`}\n`,
).join("");
const MANY_KEYS = Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join(", ");

for (
  const [name, yaml, problem] of [
    ["a value that holds itself", "params: &p\n  a: *p\n", "never ends"],
    ["a list that holds itself", "input: &i [a.jsonl, *i]\n", "never ends"],
    ["a key that holds itself", "model: &m\n  m: *m\n", "never ends"],
    ["aliases of aliases", BOMB, "at most 100,000 values"],
    [
      "aliases of aliases in the parameters",
      `params:\n${BOMB.replaceAll(/^/gm, "  ")}`,
      "at most 100,000",
    ],
    [
      "merges of merges",
      `b: &b {${MANY_KEYS}}\na: {<<: [${"*b, ".repeat(1_000)}*b]}\n`,
      "merges keys",
    ],
    ["deep lists", `params: {a: ${"[".repeat(100)}${"]".repeat(100)}}\n`, "at most 64 levels"],
    ["bottomless lists", `params: ${"[".repeat(500_000)}`, "nested too deeply"],
    ["bottomless dashes", "- ".repeat(200_000), "nested too deeply"],
    ["a huge file", `# ${"x".repeat(1_000_000)}\n`, "more than 1,000,000 bytes"],
  ]
) {
  Deno.test(`readConfig() refuses ${name} at once`, async () => {
    const ms = await fastestMs(async () => {
      assertStringIncludes(await refusal(yaml), problem);
    }, 5_000);
    assertLess(ms, 5_000);
  });
}

Deno.test("readConfig() accepts ordinary references and merges", async () => {
  const { teachers } = await read(
    "teachers:\n  - &first {base_url: http://a/v1, rpm: 60}\n  - {<<: *first, base_url: http://b/v1}\n",
  );
  assertEquals(teachers, [
    { baseUrl: "http://a/v1", rpm: 60 },
    { baseUrl: "http://b/v1", rpm: 60 },
  ]);
});

Deno.test("readConfig() adds up header and headers", async () => {
  await using dir = await tempDir();
  for (const lines of ["header: A=1\nheaders: { B: 2 }", "headers: { A: 1 }\nheader: [B=2]"]) {
    const { flags } = await readConfig(await dir.write("c.yaml", lines));
    assertEquals(flags.get("header"), ["A=1", "B=2"]);
  }
});

Deno.test("readConfig() quotes no line of a file that is not YAML", async () => {
  const message = await refusal("model: m\nbase_url: http://me:secret@h/v1\nmodel: n\n");
  assertStringIncludes(message, "duplicated key at line 3, column 1");
  const cut = await refusal('model: m\nbase_url: "http://me:secret@h/v1\n');
  assertStringIncludes(cut, "it is not YAML: ");
  const named = await Promise.all([
    refusal("model: *secret\n"),
    refusal("model: !secret x\n"),
    refusal("model: !sec!secret x\n"),
    refusal("%TAG !secret secret\n"),
  ]);
  assertEquals(
    [message, cut, ...named].filter((one) => one.includes("secret") || one.includes("\n")),
    [],
  );
});

Deno.test("readConfig() does not read a device to its end", POSIX, async () => {
  const error = await assertRejects(() => readConfig("/dev/zero"), UsageError);
  assertStringIncludes(error.message, 'Cannot use "/dev/zero": it has more than 1,000,000 bytes');
});

Deno.test("readConfig() accepts parameters whose names only resemble secrets", async () => {
  const { params } = await read(
    "params: {max_tokens: 5, stop_token_ids: [1], prompt_cache_key: x, skip_special_tokens: true, " +
      "tools: [{function: {parameters: {properties: {password: {type: string}}}}}]}\n",
  );
  assertEquals(Object.keys(params).length, 5);
});

Deno.test("readConfig() echoes no secret in the wrong place", async () => {
  for (
    const yaml of [
      "teachers: ['http://me:sk-secret@h/v1']",
      "teachers: [{base_url: [http://me:sk-secret@h/v1]}]",
      "teachers: [{api_key_env: [sk-secret]}]",
      "teachers: [{api_key_file: {x: sk-secret}}]",
      "teachers: [{headers: [sk-secret]}]",
      "teachers: sk-secret",
      "client_config: sk-secret",
      "chat_config: [sk-secret]",
      "headers: sk-secret",
      "base_url: {x: sk-secret}",
      "api_key_env: {x: sk-secret}",
      "token: sk-secret",
    ]
  ) {
    assertEquals([yaml, (await refusal(yaml)).includes("sk-secret")], [yaml, false]);
  }
});
