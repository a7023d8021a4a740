"""`book`: the levels at a time, against a naive book."""

import json
from decimal import Decimal

import pyarrow as pa
import pytest
from click.testing import CliRunner

from booktape.cli.main import cli
from orderbook.times import format_time
from recorder.tape.reader import Tape
from replay.checking.ladder import NoBookError, book_at
from tests.support.constants import SAMPLE

PRODUCT = "BTC-USD"


def rows() -> list[tuple[int, int, str, str]]:
    """Return seq, recv_time, kind and payload of the sample's rows."""
    table = pa.Table.from_batches(Tape.open(SAMPLE).product(PRODUCT).batches())
    times = table["recv_time"].cast(pa.int64()).to_pylist()
    return list(
        zip(
            table["seq"].to_pylist(),
            times,
            table["kind"].to_pylist(),
            table["payload"].to_pylist(),
            strict=True,
        )
    )


def naive_book(until: int) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    """Return bids and asks after all rows up to a time, by plain dicts."""
    bids: dict[Decimal, Decimal] = {}
    asks: dict[Decimal, Decimal] = {}
    for _, time, kind, payload in rows():
        if time > until:
            break
        if kind != "frame":
            bids, asks = {}, {}
            continue
        frame = json.loads(payload)
        if frame["type"] == "snapshot":
            bids = {Decimal(price): Decimal(size) for price, size in frame["bids"]}
            asks = {Decimal(price): Decimal(size) for price, size in frame["asks"]}
        elif frame["type"] == "l2update":
            for side, price, size in frame["changes"]:
                levels = bids if side == "buy" else asks
                levels[Decimal(price)] = Decimal(size)
    return ({p: s for p, s in bids.items() if s}, {p: s for p, s in asks.items() if s})


@pytest.mark.parametrize("row", [3, 500, 1202, 1300, 2406])
def test_ladder_is_the_naive_books_top(row: int) -> None:
    """Prices, sizes and cumulative sizes are exactly those of a naive book at that row's time."""
    at = rows()[row][1]
    bids, asks = naive_book(at)
    ladder = book_at(SAMPLE, PRODUCT, at, depth=25)

    assert ladder.seq == row
    assert [(each.price, each.size) for each in ladder.bids] == sorted(bids.items(), reverse=True)[:25]
    assert [(each.price, each.size) for each in ladder.asks] == sorted(asks.items())[:25]
    for side in (ladder.bids, ladder.asks):
        assert [each.cumulative for each in side] == [
            sum((each.size for each in side[: number + 1]), Decimal(0)) for number in range(len(side))
        ]


def test_no_book_in_an_interruption() -> None:
    """No book is known between two connections, nor before the first snapshot."""
    interrupted = next(time for _, time, kind, _ in rows() if kind == "disconnected")
    for at in (interrupted, rows()[0][1]):
        with pytest.raises(NoBookError, match="no book of BTC-USD"):
            book_at(SAMPLE, PRODUCT, at, depth=1)


def test_book_command() -> None:
    """`booktape book --json` prints the levels; a time without a book exits 1 with one line."""
    at = format_time(rows()[500][1])
    command = ["book", str(SAMPLE), "-p", PRODUCT, "--depth", "2", "--json", "--at"]
    good = CliRunner().invoke(cli, [*command, at])
    bad = CliRunner().invoke(cli, [*command, "2020-01-01T00:00:00Z"])

    document = json.loads(good.stdout)
    assert [len(document[side]) for side in ("bids", "asks")] == [2, 2]
    assert document["bids"][0]["price"] < document["asks"][0]["price"]
    assert (bad.exit_code, bad.stdout, bad.stderr.count("\n")) == (1, "", 1)
