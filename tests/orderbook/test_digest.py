"""Checks of rows: any field that changes is seen at its row, and nothing else is."""

import struct
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderbook.digest import RowChecks, RowDigest, checks_of, pack
from orderbook.engine import PlainEngine
from tests.endurance.planned_recorder import planned
from tests.support.constants import BTC
from tests.support.rows import to_batch

ENGINE = PlainEngine()
PACKED = pack(ENGINE.step(ENGINE.start(BTC, "exchange"), to_batch(planned(0, 60)))[1].summaries)


@given(row=st.integers(0, len(PACKED) - 1), byte=st.integers(0, 63), bit=st.integers(0, 7))
def test_one_changed_bit_changes_one_check(row: int, byte: int, bit: int) -> None:
    """Whichever bit of a packed summary changes, its check does, and that of no other row."""
    changed = PACKED.copy()
    changed.view(np.uint8).reshape(len(PACKED), 64)[row, byte] ^= 1 << bit
    assert np.flatnonzero(checks_of(changed) != checks_of(PACKED)).tolist() == [row]


@pytest.mark.parametrize("cut", [1, 7, 60])
def test_checks_lie_where_their_rows_do(cut: int) -> None:
    """However they come in, the checks of a segment have the place of their row; a row without one has 0."""
    checks = RowChecks()
    for start in range(0, len(PACKED), cut):
        checks.add(PACKED[start : start + cut])
    first, second = checks.take(0, 20), checks.take(20, 40)
    dense = np.concatenate([first, second])
    assert np.flatnonzero(dense).tolist() == PACKED["seq"].tolist()
    assert dense[PACKED["seq"]].tolist() == checks_of(PACKED).tolist()
    assert not checks.take(0, 60).any()


TIME = pa.timestamp("ns", tz="UTC")
SCHEMA = pa.schema(
    [("seq", pa.int64()), ("at", TIME), ("what", pa.string()), ("x", pa.float64()), ("is_up", pa.bool_())]
)
ROWS: list[dict[str, object]] = [
    {"seq": 1, "at": 5, "what": "wide", "x": 0.1, "is_up": True},
    {"seq": 1, "at": None, "what": None, "x": None, "is_up": None},
    {"seq": 7, "at": -1, "what": "", "x": float("nan"), "is_up": False},
    {"seq": 2**62, "at": 2**62, "what": "größer", "x": -0.0, "is_up": True},
]


def digest_of(rows: list[dict[str, object]], cut: int, schema: pa.Schema = SCHEMA) -> str:
    """Return the digest of rows in batches of so many."""
    digest = RowDigest(schema)
    for start in range(0, len(rows), cut):
        digest.update(pa.RecordBatch.from_pylist(rows[start : start + cut], schema=schema))
    assert digest.rows == len(rows)
    return digest.hexdigest()


def value(code: str, number: object) -> bytes:
    """Return a value as the documentation says, by `struct`."""
    return struct.pack("<?" + code, number is not None, 0 if number is None else number)


def documented(rows: list[dict[str, object]]) -> str:
    """Return the digest as the documentation says."""
    types = "seq int64\nat timestamp[ns, tz=UTC]\nwhat string\nx double\nis_up bool\n"
    chain = sha256(types.encode()).digest()
    for row in rows:
        text = None if row["what"] is None else str(row["what"]).encode()
        packed = value("q", row["seq"]) + value("q", row["at"])
        packed += b"\0" if text is None else value("q", len(text)) + text
        packed += value("d", row["x"]) + value("?", row["is_up"])
        chain = sha256(chain + packed).digest()
    return chain.hex()


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_documented_form(cut: int) -> None:
    """The digest is that of the documented form, however the rows are cut."""
    assert digest_of(ROWS, cut) == documented(ROWS)


def test_what_lies_in_memory_does_not_count() -> None:
    """A slice, and a null with something behind it, have the digest of plain rows; so has any NaN."""
    batch = pa.RecordBatch.from_pylist([*ROWS, *ROWS], schema=SCHEMA)
    odd = pa.array([1.0, 2.0, 3.0, -0.0])
    masked = pa.Array.from_buffers(pa.float64(), 4, [pa.py_buffer(b"\x09"), odd.buffers()[1]])
    digest = RowDigest(SCHEMA)
    digest.update(batch.slice(4))
    assert digest.hexdigest() == documented(ROWS)
    schema = pa.schema([("x", pa.float64())])
    plain, hidden, other_nan = RowDigest(schema), RowDigest(schema), RowDigest(schema)
    plain.update(
        pa.RecordBatch.from_pylist([{"x": 1.0}, {"x": None}, {"x": None}, {"x": -0.0}], schema=schema)
    )
    hidden.update(pa.RecordBatch.from_arrays([masked], schema=schema))
    assert plain.hexdigest() == hidden.hexdigest()
    bits = pa.array([0x7FF8000000000000], pa.int64())
    other_nan.update(pa.RecordBatch.from_arrays([bits.view(pa.float64())], schema=schema))
    nan = RowDigest(schema)
    strange = pa.array([0x7FF8000000000123], pa.int64()).view(pa.float64())
    nan.update(pa.RecordBatch.from_arrays([strange], schema=schema))
    assert nan.hexdigest() == other_nan.hexdigest()


@pytest.mark.parametrize(
    ("column", "other"), [("seq", 2), ("at", 6), ("what", "wid"), ("x", 0.2), ("x", None), ("is_up", False)]
)
def test_every_value_counts(column: str, other: object) -> None:
    """A row that differs in one value has another digest, and so have rows in another order."""
    assert digest_of([{**ROWS[0], column: other}], 1) != digest_of(ROWS[:1], 1)
    pair = [ROWS[0], {**ROWS[0], column: other}]
    assert digest_of(pair, 1) != digest_of(pair[::-1], 1)


def test_columns_count() -> None:
    """The same values in a column of another name or type have another digest."""
    rows: list[dict[str, object]] = [{"seq": 1, "a": 1}]
    schemas = [
        pa.schema([("seq", pa.int64()), ("a", kind)])
        for kind in (pa.int64(), pa.uint8(), pa.float32(), pa.float64())
    ]
    assert len({digest_of(rows, 1, schema) for schema in schemas}) == len(schemas)
    named = pa.schema([("seq", pa.int64()), ("b", pa.int64())])
    assert digest_of([{"seq": 1, "b": 1}], 1, named) != digest_of(rows, 1, schemas[0])
