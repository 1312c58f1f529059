/** What is announced as not sent. @module */

import type { RowGroup } from "./case.ts";

/** What is announced as not sent. */
export const UNSENT: RowGroup = {
  title: "What is not sent",
  intro:
    "Before the first call, the run names every field that is not sent, except those of the uid.",
  cases: [
    {
      what: "fields about the prompt",
      rows: [
        '{"id":"1","question":"hi","answer":"42","source":"web"}',
        '{"id":"2","question":"ho","answer":null,"difficulty":3}',
      ],
      sent: [
        '"messages":[{"role":"user","content":"hi"}]',
        '"messages":[{"role":"user","content":"ho"}]',
      ],
      uids: ["1", "2"],
      says: "not sent: answer, source, difficulty",
    },
    {
      what: "two fields that could be the prompt",
      rows: ['{"prompt":"hi","question":"ho"}'],
      sent: ['"messages":[{"role":"user","content":"hi"}]'],
      says: "not sent: question",
    },
    {
      what: "SQuAD",
      rows: ['{"id":"1","title":"Rome","context":"Rome fell in 476.","question":"When?"}'],
      sent: ['"messages":[{"role":"user","content":"When?"}]'],
      says: 'Is the prompt about "context"? --template makes prompts of several fields',
    },
    {
      what: "SQuAD with a template",
      rows: ['{"id":"1","title":"Rome","context":"Rome fell in 476.","question":"When?"}'],
      flags: ["--template", "{{context}} {{question}}"],
      sent: ['"messages":[{"role":"user","content":"Rome fell in 476. When?"}]'],
      says: "not sent: title",
    },
    {
      what: "MMLU",
      rows: ['{"question":"Which?","choices":["a","b"],"answer":1}'],
      sent: ['"messages":[{"role":"user","content":"Which?"}]'],
      says: 'Is the prompt about "choices"? --template makes prompts of several fields',
    },
    {
      what: "a results file as input",
      rows: ['{"prompt":"hi","response":"old","reasoning":"because"}'],
      sent: ['"messages":[{"role":"user","content":"hi"}]'],
      says: "not sent: response, reasoning",
    },
    {
      what: "parameters next to a Batch body",
      rows: [
        '{"custom_id":"1","body":{"messages":[{"role":"user","content":"hi"}]},"params":{"seed":1}}',
      ],
      sent: ['"messages":[{"role":"user","content":"hi"}]'],
      says: "not sent: params",
    },
    {
      what: "a field whose name is not a word",
      rows: ['{"prompt":"hi","a b":1}'],
      sent: ['"messages":[{"role":"user","content":"hi"}]'],
      says: 'not sent: "a b"',
    },
    {
      what: "no prompt at all",
      rows: ['{"label":1}'],
      bad: 'no prompt found: expected "messages", "prompt", "conversations", "question" or ' +
        '"instruction", or a template: the row has the fields "label"',
    },
  ],
};
