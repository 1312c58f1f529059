import { assertEquals, assertLess, assertStringIncludes } from "../../lib/deps/std_assert.ts";
import { RowParser, type RowParserOptions } from "../../lib/source/parse_row.ts";
import { fastestMs } from "../support/fastest.ts";

/** The shape and messages of a row, or its problem. */
function read(row: unknown, options: RowParserOptions = {}) {
  const parsed = new RowParser(options).parse(JSON.stringify(row));
  return "problem" in parsed ? parsed.problem : [parsed.shape, parsed.messages];
}

function hintOf(row: unknown, options: RowParserOptions = {}): string {
  const problem = new RowParser(options).parse(JSON.stringify(row));
  return "problem" in problem ? problem.hint() : "";
}

const user = (content: unknown) => ({ role: "user", content });
const assistant = (content: unknown) => ({ role: "assistant", content });
const system = (content: unknown) => ({ role: "system", content });

Deno.test("parse() reads OpenAI Batch rows", () => {
  const messages = [system("s"), user("q")];
  const row = { custom_id: "1", method: "POST", url: "/v1/chat/completions", body: { messages } };
  assertEquals(read(row), ["openai-batch", messages]);
  assertEquals(read({ body: { messages } }), ["openai-batch", messages]);
  assertEquals(read({ ...row, url: "https://api.example/v1/chat/completions", method: null }), [
    "openai-batch",
    messages,
  ]);
  assertEquals(read({ ...row, method: "GET" }), '"method" must be "POST": current value is "GET"');
  assertEquals(
    read({ ...row, url: "/v1/embeddings", body: { input: "x" } }),
    '"url" must be a path that ends in "/chat/completions": current value is "/v1/embeddings"',
  );
  assertEquals(
    read({ ...row, body: {} }),
    '"body.messages" must be an array of messages: it is missing',
  );
});

Deno.test("parse() treats a body that is not a Batch row like any other field", () => {
  assertEquals(read({ body: { text: "b" }, question: "q" }), ["question", [user("q")]]);
  assertEquals(read({ body: "text", custom_id: "1", url: "u", prompt: "q" }), [
    "prompt",
    [user("q")],
  ]);
});

Deno.test("parse() reads messages, TRL prompts and bare arrays", () => {
  const messages = [system("s"), user("q"), assistant("a"), user("r")];
  assertEquals(read({ messages }), ["messages", messages]);
  assertEquals(read({ prompt: messages, completion: [assistant("a")] }), [
    "prompt-messages",
    messages,
  ]);
  assertEquals(read(messages), ["message-array", messages]);
});

Deno.test("parse() sends everything that a message holds", () => {
  const parts = [{ type: "text", text: "t" }, { type: "image_url", image_url: { url: "data:…" } }];
  const call = { id: "1", type: "function", function: { name: "f", arguments: "{}" } };
  const messages = [
    { role: "developer", content: "s", name: "n" },
    user(parts),
    { role: "assistant", content: null, tool_calls: [call] },
    { role: "tool", tool_call_id: "1", content: "42" },
    { role: "assistant", function_call: { name: "f" } },
    user("q"),
  ];
  assertEquals(read({ messages }), ["messages", messages]);
});

Deno.test("parse() drops trailing assistant turns and only those", () => {
  const sent = [user("q"), assistant("a"), user("r")];
  for (const answers of [[assistant("b")], [assistant(null), assistant("b")]]) {
    assertEquals(read({ messages: [...sent, ...answers] }), ["messages", sent]);
  }
  assertEquals(
    read([assistant("a")]),
    '"row" must contain more than assistant turns',
  );
});

Deno.test("parse() sends a transcript that ends with a turn of the user, or with the start of an answer", () => {
  for (
    const prompt of [
      "USER: a ASSISTANT: b USER: c",
      "Human: a\n\nAssistant: b\n\nHuman: c",
      "### Human: a### Assistant: b### Human: c",
      "<s>[INST] a [/INST] b </s><s>[INST] c [/INST]",
      "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n",
      "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\n",
    ]
  ) {
    assertEquals(read({ prompt }), ["prompt", [user(prompt)]]);
  }
  assertEquals(
    read({ prompt: "USER: a ASSISTANT: b USER: c ASSISTANT: d" }),
    '"prompt" ends with an old answer: it follows "ASSISTANT:"',
  );
});

