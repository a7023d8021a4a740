"""Tapes that tests of exports share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orderbook.times import NS
from recorder.api import import_captures
from tests.support.constants import BTC, START
from tests.support.tapes import snapshot, update, write_capture

DAY_NS = 86_400 * NS
MIDNIGHT = DAY_NS - START % DAY_NS
"""Nanoseconds from START to the next midnight UTC."""


def match(number: int, side: str, price: str, size: str, product: str = BTC) -> str:
    """Return a frame of a trade; `side` is the maker's."""
    return (
        f'{{"type":"match","trade_id":{number},"side":"{side}","size":"{size}","price":"{price}",'
        f'"product_id":"{product}","time":"2026-01-01T00:00:00Z"}}'
    )


@pytest.fixture(scope="session")
def odd_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape of three connections over midnight, with sizes and prices that are hard to write.

    The second connection's snapshot is empty, and its book is one-sided later. Do not change the tape.
    """
    directory = tmp_path_factory.mktemp("odd")
    first = [
        (0, update(BTC, ("buy", "1", "1"))),  # before the snapshot
        (1, snapshot(BTC, [["99.00", "1.123456789012"]], [["100", "2"], ["138991023.41", "0.1"]])),
        (2, update(BTC, ("buy", "99.5", "123456789012.3"), ("sell", "100", "0"))),
        (3, update(BTC, ("sell", "100.5", "0.000000001"))),
        (4, match(7, "sell", "100.5", "0.00000001")),
        (5, update(BTC)),
        (6, "no JSON"),
        (7, snapshot(BTC, [["98", "3"], ["97", "1"]], [["99", "4"]])),
        (8, snapshot(BTC, [["97", "1"]], [["99", "4"], ["101", "1"]])),
    ]
    second = [(MIDNIGHT - 2, snapshot(BTC, [], [])), (MIDNIGHT - 1, update(BTC, ("buy", "50", "1")))]
    second += [(MIDNIGHT, update(BTC, ("sell", "51", "1"))), (MIDNIGHT + 1, match(8, "buy", "50", "0.5"))]
    second += [(MIDNIGHT + 2, update(BTC, ("buy", "50", "0.5")))]
    third = [(MIDNIGHT + NS, snapshot(BTC)), (MIDNIGHT + 2 * NS, update(BTC, ("buy", "99.25", "2")))]
    captures = [
        write_capture(directory / f"{number}.jsonl", frames)
        for number, frames in enumerate((first, second, third))
    ]
    tape = directory / "tape"
    import_captures(captures, tape)
    return tape


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function from a name to a new directory's path for an export."""
    directory = tmp_path_factory.mktemp("exports")
    return lambda name: directory / name
