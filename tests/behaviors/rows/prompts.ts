/** Rows that hold one prompt. @module */

import type { RowGroup } from "./case.ts";

/** Rows that hold one prompt. */
export const PROMPTS: RowGroup = {
  title: "One prompt",
  intro:
    "A field that is null counts as absent. `system`, `system_prompt` or `system_message` is sent as " +
    "the system message, `history` as earlier turns, in every shape that has a prompt.",
  cases: [
    {
      what: "a prompt",
      rows: ['{"prompt":"hi"}'],
      sent: ['"messages":[{"role":"user","content":"hi"}]'],
    },
    {
      what: "a prompt with its own system message",
      rows: ['{"system":"be brief","prompt":"hi"}'],
      sent: ['"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]'],
    },
    {
      what: "the row's system message overrides that of the run",
      rows: ['{"prompt":"hi","system":"be brief"}', '{"prompt":"ho","system":" "}'],
      flags: ["--system", "be kind"],
      sent: [
        '"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]',
        '"messages":[{"role":"system","content":"be kind"},{"role":"user","content":"ho"}]',
      ],
    },
    {
      what: "OpenOrca",
      rows: [
        '{"id":"flan.1","system_prompt":"You are an AI assistant.","question":"Why?","response":"So."}',
      ],
      sent: [
        '"messages":[{"role":"system","content":"You are an AI assistant."},{"role":"user","content":"Why?"}]',
      ],
      uids: ["flan.1"],
      says: "not sent: response",
    },
    {
      what: "GSM8K",
      rows: ['{"question":"1+1?","answer":"#### 2"}'],
      sent: ['"messages":[{"role":"user","content":"1+1?"}]'],
      says: "not sent: answer",
    },
    {
      what: "Alpaca",
      rows: ['{"instruction":"Translate","input":"cat","output":"Katze"}'],
      sent: ['"messages":[{"role":"user","content":"Translate\\n\\ncat"}]'],
      says: "not sent: output",
    },
    {
      what: "Dolly",
      rows: [
        '{"instruction":"When was it?","context":"Rome fell in 476.","response":"476","category":"closed_qa"}',
        '{"instruction":"Why?","context":"","response":"So.","category":"open_qa"}',
      ],
      sent: [
        '"messages":[{"role":"user","content":"When was it?\\n\\nRome fell in 476."}]',
        '"messages":[{"role":"user","content":"Why?"}]',
      ],
      says: "not sent: response, category",
    },
    {
      what: "a context with an empty input (Alpaca)",
      rows: ['{"instruction":"Sum up","input":" ","context":"Rome fell."}'],
      sent: ['"messages":[{"role":"user","content":"Sum up\\n\\nRome fell."}]'],
    },
    {
      what: "a context with an input",
      rows: ['{"instruction":"Translate","input":"cat","context":"animals"}'],
      sent: ['"messages":[{"role":"user","content":"Translate\\n\\ncat"}]'],
      says: "not sent: context",
    },
    {
      what: "a context that is not text",
      rows: ['{"instruction":"Who?","context":["Rome","Paris"]}'],
      sent: ['"messages":[{"role":"user","content":"Who?"}]'],
      says: "not sent: context",
    },
    {
      what: "Alpaca with a system message and earlier turns (LLaMA-Factory)",
      rows: [
        '{"instruction":"And dog?","input":"","output":"Hund","system":"be brief","history":[["cat?","Katze"]]}',
      ],
      sent: [
        '"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"cat?"},' +
        '{"role":"assistant","content":"Katze"},{"role":"user","content":"And dog?"}]',
      ],
    },
    {
      what: "earlier turns with a prompt",
      rows: ['{"prompt":"And dog?","history":[["cat?","Katze"]]}'],
      sent: [
        '"messages":[{"role":"user","content":"cat?"},{"role":"assistant","content":"Katze"},' +
        '{"role":"user","content":"And dog?"}]',
      ],
    },
    {
      what: "earlier turns as messages (ChatGLM)",
      rows: [
        '{"question":"And dog?","history":[{"role":"user","content":"cat?"},{"role":"bot","content":"Katze"}]}',
      ],
      sent: [
        '"messages":[{"role":"user","content":"cat?"},{"role":"assistant","content":"Katze"},' +
        '{"role":"user","content":"And dog?"}]',
      ],
    },
    {
      what: "another kind of history",
      rows: ['{"instruction":"Who won?","history":"of Rome"}'],
      sent: ['"messages":[{"role":"user","content":"Who won?"}]'],
      says: "not sent: history",
    },
    {
      what: "earlier turns that are not pairs",
      rows: ['{"prompt":"hi","history":[["a","b","c"]]}'],
      bad: '"history" must be a list of pairs of question and answer, or of messages: ' +
        "current value is an array",
    },
    {
      what: "a system message that is not text",
      rows: ['{"prompt":"hi","system":{"role":"x"}}'],
      bad: '"system" must be a string: current value is an object',
    },
    {
      what: "a field that the run names",
      rows: ['{"text":"hi","system":"be brief"}'],
      flags: ["--prompt-field", "text"],
      sent: ['"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]'],
    },
    {
      what: "a field that the run names and that holds messages",
      rows: ['{"chat":[{"from":"human","value":"hi"},{"from":"gpt","value":"old"}]}'],
      flags: ["--prompt-field", "chat"],
      sent: ['"messages":[{"role":"user","content":"hi"}]'],
    },
    {
      what: "messages that the run names, and a history",
      rows: ['{"chat":[{"role":"user","content":"hi"}],"history":[["a","b"]]}'],
      flags: ["--prompt-field", "chat"],
      sent: ['"messages":[{"role":"user","content":"hi"}]'],
      says: "not sent: history",
    },
    {
      what: "a template; it takes the fields that it names",
      rows: ['{"text":"cat","language":"German","note":"x"}'],
      flags: ["--template", "Translate into {{language}}: {{text}}"],
      sent: ['"messages":[{"role":"user","content":"Translate into German: cat"}]'],
      says: "not sent: note",
    },
    {
      what: "a template that names the system field",
      rows: ['{"system":"Rome","q":"Who?"}'],
      flags: ["--template", "{{system}}: {{q}}"],
      sent: ['"messages":[{"role":"user","content":"Rome: Who?"}]'],
    },
    {
      what: "a prompt that is not text",
      rows: ['{"prompt":7}'],
      bad: '"prompt" must be a string: current value is 7',
    },
  ],
};