Deno.test("parse() finds old answers in a prompt field of any name, and names it in the advice", () => {
  for (const [field, word] of [["template", "'{{template}}'"], ["it's", `'{{it'\\''s}}'`]]) {
    const hint = hintOf({ [field]: "USER: hi ASSISTANT: yes" }, { promptField: field });
    assertStringIncludes(hint, `--template ${word}`);
  }
});

Deno.test("parse() sends the trailing turn with continue_final_message", () => {
  const messages = [user("q"), assistant("The answer")];
  const on = { continue_final_message: true };
  const off = { continue_final_message: false };
  assertEquals(read({ messages }, { runParams: on }), ["messages", messages]);
  assertEquals(read({ messages, params: on }), ["messages", messages]);
  assertEquals(read({ messages, params: { extra_body: on } }), ["messages", messages]);
  assertEquals(read({ messages, params: off }, { runParams: on }), ["messages", [user("q")]]);
  assertEquals(read({ messages }, { runParams: { continue_final_message: "yes" } }), [
    "messages",
    [user("q")],
  ]);
});

Deno.test("parse() reads messages that may have tool calls, but have none", () => {
  const ofPandas = ["None", "nan", " NaN ", "<NA>"];
  const empty = [null, [], "", "  ", "[]", "null", {}, { name: [], arguments: [] }, ...ofPandas];
  for (const calls of empty) {
    const messages = [user("q"), { ...assistant("a"), tool_calls: calls }, user("r")];
    assertEquals(read({ messages }), ["messages", [user("q"), assistant("a"), user("r")]]);
  }
});

Deno.test("parse() reads repeated tags, and white space after a label, in linear time", async () => {
  const calls = '<tool_call>{"name":"f"}</tool_call>' + "<tool_call>".repeat(40_000);
  const turns = [["human", "q"], ["gpt", calls], ["human", "r"]];
  const conversations = turns.map(([from, value]) => ({ from, value }));
  const ms = await fastestMs(() => {
    assertEquals(read({ conversations })[0], "conversations");
    read({ prompt: `USER: hi ASSISTANT:${" ".repeat(100_000)}x` });
  }, 1_000);
  assertLess(ms, 1_000);
});

Deno.test("parse() reads text with much white space in linear time", async () => {
  const empty = `${" ".repeat(100_000)}[]`;
  const messages = [user("q"), { ...assistant("a"), tool_calls: empty }, user("r")];
  const ms = await fastestMs(
    () => assertEquals(read({ messages, tools: empty })[0], "messages"),
    1_000,
  );
  assertLess(ms, 1_000);
});

Deno.test("parse() names the problem of a message", () => {
  const problems: [unknown, string][] = [
    [3, '"messages" must be an array of messages: current value is 3'],
    [[], '"messages" must not be empty'],
    [["hi"], '"messages[0]" must be an object with "role" and "content": current value is "hi"'],
    [[{ content: "q" }], '"messages[0].role" must be a role such as user: it is missing'],
    [
      [user("q"), { role: 1 }],
      '"messages[1].role" must be a role such as user: current value is 1',
    ],
    [
      [user("q"), user(null)],
      '"messages[1].content" must be a string or an array of parts: current value is null',
    ],
    [
      [{ role: "assistant", content: null, tool_calls: [] }, user("q")],
      '"messages[0].content" must be a string or an array of parts: current value is null',
    ],
    [
      [user([{ type: "text" }, "x"])],
      '"messages[0].content[1]" must be an object with "type": current value is "x"',
    ],
    [
      [user("q"), { role: "assistant", content: null, tool_calls: [null] }, user("r")],
      '"messages[].tool_calls[0]" must be a call such as {"name":"f","arguments":{}}: ' +
      "current value is null",
    ],
    ...[{ name: "f" }, "[{'name': 'f'}]", 1].map((calls): [unknown, string] => [
      [user("q"), { role: "assistant", content: "", tool_calls: calls }, user("r")],
      '"messages[].tool_calls" must be a list of calls such as {"name":"f","arguments":{}}: ' +
      `current value is ${typeof calls === "object" ? "an object" : JSON.stringify(calls)}`,
    ]),
    [[user(" \n")], '"messages" must contain some text'],
    [[user([])], '"messages" must contain some text'],
  ];
  for (const [messages, problem] of problems) assertEquals(read({ messages }), problem);
});

