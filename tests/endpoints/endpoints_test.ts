/** Tests of lib/endpoints/: lists of teachers, and how they are followed. @module */

import {
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../lib/deps/std_assert.ts";
import {
  type EndpointEntry,
  EndpointWatch,
  isList,
  type ListSource,
  parseEndpoints,
  sourceOf,
} from "../../lib/endpoints/mod.ts";
import { tempDir } from "../support/temp.ts";

Deno.test("a list is lines of addresses with weights and limits, or YAML", async () => {
  const expected = [
    { url: "http://a:8000/v1", weight: 2, max: 64 },
    { url: "https://b/v1" },
    { url: "http://[::1]:8000/v1", weight: 0.5 },
  ];
  const lines = "# pods\n\nhttp://a:8000/v1 weight=2 max=64\r\nhttps://b/v1 # new\r\n#\r\n" +
    "  http://[::1]:8000/v1\tweight=0.5";
  assertEquals(await parseEndpoints(lines, false), expected);
  const yaml = "- url: http://a:8000/v1\n  weight: 2\n  max: 64\n- https://b/v1\n" +
    "- {url: 'http://[::1]:8000/v1', weight: 0.5}\n";
  assertEquals(await parseEndpoints(yaml, true), expected);
  assertEquals(await parseEndpoints(yaml, false), expected);
});

for (
  const [text, words] of [
    ["http://a/v1 wieght=2", "line 1"],
    ["http://a/v1\nfile:///x", "line 2: the address must be"],
    ["http://a/v1 weight=0", "weight must be"],
    ["http://a/v1 max=1.5", "max must be"],
    ["http://me:secret@a/v1", "must not contain a user name"],
    ["http://a/v1?key=secret\nhttp://a/v1?key=secret max=2", "twice, with different"],
    ["http://a/v1 max=100001", "1 to 100000"],
    ["http://a/v1,http://b/v1", "without commas"],
    ["http://a,http://b", "without commas"],
    ["http://a/v1, weight=2", "without commas"],
    ["http://a/v1 weight=2=3", "weight must be"],
    ["- url: http://a/v1?key=secret : x", "it is not YAML"],
    ["- [http://a/v1?key=secret", "it is not YAML"],
    ["- *secret", "it is not YAML: Cannot read alias: unidentified alias at line 1"],
    ["ht", "line 1"],
  ]
) {
  Deno.test(`a list with ${JSON.stringify(text)} is refused, and no secret is shown`, async () => {
    const { message } = await assertRejects(() => parseEndpoints(text, false), SyntaxError, words);
    assertEquals(message.includes("secret"), false);
  });
}

Deno.test("comments may come before the entries of YAML and right after an address", async () => {
  const expected = [{ url: "http://a/v1" }, { url: "http://b/v1" }];
  for (
    const text of [
      "\ufeff# of the cluster\r\n\r\n- http://a/v1\r\n- http://b/v1\r\n",
      "\ufeffhttp://a/v1#first\r\n# - http://c/v1\r\nhttp://b/v1 # second\r\n",
    ]
  ) assertEquals(await parseEndpoints(text, false), expected);
});

Deno.test("an address that is listed again, in another spelling too, is one address", async () => {
  const text = "http://A:80/v1/ max=2\nhttp://b\nhttp://a/v1 max=2\nhttp://b/\nhttp://b:8080";
  assertEquals(await parseEndpoints(text, false), [
    { url: "http://a/v1", max: 2 },
    { url: "http://b" },
    { url: "http://b:8080" },
  ]);
});

/** A watch whose reads the test triggers. */
function watched(source: ListSource, entries: readonly EndpointEntry[] = []) {
  const changes: string[][][] = [], notices: string[] = [];
  const watch = new EndpointWatch(source, entries, {
    onChange: ({ joined, left, changed }) => {
      changes.push([joined, left, changed].map((entries) => entries.map(({ url }) => url)));
      return Promise.resolve([]);
    },
    onNotice: (level, message) => notices.push(`${level}: ${message}`),
    every: () => () => {},
  });
  return { watch, changes, notices };
}

Deno.test("a file is watched; one that is gone, empty, damaged or half written changes nothing", async () => {
  await using dir = await tempDir();
  const path = await dir.write("e.txt", "http://a/v1\nhttp://b/v1\n");
  const source = sourceOf(`@${path}`, { pause: () => Promise.resolve() });
  const { entries } = await source.read();
  const { watch, changes, notices } = watched(source, entries);
  await watch.readNow();
  assertEquals(changes, []);
  for (const text of ["", "# none\n", "http://a/v1\nhttp://b", "http://a/v1\nx\n"]) {
    await dir.write("e.txt", text);
    await watch.readNow();
  }
  await Deno.remove(path);
  await watch.readNow();
  assertEquals(changes, []);
  assertEquals(notices.length, 3);
  await dir.write("e.txt", "http://b/v1\nhttp://c/v1\n");
  await watch.readNow();
  assertEquals(changes, [[["http://c/v1"], ["http://a/v1"], []]]);
  assertEquals(notices.slice(-2).map((text) => text.split(path + '"')[1]), [
    " can be used again",
    ": http://c/v1 joined, http://a/v1 left; 2 teachers now",
  ]);
  // Without a final line break, the file counts once it was read twice unchanged.
  await dir.write("e.txt", "http://b/v1");
  await watch.readNow();
  assertEquals(changes.length, 1);
  await watch.readNow();
  assertEquals(changes[1], [[], ["http://c/v1"], []]);
  // A new weight is not a new address.
  await dir.write("e.txt", "http://b/v1/ weight=2\n");
  await watch.readNow();
  assertEquals(changes[2], [[], [], ["http://b/v1"]]);
  assertStringIncludes(notices.at(-1)!, "the weight or max of http://b/v1 changed; 1 teacher now");
});

Deno.test("a list that is being rewritten in place changes nothing until it is complete", async () => {
  await using dir = await tempDir();
  const text = "http://a/v1\nhttp://b/v1?key=secret\nhttp://c/v1\n";
  const path = await dir.write("e.txt", text);
  let written = text;
  const source = sourceOf(`@${path}`, {
    pause: async () => void await dir.write("e.txt", written),
  });
  const { watch, changes, notices } = watched(source, (await source.read()).entries);
  // A file truncated at the end of a line looks complete.
  await dir.write("e.txt", "http://a/v1\n");
  await watch.readNow();
  await watch.readNow();
  assertEquals(changes, []);
  await dir.write("e.txt", written = "http://a/v1\n");
  await watch.readNow();
  assertEquals(changes.map(([, left]) => left.length), [2]);
  assertEquals(notices.filter((notice) => notice.includes("secret")), []);
});

Deno.test("a name means all of its addresses; one that cannot be resolved changes nothing", async () => {
  let four: string[] | Error = ["10.0.0.2", "10.0.0.1", "10.0.0.2"];
  let six: string[] | Error = new Deno.errors.NotFound("no record");
  const source = sourceOf("dns+http://vllm:8000/v1", {
    resolve: (name, type) => {
      assertEquals(name, "vllm");
      const found = type === "A" ? four : six;
      return found instanceof Error ? Promise.reject(found) : Promise.resolve(found);
    },
  });
  const { entries } = await source.read();
  assertEquals(entries.map(({ url }) => url), [
    "http://10.0.0.1:8000/v1",
    "http://10.0.0.2:8000/v1",
  ]);
  const { watch, changes, notices } = watched(source, entries);
  four = six;
  await watch.readNow();
  assertStringIncludes(notices[0], "the name has no address");
  four = new Error("the server does not answer");
  await watch.readNow();
  assertEquals(changes, []);
  // If one kind of record cannot be looked up, the known addresses stay.
  six = ["fd00::1"];
  await watch.readNow();
  four = ["10.0.0.2"];
  six = new Error("the server does not answer");
  await watch.readNow();
  assertEquals(changes, [
    [["http://[fd00::1]:8000/v1"], [], []],
    [[], ["http://10.0.0.1:8000/v1"], []],
  ]);
  assertThrows(() => sourceOf("dns+https://vllm/v1"), SyntaxError, "certificates");
  for (const address of ["10.0.0.1", "[::1]"]) {
    assertThrows(() => sourceOf(`dns+http://${address}:8000/v1`), SyntaxError, 'leave out "dns+"');
  }
  assertEquals(["@e.txt", "dns+http://x/v1", "@env:URL", "http://x/v1"].map(isList), [
    true,
    true,
    false,
    false,
  ]);
});

Deno.test("a change that fails again and again is reported once, and so is its success", async () => {
  const notices: string[] = [];
  let isBroken = true;
  const read = () => Promise.resolve({ entries: [{ url: "http://a/v1" }], isWhole: true });
  const watch = new EndpointWatch({ name: "x", read } as ListSource, [], {
    onChange: () => isBroken ? Promise.reject(new Error("no room")) : Promise.resolve([]),
    onNotice: (_level, message) => notices.push(message),
    every: () => () => {},
  });
  for (let reads = 0; reads < 3; reads++) await watch.readNow();
  const failure = "The list x cannot be used: no room. The teachers stay the same";
  assertEquals(notices, [failure]);
  isBroken = false;
  for (let reads = 0; reads < 2; reads++) await watch.readNow();
  assertEquals(notices, [
    failure,
    "The list x can be used again",
    "The list x: http://a/v1 joined; 1 teacher now",
  ]);
});
