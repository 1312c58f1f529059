"""Parquet files of every kind of column, and beside each the rows that a user would write: parquet_kinds.py FOLDER.

What is expected is made from the values, not read back. A trailing `Z` is that of a column with a time zone.
"""

import base64
import datetime
import decimal
import json
import os
import sys

import pyarrow as pa
import pyarrow.parquet as pq

D = decimal.Decimal


class Text:
    """Stands in the JSON as it is."""

    def __init__(self, text):
        self.text = text


def written(value):
    if isinstance(value, Text):
        return value.text
    if isinstance(value, D):
        return format(value, "f")
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return "null"
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, bytes):
        return json.dumps(base64.b64encode(value).decode())
    if isinstance(value, dict):
        members = (json.dumps(str(k), ensure_ascii=False) + ":" + written(v) for k, v in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)


WORDS = ["a", "", 'quote " \\ and\nline', "é漢😀", "\u0001\t\u2028", None]
BIG = [D("1.10"), D("-0.05"), D("99999999999999999999999999.99"), None]
WHEN = datetime.datetime(2024, 1, 2, 3, 4, 5, 678901)
OLD = datetime.datetime(1969, 12, 31, 23, 59, 59, 1)


def struct(**fields):
    return pa.struct(list(fields.items()))


def decimals(kind, values):
    return pa.array(values, kind), values


