"""The result of a recording: the digest of the whole tape, its document and its notes."""

from pathlib import Path
from typing import Any

from orderbook.digest import run_digest
from orderbook.tally import Tally
from orderbook.times import NS
from recorder.results import Recorded

HEX = "ab" * 32


def recorded(**changes: Any) -> Recorded:
    """Return the result of a recording of one product, with changes."""
    fields: dict[str, Any] = {
        "tape": Path("tape"),
        "feed": "exchange",
        "tallies": {"BTC-USD": Tally(0.001)},
        "digests": {"BTC-USD": HEX},
        "clamped": 0,
        "gaps": 0,
        "cut_bytes": 0,
        "engine": "plain",
    }
    return Recorded(**(fields | changes))


def test_the_digest_covers_every_product_or_is_unknown() -> None:
    """It is made of the digests of all products with rows; if one of them is unknown, so is the whole."""
    both = {"BTC-USD": HEX, "ETH-USD": HEX[::-1]}
    assert recorded(digests=both).digest == run_digest(both)
    assert recorded(digests=both | {"ETH-USD": None}).digest is None


def test_the_document() -> None:
    """The JSON form has these keys in this order; without a strategy its fields are null."""
    document = recorded(clamped=1, gaps=2, cut_bytes=3).document()
    assert list(document) == [
        *("tape", "feed", "digest", "products", "clamped", "gaps", "torn", "cut_bytes", "engine"),
        *("strategy", "strategy_digest", "execution", "execution_digest", "failures", "outages", "oddities"),
    ]
    assert (document["clamped"], document["gaps"], document["cut_bytes"]) == (1, 2, 3)
    assert (document["strategy"], document["strategy_digest"]) == (None, None)


def test_only_what_happened_is_noted() -> None:
    """There is a note for each correction and each gap, with its number, and none without."""
    assert recorded().notes() == []
    hour = 3600 * NS
    lags = {"B": (hour, hour), "A": (hour, hour), "C": (0, 1), "D": (-hour, hour)}
    assert recorded(lags=lags).notes() == [
        "recv_time is 60.0 min after the frames' own time: A, B",
        "recv_time is from 60.0 min before to 60.0 min after the frames' own time: D",
    ]
    notes = recorded(clamped=1_000, gaps=2, cut_bytes=3).notes()
    assert [note.split()[0] for note in notes] == ["1,000", "2", "3"]
