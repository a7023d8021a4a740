"""Numbers of shared connections: what no product of a connection has is missing."""

import json

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from orderbook.schema import TAPE_SCHEMA
from replay.sequences import SharedSequences
from tests.oracle import Row

PRODUCTS = ("A-USD", "B-USD", "C-USD")


def rows_of(name: str, numbers: list[object], products: tuple[str, ...] = PRODUCTS) -> list[Row]:
    """Return one product's rows of a connection: frames with these numbers between its beginning and end."""
    opened = {"id": name, "url": "", "products": products, "subscribe": []}
    payloads = [json.dumps(opened), *(json.dumps({"sequence_num": number}) for number in numbers), "{}"]
    kinds = ["connected", *["frame"] * len(numbers), "disconnected"]
    return [
        Row(seq, seq, 0, kind, text) for seq, (kind, text) in enumerate(zip(kinds, payloads, strict=True))
    ]


def take_up(sequences: SharedSequences, product: str, rows: list[Row], size: int = 3) -> None:
    """Take up rows in small batches."""
    for start in range(0, len(rows), size):
        part = [row._asdict() for row in rows[start : start + size]]
        sequences.take_up(product, pa.RecordBatch.from_pylist(part, schema=TAPE_SCHEMA))


def missing_naively(numbers: set[int]) -> int:
    """Count the numbers between the first and the last that are not there."""
    return sum(number not in numbers for number in range(min(numbers), max(numbers)))


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 40), st.sets(st.sampled_from(PRODUCTS), min_size=1)), max_size=30),
        max_size=3,
    ),
    st.integers(1, 5),
)
def test_the_union_of_all_products_counts(connections: list[list[tuple[int, set[str]]]], size: int) -> None:
    """However frames are spread over products, what is missing is what none of them has."""
    sequences = SharedSequences()
    for product in PRODUCTS:
        for place, frames in enumerate(connections):
            numbers = [
                number for number, owners in sorted(frames, key=lambda each: each[0]) if product in owners
            ]
            take_up(sequences, product, rows_of(str(place), list(numbers)), size)
    expected = {
        str(place): missing_naively({number for number, _ in frames})
        for place, frames in enumerate(connections)
        if frames
    }
    assert sequences.missing() == expected


def test_connections_of_one_product_are_not_counted_here() -> None:
    """A connection of one product is the core's to check; rows before any connection belong to none."""
    sequences = SharedSequences()
    take_up(sequences, "A-USD", rows_of("alone", [1, 9], ("A-USD",)))
    take_up(sequences, "B-USD", rows_of("x", [1, 9])[1:])
    assert sequences.missing() == {}


def test_what_is_no_number_is_none() -> None:
    """Texts, fractions and numbers beyond every counter are passed over."""
    sequences = SharedSequences()
    odd: list[object] = [5, "7", 1.5, None, True, 10**30, -(10**30), [6], 7]
    take_up(sequences, "A-USD", rows_of("shared", odd))
    assert sequences.missing() == {"shared": 1}


def test_a_connection_ends_with_its_rows() -> None:
    """Frames after a `disconnected` row count for no connection."""
    sequences = SharedSequences()
    stray = rows_of("other", [50])[1]
    take_up(sequences, "A-USD", [*rows_of("shared", [1, 2]), stray])
    assert sequences.missing() == {"shared": 0}