# Yields the name of a column, an array, and the expected values.
def columns():
    yield "int8", pa.array([1, -128, None], pa.int8()), [1, -128, None]
    yield "uint8", pa.array([1, 255, None], pa.uint8()), [1, 255, None]
    yield "uint16", pa.array([65535, None, 0], pa.uint16()), [65535, None, 0]
    yield "uint32", pa.array([2**32 - 1, None, 0], pa.uint32()), [2**32 - 1, None, 0]
    yield "int64", pa.array([2**63 - 1, -(2**63), 2**53 + 1, None]), [2**63 - 1, -(2**63), 2**53 + 1, None]
    yield "uint64", pa.array([2**64 - 1, 2**63, None, 1], pa.uint64()), [2**64 - 1, 2**63, None, 1]
    yield "bool", pa.array([True, False, None]), [True, False, None]
    yield "double", pa.array([0.1, 1e300, -2.5, float("nan"), float("inf"), float("-inf"), None, 3.0]), [
        0.1, Text("1e+300"), -2.5, None, None, None, None, 3]
    yield "float", pa.array([0.5, float("nan"), None], pa.float32()), [0.5, None, None]
    import numpy as np
    yield "half", pa.array([np.float16(1.5), np.float16("nan"), np.float16(-0.25), None], pa.float16()), [1.5, None, -0.25, None]
    yield "text", pa.array(WORDS), WORDS
    yield "large", pa.array(WORDS, pa.large_string()), WORDS
    yield "view", pa.array(WORDS, pa.string_view()), WORDS
    yield "category", pa.array(WORDS).dictionary_encode(), WORDS
    yield "runs", pa.array(["x"] * 3000 + [None] * 5 + ["y"] * 3000), ["x"] * 3000 + [None] * 5 + ["y"] * 3000
    yield "nothing", pa.array([None, None], pa.null()), [None, None]
    yield "dec_int32", pa.array([D("1.50"), None, D("-0.01")], pa.decimal128(9, 2)), [D("1.50"), None, D("-0.01")]
    yield "dec_int64", pa.array([D("1.5000"), D("-9.0001")], pa.decimal128(18, 4)), [D("1.5000"), D("-9.0001")]
    yield "dec128", pa.array(BIG, pa.decimal128(38, 2)), BIG
    yield "dec256", pa.array(BIG, pa.decimal256(70, 2)), BIG
    yield "dec_scale0", pa.array([D("12"), D("-3")], pa.decimal128(20, 0)), [D("12"), D("-3")]
    yield "date", pa.array([datetime.date(1969, 12, 31), datetime.date(2024, 2, 29), datetime.date(1, 1, 1), None]), [
        "1969-12-31", "2024-02-29", "0001-01-01", None]
    yield "date64", pa.array([datetime.date(2024, 2, 29), None], pa.date64()), ["2024-02-29", None]
    for unit, tail in (("s", ".000"), ("ms", ".678"), ("us", ".678901"), ("ns", ".678901000")):
        base = WHEN.replace(microsecond=int(tail[1:7].ljust(6, "0")))
        yield f"ts_{unit}", pa.array([base, None], pa.timestamp(unit)), [f"2024-01-02T03:04:05{tail}", None]
        yield f"tz_{unit}", pa.array([base, None], pa.timestamp(unit, tz="Europe/Berlin")), [
            f"2024-01-02T03:04:05{tail}Z", None]
    yield "ts_old", pa.array([OLD], pa.timestamp("us")), ["1969-12-31T23:59:59.000001"]
    yield "time32", pa.array([datetime.time(1, 2, 3, 4000), None], pa.time32("ms")), ["01:02:03.004", None]
    yield "time64", pa.array([datetime.time(1, 2, 3, 4), None], pa.time64("us")), ["01:02:03.000004", None]
    yield "time_ns", pa.array([3723000000004], pa.time64("ns")), ["01:02:03.000000004"]
    yield "duration", pa.array([datetime.timedelta(seconds=1, microseconds=5), None], pa.duration("us")), [1000005, None]
    yield "binary", pa.array([b"\xff\x00", b"", None]), [b"\xff\x00", b"", None]
    yield "fixed", pa.array([b"\xff\x00", None], pa.binary(2)), [b"\xff\x00", None]
    yield "large_binary", pa.array([b"\xff"], pa.large_binary()), [b"\xff"]
    yield "uuid", pa.array([bytes(range(16)), None], pa.uuid()), ["00010203-0405-0607-0809-0a0b0c0d0e0f", None]
    yield "json", pa.array(['{"a": [1.0, 12345678901234567890]}', "null", None], pa.json_(pa.utf8())), [
        Text('{"a": [1.0, 12345678901234567890]}'), None, None]

    message = struct(role=pa.string(), content=pa.string(), tool_calls=pa.list_(struct(
        id=pa.string(), args=pa.list_(pa.string()))))
    talks = [
        [{"role": "user", "content": "hi", "tool_calls": None},
         {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "args": ["a", None]}, {"id": None, "args": []}]}],
        [], None, [None], [{"role": "user", "content": "é", "tool_calls": []},
                           {"role": "x", "content": "y", "tool_calls": [None, {"id": "2", "args": None}]}]]
    yield "messages", pa.array(talks, pa.list_(message)), talks
    yield "large_list", pa.array([["a"], [], None, [None]], pa.large_list(pa.large_string())), [["a"], [], None, [None]]
    yield "fixed_list", pa.array([[1, 2], [3, None]], pa.list_(pa.int32(), 2)), [[1, 2], [3, None]]
    lists = [[[1, None], [], None], [], None, [[2]], [None, [None]], [[[]]][0]]
    yield "lists", pa.array(lists, pa.list_(pa.list_(pa.int64()))), lists
    deep = [[[[1], []], [[]]], [[[None], None], None], None]
    yield "deep", pa.array(deep, pa.list_(pa.list_(pa.list_(pa.uint64())))), deep
    price = struct(price=pa.decimal128(38, 3), small=pa.decimal128(5, 2), at=pa.timestamp("us", tz="UTC"),
                   local=pa.timestamp("ms"), day=pa.date32(), time=pa.time64("us"), big=pa.uint64(), half=pa.float16())
    one = {"price": D("12.340"), "small": D("-0.01"), "at": WHEN, "local": WHEN.replace(microsecond=678000),
           "day": datetime.date(1969, 1, 1), "time": datetime.time(1, 2, 3, 4), "big": 2**64 - 1, "half": np.float16(0.5)}
    seen = {"price": D("12.340"), "small": D("-0.01"), "at": "2024-01-02T03:04:05.678901Z",
            "local": "2024-01-02T03:04:05.678", "day": "1969-01-01", "time": "01:02:03.000004", "big": 2**64 - 1, "half": 0.5}
    none = dict.fromkeys(one)
    yield "exact_struct", pa.array([one, none, None], price), [seen, none, None]
    yield "exact_list", pa.array([[one, None], [none], [], None], pa.list_(price)), [[seen, None], [none], [], None]
    yield "exact_map", pa.array([[("a", one), ("b", None)], [], None], pa.map_(pa.string(), price)), [{"a": seen, "b": None}, {}, None]
    yield "decimal_list", pa.array([[D("1.0"), None], []], pa.list_(pa.decimal256(50, 1))), [[D("1.0"), None], []]
    yield "int_map", pa.array([[(1, "a"), (-2, None)], []], pa.map_(pa.int64(), pa.string())), [{1: "a", -2: None}, {}]
    yield "date_map", pa.array([[(datetime.date(2024, 1, 2), 1)]], pa.map_(pa.date32(), pa.int8())), [{"2024-01-02": 1}]
    yield "decimal_map", pa.array([[(D("1.50"), 1)]], pa.map_(pa.decimal128(9, 2), pa.int8())), [{"1.50": 1}]
    yield "bool_map", pa.array([[(True, 1)]], pa.map_(pa.bool_(), pa.int8())), [{"true": 1}]
    yield "map_lists", pa.array([[("a", [[1], None]), ("b", [])], None], pa.map_(pa.string(), pa.list_(pa.list_(pa.int8())))), [
        {"a": [[1], None], "b": []}, None]
    yield "map_maps", pa.array([[("a", [("b", 1)]), ("c", None)]], pa.map_(pa.string(), pa.map_(pa.string(), pa.int8()))), [
        {"a": {"b": 1}, "c": None}]
    yield "struct_structs", pa.array([{"a": {"b": None}}, {"a": None}, None, {"a": {"b": {"c": 1}}}],
                                     struct(a=struct(b=struct(c=pa.int8())))), [
        {"a": {"b": None}}, {"a": None}, None, {"a": {"b": {"c": 1}}}]
    yield "binary_list", pa.array([[b"\xff", None], []], pa.list_(pa.binary())), [[b"\xff", None], []]
    yield "element", pa.array([{"element": {"item": 1, "list": [2]}}], struct(element=struct(item=pa.int8(), list=pa.list_(pa.int8())))), [
        {"element": {"item": 1, "list": [2]}}]
    yield "dotted", pa.array([{"a.b": {"c": D("1.5")}, "a": {"b.c": 1}}], struct(**{"a.b": struct(c=pa.decimal128(9, 1)), "a": struct(**{"b.c": pa.int8()})})), [
        {"a.b": {"c": D("1.5")}, "a": {"b.c": 1}}]
    yield "required", pa.array([{"a": [1, 2]}, {"a": []}], pa.struct([pa.field("a", pa.list_(pa.field("element", pa.int8(), nullable=False)), nullable=False)])), [
        {"a": [1, 2]}, {"a": []}]


