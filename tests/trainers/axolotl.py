"""Reads exports with Axolotl's own code, by the configuration that Retort prints.

Usage: axolotl.py FOLDER. Prints the turns and tools that Axolotl hands to a chat template, as JSON.
"""

import json
import logging
import sys
import tempfile
from pathlib import Path

# This file has the name of the package, so its folder must come last.
sys.path = [path for path in sys.path if Path(path) != Path(__file__).parent] + [str(Path(__file__).parent)]

from stubs import forget, stub  # noqa: E402

STUBS = ("torch", "transformers", "accelerate", "peft")
stub(*STUBS)

import datasets  # noqa: E402
import yaml  # noqa: E402

import importlib.util  # noqa: E402

SOURCE = Path(importlib.util.find_spec("axolotl").submodule_search_locations[0])
from axolotl.prompt_strategies.chat_template import ChatTemplatePrompter, ChatTemplateStrategy  # noqa: E402

forget(*STUBS)
logging.disable(logging.CRITICAL)
datasets.disable_progress_bars()
folder = Path(sys.argv[1])
template = (SOURCE / "utils/chat_templates/templates/qwen3.jinja").read_text()
read = {}
for path in sorted(folder.glob("*.yaml")):
    [config] = yaml.safe_load(path.read_text())["datasets"]
    prompter = ChatTemplatePrompter(
        None,
        template,
        message_property_mappings=config.get("message_property_mappings"),
        field_messages=config.get("field_messages", "messages"),
    )
    # Its constructor would look for tokens in a tokenizer.
    strategy = object.__new__(ChatTemplateStrategy)
    strategy.prompter = prompter
    strategy.split_thinking = False
    with tempfile.TemporaryDirectory() as cache:
        loaded = datasets.load_dataset(
            config["ds_type"], data_files=config["path"], split="train", cache_dir=cache
        )
        read[path.stem] = [
            {"turns": strategy.get_conversation_thread(dict(row)), "tools": strategy._get_tools(row)}
            for row in loaded
        ]
print(json.dumps(read))
