/** Tests of cli/teacher_lists.ts: teachers of several lists that change. @module */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../lib/deps/std_assert.ts";
import { openLists } from "../../cli/teacher_lists.ts";
import { UsageError } from "../../lib/errors.ts";
import { runCli, startCli } from "../support/process.ts";
import { tempDir } from "../support/temp.ts";

/** Opens lists in files; `look()` reads all of them once. */
async function opened(texts: readonly string[]) {
  const dir = await tempDir();
  const looks: (() => void | Promise<void>)[] = [],
    notices: string[] = [],
    closed: string[] = [],
    refused = new Set<string>();
  const made = { until: Promise.resolve(), begin() {} };
  let created = 0;
  const make = async ({ url }: { url: string }) => {
    created++;
    made.begin();
    await made.until;
    if (refused.has(url)) throw new Error(`no key for ${url}`);
    return {
      teacher: { address: url, complete: () => Promise.reject(new Error()) },
      [Symbol.asyncDispose]: () => Promise.resolve(void closed.push(url)),
    };
  };
  for (const [i, text] of texts.entries()) await dir.write(`${i}.txt`, text);
  const named = texts.map((_, i) => ({ text: `@${dir.path(`${i}.txt`)}`, make }));
  const every = (_ms: number, look: () => void | Promise<void>) => {
    looks.push(look);
    return () => {};
  };
  const lists = await openLists(named, { waitMs: 0, every });
  const { places, list } = lists;
  const current = new Map<unknown, (typeof places)[number]>();
  const begin = () => {
    current.clear();
    for (const place of places) current.set(place.teacher, place);
    return list.watch(({ joined, left, changed = [] }) => {
      for (const place of joined) current.set(place.teacher, place);
      for (const teacher of left) current.delete(teacher);
      for (const place of changed) {
        assert(current.has(place.teacher));
        current.set(place.teacher, place);
      }
    }, (level, message) => level === "warning" && notices.push(message));
  };
  let stop = begin();
  return {
    refused,
    made,
    notices,
    write: (i: number, text: string) => dir.write(`${i}.txt`, text),
    look: () => Promise.all(looks.map((look) => look())),
    /** Another run begins, such as a retry of the page. */
    rerun() {
      stop();
      stop = begin();
    },
    current: () => [...current.values()].map(({ teacher }) => teacher.address).toSorted(),
    places: () =>
      [...current.values()].map(({ teacher, weight, maxConcurrency }) => [
        teacher.address,
        weight,
        maxConcurrency,
      ]),
    created: () => created,
    closed,
    async [Symbol.asyncDispose]() {
      stop();
      await lists[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

const A = "http://a/v1", B = "http://b/v1";

Deno.test("an address whose teacher cannot be created is tried again, and the reason is shown once", async () => {
  await using lists = await opened([`${A}\n`]);
  lists.refused.add(B);
  await lists.write(0, `${A}\n${B}\n`);
  for (let look = 0; look < 3; look++) await lists.look();
  assertEquals(lists.current(), [A]);
  assertEquals(lists.notices, [`no key for ${B}`]);
  lists.refused.clear();
  await lists.look();
  assertEquals(lists.current(), [A, B]);
});

Deno.test("another weight or max changes a teacher in its place, and one that comes back is the same", async () => {
  await using lists = await opened([`${A}\n${B} max=3\n`]);
  const before = lists.places();
  await lists.write(0, `${A} weight=2 max=7\n${B}\n`);
  await lists.look();
  assertEquals(lists.places(), [[A, 2, 7], [B, undefined, undefined]]);
  await lists.write(0, `${A}\n`);
  await lists.look();
  assertEquals(lists.places(), [[A, undefined, undefined]]);
  await lists.write(0, `${A}\n${B} max=3\n`);
  await lists.look();
  assertEquals([lists.places(), lists.created()], [before, 2]);
});

Deno.test("only the latest thousand of the teachers that left are kept, and closed with the others", async () => {
  const addresses = Array.from({ length: 1_002 }, (_, i) => `http://pod-${i}/v1`);
  const lists = await opened([`${addresses.join("\n")}\n`]);
  for (const address of addresses.slice(0, 2)) {
    await lists.write(0, `${addresses.filter((one) => one !== address).join("\n")}\n`);
    await lists.look();
  }
  await lists.write(0, `${A}\n`);
  await lists.look();
  await lists.write(0, `${A}\n${addresses[1]}\n`);
  await lists.look();
  assertEquals(lists.created(), 1_004);
  await lists[Symbol.asyncDispose]();
  assertEquals([lists.closed.length, lists.closed.includes(addresses[0])], [1_002, false]);
});

Deno.test("an address of two lists is one teacher, which leaves with the last of them", async () => {
  await using lists = await opened([`${A}\n${B}\n`, `${B} max=3\n`]);
  assertEquals(lists.current(), [A, B]);
  assertEquals(lists.places().at(-1), [B, undefined, undefined]);
  await lists.write(0, `${A}\n`);
  await lists.look();
  assertEquals(lists.current(), [A, B]);
  assertEquals(lists.places().at(-1), [B, undefined, 3]);
  await lists.write(1, `${A}\n`);
  await lists.look();
  assertEquals(lists.current(), [A]);
});

Deno.test("another run sees what has left and joined in the one before, also in two lists", async () => {
  await using lists = await opened([`${A}\n${B} max=3\n`, `${B}\n`]);
  const C = "http://c/v1";
  await lists.write(0, `${B} max=7\n${C}\n`);
  await lists.write(1, `${C}\n`);
  await lists.look();
  const seen = lists.places().toSorted();
  assertEquals(seen, [[B, undefined, 7], [C, undefined, undefined]]);
  lists.rerun();
  assertEquals(lists.current(), [A, B]);
  await lists.look();
  assertEquals([lists.places().toSorted(), lists.created()], [seen, 3]);
});

Deno.test("a list that the configuration names twice, with other settings, is used for both", async () => {
  await using dir = await tempDir();
  const list = await dir.write("teachers.txt", "http://127.0.0.1:9/v1\n");
  const input = await dir.write("in.jsonl", [{ prompt: "a" }]);
  const spec = (model: string) => `  - base-url: '@${list}'\n    model: ${model}\n`;
  const config = await dir.write("config.yaml", `teachers:\n${spec("a")}${spec("b")}`);
  const args = [input, "-o", dir.path("out/"), "--config", config, "--deadline", "0.1"];
  assertStringIncludes((await runCli(args)).stderr, "1 row to do: a, b at http://127.0.0.1:9/v1");
});

Deno.test("an address of two lists with the same settings, written in another way, is one teacher", async () => {
  await using dir = await tempDir();
  const list = await dir.write("teachers.txt", "http://127.0.0.1:9/v1\n");
  const input = await dir.write("in.jsonl", [{ prompt: "a" }]);
  const specs =
    `  - base-url: '@${list}'\n    model: a\n    rpm: 60\n  - rpm: 60\n    base-url: '@${list}'\n`;
  const config = await dir.write("config.yaml", `teachers:\n${specs}`);
  const args = [input, "-o", dir.path("out/"), "--config", config, "-m", "a", "-c", "auto"];
  assertStringIncludes((await runCli([...args, "--deadline", "0.1"])).stderr, "auto (up to 1,024)");
});

Deno.test("an address that leaves while it joins is gone", async () => {
  await using lists = await opened([`${A}\n`]);
  const creating = Promise.withResolvers<void>();
  lists.made.until = creating.promise;
  const begun = new Promise<void>((resolve) => lists.made.begin = resolve);
  await lists.write(0, `${A}\n${B}\n`);
  const joining = lists.look();
  await begun;
  await lists.write(0, `${A}\n`);
  await lists.look();
  creating.resolve();
  await joining;
  await lists.look();
  assertEquals(lists.current(), [A]);
});

Deno.test("an address that joins two lists at the same time is one teacher", async () => {
  await using lists = await opened([`${A}\n`, `${A}\n`]);
  const creating = Promise.withResolvers<void>();
  lists.made.until = creating.promise;
  const begun = new Promise<void>((resolve) => lists.made.begin = resolve);
  for (const list of [0, 1]) await lists.write(list, `${A}\n${B}\n`);
  const joining = lists.look();
  await begun;
  creating.resolve();
  await joining;
  assertEquals(lists.current(), [A, B]);
  for (const list of [0, 1]) await lists.write(list, `${A}\n`);
  await lists.look();
  assertEquals(lists.current(), [A]);
});

Deno.test("a name that has no address yet is waited for, and the user is told", async () => {
  const said: string[] = [];
  let lookups = 0;
  const dependencies = {
    resolve: (_name: string, type: "A" | "AAAA") =>
      type === "A" && ++lookups > 3
        ? Promise.resolve(["10.0.0.1"])
        : Promise.reject(new Deno.errors.NotFound("no record")),
    pause: () => Promise.resolve(),
  };
  const make = ({ url }: { url: string }) => ({
    teacher: { address: url, complete: () => Promise.reject(new Error()) },
  });
  const name = "dns+http://vllm:8000/v1", onWait = (message: string) => said.push(message);
  const options = { waitMs: 5_000, onWait, dependencies };
  await using lists = await openLists([{ text: name, make }], options);
  assertEquals(lists.places.map(({ teacher }) => teacher.address), ["http://10.0.0.1:8000/v1"]);
  assertEquals(said, [`Waiting for ${name}: the name has no address (5 s at most)`]);
});

Deno.test("the error of a name with a password does not show it", async () => {
  const text = "dns+http://me:secret@vllm:8000/v1";
  const make = () => Promise.reject(new Error());
  const error = await assertRejects(() => openLists([{ text, make }], { waitMs: 0 }), UsageError);
  assertEquals(
    error.message,
    'Cannot use --base-url "dns+http://vllm:8000/v1": the address must not contain a user name or password',
  );
});

Deno.test("a file that cannot be used at the start is waited for as long as allowed", async () => {
  await using dir = await tempDir();
  const path = dir.path("endpoints.txt");
  const said: string[] = [];
  let pauses = 0;
  const pause = async () => {
    if (++pauses === 1) await dir.write("endpoints.txt", "http//a/v1\n");
    else await dir.write("endpoints.txt", "http://a/v1\n");
  };
  const make = ({ url }: { url: string }) => ({
    teacher: { address: url, complete: () => Promise.reject(new Error()) },
  });
  const open = (fileWaitMs?: number) =>
    openLists([{ text: `@${path}`, make }], {
      ...{ waitMs: 0, fileWaitMs, onWait: (message: string) => said.push(message) },
      dependencies: { pause },
    });
  await assertRejects(() => open(), UsageError, "no such file");
  await using lists = await open(60_000);
  assertEquals(lists.places.map(({ teacher }) => teacher.address), ["http://a/v1"]);
  assertEquals([pauses, said], [2, [`Waiting for "${path}": no such file (60 s at most)`]]);
});

Deno.test("only the shards of a job wait for a file of teachers without --wait", async () => {
  await using dir = await tempDir();
  const input = await dir.write("in.jsonl", [{ prompt: "a" }]);
  const args = [input, "-o", dir.path("out/"), "-m", "m", "--base-url", `@${dir.path("x.txt")}`];
  assertEquals((await runCli(args)).code, 2);
  await using shard = await startCli([...args, "--shard", "0/1"], { env: { RETORT_JOB: "j" } });
  await shard.untilStderr(/Waiting for .*no such file \(60 s at most\)/);
});