Deno.test("parse() refuses a list in system that does not hold parts, and ignores an empty one", () => {
  assertEquals(
    read({ prompt: "q", system: [null] }),
    '"system[0]" must be an object with "type": current value is null',
  );
  assertEquals(read({ prompt: "q", system: [] }), ["prompt", [user("q")]]);
});

Deno.test("parse() maps the speakers of ShareGPT", () => {
  const conversations = [
    { from: "system", value: "s" },
    { from: "Human", value: "q" },
    { from: "function_call", value: '{"name":"f","arguments":{"x":1.0}}' },
    { from: "observation", value: "42" },
    { from: "gpt", value: "a", weight: 0 },
    { from: "user", value: "r" },
    { from: "chatgpt", value: "old answer" },
  ];
  assertEquals(read({ conversations }), ["conversations", [
    system("s"),
    user("q"),
    {
      role: "assistant",
      content: null,
      tool_calls: [{
        id: "call00001",
        type: "function",
        function: { name: "f", arguments: '{"x":1.0}' },
      }],
    },
    { role: "tool", content: "42", tool_call_id: "call00001" },
    assistant("a"),
    user("r"),
  ]]);
  assertEquals(read({ conversations: [user("q")], system: "top" }), [
    "conversations",
    [system("top"), user("q")],
  ]);
  assertEquals(read({ conversations, system: "top" }), read({ conversations }));
});

Deno.test("parse() names the problem of a ShareGPT turn", () => {
  const problems: [unknown, string][] = [
    ["x", '"conversations" must be an array of messages: current value is "x"'],
    [[], '"conversations" must not be empty'],
    [
      [null],
      '"conversations[0]" must be an object with "from" and "value": current value is null',
    ],
    [
      [{ from: "narrator", value: "x" }],
      '"conversations[0].from" must be a speaker such as system, human, gpt or tool: ' +
      'current value is "narrator"',
    ],
    [
      [{ from: "constructor", value: "x" }],
      '"conversations[0].from" must be a speaker such as system, human, gpt or tool: ' +
      'current value is "constructor"',
    ],
    [
      [{ from: "human" }],
      '"conversations[0].value" must be a string or an array of parts: it is missing',
    ],
    [
      [{ from: "human", value: "q" }, { from: "function_call", value: "f()" }, { from: "human" }],
      '"conversations[1]" must be a call or a list of calls such as {"name":"f","arguments":{}}: ' +
      'current value is "f()"',
    ],
    [
      [{ from: "human", value: "q" }, { from: "observation", value: "42" }],
      '"conversations" has the result of a tool call, but no call before it',
    ],
    [[{ from: "gpt", value: "a" }], '"conversations" must contain more than assistant turns'],
  ];
  for (const [conversations, problem] of problems) {
    assertEquals(read({ conversations }), problem);
  }
});

Deno.test("parse() reads a prompt, a question and an instruction", () => {
  assertEquals(read({ prompt: "p", question: "q" }), ["prompt", [user("p")]]);
  assertEquals(read({ question: "q", instruction: "i" }), ["question", [user("q")]]);
  assertEquals(read({ instruction: "i", output: "o" }), ["instruction", [user("i")]]);
  assertEquals(read({ instruction: "i", input: "x" }), ["instruction", [user("i\n\nx")]]);
  assertEquals(read({ instruction: "i", input: " " }), ["instruction", [user("i")]]);
  assertEquals(read({ instruction: "", input: "x" }), ["instruction", [user("x")]]);
  assertEquals(
    read({ instruction: "i", system: "s", history: [["a", "b"]], input: null }),
    ["instruction", [system("s"), user("a"), assistant("b"), user("i")]],
  );
  assertEquals(read({ instruction: "i", history: "of Rome" }), ["instruction", [user("i")]]);
});

