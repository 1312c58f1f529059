/** Tests of cli/teacher_lists.ts: teachers of several lists that change. @module */

import { assertEquals } from "../../lib/deps/std_assert.ts";
import { openLists } from "../../cli/teacher_lists.ts";
import { tempDir } from "../support/temp.ts";

/** Opens lists in files; `look()` reads all of them once. */
async function opened(texts: readonly string[]) {
  const dir = await tempDir();
  const looks: (() => Promise<void>)[] = [], notices: string[] = [], refused = new Set<string>();
  const made = { until: Promise.resolve(), begin() {} };
  const make = async ({ url }: { url: string }) => {
    made.begin();
    await made.until;
    if (refused.has(url)) throw new Error(`no key for ${url}`);
    return { teacher: { address: url, complete: () => Promise.reject(new Error()) } };
  };
  for (const [i, text] of texts.entries()) await dir.write(`${i}.txt`, text);
  const named = texts.map((_, i) => ({ text: `@${dir.path(`${i}.txt`)}`, make }));
  const { places, list } = await openLists(named, 0, (_ms, look) => {
    looks.push(look);
    return () => {};
  });
  const current = new Set(places.map(({ teacher }) => teacher));
  const stop = list.watch(({ joined, left }) => {
    for (const { teacher } of joined) current.add(teacher);
    for (const teacher of left) current.delete(teacher);
  }, (level, message) => level === "warning" && notices.push(message));
  return {
    refused,
    made,
    notices,
    write: (i: number, text: string) => dir.write(`${i}.txt`, text),
    look: () => Promise.all(looks.map((look) => look())),
    current: () => [...current].map(({ address }) => address).toSorted(),
    async [Symbol.asyncDispose]() {
      stop();
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

Deno.test("a teacher stays if the one with its new weight cannot be created", async () => {
  await using lists = await opened([`${A}\n`]);
  lists.refused.add(A);
  await lists.write(0, `${A} weight=2\n`);
  await lists.look();
  assertEquals(lists.current(), [A]);
  lists.refused.clear();
  await lists.look();
  assertEquals(lists.current(), [A]);
  await lists.write(0, `${B}\n`);
  await lists.look();
  assertEquals(lists.current(), [B]);
});

Deno.test("a teacher whose new weight was refused leaves with its address", async () => {
  await using lists = await opened([`${A}\n`]);
  lists.refused.add(A);
  await lists.write(0, `${A} weight=2\n`);
  await lists.look();
  await lists.write(0, `${B}\n`);
  await lists.look();
  assertEquals(lists.current(), [B]);
});

Deno.test("an address of two lists is one teacher, which leaves with the last of them", async () => {
  await using lists = await opened([`${A}\n${B}\n`, `${B}\n`]);
  assertEquals(lists.current(), [A, B]);
  await lists.write(0, `${A}\n`);
  await lists.look();
  assertEquals(lists.current(), [A, B]);
  await lists.write(1, `${A}\n`);
  await lists.look();
  assertEquals(lists.current(), [A]);
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
