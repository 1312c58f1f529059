"""Reads exports with LLaMA-Factory's own loader code, by the entries of dataset_info.json that Retort prints.

Usage: llama_factory.py FOLDER. Prints what LLaMA-Factory makes of each file, as JSON.
"""

import importlib.util
import json
import logging
import sys
import tempfile
import types
from pathlib import Path

from stubs import bare_package, forget, stub

STUBS = ("torch", "torchaudio", "torchvision", "transformers", "peft", "accelerate", "trl", "omegaconf")
stub(*STUBS)
SOURCE = importlib.util.find_spec("llamafactory").submodule_search_locations[0]
bare_package("llamafactory.data", f"{SOURCE}/data")

import datasets  # noqa: E402
from llamafactory.data import converter, parser  # noqa: E402
from llamafactory.extras.constants import FILEEXT2TYPE  # noqa: E402

forget(*STUBS)
logging.disable(logging.CRITICAL)
datasets.disable_progress_bars()
folder = Path(sys.argv[1])
info = json.loads((folder / "dataset_info.json").read_text())
options = types.SimpleNamespace(
    streaming=False, preprocessing_num_workers=None, overwrite_cache=True, media_dir=None, image_dir=None
)
training = types.SimpleNamespace(local_process_index=0)
read = {}
for name, attributes in zip(info, parser.get_dataset_list(list(info), info)):
    path = folder / attributes.dataset_name
    with tempfile.TemporaryDirectory() as cache:
        kind = FILEEXT2TYPE[path.suffix[1:]]
        loaded = datasets.load_dataset(kind, data_files=[str(path)], split="train", cache_dir=cache)
        aligned = converter.align_dataset(loaded, attributes, options, training)
        keys = ("_system", "_prompt", "_response", "_tools")
        read[name] = [{key: row[key] for key in keys} for row in aligned]
print(json.dumps(read))
