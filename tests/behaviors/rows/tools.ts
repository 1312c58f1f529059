/** Rows with tools, and with calls of them. @module */

import type { RowGroup } from "./case.ts";

const F = '{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}';
const BARE = '{"name":"f","parameters":{"type":"object"}}';
const CALL =
  '{"id":"call00001","type":"function","function":{"name":"f","arguments":"{\\"x\\":1.0}"}}';
const CALL_2 = '{"id":"call00002","type":"function","function":{"name":"g","arguments":"{}"}}';
const USER = '{"role":"user","content":"hi"}';
const HUMAN = '{"from":"human","value":"hi"}';

/** The text as a JSON string. */
function quoted(text: string): string {
  return JSON.stringify(text);
}

/** Rows with tools, and with calls of them. */
export const TOOLS: RowGroup = {
  title: "Tools and calls",
  intro: "Tools may be JSON text. Calls without ids get ids of nine letters and digits, the form " +
    "that Mistral requires, and the results that follow name these ids. Arguments that are an object " +
    "become its JSON text.",
  cases: [
    {
      what: "tools as the API has them",
      rows: [`{"prompt":"hi","tools":[${F}]}`],
      sent: [`"messages":[${USER}],"tools":[${F}]`],
    },
    {
      what: "tools as JSON text (LLaMA-Factory, our own ShareGPT export)",
      rows: [`{"conversations":[${HUMAN}],"tools":${quoted(`[${F}]`)}}`],
      sent: [`"messages":[${USER}],"tools":[${F}]`],
    },
    {
      what: "functions without the frame of the API (LLaMA-Factory, xLAM)",
      rows: [`{"conversations":[${HUMAN}],"tools":${quoted(`[${BARE}]`)}}`],
      sent: [`"messages":[${USER}],"tools":[{"type":"function","function":${BARE}}]`],
    },
    {
      what: "tools as Anthropic's API has them",
      rows: [
        '{"prompt":"hi","tools":[{"name":"f","description":"d","input_schema":{"type":"object"}}]}',
      ],
      sent: [
        '"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}]',
      ],
    },
    {
      what: "types of Python in a schema (BFCL)",
      rows: [
        '{"prompt":"hi","tools":[{"name":"f","parameters":{"type":"dict","properties":{"x":{"type":"float","default":1.0}}}}]}',
      ],
      sent: [
        '"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"x":{"type":"number","default":1.0}}}}}]',
      ],
    },
    {
      what: "a list of JSON texts",
      rows: [`{"prompt":"hi","tools":[${quoted(F)}]}`],
      sent: [`"messages":[${USER}],"tools":[${F}]`],
    },
    {
      what: "no tools",
      rows: [
        '{"prompt":"hi","tools":""}',
        '{"prompt":"ho","tools":"[]"}',
        '{"prompt":"hu","tools":[]}',
      ],
      sent: [
        `"messages":[${USER}]`,
        '"messages":[{"role":"user","content":"ho"}]',
        '"messages":[{"role":"user","content":"hu"}]',
      ],
    },
    {
      what: "null keys in tools as Hugging Face writes them",
      rows: [
        '{"prompt":"hi","tools":[{"type":"function","function":{"name":"f","strict":null,"parameters":{"type":"object","properties":{"a":{"type":"string","enum":null,"default":null},"b":null}}}}]}',
      ],
      sent: [
        `"messages":[${USER}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string","default":null}}}}}]`,
      ],
    },
    {
      what: "a list of plain strings",
      rows: ['{"prompt":"hi","tools":["search","calculator"]}'],
      bad: '"tools[0]" must be an object such as {"type":"function","function":{…}}: ' +
        'current value is "search"',
    },
    {
      what: "text that is not JSON",
      rows: ['{"prompt":"hi","tools":"search"}'],
      bad: '"tools" must be an array of tools, or its JSON text: current value is "search"',
    },
    {
      what: "a call and its answer (LLaMA-Factory)",
      rows: [
        `{"conversations":[${HUMAN},{"from":"function_call","value":"{\\"name\\":\\"f\\",\\"arguments\\":{\\"x\\":1.0}}"},{"from":"observation","value":"42"},{"from":"gpt","value":"old"}],"tools":${
          quoted(`[${F}]`)
        }}`,
      ],
      sent: [
        `"messages":[${USER},{"role":"assistant","content":null,"tool_calls":[${CALL}]},{"role":"tool","content":"42","tool_call_id":"call00001"}],"tools":[${F}]`,
      ],
    },
    {
      what: "a call that the answer would repeat is not sent",
      rows: [
        `{"conversations":[${HUMAN},{"from":"function_call","value":"{\\"name\\":\\"f\\",\\"arguments\\":{}}"}]}`,
      ],
      sent: [`"messages":[${USER}]`],
    },
    {
      what: "several calls in one turn, and their answers in one list",
      rows: [
        `{"conversations":[${HUMAN},{"from":"function_call","value":"[{\\"name\\":\\"f\\",\\"arguments\\":{\\"x\\":1.0}},{\\"name\\":\\"g\\",\\"arguments\\":{}}]"},{"from":"observation","value":"[{\\"a\\":1.0},\\"b\\"]"}]}`,
      ],
      sent: [
        `"messages":[${USER},{"role":"assistant","content":null,"tool_calls":[${CALL},${CALL_2}]},{"role":"tool","content":"{\\"a\\":1.0}","tool_call_id":"call00001"},{"role":"tool","content":"b","tool_call_id":"call00002"}]`,
      ],
    },
    {
      what: "parallel calls in turns of their own",
      rows: [
        `{"conversations":[${HUMAN},{"from":"function_call","value":"{\\"name\\":\\"f\\",\\"arguments\\":{\\"x\\":1.0}}"},{"from":"function_call","value":"{\\"name\\":\\"g\\",\\"arguments\\":{}}"},{"from":"observation","value":"a"},{"from":"observation","value":"b"}]}`,
      ],
      sent: [
        `"messages":[${USER},{"role":"assistant","content":null,"tool_calls":[${CALL},${CALL_2}]},{"role":"tool","content":"a","tool_call_id":"call00001"},{"role":"tool","content":"b","tool_call_id":"call00002"}]`,
      ],
    },
    {
      what: "reasoning before a call (our own ShareGPT export)",
      rows: [
        `{"conversations":[${HUMAN},{"from":"function_call","value":"<think>\\nwhy\\n</think>\\n\\n[{\\"name\\":\\"g\\",\\"arguments\\":{}}]"},{"from":"observation","value":"42"}]}`,
      ],
      sent: [
        `"messages":[${USER},{"role":"assistant","content":"<think>\\nwhy\\n</think>","tool_calls":[${
          CALL_2.replace("call00002", "call00001")
        }]},{"role":"tool","content":"42","tool_call_id":"call00001"}]`,
      ],
    },
    {
      what: "ms-swift",
      rows: [
        `{"messages":[${USER},{"role":"tool_call","content":"{\\"name\\":\\"g\\",\\"arguments\\":{}}"},{"role":"tool_response","content":"42"}]}`,
      ],
      sent: [
        `"messages":[${USER},{"role":"assistant","content":null,"tool_calls":[${
          CALL_2.replace("call00002", "call00001")
        }]},{"role":"tool","content":"42","tool_call_id":"call00001"}]`,
      ],
    },
    {
      what: "calls without ids, arguments as objects (TRL)",
      rows: [
        `{"messages":[${USER},{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f","arguments":{"x":1.0,"y":null}}}]},{"role":"tool","name":"f","content":"42"}]}`,
      ],
      sent: [
        `"messages":[${USER},{"role":"assistant","tool_calls":[${CALL}]},{"role":"tool","name":"f","content":"42","tool_call_id":"call00001"}]`,
      ],
    },
    {
      what: "calls as JSON text",
      rows: [
        `{"messages":[${USER},{"role":"assistant","content":"","tool_calls":${
          quoted(`[${CALL}]`)
        }},{"role":"tool","tool_call_id":"call00001","content":"42"}]}`,
      ],
      sent: [
        `"messages":[${USER},{"role":"assistant","content":"","tool_calls":[${CALL}]},{"role":"tool","tool_call_id":"call00001","content":"42"}]`,
      ],
    },
    {
      what: "one answer to several calls",
      rows: [
        `{"conversations":[${HUMAN},{"from":"function_call","value":"[{\\"name\\":\\"f\\",\\"arguments\\":{\\"x\\":1.0}},{\\"name\\":\\"g\\",\\"arguments\\":{}}]"},{"from":"observation","value":"both"}]}`,
      ],
      sent: [
        `"messages":[${USER},{"role":"assistant","content":null,"tool_calls":[${CALL},${CALL_2}]},{"role":"tool","content":"both","tool_call_id":"call00001"},{"role":"tool","content":"both","tool_call_id":"call00002"}]`,
      ],
    },
    {
      what: "answers that name their call by its function",
      rows: [
        `{"messages":[${USER},{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":"{\\"x\\":1.0}"}},{"name":"g","arguments":{}}]},{"role":"tool","name":"g","content":"b"},{"role":"tool","name":"f","content":"a"}]}`,
      ],
      sent: [
        `"messages":[${USER},{"role":"assistant","content":"","tool_calls":[{"id":"call00001","function":{"name":"f","arguments":"{\\"x\\":1.0}"},"type":"function"},${CALL_2}]},{"role":"tool","name":"g","content":"b","tool_call_id":"call00002"},{"role":"tool","name":"f","content":"a","tool_call_id":"call00001"}]`,
      ],
    },
    {
      what: "an empty list of calls",
      rows: [
        `{"messages":[${USER},{"role":"assistant","content":"yes","tool_calls":[]},{"role":"user","content":"ho"}]}`,
      ],
      sent: [
        `"messages":[${USER},{"role":"assistant","content":"yes"},{"role":"user","content":"ho"}]`,
      ],
    },
    {
      what: "the older functions of OpenAI",
      rows: [
        `{"messages":[${USER},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"42"}],"functions":[${BARE}]}`,
      ],
      sent: [
        `"messages":[${USER},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"42"}],"functions":[${BARE}]`,
      ],
    },
    {
      what: "a call that cannot be read",
      rows: [`{"conversations":[{"from":"function_call","value":"f()"},${HUMAN}]}`],
      bad: '"conversations[0]" must be a call or a list of calls such as ' +
        '{"name":"f","arguments":{}}: current value is "f()"',
    },
    {
      what: "an answer to no call",
      rows: [`{"conversations":[${HUMAN},{"from":"observation","value":"42"}]}`],
      bad: '"conversations" has the result of a tool call, but no call before it',
    },
  ],
};
