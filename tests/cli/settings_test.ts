import {
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../lib/deps/std_assert.ts";
import { shellWord } from "../../lib/printable.ts";
import type { FlagValue } from "../../cli/parse.ts";
import { readParams, readUids } from "../../cli/request.ts";
import { Settings } from "../../cli/settings.ts";
import { UsageError } from "../../lib/errors.ts";
import { tempDir } from "../support/temp.ts";

function settingsOf(
  flags: Record<string, FlagValue>,
  config: Record<string, FlagValue> = {},
): Settings {
  const args = { command: "run" as const, inputs: [], flags: new Map(Object.entries(flags)) };
  return new Settings(args, new Map(Object.entries(config)));
}

Deno.test("Settings puts flags before configuration", () => {
  const settings = settingsOf(
    { model: "a", stream: false, param: ["x=1"] },
    { model: "b", stream: true, param: ["y=2"], system: "s" },
  );
  assertEquals(settings.text("model"), "a");
  assertEquals(settings.text("system"), "s");
  assertEquals(settings.isOn("stream"), false);
  assertEquals(settings.isOff("stream"), true);
  assertEquals(settings.list("param"), ["x=1"]);
});

Deno.test("Settings returns undefined for what was not given", () => {
  const settings = settingsOf({});
  assertEquals(settings.text("model"), undefined);
  assertEquals(settings.parts("keep"), undefined);
  assertEquals(settings.list("param"), []);
  assertEquals(settings.choice("think", ["wrap"]), undefined);
  assertEquals(settings.integer("limit", 1), undefined);
  assertEquals(settings.milliseconds("timeout"), undefined);
  assertEquals([settings.isOn("stream"), settings.isOff("stream")], [false, false]);
});

Deno.test("Settings.required() says what is missing", () => {
  assertEquals(settingsOf({ model: "a" }).required("model", "a model"), "a");
  for (const flags of [{}, { model: "" }] as Record<string, string>[]) {
    const error = assertThrows(() => settingsOf(flags).required("model", "a model"), UsageError);
    assertStringIncludes(error.message, "a model");
  }
});

Deno.test("Settings.textOrFile() reads the file after an @", async () => {
  await using dir = await tempDir();
  const path = await dir.write("system.txt", "Be brief.\nBe kind.\n");
  assertEquals(
    await settingsOf({ system: `@${path}` }).textOrFile("system"),
    "Be brief.\nBe kind.\n",
  );
  const fromWindows = await dir.write("notepad.txt", "\ufeffSolve: {{question}}");
  assertEquals(
    await settingsOf({ template: `@${fromWindows}` }).textOrFile("template"),
    "Solve: {{question}}",
    "a byte order mark is not sent",
  );
  assertEquals(await settingsOf({ system: "a@b" }).textOrFile("system"), "a@b");
  assertEquals(await settingsOf({}).textOrFile("system"), undefined);
  const missing = dir.path("none.txt");
  const error = await assertRejects(
    () => settingsOf({ system: `@${missing}` }).textOrFile("system"),
    UsageError,
  );
  for (const part of [missing, "--system"]) assertStringIncludes(error.message, part);
});

Deno.test("Settings.parts() splits at commas and drops what is empty", () => {
  assertEquals(settingsOf({ keep: " a, b,,c ," }).parts("keep"), ["a", "b", "c"]);
  assertEquals(settingsOf({ retry: "" }).parts("retry"), []);
});

Deno.test("Settings.choice() takes one of its words only", () => {
  const choices = ["wrap", "field"] as const;
  assertEquals(settingsOf({ think: "field" }).choice("think", choices), "field");
  const wrap = '. Did you mean "wrap"?', field = '. Did you mean "field"?';
  for (
    const [think, advice] of [
      ...[["Wrap", wrap], ["wra", wrap], ["feild", field]],
      ...[["", ""], ["wrap,field", ""]],
    ]
  ) {
    const error = assertThrows(() => settingsOf({ think }).choice("think", choices), UsageError);
    assertEquals(
      error.message,
      `Cannot use --think ${JSON.stringify(think)}: it must be one of wrap, field${advice}`,
    );
  }
});

for (
  const [text, number] of [["1", 1], ["20", 20], ["1_000_000", 1_000_000], ["1e3", 1_000]] as const
) {
  Deno.test(`Settings.integer() reads ${text}`, () => {
    assertEquals(settingsOf({ limit: text }).integer("limit", 1), number);
  });
}

for (const text of ["0", "-1", "1.5", "", " ", "abc", "NaN", "Infinity", "1e400", "20x", "101"]) {
  Deno.test(`Settings.integer() refuses ${JSON.stringify(text)}`, () => {
    const settings = settingsOf({ concurrency: text });
    const error = assertThrows(() => settings.integer("concurrency", 1, 100), UsageError);
    for (const part of ["--concurrency", JSON.stringify(text), "between 1 and 100"]) {
      assertStringIncludes(error.message, part);
    }
  });
}

Deno.test("Settings.integer() names no upper end where there is none", () => {
  const error = assertThrows(() => settingsOf({ limit: "x" }).integer("limit", 1), UsageError);
  assertStringIncludes(error.message, "1 or more");
});

Deno.test("Settings.integerOr() reads a word instead of a number, and offers it", () => {
  const read = (concurrency: string) =>
    settingsOf({ concurrency }).integerOr("auto", "concurrency", 1, 100);
  assertEquals([read("auto"), read("20")], ["auto", 20]);
  assertEquals(settingsOf({}).integerOr("auto", "concurrency", 1, 100), undefined);
  for (const text of ["Auto", "0", "101", ""]) {
    assertEquals(
      assertThrows(() => read(text), UsageError).message,
      `Cannot use --concurrency ${JSON.stringify(text)}: it must be a whole number, ` +
        "between 1 and 100, or auto",
    );
  }
});

for (
  const [text, number] of [["0.5", 0.5], ["600", 600], ["2_000_000", 2e6], [".5", 0.5]] as const
) {
  Deno.test(`Settings.number() reads ${text}`, () => {
    assertEquals(settingsOf({ rpm: text }).number("rpm"), number);
  });
}

for (const text of ["0", "-1", "", " ", "abc", "NaN", "Infinity", "1e400", "$5", "5%", "1,000"]) {
  Deno.test(`Settings.number() refuses ${JSON.stringify(text)}`, () => {
    const error = assertThrows(() => settingsOf({ rpm: text }).number("rpm"), UsageError);
    assertEquals(
      error.message,
      `Cannot use --rpm ${JSON.stringify(text)}: it must be a number above 0`,
    );
  });
}

Deno.test("Settings names the file that a value is from", () => {
  const config = { config: "run.yaml" };
  const refusal = (flags: Record<string, FlagValue>) =>
    assertThrows(
      () => settingsOf({ ...config, ...flags }, { "max-cost": "five" }).number("max-cost"),
      UsageError,
    ).message;
  assertEquals(
    refusal({}),
    'Cannot use --max-cost "five" of "run.yaml": it must be a number above 0',
  );
  assertEquals(
    refusal({ "max-cost": "6€" }),
    'Cannot use --max-cost "6€": it must be a number above 0',
  );
});

Deno.test("Settings.number() accepts 0 if allowed", () => {
  const read = (text: string) =>
    settingsOf({ "price-in": text }).number("price-in", { mayBeZero: true });
  assertEquals([read("0"), read("0.25")], [0, 0.25]);
  assertStringIncludes(assertThrows(() => read("-1"), UsageError).message, "0 or more");
});

Deno.test("Settings.jsonFile() reads JSON, and names a file that is not JSON", async () => {
  await using dir = await tempDir();
  const read = (path: string) => settingsOf({ "json-schema": path }).jsonFile("json-schema");
  assertEquals(await read(await dir.write("s.json", '{"type": "object"}')), { type: "object" });
  assertEquals(await read(await dir.write("bom.json", '\ufeff{"type": "object"}')), {
    type: "object",
  });
  assertEquals(await settingsOf({}).jsonFile("json-schema"), undefined);
  const broken = await dir.write("broken.json", "{type: object}");
  for (
    const [path, what] of [[broken, "it is not JSON"], [dir.path("none.json"), "no such file"]]
  ) {
    const { message } = await assertRejects(() => read(path), UsageError);
    for (const part of [path, "--json-schema", what]) assertStringIncludes(message, part);
  }
});

Deno.test("Settings.isTyped() considers flags only", () => {
  const settings = settingsOf({ model: "a" }, { system: "s" });
  assertEquals([settings.isTyped("model"), settings.isTyped("system")], [true, false]);
});

for (
  const [text, milliseconds] of [
    ["90", 90_000],
    ["90s", 90_000],
    ["0.5", 500],
    ["500ms", 500],
    ["20m", 1_200_000],
    ["1.5h", 5_400_000],
  ] as const
) {
  Deno.test(`Settings.milliseconds() reads ${text}`, () => {
    assertEquals(settingsOf({ timeout: text }).milliseconds("timeout"), milliseconds);
  });
}

for (const text of ["0", "0s", "-5", "", "5 s", "1d", "s", "1h30m", "1e3", ".5", "∞"]) {
  Deno.test(`Settings.milliseconds() refuses ${JSON.stringify(text)}`, () => {
    const error = assertThrows(
      () => settingsOf({ timeout: text }).milliseconds("timeout"),
      UsageError,
    );
    for (const part of ["--timeout", JSON.stringify(text)]) {
      assertStringIncludes(error.message, part);
    }
  });
}

Deno.test("Settings.textOrFile() refuses the name of a file without @, which would be sent as the text", async () => {
  await using dir = await tempDir();
  const path = await dir.write("my system.txt", "Be brief");
  const textOf = (system: string) => settingsOf({ system }).textOrFile("system");
  const { message } = await assertRejects(() => textOf(path), UsageError);
  assertStringIncludes(message, `To read it, write ${shellWord(`@${path}`)}`);
  assertEquals(await textOf(`@${path}`), "Be brief");
  for (const text of ["Be brief", dir.path("none.txt"), dir.root, "x".repeat(100_000), "a\0b"]) {
    assertEquals(await textOf(text), text);
  }
  const uids = await dir.write("uids.txt", "a\nb\n");
  await assertRejects(
    () => readUids(settingsOf({ "exclude-uids": uids })),
    UsageError,
    "To read it",
  );
  assertEquals((await readUids(settingsOf({ uids: `@${uids}` }))).uids, ["a", "b"]);
  assertEquals((await readUids(settingsOf({ uids: "a, b" }))).uids, ["a", "b"]);
  const image = await dir.write("001.png", "");
  assertEquals((await readUids(settingsOf({ "exclude-uids": image }))).excludeUids, [image]);
});

Deno.test("readParams() refuses a -p that was meant as JSON, and reads .95 as a number", async () => {
  const paramsOf = (pair: string) => readParams(settingsOf({ param: [pair] }), {});
  for (const value of ["True", "False", "None", "[END]", "['END']", "{type: json_object}"]) {
    const error = await assertRejects(() => paramsOf(`a.b=${value}`), UsageError);
    const meant = /To send the text as it is: -p '(.+)'$/.exec(error.message)?.[1] ?? "";
    const unquoted = meant.replaceAll(Deno.build.os === "windows" ? "''" : "'\\''", "'");
    assertEquals(await paramsOf(unquoted), { a: { b: value } });
  }
  for (const text of ["none", "[", "a]", "falsey", "stop.", "1."]) {
    assertEquals(await paramsOf(`x=${text}`), { x: text });
  }
  const texts = ["stop=[/INST]", "guided_regex=[0-9]{1,3}[a-z]", "chat_template={{ messages }}"];
  for (const pair of texts) {
    const [name, text] = pair.split("=");
    assertEquals(await paramsOf(pair), { [name]: text });
  }
  for (const pair of ["stop=[END]", "stop=['END']", "stop=[A, B]", "regex=None", "stop=None"]) {
    await assertRejects(() => paramsOf(pair), UsageError, "not JSON");
  }
  assertEquals(await paramsOf("top_p=.95"), { top_p: 0.95 });
});

Deno.test("readParams() sends numbers that are not JSON as numbers, and others as written", async () => {
  const texts = [[".7", "0.7"], ["1.", "1"], ["+0.5", "0.5"], ["0x10", "16"], [" 2 ", "2"]];
  const asWritten = ["0.70", "1.0", "-1", "5e-1", "12345678901234567890"].map((
    text,
  ) => [text, text]);
  for (const [text, sent] of [...texts, ...asWritten]) {
    const params = await readParams(settingsOf({ temperature: text }), {});
    assertEquals(JSON.stringify(params), `{"temperature":${sent}}`);
  }
});
