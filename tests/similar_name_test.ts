import { assertEquals } from "../lib/deps/std_assert.ts";
import { similarName, suggestion } from "../lib/similar_name.ts";

Deno.test("a misspelled name has a similar name, and another word has none", () => {
  const cases: [word: string, names: string[], expected: string | undefined][] = [
    ["modl", ["prompt", "model"], "model"],
    ["retyr", ["retry"], "retry"],
    ["RETRY", ["retry"], "retry"],
    ["maxTokens", ["max_tokens"], "max_tokens"],
    ["clientConfg", ["client-config"], "client-config"],
    ["completions_token", ["completion_tokens"], "completion_tokens"],
    ["seed", ["keep"], undefined],
    ["message_id", ["messages"], undefined],
    ["x", ["y"], undefined],
    ["ID", ["id"], "id"],
    ["teacher", ["cheater", "teachers"], "teachers"],
    ["learning_rate", ["model", "input"], undefined],
    ["model", [], undefined],
  ];
  for (const [word, names, expected] of cases) {
    assertEquals(similarName(word, names), expected, word);
  }
  assertEquals(suggestion("modl", ["model"]), '. Did you mean "model"?');
  assertEquals(suggestion("seed", ["keep"]), "");
});
