/** The prompts that the page shows are those that a run sends. @module */

import { assert, assertEquals } from "../../lib/deps/std_assert.ts";
import { promptOf, textFieldsOf, turnsOf } from "../../lib/data/turns.ts";
import type { RunHints } from "../../lib/data/line_facts.ts";
import { ParsedRow, RowParser } from "../../lib/source/mod.ts";
import type { Message } from "../../lib/teacher/mod.ts";
import { ROWS } from "../behaviors/rows/rows.ts";
import { resultLineOf } from "../export/results.ts";

function textOf({ content }: Message): string {
  if (!Array.isArray(content)) return typeof content === "string" ? content : "";
  return content.map(({ type, text }) => text ?? `[${type}]`).join("\n");
}

Deno.test("turnsOf() gives the messages that are sent, for a row of every known shape", () => {
  const cases = ROWS.flatMap((group) => group.cases)
    .filter(({ flags, sent }) => flags === undefined && sent !== undefined);
  let rows = 0;
  for (const text of cases.flatMap(({ rows }) => rows)) {
    for (const system of [undefined, "the run's"]) {
      const row = new RowParser({ system }).parse(text);
      if (!(row instanceof ParsedRow)) continue;
      rows++;
      const line = JSON.parse(resultLineOf(text, {}, { system }));
      const expected = row.messages.map((message) => [message.role, textOf(message)]);
      assertEquals(turnsOf(line, { system }).map(({ role, text }) => [role, text]), expected, text);
      const prompts = row.messages.filter(({ role }) => role === "user" || role === "tool");
      assertEquals(promptOf(line, { system }), prompts.map(textOf).join("\n"), text);
    }
  }
  assert(rows > 200, `${rows} rows`);
});

Deno.test("turnsOf() reads by template and prompt field, and shows a row that was not sent", () => {
  const template = "Solve {{a.b}}: {{q}}";
  const line = JSON.parse(resultLineOf({ q: "x", a: { b: 1 } }, {}, { template }));
  assertEquals(promptOf(line, { template }), "Solve 1: x");
  const ofUid = JSON.parse(resultLineOf({ uid: "7", q: "x" }, {}, { template: "{{uid}}: {{q}}" }));
  assertEquals(promptOf(ofUid, { template: "{{uid}}: {{q}}" }), "7: x");
  const named = JSON.parse(resultLineOf({ text: "x", id: 1 }, {}, { promptField: "text" }));
  assertEquals(promptOf(named, { promptField: "text" }), "x");
  // Without its run file, the row itself is shown.
  assertEquals(promptOf(named, {}), '{"text":"x","id":1}');
  assertEquals(promptOf({ uid: "1", raw: "{broken", error: {} }, {}), "{broken");
});

Deno.test("turnsOf() shows the turn that the answer continues, by the parameters of the line's own run", () => {
  const hints = { params: { on: { continue_final_message: true }, off: {} } };
  const messages = [{ role: "user", content: "q" }, { role: "assistant", content: "Well," }];
  const rolesOf = (row: object, paramsId: string) => {
    const line = JSON.parse(resultLineOf(row, {}, { runParams: hints.params.on, paramsId }));
    return turnsOf(line, hints).map(({ role }) => role);
  };
  assertEquals(rolesOf({ messages }, "on"), ["user", "assistant"]);
  assertEquals(rolesOf({ messages }, "off"), ["user"]);
  // The row's own parameters come first.
  const params = { continue_final_message: false };
  assertEquals(rolesOf({ messages, params }, "on"), ["user"]);
});

Deno.test("textFieldsOf() names the fields whose whole texts the turns show", () => {
  const messages = [{ role: "user", content: "q" }];
  const turns = [{ from: "human", value: "q" }, { from: "gpt", value: "a" }];
  const cases: readonly [row: object, shown: string[], hints?: RunHints][] = [
    [{ messages, lang: "en" }, ["messages"]],
    [{ conversations: turns, lang: "en" }, ["conversations"]],
    [{ conversation: messages, model: "m" }, ["conversation"]],
    [{ chosen: messages, rejected: messages }, ["chosen"]],
    [{ body: { messages }, custom_id: "a", url: "/v1/chat/completions" }, ["body"]],
    [{ prompt: "q", question: "another", system: "s" }, ["prompt", "system"]],
    [{ prompt: "q", history: [["a", "b"]], images: [] }, ["prompt", "history"]],
    [{ instruction: "q", input: "i", context: "not sent" }, ["instruction", "input"]],
    [{ instruction: "q", context: "c", output: "a" }, ["instruction", "context"]],
    [{ text: "q", prompt: "p" }, ["text"], { promptField: "text" }],
    [{ text: messages, history: [["a", "b"]] }, ["text"], { promptField: "text" }],
    [{ a: { b: 1, c: 2 }, q: "q", prompt: "p" }, ["q"], { template: "{{a.b}} {{q}}" }],
  ];
  for (const [row, shown, hints = {}] of cases) {
    const line = JSON.parse(resultLineOf(row, {}, hints));
    const found = textFieldsOf(line, hints).filter((name) => name in row);
    assertEquals(found, shown, JSON.stringify(row));
  }
  assertEquals(textFieldsOf({ uid: "bad", label: 1 }, {}), []);
});
