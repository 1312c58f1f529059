/** Rows that hold a conversation. @module */

import type { RowGroup } from "./case.ts";

/** Rows that hold a conversation. */
export const CHATS: RowGroup = {
  title: "Conversations",
  intro:
    "An old answer at the end is never sent (unless `continue_final_message` is on). In every shape, " +
    "roles become those of the API: `human` and `prompter` become `user`; `gpt`, `chatgpt`, `bot`, " +
    "`chatbot`, `model`, `ai`, `bing`, `bard` and `claude` become `assistant`. Keys that hold null " +
    "are not sent.",
  cases: [
    {
      what: "OpenAI, TRL",
      rows: [
        '{"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"},{"role":"assistant","content":"old"}]}',
      ],
      sent: ['"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]'],
    },
    {
      what: "a bare list of messages",
      rows: ['[{"role":"user","content":"hi"}]'],
      sent: ['"messages":[{"role":"user","content":"hi"}]'],
    },
    {
      what: "TRL's prompt and completion",
      rows: [
        '{"prompt":[{"role":"user","content":"hi"}],"completion":[{"role":"assistant","content":"old"}]}',
      ],
      sent: ['"messages":[{"role":"user","content":"hi"}]'],
      says: "not sent: completion",
    },
    {
      what: "null keys as Hugging Face writes them",
      rows: [
        '{"messages":[{"role":"user","content":"hi","tool_calls":null,"tool_call_id":null,"name":null}]}',
      ],
      sent: ['"messages":[{"role":"user","content":"hi"}]'],
    },
    {
      what: "null keys inside content parts",
      rows: [
        '{"messages":[{"role":"user","content":[{"type":"text","text":"hi","image_url":null},{"type":"image_url","text":null,"image_url":{"url":"https://a.example/1.png","detail":null}}]}]}',
      ],
      sent: [
        '"messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"https://a.example/1.png"}}]}]',
      ],
    },
    {
      what: "content that is null with tool calls stays",
      rows: [
        '{"messages":[{"role":"user","content":"hi","tool_calls":null},{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}],"name":null},{"role":"tool","content":"1","tool_call_id":"a","tool_calls":null}]}',
      ],
      sent: [
        '"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"1","tool_call_id":"a"}]',
      ],
    },
    {
      what: "content that is null without tool calls",
      rows: ['{"messages":[{"role":"user","content":null}]}'],
      bad: '"messages[0].content" must be a string or an array of parts: current value is null',
    },
    {
      what: "other fields of a message are sent",
      rows: [
        '{"messages":[{"role":"user","content":"hi","name":"ann","cache_control":{"type":"ephemeral"},"weight":1.0}]}',
      ],
      sent: [
        '"messages":[{"role":"user","content":"hi","name":"ann","cache_control":{"type":"ephemeral"},"weight":1.0}]',
      ],
    },
    {
      what: "ShareGPT",
      rows: [
        '{"conversations":[{"from":"system","value":"s"},{"from":"human","value":"hi"},{"from":"gpt","value":"yes"},{"from":"human","value":"ho"},{"from":"gpt","value":"old"}]}',
      ],
      sent: [
        '"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"},{"role":"assistant","content":"yes"},{"role":"user","content":"ho"}]',
      ],
    },
    {
      what: "ShareGPT with a system field",
      rows: ['{"system":"be brief","conversations":[{"from":"human","value":"hi"}]}'],
      sent: ['"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]'],
    },
    {
      what: "messages with a system field",
      rows: ['{"system":"be brief","messages":[{"role":"user","content":"hi"}]}'],
      sent: ['"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]'],
    },
    {
      what: "a system field and a system message",
      rows: [
        '{"system":"x","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]}',
      ],
      sent: ['"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]'],
      says: "not sent: system",
    },
    {
      what: "speakers of ShareGPT inside messages",
      rows: [
        '{"messages":[{"from":"human","value":"hi"},{"from":"gpt","value":"yes"},{"from":"human","value":"ho"},{"from":"gpt","value":"old"}]}',
      ],
      sent: [
        '"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"},{"role":"user","content":"ho"}]',
      ],
    },
    {
      what: "roles of other projects",
      rows: [
        '{"messages":[{"role":"human","content":"hi"},{"role":"bot","content":"yes"},{"role":"User","content":"ho"},{"role":"model","content":"old"}]}',
        '{"messages":[{"role":"prompter","content":"hi"},{"role":"gpt","content":"old"}]}',
      ],
      sent: [
        '"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"},{"role":"user","content":"ho"}]',
        '"messages":[{"role":"user","content":"hi"}]',
      ],
    },
    {
      what: "roles in a bare list",
      rows: ['[{"role":"human","content":"hi"},{"role":"gpt","content":"old"}]'],
      sent: ['"messages":[{"role":"user","content":"hi"}]'],
    },
    {
      what: "an unknown role is passed on",
      rows: ['{"messages":[{"role":"critic","content":"hi"}]}'],
      sent: ['"messages":[{"role":"critic","content":"hi"}]'],
    },
    {
      what: "LMSYS-Chat-1M",
      rows: [
        '{"conversation_id":"c1","model":"vicuna-13b","conversation":[{"content":"hi","role":"user"},{"content":"old","role":"assistant"}],"turn":1,"language":"English","redacted":false}',
      ],
      sent: ['"messages":[{"role":"user","content":"hi"}]'],
      says: "not sent: conversation_id, model, turn, language, redacted",
    },
    {
      what: "WildChat, whose turns hold metadata",
      rows: [
        '{"model":"gpt-4","conversation":[{"content":"hi","country":"Chile","hashed_ip":"a1","language":"English","redacted":false,"role":"user","toxic":false,"turn_identifier":1},{"content":"old","role":"assistant","toxic":false}]}',
      ],
      sent: ['"messages":[{"role":"user","content":"hi"}]'],
      says: "not sent: model, conversation[].country, conversation[].hashed_ip, " +
        "conversation[].language, conversation[].redacted, conversation[].toxic, " +
        "conversation[].turn_identifier",
    },
    {
      what: "questions with their answers (Capybara, XTuner, ms-swift)",
      rows: [
        '{"conversation":[{"system":"s","input":"hi","output":"yes"},{"input":"ho","output":"old"}]}',
        '{"conversation":[{"human":"hi","assistant":"yes"},{"human":"ho","assistant":"old"}]}',
      ],
      sent: [
        '"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"},{"role":"assistant","content":"yes"},{"role":"user","content":"ho"}]',
        '"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"},{"role":"user","content":"ho"}]',
      ],
    },
    {
      what: "nothing but an old answer",
      rows: ['{"messages":[{"role":"gpt","content":"old"}]}'],
      bad: '"messages" must contain more than assistant turns',
    },
    {
      what: "the start of the answer",
      rows: [
        '{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"Well,"}],"params":{"continue_final_message":true}}',
      ],
      sent: [
        '"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"Well,"}],"continue_final_message":true',
      ],
    },
  ],
};
