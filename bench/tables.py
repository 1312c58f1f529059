"""Converts a file as a user of pyarrow or polars would: tables.py LIBRARY WORK INPUT OUTPUT."""

import json
import sys


def messages_of(row):
    return [
        {"role": "user", "content": row["question"]},
        {"role": "assistant", "content": row["response"]},
    ]


def with_pyarrow(work, source, target):
    import pyarrow as pa
    import pyarrow.json
    import pyarrow.parquet as pq

    if work == "parquet to jsonl":
        with open(target, "w") as out:
            for batch in pq.ParquetFile(source).iter_batches():
                for row in batch.to_pylist():
                    out.write(json.dumps(row, ensure_ascii=False) + "\n")
        return
    table = pyarrow.json.read_json(source)
    if work == "results to messages":
        rows = table.select(["question", "response"]).to_pylist()
        table = pa.table({"messages": [messages_of(row) for row in rows]})
    pq.write_table(table, target, compression="zstd")


def with_polars(work, source, target):
    import polars as pl

    if work == "parquet to jsonl":
        pl.read_parquet(source).write_ndjson(target)
        return
    frame = pl.read_ndjson(source)
    if work == "results to messages":
        turns = [
            pl.struct(pl.lit(role).alias("role"), pl.col(column).alias("content"))
            for role, column in (("user", "question"), ("assistant", "response"))
        ]
        frame = frame.select(pl.concat_list(turns).alias("messages"))
    frame.write_parquet(target, compression="zstd")


if __name__ == "__main__":
    library, work, source, target = sys.argv[1:]
    {"pyarrow": with_pyarrow, "polars": with_polars}[library](work, source, target)