# How files are written. Pages are small, so that rows and their lists cross page boundaries.
WAYS = {
    "plain": dict(compression="none", use_dictionary=False),
    "snappy": dict(compression="snappy", data_page_size=64, row_group_size=3),
    "gzip": dict(compression="gzip", write_page_index=True),
    "zstd": dict(compression="zstd", data_page_version="2.0", data_page_size=64),
    "brotli": dict(compression="brotli", write_page_checksum=True),
    "lz4": dict(compression="lz4", data_page_version="2.0", row_group_size=2, write_page_index=True),
    "old": dict(use_deprecated_int96_timestamps=True, use_compliant_nested_type=False, version="1.0"),
}
ENCODINGS = {
    "int64": ["DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"],
    "int32": ["DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"],
    "text": ["DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"],
    "double": ["BYTE_STREAM_SPLIT"],
    "float": ["BYTE_STREAM_SPLIT"],
    "half": ["BYTE_STREAM_SPLIT"],
    "dec128": ["BYTE_STREAM_SPLIT", "DELTA_BYTE_ARRAY"],
    "bool": ["RLE"],
}


def write(folder, name, array, expected, **way):
    field = pa.field("v", array.type, nullable=way.pop("nullable", True))
    table = pa.Table.from_arrays([array], schema=pa.schema([field]))
    pq.write_table(table, os.path.join(folder, f"{name}.parquet"), **way)
    with open(os.path.join(folder, f"{name}.jsonl"), "w") as out:
        for value in expected:
            out.write('{"v":' + written(value) + "}\n")


def digits_of(value):
    """INT96 counts nanoseconds and knows no time zone."""
    if isinstance(value, str) and "T" in value and value[10] == "T":
        whole, _, rest = value.removesuffix("Z").partition(".")
        return f"{whole}.{rest.ljust(9, '0')}Z"
    if isinstance(value, dict):
        return {name: digits_of(one) for name, one in value.items()}
    return [digits_of(one) for one in value] if isinstance(value, list) else value


def write_all(folder):
    """All kinds but the long one in one file, rows of it as the columns have values."""
    found = [(kind, array, expected) for kind, array, expected in columns() if kind != "runs"]
    count = max(len(array) for _, array, _ in found)
    table = pa.table({
        kind: pa.concat_arrays([array, pa.nulls(count - len(array), array.type)]) for kind, array, _ in found})
    pq.write_table(table, os.path.join(folder, "kinds.parquet"), compression="lz4", data_page_version="2.0",
                   data_page_size=64, write_statistics=False, store_schema=False)
    with open(os.path.join(folder, "kinds.jsonl"), "w") as out:
        for i in range(count):
            values = {kind: expected[i] if i < len(expected) else None for kind, _, expected in found}
            out.write(written(values) + "\n")


def main(folder):
    write_all(folder)
    for name, array, expected in columns():
        for way, options in WAYS.items():
            seen = [digits_of(one) for one in expected] if way == "old" else expected
            write(folder, f"{name}-{way}", array, seen, **options)
        many = pa.concat_arrays([array] * 40)
        write(folder, f"{name}-many", many, expected * 40, data_page_size=128, row_group_size=64)
        if array.null_count == 0:
            write(folder, f"{name}-required", array, expected, nullable=False)
        for encoding in ENCODINGS.get(name, []):
            for version in ("1.0", "2.0"):
                write(folder, f"{name}-{encoding}-{version}", many, expected * 40, use_dictionary=False,
                      column_encoding={"v": encoding}, data_page_version=version, data_page_size=128)
    schema = pa.schema([("prompt", pa.string()), ("n", pa.list_(pa.int64()))])
    with pq.ParquetWriter(os.path.join(folder, "gaps.parquet"), schema) as out:
        rows = pa.table({"prompt": ["a", None], "n": [[1], None]}, schema=schema)
        for part in (rows.slice(0, 0), rows, rows.slice(0, 0), rows.slice(1, 1)):
            out.write_table(part)
    with open(os.path.join(folder, "gaps.jsonl"), "w") as out:
        out.write('{"prompt":"a","n":[1]}\n' + '{"prompt":null,"n":null}\n' * 2)
    pq.write_table(rows.slice(0, 0), os.path.join(folder, "none.parquet"))
    open(os.path.join(folder, "none.jsonl"), "w").close()


if __name__ == "__main__":
    main(sys.argv[1])
