"""Reads what Retort wrote with the programs that people train with, and says what differs.

Usage: read_back.py FOLDER. The folder holds what tests/trainers/trainers_test.ts wrote: PLAIN rows without
tools, then LATE rows with tools and calls.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import datasets
import duckdb
import pandas
import polars
import pyarrow.json
import pyarrow.parquet

datasets.disable_progress_bars()
FOLDER = Path(sys.argv[1])
PLAIN, LATE = int(sys.argv[2]), int(sys.argv[3])
COUNT = PLAIN + LATE
problems = []


def expect(what, actual, expected):
    if actual != expected:
        problems.append(f"{what}: {str(actual)[:400]} is not {str(expected)[:400]}")


def load(kind, path):
    with tempfile.TemporaryDirectory() as cache:
        loaded = datasets.load_dataset(kind, data_files=str(path), split="train", cache_dir=cache)
        return [loaded[i] for i in (0, -1)], len(loaded), loaded.column_names


def check(what, read):
    try:
        read()
    except Exception as error:  # Every reader has errors of its own.
        problems.append(f"{what}: {type(error).__name__}: {str(error)[:400]}")


def calls_of(row, key="messages"):
    return row[key][-1].get("tool_calls")


def results_file():
    path = FOLDER / "out.jsonl"
    (first, last), count, columns = load("json", path)
    expect("datasets: results", count, COUNT)
    expect("datasets: tool_calls of the first", first["tool_calls"], "[]")
    expect("datasets: tool_calls of the last", json.loads(last["tool_calls"])[0]["id"], "c")
    expect("datasets: replaced", json.loads(last["distill"]["replaced"]), {"reasoning": "own"})
    expect("datasets: kept", json.loads(last["distill"]["kept"]), {"seed": 1})
    frame = polars.read_ndjson(path)
    expect("polars: columns of results", sorted(frame.columns), sorted(columns))
    expect("polars: replaced", frame["distill"][-1]["replaced"], '{"reasoning":"own"}')
    expect("pyarrow: results", pyarrow.json.read_json(path).num_rows, COUNT)
    query = f"select count(*), max(tool_calls) from read_json('{path}')"
    expect("duckdb: results", duckdb.sql(query).fetchall()[0][0], COUNT)
    expect("pandas: results", len(pandas.read_json(path, lines=True)), COUNT)


def json_lines(name):
    path = FOLDER / name
    (first, last), count, columns = load("json", path)
    expect(f"datasets: {name}", count, COUNT)
    expect(f"datasets: tools of the first of {name}", first["tools"], "[]")
    expect(f"datasets: tools of the last of {name}", json.loads(last["tools"])[0]["function"]["name"], "weather")
    call = calls_of(last, "completion" if "completion" in columns else "messages")[0]
    expect(f"datasets: arguments in {name}", call["function"]["arguments"], {"a": LATE})


def text_file(name):
    path = FOLDER / name
    expect(f"datasets: {name}", load("json", path)[1], COUNT)
    if name.endswith(".gz") or name.endswith(".zst"):
        expect(f"pandas: {name}", len(pandas.read_json(path, lines=True)), COUNT)
        expect(f"duckdb: {name}", duckdb.sql(f"select count(*) from read_json('{path}')").fetchall()[0][0], COUNT)


def csv_file():
    path = FOLDER / "messages.csv"
    frame = pandas.read_csv(path, keep_default_na=False)
    expect("pandas: csv", len(frame), COUNT)
    expect("pandas: messages of csv", json.loads(frame["messages"].iloc[-1])[-1]["role"], "assistant")
    expect("polars: csv", polars.read_csv(path).height, COUNT)
    expect("duckdb: csv", duckdb.sql(f"select count(*) from read_csv('{path}')").fetchall()[0][0], COUNT)
    expect("datasets: csv", load("csv", path)[1], COUNT)


def parquet_messages():
    path = FOLDER / "messages.parquet"
    table = pyarrow.parquet.read_table(path)
    expect("pyarrow: parquet", table.num_rows, COUNT)
    kinds = {field.name: str(field.type) for field in table.schema}
    expect("pyarrow: messages is a list of structs", kinds["messages"].startswith("list<element: struct<role: string"), True)
    last = table.slice(COUNT - 1).to_pylist()[0]
    expect("pyarrow: arguments", calls_of(last)[0]["function"]["arguments"], json.dumps({"a": LATE}, separators=(",", ":")))
    expect("polars: parquet", polars.read_parquet(path).height, COUNT)
    row = duckdb.sql(f"select messages[1].content from '{path}' limit 1").fetchall()[0]
    expect("duckdb: parquet", row[0].startswith("question 1 "), True)
    expect("pandas: parquet", len(pandas.read_parquet(path)), COUNT)
    (_, late), count, _ = load("parquet", path)
    expect("datasets: parquet", count, COUNT)
    expect("datasets: parquet calls", calls_of(late)[0]["function"]["name"], "weather")


def parquet_raw():
    path = FOLDER / "raw.parquet"
    table = pyarrow.parquet.read_table(path)
    distill = table.schema.field("distill").type
    kinds = {field.name: str(field.type) for field in distill}
    expect("pyarrow: tokens", kinds["completion_tokens"], "int64")
    expect("pyarrow: created", kinds["created"], "timestamp[ms, tz=UTC]")
    expect("pyarrow: digits", table["big"][0].as_py(), 1234567890123456789)
    expect("polars: created", str(polars.read_parquet(path)["distill"].struct.field("created").dtype), "Datetime(time_unit='ms', time_zone='UTC')")
    expect("duckdb: raw", duckdb.sql(f"select sum(distill.completion_tokens) from '{path}'").fetchall()[0][0] > 0, True)


def dataset_folder():
    with tempfile.TemporaryDirectory() as cache:
        loaded = datasets.load_dataset(str(FOLDER / "dataset"), cache_dir=cache)
        # Another dataset in a folder of the same name, as after `--replace`.
        other = Path(cache) / "other" / "dataset"
        shutil.copytree(FOLDER / "dataset", other)
        for path in other.glob("data/train-*"):
            pyarrow.parquet.write_table(pyarrow.parquet.read_table(path).slice(0, 1), path)
        again = datasets.load_dataset(str(other), cache_dir=cache)
    expect("datasets: rows of another folder of that name", len(again["train"]), 1)
    expect("datasets: folder", sorted(loaded), ["train", "validation"])
    expect("datasets: uid and tokens", str(loaded["train"].features["completion_tokens"]), "Value('int64')")
    expect("datasets: folder rows", len(loaded["train"]) + len(loaded["validation"]), COUNT)


def logprobs():
    table = pyarrow.parquet.read_table(FOLDER / "logprobs.parquet")
    kinds = {field.name: str(field.type) for field in table.schema}
    expect("pyarrow: token ids", kinds["token_ids"], "list<element: int64>")
    expect("pyarrow: top logprobs", kinds["top_logprobs"], "list<element: list<element: double>>")
    row = table.to_pylist()[0]
    expect("pyarrow: tokens", [row["tokens"], row["token_ids"], row["logprobs"]], [["4"], [19], [-0.1]])
    expect("pyarrow: alternatives", [row["top_tokens"], row["top_logprobs"]], [[["4", "5"]], [[-0.1, -3.0]]])


check("results file", results_file)
for name in ("messages.jsonl", "prompt-completion.jsonl"):
    check(name, lambda: json_lines(name))
for name in ("messages.json", "messages.jsonl.gz", "messages.jsonl.zst", "sharegpt.jsonl"):
    check(name, lambda: text_file(name))
check("csv", csv_file)
check("messages.parquet", parquet_messages)
check("raw.parquet", parquet_raw)
check("dataset folder", dataset_folder)
check("logprobs.parquet", logprobs)
print("\n".join(problems) or "all files were read as expected")
sys.stdout.flush()
# Arrow's threads may crash when an interpreter that has had errors ends.
os._exit(1 if problems else 0)
