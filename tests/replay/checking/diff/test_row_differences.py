"""The comparison of two streams against a naive one: any rows, cut into any batches."""

import struct
from collections import Counter
from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from replay.checking.diff.row_differences import StreamDiff

SCHEMA = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("number", pa.float64()),
        pa.field("text", pa.string()),
    ]
)
OTHER_NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0]
# A single 0.0 beside -0.0, null beside NaN, one NaN beside another: all differ.
NUMBERS = [None, 0.0, -0.0, 1.5, float("nan"), OTHER_NAN]

Line = tuple[int, float | None, str | None]
rows = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from(NUMBERS), st.sampled_from([None, "", "a"])), max_size=20
).map(lambda lines: sorted(lines, key=lambda line: line[0]))
cuts = st.lists(st.integers(0, 20), max_size=4)


def batches(lines: list[Line], at: list[int]) -> list[pa.RecordBatch]:
    """Return lines as batches cut at these places; some are empty."""
    columns = list(zip(*lines, strict=True)) or [(), (), ()]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    whole = pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
    edges = [0, *sorted(min(each, len(lines)) for each in at), len(lines)]
    return [whole.slice(start, stop - start) for start, stop in pairwise(edges)]


def bits(number: float | None) -> bytes | None:
    """Return a float as its bytes."""
    return None if number is None else struct.pack("<d", number)


def keyed(lines: list[Line]) -> dict[tuple[int, int], tuple[bytes | None, str | None]]:
    """Return lines by seq and their number among the lines of that seq."""
    seen: Counter[int] = Counter()
    found = {}
    for seq, number, text in lines:
        found[seq, seen[seq]] = (bits(number), text)
        seen[seq] += 1
    return found


@given(a=rows, b=rows, cuts_a=cuts, cuts_b=cuts)
def test_any_streams(a: list[Line], b: list[Line], cuts_a: list[int], cuts_b: list[int]) -> None:
    """Counts, columns and the first difference are those of two dicts compared key by key."""
    found = StreamDiff("P", "s").compare(batches(a, cuts_a), batches(b, cuts_b))
    in_a, in_b = keyed(a), keyed(b)
    common = sorted(in_a.keys() & in_b.keys())
    differing = [key for key in common if in_a[key] != in_b[key]]
    assert (found.rows_a, found.rows_b) == (len(a), len(b))
    assert (found.equal, found.differing) == (len(common) - len(differing), len(differing))
    assert (found.only_a, found.only_b) == (len(in_a) - len(common), len(in_b) - len(common))
    for place, name in enumerate(("number", "text")):
        seqs = [key[0] for key in common if in_a[key][place] != in_b[key][place]]
        column = found.columns.get(name)
        assert (column and (column.rows, column.first_seq)) == ((len(seqs), seqs[0]) if seqs else None)
    diverging = sorted({*differing, *(in_a.keys() ^ in_b.keys())})
    assert (found.first and found.first.seq) == (diverging[0][0] if diverging else None)
    assert (found.last_a, found.last_b) == (a[-1][0] if a else None, b[-1][0] if b else None)


@given(lines=rows, cuts_a=cuts, cuts_b=cuts)
def test_equal_streams(lines: list[Line], cuts_a: list[int], cuts_b: list[int]) -> None:
    """Streams are equal if all bits are, NaN included, in any batches."""
    found = StreamDiff("P", "s").compare(batches(lines, cuts_a), batches(lines, cuts_b))
    assert (found.equal, found.first) == (len(lines), None)


def test_rows_shown() -> None:
    """A difference has both rows unchanged; NaN and infinities show their bits."""
    first = (
        StreamDiff("P", "s")
        .compare(batches([(7, float("nan"), "x")], []), batches([(7, None, "x")], []))
        .first
    )
    assert first is not None
    assert first.a == {"seq": 7, "number": "nan (7ff8000000000000)", "text": "x"}
    assert first.b == {"seq": 7, "number": None, "text": "x"}
    assert first.columns == ("number",)