Deno.test("parse() refuses prompts that are not text", () => {
  assertEquals(read({ prompt: 7 }), '"prompt" must be a string: current value is 7');
  assertEquals(read({ prompt: {} }), '"prompt" must be a string: current value is an object');
  assertEquals(
    read({ question: "" }),
    '"question" must be more than white space: current value is ""',
  );
  assertEquals(read({ instruction: 1 }), '"instruction" must be a string: current value is 1');
  assertEquals(
    read({ instruction: "i", input: [1] }),
    '"input" must be a string: current value is an array',
  );
  assertEquals(
    read({ instruction: " ", input: "" }),
    '"instruction" must be more than white space: current value is ""',
  );
});

Deno.test("parse() takes the first shape of the table", () => {
  const all = {
    body: { messages: [user("batch")] },
    messages: [user("messages")],
    conversations: [{ from: "human", value: "conversations" }],
    prompt: [user("trl")],
    question: "question",
    instruction: "instruction",
  };
  assertEquals(read(all), ["openai-batch", [user("batch")]]);
  assertEquals(read({ ...all, body: null }), ["messages", [user("messages")]]);
  const rest = { ...all, body: null, messages: null };
  assertEquals(read(rest), ["prompt-messages", [user("trl")]]);
  assertEquals(read({ ...rest, prompt: "p" }), ["conversations", [user("conversations")]]);
  assertEquals(read({ ...rest, prompt: "p", conversations: null }), ["prompt", [user("p")]]);
});

Deno.test("parse() puts the named field before every shape, where the row has it", () => {
  const options = { promptField: "text" };
  assertEquals(read({ text: "t", messages: [user("q")] }, options), ["prompt-field", [user("t")]]);
  assertEquals(read({ question: "q" }, options), ["question", [user("q")]]);
  assertEquals(read({ text: null, question: "q" }, options), ["question", [user("q")]]);
  assertEquals(read({ text: 5 }, options), '"text" must be a string: current value is 5');
  assertEquals(read({ question: "q" }, { promptField: "constructor" }), ["question", [user("q")]]);
});

Deno.test("parse() puts the template before everything that is an object", () => {
  const options = { template: "Say {{text}}", promptField: "text" };
  assertEquals(read({ text: "t", messages: [user("q")] }, options), [
    "template",
    [user("Say t")],
  ]);
  assertEquals(read([user("q")], options), ["message-array", [user("q")]]);
  assertEquals(
    read({ question: "q" }, options),
    'template needs the field "text": the row has none',
  );
});

Deno.test("parse() adds the run's system message where there is none", () => {
  const options = { system: "run" };
  assertEquals(read({ prompt: "p" }, options), ["prompt", [system("run"), user("p")]]);
  assertEquals(read([user("q")], options), ["message-array", [system("run"), user("q")]]);
  const own = [system("own"), user("q")];
  assertEquals(read({ messages: own }, options), ["messages", own]);
  const developer = [{ role: "developer", content: "own" }, user("q")];
  assertEquals(read({ body: { messages: developer } }, options), ["openai-batch", developer]);
  assertEquals(read({ instruction: "i", system: "own" }, options), [
    "instruction",
    [system("own"), user("i")],
  ]);
});

Deno.test("parse() quotes names of fields in the commands that it advises", () => {
  const name = `a'; rm -rf "$HOME"; '`;
  const inShell = name.replaceAll("'", `'\\''`);
  const path = `.[${JSON.stringify(name).replaceAll("'", `'\\''`)}]`;
  assertEquals(
    hintOf({ [name]: [{ a: 1 }] }),
    `the rows are in "${name}": extract them with jq -c '${path}[]'`,
  );
  assertEquals(
    hintOf({ [name]: { messages: [user("q")] } }),
    `the messages are in "${name}": extract them with jq -c '${path}'`,
  );
  assertEquals(
    hintOf({ [name]: ["one text", "another text"] }),
    `use --template '{{${inShell}.0}}' for the first text of the list`,
  );
  assertEquals(
    hintOf({ prompt: { [name]: "one text" } }),
    `use --template '{{prompt.${inShell}}}'`,
  );
});

