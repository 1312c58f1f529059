/** Well-known datasets, one row of each. @module */

import type { RowGroup } from "./case.ts";

const NO_PROMPT =
  'no prompt found: expected "messages", "prompt", "conversations", "question" or ' +
  '"instruction", or a template: ';

/** Well-known datasets, one row of each. */
export const DATASETS: RowGroup = {
  title: "Well-known datasets",
  intro:
    "One shortened row of each. An old answer is never sent. If the prompt is in a field of another " +
    "name, the message says how to read it.",
  cases: [{
    what: "UltraChat",
    rows: ['{"id":"0","data":["hi","yes","ho","old"]}'],
    bad: NO_PROMPT + 'the row has the fields "id", "data"',
  }, {
    what: "UltraChat",
    rows: ['{"id":"0","data":["hi","yes","ho","old"]}'],
    flags: ["--prompt-field", "data"],
    sent: [
      '"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"},{"role":"user","content":"ho"}]',
    ],
  }, {
    what: "OpenAssistant's single messages",
    rows: [
      '{"message_id":"m","parent_id":null,"user_id":"u","text":"hi","role":"prompter","lang":"en","rank":null,"message_tree_id":"m","tree_state":"ready"}',
    ],
    bad: NO_PROMPT +
      'the row has the fields "message_id", "parent_id", "user_id", "text", "role", "lang", "rank", "message_tree_id", "tree_state"',
    help:
      "it is one message of a tree: keep the first of each tree with jq -c 'select(.parent_id == null) | {prompt: .text}'",
  }, {
    what: "OpenAssistant's trees",
    rows: [
      '{"message_tree_id":"m","tree_state":"ready","prompt":{"message_id":"m","text":"hi","role":"prompter","replies":[{"text":"old","role":"assistant","replies":[]}]}}',
    ],
    bad: '"prompt" must be a string: current value is an object',
    help: "use --template '{{prompt.text}}'",
  }, {
    what: "SlimOrca",
    rows: [
      '{"conversations":[{"from":"system","value":"s","weight":null},{"from":"human","value":"hi","weight":0},{"from":"gpt","value":"old","weight":1}]}',
    ],
    sent: ['"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]'],
    says: "not sent: conversations[].weight",
  }, {
    what: "Magpie, whose rows hold a conversation too",
    rows: [
      '{"uuid":"a","instruction":"hi","response":"old","conversations":[{"from":"human","value":"hi"},{"from":"gpt","value":"old"}],"gen_input_configs":{"temperature":1},"model":"m","intent":"x","difficulty":"easy"}',
    ],
    sent: ['"messages":[{"role":"user","content":"hi"}]'],
    says: "not sent: uuid, instruction, response, gen_input_configs, model, intent, difficulty",
  }, {
    what: "Magpie",
    rows: [
      '{"uuid":"a","model":"m","gen_input_configs":{"temperature":1,"input_generator":"x"},"instruction":"hi","response":"old","task_category":"Math"}',
    ],
    sent: ['"messages":[{"role":"user","content":"hi"}]'],
    says: "not sent: uuid, model, gen_input_configs, response, task_category",
  }, {
    what: "ToolACE, whose calls are text",
    rows: [
      '{"system":"You are an expert. Here is a list of functions in JSON format that you can invoke:\\n[{\\"name\\":\\"f\\"}]","conversations":[{"from":"user","value":"hi"},{"from":"assistant","value":"[f(x=1)]"},{"from":"tool","value":"[{\\"name\\":\\"f\\",\\"results\\":{}}]"},{"from":"assistant","value":"old"}]}',
    ],
    bad: '"conversations" has the result of a tool call, but no call before it',
    help:
      'if calls are plain text, send their results as user turns: jq -c \'.conversations |= map(if .from == "tool" or .from == "observation" then .from = "human" elif .role == "tool" then .role = "user" else . end)\'',
  }, {
    what: "a log whose calls are text",
    rows: [
      '{"conversation":[{"role":"user","content":"hi"},{"role":"assistant","content":"[f(x=1)]"},{"role":"tool","content":"2"}]}',
    ],
    bad: '"conversation" has the result of a tool call, but no call before it',
    help:
      'if calls are plain text, send their results as user turns: jq -c \'.conversation |= map(if .from == "tool" or .from == "observation" then .from = "human" elif .role == "tool" then .role = "user" else . end)\'',
  }, {
    what: "xLAM and APIGen, whose parameters have types of Python",
    rows: [
      '{"id":0,"query":"hi","answers":"[{\\"name\\":\\"f\\",\\"arguments\\":{\\"x\\":1}}]","tools":"[{\\"name\\":\\"f\\",\\"description\\":\\"d\\",\\"parameters\\":{\\"x\\":{\\"description\\":\\"d\\",\\"type\\":\\"int\\",\\"default\\":1}}}]"}',
    ],
    flags: ["--prompt-field", "query"],
    sent: [
      '"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"x":{"type":"integer","description":"d","default":1}}}}}]',
    ],
    says: "not sent: answers",
  }, {
    what: "Hermes: an old call at the end",
    rows: [
      '{"id":"1","conversations":[{"from":"system","value":"You are a function calling AI model. <tools> [{\\"type\\":\\"function\\"}] </tools>"},{"from":"human","value":"hi"},{"from":"gpt","value":"<tool_call>\\n{\'arguments\': {\'x\': 1}, \'name\': \'f\'}\\n</tool_call>\\n"}],"tools":"[{\\"type\\":\\"function\\",\\"function\\":{\\"name\\":\\"f\\",\\"parameters\\":{}}}]","category":"c","subcategory":"s","task":"t"}',
    ],
    sent: [
      '"messages":[{"role":"system","content":"You are a function calling AI model. <tools> [{\\"type\\":\\"function\\"}] </tools>"},{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f","parameters":{}}}]',
    ],
    says: "not sent: category, subcategory, task",
  }, {
    what: "Hermes: calls as Python wrote them",
    rows: [
      '{"conversations":[{"from":"human","value":"hi"},{"from":"gpt","value":"<tool_call>\\n{\'arguments\': {\'x\': 1}, \'name\': \'f\'}\\n</tool_call>\\n"},{"from":"tool","value":"<tool_response>\\n{\\"x\\":1}\\n</tool_response>"},{"from":"gpt","value":"old"}]}',
    ],
    sent: [
      '"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"call00001","type":"function","function":{"name":"f","arguments":"{\\"x\\":1}"}}]},{"role":"tool","content":"{\\"x\\":1}","tool_call_id":"call00001"}]',
    ],
  }, {
    what: "APIGen-MT",
    rows: [
      '{"conversations":[{"from":"human","value":"hi"},{"from":"function_call","value":"{\\"name\\":\\"f\\",\\"arguments\\":{\\"x\\":1}}"},{"from":"observation","value":"{\\"y\\":2}"},{"from":"gpt","value":"old"}],"tools":"[{\\"name\\":\\"f\\",\\"description\\":\\"d\\",\\"parameters\\":{\\"type\\":\\"object\\",\\"properties\\":{}}}]","system":"s"}',
    ],
    sent: [
      '"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"call00001","type":"function","function":{"name":"f","arguments":"{\\"x\\":1}"}}]},{"role":"tool","content":"{\\"y\\":2}","tool_call_id":"call00001"}],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{}}}}]',
    ],
  }, {
    what: "HH-RLHF",
    rows: [
      '{"chosen":"\\n\\nHuman: hi\\n\\nAssistant: old","rejected":"\\n\\nHuman: hi\\n\\nAssistant: older"}',
    ],
    sent: ['"messages":[{"role":"user","content":"hi"}]'],
    says: "not sent: rejected",
  }, {
    what: "HH-RLHF, whose chosen text holds earlier turns",
    rows: [
      '{"chosen":"\\n\\nHuman: hi\\n\\nAssistant: yes\\n\\nHuman: ho\\n\\nAssistant: old","rejected":"\\n\\nHuman: hi\\n\\nAssistant: older"}',
    ],
    flags: ["--prompt-field", "chosen"],
    sent: [
      '"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"},{"role":"user","content":"ho"}]',
    ],
    says: "not sent: rejected",
  }, {
    what: "preference pairs that hold the prompt themselves (TRL)",
    rows: [
      '{"chosen":[{"role":"user","content":"hi"},{"role":"assistant","content":"old"}],"rejected":[{"role":"user","content":"hi"},{"role":"assistant","content":"older"}]}',
    ],
    sent: ['"messages":[{"role":"user","content":"hi"}]'],
    says: "not sent: rejected",
  }, {
    what: "UltraFeedback",
    rows: [
      '{"source":"x","instruction":"hi","models":["a","b"],"completions":[{"model":"a","response":"old"}],"correct_answers":["None"],"incorrect_answers":["None"]}',
    ],
    sent: ['"messages":[{"role":"user","content":"hi"}]'],
    says: "not sent: source, models, completions, correct_answers, incorrect_answers",
  }, {
    what: "NuminaMath",
    rows: [
      '{"source":"x","problem":"hi there","solution":"old","messages":[{"content":"hi there","role":"user"},{"content":"old","role":"assistant"}]}',
    ],
    sent: ['"messages":[{"content":"hi there","role":"user"}]'],
    says: "not sent: source, problem, solution",
  }, {
    what: "OpenMathInstruct",
    rows: [
      '{"problem":"hi there","generated_solution":"old","expected_answer":"42","problem_source":"gsm8k"}',
    ],
    bad: NO_PROMPT +
      'the row has the fields "problem", "generated_solution", "expected_answer", "problem_source"',
    help: "use --prompt-field problem",
  }, {
    what: "Bespoke-Stratos, OpenThoughts",
    rows: [
      '{"system":"s","conversations":[{"from":"user","value":"hi"},{"from":"assistant","value":"<|begin_of_thought|>t<|end_of_thought|>"}]}',
    ],
    sent: ['"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]'],
  }, {
    what: "OpenR1-Math",
    rows: [
      '{"problem":"hi there","solution":"s","answer":"42","problem_type":"A","question_type":"MCQ","source":"x","uuid":"u","is_reasoning_complete":[true],"generations":["old"],"correctness_math_verify":[true],"messages":[{"role":"user","content":"hi there"},{"role":"assistant","content":"old"}]}',
    ],
    sent: ['"messages":[{"role":"user","content":"hi there"}]'],
    says:
      "not sent: problem, solution, answer, problem_type, question_type, source, uuid, is_reasoning_complete, generations, correctness_math_verify",
  }, {
    what: "The Cauldron",
    rows: [
      '{"images":[{"bytes":"iVBORw0KGgo=","path":null}],"texts":[{"user":"hi","assistant":"old","source":"x"}]}',
    ],
    bad: NO_PROMPT + 'the row has the fields "images", "texts"',
    help: "use --prompt-field texts",
  }, {
    what: "Alpaca with its text column",
    rows: [
      '{"instruction":"hi","input":"","output":"old","text":"Below is an instruction… ### Response: old"}',
    ],
    sent: ['"messages":[{"role":"user","content":"hi"}]'],
    says: "not sent: output, text",
  }, {
    what: "verl, DAPO",
    rows: [
      '{"data_source":"openai/gsm8k","prompt":[{"role":"user","content":"hi"}],"ability":"math","reward_model":{"style":"rule","ground_truth":"42"},"extra_info":{"split":"train","index":0}}',
    ],
    sent: ['"messages":[{"role":"user","content":"hi"}]'],
    says: "not sent: data_source, ability, reward_model, extra_info",
  }, {
    what: "MMLU-Pro",
    rows: [
      '{"question_id":1,"question":"hi","options":["a","b"],"answer":"A","answer_index":0,"cot_content":"","category":"x","src":"s"}',
    ],
    sent: ['"messages":[{"role":"user","content":"hi"}]'],
    says: "not sent: question_id, options, answer, answer_index, cot_content, category, src",
  }, {
    what: "ARC",
    rows: [
      '{"id":"a","question":"hi","choices":{"text":["a","b"],"label":["A","B"]},"answerKey":"A"}',
    ],
    sent: ['"messages":[{"role":"user","content":"hi"}]'],
    says: "not sent: choices, answerKey",
  }, {
    what: "HellaSwag",
    rows: [
      '{"ind":1,"activity_label":"x","ctx_a":"A man","ctx_b":"he","ctx":"A man he","endings":["a","b"],"source_id":"s","label":"1"}',
    ],
    bad: NO_PROMPT +
      'the row has the fields "ind", "activity_label", "ctx_a", "ctx_b", "ctx", "endings", "source_id", "label"',
  }, {
    what: "HumanEval",
    rows: [
      '{"task_id":"HumanEval/0","prompt":"def f():\\n","canonical_solution":"old","test":"t","entry_point":"f"}',
    ],
    sent: ['"messages":[{"role":"user","content":"def f():\\n"}]'],
    says: "not sent: task_id, canonical_solution, test, entry_point",
  }, {
    what: "MBPP",
    rows: [
      '{"task_id":1,"text":"Write a function","code":"old","test_list":["a"],"test_setup_code":"","challenge_test_list":[]}',
    ],
    bad: NO_PROMPT +
      'the row has the fields "task_id", "text", "code", "test_list", "test_setup_code", "challenge_test_list"',
    help: "use --prompt-field text",
  }, {
    what: "CodeAlpaca",
    rows: ['{"prompt":"hi","completion":"old"}'],
    sent: ['"messages":[{"role":"user","content":"hi"}]'],
    says: "not sent: completion",
  }, {
    what: "OpenHermes",
    rows: [
      '{"custom_instruction":null,"topic":null,"model_name":null,"model":"gpt","skip_prompt_formatting":false,"category":"x","conversations":[{"from":"human","value":"hi","weight":null},{"from":"gpt","value":"old"}],"views":null,"language":null,"id":"1","title":null,"idx":null,"hash":null,"avatarUrl":null,"system_prompt":"s","source":"x"}',
    ],
    sent: ['"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]'],
    says: "not sent: model, skip_prompt_formatting, category, source",
  }, {
    what: "Orca-AgentInstruct",
    rows: [
      '{"messages":"[{\\"role\\":\\"system\\",\\"content\\":\\"\\"},{\\"role\\":\\"user\\",\\"content\\":\\"hi\\"},{\\"role\\":\\"assistant\\",\\"content\\":\\"old\\"}]","split":"x"}',
    ],
    sent: ['"messages":[{"role":"system","content":""},{"role":"user","content":"hi"}]'],
    says: "not sent: split",
  }, {
    what: "LIMA",
    rows: ['{"conversations":["hi","old"],"source":"x"}'],
    sent: ['"messages":[{"role":"user","content":"hi"}]'],
    says: "not sent: source",
  }, {
    what: "LIMA with several turns",
    rows: ['{"conversations":["hi","yes","ho","old"],"source":"x"}'],
    sent: [
      '"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"},{"role":"user","content":"ho"}]',
    ],
    says: "not sent: source",
  }, {
    what: "No Robots",
    rows: [
      '{"prompt":"hi","prompt_id":"1","messages":[{"content":"hi","role":"user"},{"content":"old","role":"assistant"}],"category":"Generation"}',
    ],
    sent: ['"messages":[{"content":"hi","role":"user"}]'],
    says: "not sent: prompt, prompt_id, category",
  }, {
    what: "Nemotron post-training",
    rows: [
      '{"input":[{"role":"user","content":"hi"}],"output":"old","category":"math","license":"x","reasoning":"on","generator":"g","used_in_training":"yes","version":"v1","system_prompt":"detailed thinking on"}',
    ],
    flags: ["--prompt-field", "input"],
    sent: [
      '"messages":[{"role":"system","content":"detailed thinking on"},{"role":"user","content":"hi"}]',
    ],
    says: "not sent: output, category, license, reasoning, generator, used_in_training, version",
  }, {
    what: "s1K",
    rows: [
      '{"solution":"old","question":"hi","cot_type":"math","source_type":"x","metadata":"{}","cot":null,"thinking_trajectories":["t"],"attempt":"old","gemini_thinking_trajectory":"x"}',
    ],
    sent: ['"messages":[{"role":"user","content":"hi"}]'],
    says:
      "not sent: solution, cot_type, source_type, metadata, thinking_trajectories, attempt, gemini_thinking_trajectory",
  }, {
    what: "SmolTalk 2",
    rows: [
      '{"messages":[{"content":"hi","role":"user"},{"content":"old","role":"assistant"}],"chat_template_kwargs":{"custom_instructions":"x","enable_thinking":true,"python_tools":null,"xml_tools":null},"source":"x"}',
    ],
    sent: ['"messages":[{"content":"hi","role":"user"}]'],
    says: "not sent: chat_template_kwargs, source",
  }, {
    what: "Vicuna as text",
    rows: ['{"text":"USER: hi ASSISTANT: old"}'],
    flags: ["--prompt-field", "text"],
    bad: '"text" ends with an old answer: it follows "ASSISTANT:"',
    help: "remove it, or send the text as it is with --template '{{text}}'",
  }, {
    what: "a text in ChatML",
    rows: ['{"text":"<|im_start|>user\\nhi<|im_end|>\\n<|im_start|>assistant\\nold<|im_end|>\\n"}'],
    flags: ["--prompt-field", "text"],
    bad: '"text" ends with an old answer: it follows "<|im_start|>assistant"',
    help: "remove it, or send the text as it is with --template '{{text}}'",
  }, {
    what: "a text in Llama 2's chat template",
    rows: ['{"text":"<s>[INST] hi [/INST] old </s>"}'],
    flags: ["--prompt-field", "text"],
    bad: '"text" ends with an old answer: it follows "[/INST]"',
    help: "remove it, or send the text as it is with --template '{{text}}'",
  }, {
    what: "Guanaco as text",
    rows: ['{"text":"### Human: hi### Assistant: old"}'],
    flags: ["--prompt-field", "text"],
    bad: '"text" ends with an old answer: it follows "### Assistant:"',
    help: "remove it, or send the text as it is with --template '{{text}}'",
  }, {
    what: "OpenAI's fine-tuning files",
    rows: [
      '{"messages":[{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}],"parallel_tool_calls":false,"tools":[{"type":"function","function":{"name":"f"}}]}',
    ],
    sent: [
      '"messages":[{"role":"user","content":"hi"}],"parallel_tool_calls":false,"tools":[{"type":"function","function":{"name":"f"}}]',
    ],
  }, {
    what: "OpenAI's preference files",
    rows: [
      '{"input":{"messages":[{"role":"user","content":"hi"}],"tools":[],"parallel_tool_calls":true},"preferred_output":[{"role":"assistant","content":"old"}],"non_preferred_output":[]}',
    ],
    bad: NO_PROMPT + 'the row has the fields "input", "preferred_output", "non_preferred_output"',
    help: 'the messages are in "input": extract them with jq -c \'.["input"]\'',
  }, {
    what: "OpenAI's evals",
    rows: [
      '{"input":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],"ideal":"42"}',
    ],
    bad: NO_PROMPT + 'the row has the fields "input", "ideal"',
    help: "use --prompt-field input",
  }, {
    what: "Cohere's fine-tuning files",
    rows: [
      '{"messages":[{"role":"System","content":"s"},{"role":"User","content":"hi"},{"role":"Chatbot","content":"old"}]}',
    ],
    sent: ['"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]'],
  }, {
    what: "LangSmith",
    rows: ['{"inputs":{"messages":[{"role":"user","content":"hi"}]},"outputs":{}}'],
    bad: NO_PROMPT + 'the row has the fields "inputs", "outputs"',
    help: 'the messages are in "inputs": extract them with jq -c \'.["inputs"]\'',
  }, {
    what: "LangChain's messages",
    rows: ['{"messages":[{"type":"human","content":"hi"},{"type":"ai","content":"old"}]}'],
    bad: '"messages[0].role" must be a role such as user: it is missing',
    help:
      'for messages of LangChain, use jq -c \'.messages |= map({role: ({"human":"user","ai":"assistant"}[.type] // .type), content: (.content // .data.content)})\'',
  }, {
    what: "LangChain's messages in a bare array",
    rows: ['[{"type":"human","content":"hi"},{"type":"ai","content":"old"}]'],
    bad: '"row[0].role" must be a role such as user: it is missing',
    help:
      'for messages of LangChain, use jq -c \'. |= map({role: ({"human":"user","ai":"assistant"}[.type] // .type), content: (.content // .data.content)})\'',
  }, {
    what: "Firefly",
    rows: ['{"kind":"x","input":"hi there","target":"old"}'],
    bad: NO_PROMPT + 'the row has the fields "kind", "input", "target"',
    help: "use --prompt-field input",
  }, {
    what: "ms-swift",
    rows: ['{"system":"s","query":"hi","response":"old","history":[["a","b"]]}'],
    flags: ["--prompt-field", "query"],
    sent: [
      '"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"hi"}]',
    ],
    says: "not sent: response",
  }, {
    what: "KTO (LLaMA-Factory)",
    rows: [
      '{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"old"}],"label":true}',
    ],
    sent: ['"messages":[{"role":"user","content":"hi"}]'],
    says: "not sent: label",
  }, {
    what: "Axolotl's segments",
    rows: ['{"segments":[{"label":false,"text":"<s>hi "},{"label":true,"text":"old"}]}'],
    bad: NO_PROMPT + 'the row has the fields "segments"',
  }, {
    what: "FLAN, Aya",
    rows: [
      '{"inputs":"hi there","targets":"old","task_source":"x","task_name":"y","template_type":"z"}',
    ],
    bad: NO_PROMPT +
      'the row has the fields "inputs", "targets", "task_source", "task_name", "template_type"',
    help: "use --prompt-field inputs",
  }, {
    what: "P3",
    rows: [
      '{"inputs":[1,2],"inputs_pretokenized":"hi there","targets":[3],"targets_pretokenized":"old"}',
    ],
    bad: NO_PROMPT +
      'the row has the fields "inputs", "inputs_pretokenized", "targets", "targets_pretokenized"',
    help: "use --prompt-field inputs_pretokenized",
  }, {
    what: "MT-Bench",
    rows: ['{"question_id":81,"category":"writing","turns":["Write a post","Rewrite it now"]}'],
    bad: NO_PROMPT + 'the row has the fields "question_id", "category", "turns"',
    help: "use --template '{{turns.0}}' for the first text of the list",
  }, {
    what: "MT-Bench",
    rows: ['{"question_id":81,"category":"writing","turns":["Write a post","Rewrite it now"]}'],
    flags: ["--template", "{{turns.0}}"],
    sent: ['"messages":[{"role":"user","content":"Write a post"}]'],
    says: "not sent: question_id, category",
  }, {
    what: "Alpaca's text column",
    rows: [
      '{"instruction":"hi","text":"Below is an instruction that describes a task.\\n\\n### Instruction:\\nhi\\n\\n### Response:\\nold"}',
    ],
    flags: ["--prompt-field", "text"],
    bad: '"text" ends with an old answer: it follows "### Response:"',
    help: "remove it, or send the text as it is with --template '{{text}}'",
  }, {
    what: "a text in Llama 3's chat template",
    rows: [
      '{"text":"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\\n\\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\\n\\nold<|eot_id|>"}',
    ],
    flags: ["--prompt-field", "text"],
    bad:
      '"text" ends with an old answer: it follows "<|start_header_id|>assistant<|end_header_id|>"',
    help: "remove it, or send the text as it is with --template '{{text}}'",
  }, {
    what: "the same without an answer",
    rows: [
      '{"text":"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\\n\\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\\n\\n"}',
    ],
    flags: ["--prompt-field", "text"],
    sent: [
      '"messages":[{"role":"user","content":"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\\n\\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\\n\\n"}]',
    ],
  }, {
    what: "AIME",
    rows: ['{"ID":"2024-II-4","Problem":"Let x be real","Solution":"old","Answer":33}'],
    bad: NO_PROMPT + 'the row has the fields "ID", "Problem", "Solution", "Answer"',
    help: "use --prompt-field Problem",
  }, {
    what: "IFEval",
    rows: ['{"key":1000,"prompt":"hi","instruction_id_list":["a"],"kwargs":[{"n":1}]}'],
    sent: ['"messages":[{"role":"user","content":"hi"}]'],
    says: "not sent: key, instruction_id_list, kwargs",
  }, {
    what: "PRM800K",
    rows: ['{"question":{"problem":"hi there","ground_truth_answer":"42"},"label":{"steps":[]}}'],
    bad: '"question" must be a string: current value is an object',
    help: "use --template '{{question.problem}}'",
  }, {
    what: "a prompt with empty lists, as tables have them",
    rows: ['{"prompt":"hi","messages":[],"conversations":[]}'],
    sent: ['"messages":[{"role":"user","content":"hi"}]'],
    says: "not sent: messages, conversations",
  }, {
    what: "an empty list and no prompt",
    rows: ['{"messages":[],"label":1}'],
    bad: '"messages" must not be empty',
  }, {
    what: "preference pairs of answers alone",
    rows: ['{"input":"hi there","chosen":"old","rejected":"older"}'],
    bad: NO_PROMPT + 'the row has the fields "input", "chosen", "rejected"',
    help: "use --prompt-field input",
  }],
};
