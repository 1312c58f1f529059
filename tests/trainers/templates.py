"""Renders exports with the chat templates of TRL's package, as TRL does, and compares them with the truth below.

Usage: templates.py FOLDER
"""

import importlib.util
import json
import sys
from pathlib import Path

from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

FOLDER = Path(sys.argv[1])
TEMPLATES = Path(importlib.util.find_spec("trl").submodule_search_locations[0]) / "chat_templates"


class Generation(Extension):
    """The tag around what is trained on, which transformers has of its own."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller):
        return caller()


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def refuse(message):
    raise ValueError(message)


# As in transformers/utils/chat_template_utils.py.
environment = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
)
environment.filters["tojson"] = to_json
environment.globals["raise_exception"] = refuse
environment.globals["strftime_now"] = lambda form: "DATE"


def render(template, row):
    tools = json.loads(row["tools"]) or None  # As TRL's trainers do.
    source = (TEMPLATES / f"{template}.jinja").read_text()
    return environment.from_string(source).render(
        messages=row["messages"], tools=tools, bos_token="<s>", eos_token="</s>", date_string="DATE"
    )


def chat_ml(*turns):
    return "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in turns)


def hermes(call):
    return f"<tool_call>\n{call}\n</tool_call>"


def xml_call(*parameters):
    inner = "".join(f"<parameter={name}>\n{value}\n</parameter>\n" for name, value in parameters)
    return f"<tool_call>\n<function=weather>\n{inner}</function>\n</tool_call>"


def think(text, rest):
    return f"<think>\n{text}\n</think>\n\n{rest}"


RESPONSE = ("user", "<tool_response>\n7 degrees\n</tool_response>")
QUESTION = "How warm is it in Oslo?"
CALL = '{"name": "weather", "arguments": {"city": "Oslo", "days": 2}}'


def llama(*turns):
    return "".join(
        f"<|start_header_id|>{role}<|end_header_id|>\n\n{text}<|eot_id|>" for role, text in turns
    )


def glm_call():
    return (
        "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n"
        "<arg_key>days</arg_key>\n<arg_value>2</arg_value>\n</tool_call>"
    )


GPT_OSS_CALL = (
    "<|start|>assistant to=functions.weather<|channel|>commentary json<|message|>"
    '{"city": "Oslo", "days": 2}<|call|>'
)

# For each template: the model that it is for, and how each conversation ends, from the first user's
# words on. The first conversation calls a tool and answers; the answer to the second is a tool
# call; the third has no tools.
TRUTH = {
    "qwen2_5": (
        "wrap.jsonl",
        [
            QUESTION + "<|im_end|>\n"
            + chat_ml(("assistant", hermes(CALL)), RESPONSE, ("assistant", think("The tool says 7.", "It is 7."))),
            QUESTION + "<|im_end|>\n"
            + chat_ml(("assistant", "<think>\nI need the tool.\n</think>\n\n\n" + hermes(CALL))),
            "Hi<|im_end|>\n" + chat_ml(("assistant", think("Greet.", "Hello."))),
        ],
    ),
    "qwen3": (
        "field.jsonl",
        [
            QUESTION + "<|im_end|>\n"
            + chat_ml(("assistant", hermes(CALL)), RESPONSE, ("assistant", think("The tool says 7.", "It is 7."))),
            QUESTION + "<|im_end|>\n" + chat_ml(("assistant", think("I need the tool.", hermes(CALL)))),
            "Hi<|im_end|>\n" + chat_ml(("assistant", think("Greet.", "Hello."))),
        ],
    ),
    "qwen3_5_think": (
        "field.jsonl",
        [
            QUESTION + "<|im_end|>\n"
            + chat_ml(
                ("assistant", think("", xml_call(("city", "Oslo"), ("days", "2")))),
                RESPONSE,
                ("assistant", think("The tool says 7.", "It is 7.")),
            ),
            QUESTION + "<|im_end|>\n"
            + chat_ml(("assistant", think("I need the tool.", xml_call(("city", "Oslo"), ("days", "2"))))),
            "Hi<|im_end|>\n" + chat_ml(("assistant", think("Greet.", "Hello."))),
        ],
    ),
    "llama3_1": (
        "wrap.jsonl",
        [
            QUESTION + "<|eot_id|>"
            + llama(
                ("assistant", '{"name": "weather", "parameters": {"city": "Oslo", "days": 2}}'),
                ("ipython", '"7 degrees"'),
                ("assistant", think("The tool says 7.", "It is 7.")),
            ),
            # The template has no place for text beside a tool call.
            QUESTION + "<|eot_id|>"
            + llama(("assistant", '{"name": "weather", "parameters": {"city": "Oslo", "days": 2}}')),
            "Hi<|eot_id|>" + llama(("assistant", think("Greet.", "Hello."))),
        ],
    ),
    "gptoss": (
        "thinking.jsonl",
        [
            QUESTION + "<|end|>" + GPT_OSS_CALL
            + '<|start|>functions.weather to=assistant<|channel|>commentary<|message|>"7 degrees"<|end|>'
            + "<|start|>assistant<|channel|>analysis<|message|>The tool says 7.<|end|>"
            + "<|start|>assistant<|channel|>final<|message|>It is 7.<|return|>",
            QUESTION + "<|end|>"
            + "<|start|>assistant<|channel|>analysis<|message|>I need the tool.<|end|>" + GPT_OSS_CALL,
            "Hi<|end|><|start|>assistant<|channel|>analysis<|message|>Greet.<|end|>"
            + "<|start|>assistant<|channel|>final<|message|>Hello.<|return|>",
        ],
    ),
    "glm4moe": (
        "field.jsonl",
        [
            QUESTION + "<|assistant|>\n<think></think>\n" + glm_call()
            + "<|observation|>\n<tool_response>\n7 degrees\n</tool_response>"
            + "<|assistant|>\n<think>The tool says 7.</think>\nIt is 7.",
            QUESTION + "<|assistant|>\n<think>I need the tool.</think>\n" + glm_call(),
            "Hi<|assistant|>\n<think>Greet.</think>\nHello.",
        ],
    ),
}

problems = []
for template, (name, expected) in TRUTH.items():
    rows = [json.loads(line) for line in (FOLDER / name).read_text().splitlines()]
    for number, (row, end) in enumerate(zip(rows, expected, strict=True)):
        try:
            text = render(template, row)
        except Exception as error:  # Templates refuse in their own words.
            problems.append(f"{template}, row {number}: {type(error).__name__}: {error}")
            continue
        question = end[: end.index("<")]
        start = text.rindex(question)
        if text[start:] != end:
            problems.append(f"{template}, row {number}:\n{text[start:]!r} is not\n{end!r}")
        before = text[:start]
        has_tools = '"name": "weather"' in before or "type weather = (" in before
        if number == 0 and not ("Be brief." in before and has_tools):
            problems.append(f"{template}: the system message or the tools are missing in {before!r}")
        if number == 2 and "weather" in text:
            problems.append(f"{template}: there are tools in {text!r}")
print("\n".join(problems) or "all conversations are rendered as meant")