Deno.test("rows in a list are found beside other lists, also if their messages are JSON text", () => {
  const info = { version: "1", license: "mit", languages: [{ code: "en" }] };
  const hint = `the rows are in "data": extract them with jq -c '.["data"][]'`;
  for (const messages of [[user("q")], JSON.stringify([user("q")])]) {
    assertEquals(hintOf({ ...info, data: [{ messages }] }), hint);
  }
});

Deno.test("for a row that is a single message, the advice is to make a row of the conversation", () => {
  const conversation = "if the file is one conversation, make a row of it with " +
    "jq -sc '{messages: flatten(1)}'; if each row is a prompt, use --prompt-field";
  assertEquals(hintOf({ role: "user", content: "a b" }), `${conversation} content`);
  assertEquals(hintOf({ from: "gpt", value: "a b" }), `${conversation} value`);
  assertEquals(hintOf({ from: "a@b.example", content: "a b" }), "use --prompt-field content");
});

Deno.test("for a row that is a text, the advice is a command that makes rows of texts", () => {
  const command = "jq -c '(.[]? // .) | {prompt: .}'";
  assertEquals(
    hintOf("What is it?"),
    `if the texts are prompts, make rows of them with ${command}`,
  );
  assertEquals(hintOf(3), "");
});

Deno.test("for a table without a header, the advice is to add one", async () => {
  const header =
    "if the first row is data, add a row of column names such as prompt,answer above it";
  assertEquals(
    hintOf({ "What is 2+2?": "What is 3+3?", "4": "6" }),
    `use --prompt-field 'What is 2+2?'; ${header}`,
  );
  assertEquals(hintOf({ "What is 2+2?": "5+6", "4": "6" }), header);
  assertEquals(hintOf({ "text of it": "a b" }), "use --prompt-field 'text of it'");
  const document = "x".repeat(100_000);
  const ms = await fastestMs(() => {
    assertEquals(hintOf({ [document]: "a b" }), `use --prompt-field ${document}`);
  }, 5_000);
  assertLess(ms, 5_000);
});

Deno.test("parse() reads the system message and the first mark of SteerLM's prompts", () => {
  const marked = "<extra_id_1>User\nq\n<extra_id_1>Assistant\n";
  assertEquals(read({ prompt: marked }), ["prompt", [user("q")]]);
  const both = [system("s"), user("q")];
  assertEquals(read({ prompt: `<extra_id_0>System\ns\n${marked}` }), ["prompt", both]);
  const only = "<extra_id_1>Assistant\nold";
  assertEquals(read({ prompt: only }), ["prompt", [user(only)]]);
});

Deno.test("parse() names the fields of a row without a prompt", () => {
  assertEquals(
    read({ text: "t", label: 1 }),
    'no prompt found: expected "messages", "prompt", "conversations", "question" or ' +
      '"instruction", or a template: the row has the fields "text", "label"',
  );
  const prototype = JSON.parse('{"__proto__":{"prompt":"inherited"}}');
  assertEquals(String(read(prototype)).endsWith('the row has the fields "__proto__"'), true);
  assertEquals(String(read({})).endsWith("the row is empty"), true);
});

Deno.test("parse() names the field of --prompt-field, and advises a template if the field is a path", () => {
  const promptField = "meta.q";
  const problem = read({ meta: { q: "nested" } }, { promptField });
  assertEquals(String(problem).includes('expected "meta.q", "messages", '), true, String(problem));
  assertEquals(
    hintOf({ meta: { q: "nested" } }, { promptField }),
    "use --template '{{meta.q}}', which takes nested fields",
  );
  assertEquals(
    hintOf({ meta: { q: 1 }, query: "why?" }, { promptField }),
    "use --prompt-field query",
  );
  const expected =
    'expected "question", "messages", "prompt", "conversations" or "instruction", or';
  assertEquals(String(read({ text: "a" }, { promptField: "question" })).includes(expected), true);
});
