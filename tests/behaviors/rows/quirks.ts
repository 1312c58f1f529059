/** Rows that users have met in data sets, each with its source. @module */

import type { RowCase, RowGroup } from "./case.ts";

const NO_PROMPT =
  'no prompt found: expected "messages", "prompt", "conversations", "question" or ' +
  '"instruction", or a template: ';
const HI = '"messages":[{"role":"user","content":"hi"}]';
const PNG_BASE64 =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

/** One row, and what is sent for it. */
function sent(what: string, row: string, messages = HI, says?: string): RowCase {
  return { what, rows: [row], sent: [messages], ...(says === undefined ? {} : { says }) };
}

/** One row that is refused, with the way out. */
function refused(what: string, row: string, bad: string, help?: string): RowCase {
  return { what, rows: [row], bad, ...(help === undefined ? {} : { help }) };
}

/** Rows that users have met in data sets. */
export const QUIRKS: RowGroup = {
  title: "Seen in data sets",
  intro:
    "Rows as other tools write them. A list of messages may also be JSON text, or the columns that " +
    "Hugging Face makes of a sequence of objects.",
  cases: [
    // huggingface/datasets: a Sequence of a dict becomes a dict of lists.
    sent(
      "a sequence of objects as Hugging Face writes it",
      '{"messages":{"role":["system","user","assistant"],"content":["s","hi","old"]}}',
      '"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]',
    ),
    sent(
      "the same of a ShareGPT log, with a column that is null",
      '{"conversations":{"from":["human","gpt"],"value":["hi","old"],"weight":[null,1]}}',
    ),
    sent(
      "the same as a prompt (TRL)",
      '{"prompt":{"role":["user"],"content":["hi"]},"completion":{"role":["assistant"],"content":["old"]}}',
      HI,
      "not sent: completion",
    ),
    refused(
      "columns of different lengths",
      '{"messages":{"role":["user","user"],"content":["hi"]}}',
      '"messages" must be an array of messages: current value is an object',
    ),
    // hiyouga/LlamaFactory#8947 and files that went through CSV
    sent(
      "messages as JSON text",
      '{"messages":"[{\\"role\\":\\"user\\",\\"content\\":\\"hi\\",\\"n\\":1.0}]"}',
      '"messages":[{"role":"user","content":"hi","n":1.0}]',
    ),
    sent(
      "a ShareGPT log as JSON text",
      '{"conversations":"[{\\"from\\":\\"human\\",\\"value\\":\\"hi\\"},{\\"from\\":\\"gpt\\",\\"value\\":\\"old\\"}]"}',
    ),
    refused(
      "messages as the text of a Python list",
      "{\"messages\":\"[{'role': 'user', 'content': 'hi'}]\"}",
      '"messages" must be an array of messages: current value is ' +
        "\"[{'role': 'user', 'content': 'hi'}]\"",
      "it is the text of a Python list: write it with json.dumps() instead of str()",
    ),
    {
      what: "a request of Gemini's API",
      rows: ['{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}'],
      bad: NO_PROMPT + 'the row has the fields "contents"',
      help: "it is a request of Gemini's API: extract it with " +
        "jq -c '{prompt: .contents[-1].parts[0].text}'",
    },
    {
      what: "a request of OpenAI's responses API",
      rows: ['{"model":"m","instructions":"be brief","input":"hi"}'],
      bad: NO_PROMPT + 'the row has the fields "model", "instructions", "input"',
      help: "it is a request of OpenAI's responses API: extract it with " +
        "jq -c '{system: .instructions, prompt: .input}'",
    },
    {
      what: "a role with white space around it",
      rows: ['{"messages":[{"role":" User ","content":"hi"}]}'],
      sent: ['"messages":[{"role":"user","content":"hi"}]'],
    },
    {
      // LAION-AI/Open-Assistant#1911
      what: "OpenAssistant's threads, whose turns hold `text`",
      rows: [
        '{"thread":[{"text":"hi","role":"prompter"},{"text":"yes","role":"assistant"},{"text":"ho","role":"prompter"}],"source":"wikipedia"}',
      ],
      flags: ["--prompt-field", "thread"],
      sent: [
        '"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"},{"role":"user","content":"ho"}]',
      ],
      says: "not sent: source",
    },
    refused(
      "the same without the flag",
      '{"thread":[{"text":"hi","role":"prompter"}],"source":"wikipedia"}',
      `${NO_PROMPT}the row has the fields "thread", "source"`,
      "use --prompt-field thread",
    ),
    // huggingface/text-generation-inference#2461
    sent(
      "the role that Llama 3's template has for answers of tools",
      '{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"ipython","content":"1","tool_call_id":"a"}]}',
      '"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"1","tool_call_id":"a"}]',
    ),
    // NousResearch/hermes-function-calling-v1
    sent(
      "Hermes: calls and their answers between tags",
      '{"conversations":[{"from":"human","value":"hi"},{"from":"gpt","value":"Let me see.\\n<tool_call>\\n{\\"arguments\\": {\\"x\\": 1.0}, \\"name\\": \\"f\\"}\\n</tool_call>"},{"from":"tool","value":"<tool_response>\\n{\\"y\\": 2}\\n</tool_response>"}]}',
      '"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"Let me see.","tool_calls":[{"id":"call00001","type":"function","function":{"name":"f","arguments":"{\\"x\\":1.0}"}}]},{"role":"tool","content":"{\\"y\\": 2}","tool_call_id":"call00001"}]',
    ),
    sent(
      "Hermes: two calls, and two answers in one turn",
      '{"conversations":[{"from":"human","value":"hi"},{"from":"gpt","value":"<tool_call>{\\"name\\": \\"f\\", \\"arguments\\": {}}</tool_call>\\n<tool_call>{\\"name\\": \\"g\\", \\"arguments\\": {}}</tool_call>"},{"from":"tool","value":"<tool_response>1</tool_response>\\n<tool_response>2</tool_response>"}]}',
      '"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"call00001","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"call00002","type":"function","function":{"name":"g","arguments":"{}"}}]},{"role":"tool","content":"1","tool_call_id":"call00001"},{"role":"tool","content":"2","tool_call_id":"call00002"}]',
    ),
    // hiyouga/LlamaFactory#2571
    sent(
      "AgentInstruct, whose turns hold `loss`",
      '{"conversations":[{"from":"human","loss":null,"value":"hi"},{"from":"gpt","loss":true,"value":"old"}]}',
    ),
    // HuggingFaceH4/ultrafeedback_binarized
    sent(
      "preference pairs with messages",
      '{"prompt":"hi","chosen":[{"role":"user","content":"hi"}],"rejected":[],"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"old"}]}',
      HI,
      "not sent: prompt, chosen, rejected",
    ),
    // nvidia/Llama-Nemotron-Post-Training-Dataset
    refused(
      "messages under another name",
      '{"input":[{"role":"user","content":"hi"}],"output":"old","category":"math"}',
      `${NO_PROMPT}the row has the fields "input", "output", "category"`,
      "use --prompt-field input",
    ),
    // 567-labs/instructor#1193
    refused(
      "a line of an Anthropic batch",
      '{"custom_id":"a","params":{"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}}',
      `${NO_PROMPT}the row has the fields "custom_id", "params"`,
      "it is a line of an Anthropic batch: extract it with " +
        "jq -c '{custom_id, system: .params.system, messages: .params.messages}'",
    ),
    // lofcz/LLMTornado#162
    refused(
      "a line of a Gemini batch",
      '{"key":"a","request":{"contents":[{"parts":[{"text":"hi"}]}]}}',
      `${NO_PROMPT}the row has the fields "key", "request"`,
      "it is a line of a Gemini batch: extract it with " +
        "jq -c '{id: .key, prompt: .request.contents[-1].parts[0].text}'",
    ),
    refused(
      "a line of a Bedrock batch",
      '{"recordId":"a","modelInput":{"messages":[{"role":"user","content":"hi"}]}}',
      `${NO_PROMPT}the row has the fields "recordId", "modelInput"`,
      "it is a line of a Bedrock batch: extract it with " +
        "jq -c '{id: .recordId, system: .modelInput.system, messages: .modelInput.messages}'",
    ),
    refused(
      "several turns in lists of their own (BFCL)",
      '{"id":"simple_0","question":[[{"role":"user","content":"hi"}]],"function":[{"name":"f"}]}',
      '"question" must be a string: current value is an array',
      "it contains a list of messages for each turn: send the first one with " +
        `jq -c '{id, messages: .["question"][0], tools: .function}'`,
    ),
    refused(
      "a dialogue of MOSS",
      '{"conversation_id":1,"meta_instruction":"s","chat":{"turn_1":{"Human":"<|Human|>: hi<eoh>\\n","MOSS":"old"}}}',
      `${NO_PROMPT}the row has the fields "conversation_id", "meta_instruction", "chat"`,
      "it is a dialogue of MOSS: send its first turn with jq -c '{system: .meta_instruction, " +
        'prompt: (.chat.turn_1.Human | ltrimstr("<|Human|>: ") | rtrimstr("\\n") | rtrimstr("<eoh>"))}\'',
    ),
    refused(
      "translations (WMT)",
      '{"translation":{"de":"Hallo du","en":"Hello you"}}',
      `${NO_PROMPT}the row has the fields "translation"`,
      "use --template 'Translate from de to en: {{translation.de}}'",
    ),
    sent(
      "turns between marks (HelpSteer2)",
      '{"prompt":"hi\\n<extra_id_1>Assistant\\nyes\\n<extra_id_1>User\\nho","response":"old"}',
      '"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"},{"role":"user","content":"ho"}]',
      "not sent: response",
    ),
    sent("an old answer between such marks", '{"prompt":"hi<extra_id_1>Assistant\\nold"}'),
    sent(
      "a prompt that asks about a label",
      '{"prompt":"USER: what does the label ASSISTANT: mean?"}',
      '"messages":[{"role":"user","content":"USER: what does the label ASSISTANT: mean?"}]',
    ),
    ...[
      ["USER: hi ASSISTANT: I wrote the label ASSISTANT: first", "ASSISTANT:"],
      ["A chat between a user and a bot. USER: hi ASSISTANT: old</s>", "ASSISTANT:"],
      ["User: hi\n\nAssistant: old", "\nAssistant:"],
      ["<|user|>\nhi<|end|>\n<|assistant|>\nold<|end|>", "<|assistant|>"],
      ["<｜begin▁of▁sentence｜><｜User｜>hi<｜Assistant｜>old", "<｜Assistant｜>"],
      ["### Instruction:\nhi\n\n### Response:\nold", "### Response:"],
    ].map(([prompt, label]) =>
      refused(
        "an old answer at the end of a text",
        JSON.stringify({ prompt }),
        `"prompt" ends with an old answer: it follows ${JSON.stringify(label)}`,
        "remove it, or send the text as it is with --template '{{prompt}}'",
      )
    ),
    {
      what: "a path in the place of an address",
      rows: [
        '{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"img/1.PNG","detail":"low"}},{"type":"text","text":"hi"}]}]}',
      ],
      files: { "in/img/1.PNG": Uint8Array.fromBase64(PNG_BASE64) },
      sent: [
        `"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,${PNG_BASE64}","detail":"low"}},{"type":"text","text":"hi"}]}]`,
      ],
    },
    {
      what: "such a path that leads out of the folder",
      rows: [
        '{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"../1.png"}}]}]}',
      ],
      files: { "1.png": Uint8Array.fromBase64(PNG_BASE64) },
      bad: 'cannot send the image "../1.png": it must be in the folder "$DIR/in" (--images-root)',
    },
    sent(
      "an image as Anthropic's API has it",
      `{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"${PNG_BASE64}"}},{"type":"image","source":{"type":"url","url":"https://a.example/1.png"}},{"type":"text","text":"hi"}]}]}`,
      `"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,${PNG_BASE64}"}},{"type":"image_url","image_url":{"url":"https://a.example/1.png"}},{"type":"text","text":"hi"}]}]`,
    ),
  ],
};
