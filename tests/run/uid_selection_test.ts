/** Tests of the selection of rows by id. @module */

import { assert, assertEquals, assertRejects, assertThrows } from "../../lib/deps/std_assert.ts";
import { UsageError } from "../../lib/errors.ts";
import { parseUids, UidSelection } from "../../lib/run/mod.ts";
import { ResponseGenerator } from "../../lib/response_generator.ts";
import type { Completion } from "../../lib/teacher/teacher.ts";
import { tempDir } from "../support/temp.ts";

Deno.test("parseUids() reads ids, JSON strings, and lines with a uid", () => {
  const text = '\ufeffa\r\n\n" b\\n"\n{"uid":"c","response":"x"}\n d#1 \nä~2';
  assertEquals(parseUids(text), ["a", " b\n", "c", " d#1 ", "ä~2"]);
  for (
    const [bad, problem] of [['a\n"b', "line 2 is not an id"], [
      '{"id":"a"}',
      'line 1 holds no "uid"',
    ]]
  ) {
    assertThrows(() => parseUids(bad), UsageError, problem);
  }
});

Deno.test("UidSelection knows which ids it has not seen", () => {
  const selection = new UidSelection(["a", "b", "c"], ["b"]);
  assertEquals(["a", "b", "z"].map((uid) => selection.has(uid)), [true, false, false]);
  assertEquals(selection.missing, ["c"]);
  assertEquals(new UidSelection().has("x"), true);
});

Deno.test("a retry sends the chosen rows only, and answered ones on request", async () => {
  await using dir = await tempDir();
  const asked: string[] = [];
  let fails = true;
  const teacher = {
    model: "m",
    address: "http://teacher",
    complete: (
      { messages }: { messages: readonly { content?: unknown }[] },
    ): Promise<Completion> => {
      const prompt = String(messages[0].content);
      asked.push(prompt);
      const isBad = fails && /[45]/.test(prompt);
      const response = isBad ? "bad" : `answer ${asked.length}`;
      return Promise.resolve({
        response,
        finishReason: isBad ? "length" : "stop",
        usage: null,
        model: "m",
      });
    },
  };
  const rows = [1, 2, 3, 4, 5].map((n) => ({ id: `r${n}`, prompt: `p${n}` }));
  const input = await dir.write("in.jsonl", rows);
  const output = `${dir.path("out")}/`;
  const run = async (options: object) => {
    asked.length = 0;
    const notices: string[] = [];
    const generator = new ResponseGenerator({ teacher, carefulStart: false });
    generator.on((event) => void (event.type === "notice" && notices.push(event.message)));
    const { succeeded, failed } = await generator.run({ input, output, ...options });
    return { asked: asked.toSorted(), succeeded, failed, notices: notices.join("\n") };
  };
  await run({});
  fails = false;
  assertEquals((await run({ retry: true, uids: ["r4", "r1"] })).asked, ["p4"]);
  assertEquals((await run({ retry: true, excludeUids: ["r5"] })).asked, []);
  const again = await run({ retry: true, uids: ["r1", "r5", "r9"], reaskAnswered: true });
  assertEquals(again.asked, ["p1", "p5"]);
  assert(
    /This retry sends, and pays for, 1 answered row again; .* price is not known/.test(
      again.notices,
    ),
    again.notices,
  );
  assert(/--uids has 1 id that no row has: "r9"/.test(again.notices), again.notices);
  const results = await dir.rows("out/in.jsonl");
  assertEquals(results.map(({ uid }) => uid).toSorted(), ["r1", "r2", "r3", "r4", "r5"]);
  assertEquals((await dir.rows("out/in.outdated.jsonl")).map(({ uid }) => uid), ["r1"]);
  // As after an interruption: the old answer was moved away, and there is no new one yet.
  await dir.write("out/in.jsonl", results.filter(({ uid }) => uid !== "r1" && uid !== "r2"));
  assertEquals((await run({ retry: true })).asked, []);
  assertEquals((await run({ retry: true, uids: ["r1", "r3"] })).asked, ["p1"]);
  await dir.write("in.jsonl", rows.map((row) => ({ ...row, prompt: `${row.prompt} edited` })));
  const edited = await run({ retry: true, uids: ["r1", "r3"], changed: "reask" });
  assertEquals(edited.asked, ["p1 edited", "p3 edited"]);
  assert(!edited.notices.includes("alone"), edited.notices);
  await assertRejects(() => run({ uids: ["r1"] }), TypeError, "without a retry");
  await assertRejects(
    () => run({ retry: true, reaskAnswered: true }),
    TypeError,
    "name them by uids",
  );
});
