import { assertEquals } from "../../lib/deps/std_assert.ts";
import { differenceOf, ParsedRow, requestHash } from "../../lib/source/mod.ts";
import { RowParser, type RowParserOptions } from "../../lib/source/parse_row.ts";

type Case = [row: string, hash: string, difference?: string, options?: RowParserOptions];

/**
 * Rows, the `prompt_hash` that one of the earlier versions has written for them, and the part of
 * the request that has changed: undefined for none, "" if only keys that hold null are omitted.
 */
const CASES: readonly Case[] = [
  ['{"prompt":"hi"}', "4f1b70e48d8f08ca"],
  ['{"prompt":"hi","params":{"temperature":1.0},"tools":[]}', "5ab253519c08f2e7"],
  ['{"question":"hi","system":"s"}', "4f1b70e48d8f08ca", "the system message is sent"],
  [
    '{"instruction":"i","input":"x","system":"s","history":[["a","b"]]}',
    "5366d88ac8a6da7a",
  ],
  ['{"instruction":"i","history":"of Rome"}', "6094c7bea266ea54"],
  ['{"instruction":"i","context":"c"}', "6094c7bea266ea54", "the context is sent"],
  [
    '{"messages":[{"role":"user","content":"hi","name":null,"tool_calls":null}]}',
    "202a8a52dc7de0c5",
    "",
  ],
  [
    '{"messages":[{"role":"user","content":[{"type":"text","text":"hi","x":1.0,"image_url":null}]}]}',
    "e0b69458de60dd70",
    "",
  ],
  [
    '{"messages":[{"role":"human","content":"hi"},{"role":"gpt","content":"old"}]}',
    "bcb41d78a1489884",
    "the old answer is not sent",
  ],
  [
    '{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"temperature":0.20}',
    "4f1b70e48d8f08ca",
    '"model", "temperature" are sent',
  ],
  [
    '{"system":"s","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"old"}]}',
    "4f1b70e48d8f08ca",
    "the system message is sent",
  ],
  ['[{"role":"user","content":"hi","n":1e400}]', "c9327a132cf94900"],
  ['[{"role":"user","content":"hi"}]', "4f1b70e48d8f08ca", undefined, { template: "{{q}}" }],
  ['{"q":"hi","system":"s"}', "fa283e8cee65dbd1", "the system message is sent", {
    template: "Say {{q}}",
    system: "run",
  }],
  [
    '{"text":"hi","system":"s","params":{"a":null}}',
    "09d283be96fb3b7e",
    "the system message is sent",
    { promptField: "text" },
  ],
  [
    '{"custom_id":"1","body":{"model":"m","messages":[{"role":"user","content":"hi"}],' +
    '"extra_body":{"k":1.0},"stream":true}}',
    "7c9cb3b747d36f6e",
  ],
  [
    '{"system":"s","conversations":[{"from":"human","value":"hi"},{"from":"gpt","value":"old"}]}',
    "d01c20fd947e24d0",
  ],
  [
    '{"conversations":[{"from":"human","value":"hi"},{"from":"function_call",' +
    '"value":"{\\"name\\":\\"f\\",\\"arguments\\":{}}"},{"from":"observation","value":"42"}]}',
    "cb39885ad1ff3d8b",
    "calls are sent as tool calls",
  ],
  [
    '{"conversations":[{"from":"human","value":"hi"},{"from":"function_call","value":"{\\"name\\":' +
    '\\"f\\"}","reasoning_content":"r"},{"from":"observation","value":"42"}]}',
    "f9103369d23e013f",
    "the text and reasoning of tool calls are sent",
  ],
  [
    '[{"role":"user","content":"hi","n":1.0},{"role":"tool_call","content":"{\\"name\\":\\"f\\"}",' +
    '"reasoning":"r"},{"role":"tool_call","content":"<think>t</think>{\\"name\\":\\"g\\"}"},' +
    '{"role":"tool","content":"1"},{"role":"tool","content":"2"}]',
    "c72e8930362bee0e",
    "the text and reasoning of tool calls are sent",
    { template: "{{q}}" },
  ],
  [
    '{"messages":[{"role":"user","content":"<image>What?"}],"images":["https://a.example/1.png"]}',
    "a122932d5abca529",
    "images are sent",
  ],
  [
    '{"prompt":"hi","tools":[{"type":"function","function":{"name":"f","strict":null}}]}',
    "e6adcd08394382b3",
    "",
  ],
  [
    '{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"Well"}]}',
    "ef6c4d44f3461eb9",
    undefined,
    { runParams: { continue_final_message: true } },
  ],
];

for (const [text, hash, difference, options] of CASES) {
  Deno.test(`the request of an earlier version for ${text.slice(0, 80)} is known`, () => {
    const parser = new RowParser(options);
    const row = parser.parse(text);
    if (!(row instanceof ParsedRow)) throw new Error(row.problem);
    const earlier = parser.earlierRequests(row.text, text.startsWith("["))
      .find((request) => requestHash(request) === hash);
    if (earlier === undefined) throw new Error("it looks edited");
    assertEquals(row.promptHash === hash ? undefined : differenceOf(earlier, row), difference);
  });
}

Deno.test("a row that an earlier version refused has no earlier request", () => {
  const parser = new RowParser();
  for (const text of ['{"prompt":7}', '{"conversations":[null]}', '{"label":1}', "[1]"]) {
    assertEquals(parser.earlierRequests(text), []);
  }
});

Deno.test("parallel calls keep the text and reasoning of each of their turns", () => {
  const row = new RowParser().parse(
    '{"conversations":[{"from":"human","value":"hi"},' +
      '{"from":"function_call","value":"{\\"name\\":\\"f\\"}","reasoning_content":"first"},' +
      '{"from":"function_call","value":"{\\"name\\":\\"g\\"}","reasoning_content":"second"},' +
      '{"from":"observation","value":"1"},{"from":"observation","value":"2"}]}',
  );
  if (!(row instanceof ParsedRow)) throw new Error(row.problem);
  assertEquals(row.messages[1].content, null);
  assertEquals(row.messages[1].reasoning_content, "first\n\nsecond");
});
