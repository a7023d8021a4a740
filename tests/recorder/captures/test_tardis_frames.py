"""Tapes made of CSV files of Tardis: books and trades are those of the files, and of the tape before them."""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import booktape as bt
from recorder.api import import_captures
from recorder.captures import tardis_rows
from recorder.captures.survey import column_writer
from recorder.captures.tardis_frames import merged
from recorder.settings import CaptureForm, ImportSettings
from tests.support.constants import BTC, ETH
from tests.support.oracle import Row
from tests.support.rows import read_rows
from tests.support.tardis import Level, Sides, books, later, read_csv, write_book, write_trades

CSV = ImportSettings(CaptureForm("tardis-csv"))
SIDES = {"buy": "bid", "sell": "ask", "bid": "bid", "offer": "ask"}
START = 1_700_000_000_000_000
BEGIN: list[Level] = [(START, "true", "bid", "99", "1"), (START, "true", "ask", "101.50", "2")]


def importing(tape: Path, *files: Path) -> Path:
    """Import files to a tape."""
    import_captures(files, tape, CSV)
    return tape


def told(rows: Iterable[Row]) -> list[tuple[int, str]]:
    """Return rows as microseconds after START and the text of a frame or the kind of a mark."""
    return [(row.recv_time // 1000 - START, row.payload if row.kind == "frame" else row.kind) for row in rows]


class Follower:
    """Follows the book of a product by its frames; `book` is empty if it is not known."""

    def __init__(self, product: str) -> None:
        self.product = product
        self.book: Sides = {"bid": {}, "ask": {}}

    def follow(self, text: str | None) -> set[tuple[str, float]]:
        """Apply a frame, or None for an interruption; return the levels that it touches."""
        frame = json.loads(text or '{"type":"snapshot"}')
        touched: set[tuple[str, float]] = set()
        for kind, changes in _events(frame, self.product):
            if kind == "snapshot":
                touched |= {(side, price) for side, levels in self.book.items() for price in levels}
                self.book = {"bid": {}, "ask": {}}
            for side, price, size in changes:
                touched.add((side, float(price)))
                self.book[side].pop(float(price), None)
                if float(size):
                    self.book[side][float(price)] = float(size)
        return touched


def _events(frame: dict[str, Any], product: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Yield the kind and the changes of each event of a product's book, of either feed."""
    if frame.get("channel") == "l2_data":
        for event in frame["events"]:
            if event["product_id"] == product:
                updates = event["updates"]
                yield (
                    event["type"],
                    [(SIDES[each["side"]], each["price_level"], each["new_quantity"]) for each in updates],
                )
    elif frame.get("type") in ("snapshot", "l2update"):
        levels = [(side, *level) for side in ("bid", "ask") for level in frame.get(f"{side}s", ())]
        changes = [(SIDES[side], price, size) for side, price, size in frame.get("changes", ())]
        yield frame["type"], [*levels, *changes]


def compare_books(before: list[Row], after: list[Row], product: str) -> int:
    """Check that whole books are equal after every microsecond; return the number of those with a change."""
    followers = Follower(product), Follower(product)
    differing: set[tuple[str, float]] = set()
    place = changed = 0
    for time, rows in groupby(before, key=lambda row: row.recv_time // 1000):
        found = [(followers[0], row) for row in rows]
        while place < len(after) and after[place].recv_time // 1000 <= time:
            found.append((followers[1], after[place]))
            place += 1
        touched = set()
        for follower, row in found:
            touched |= follower.follow(row.payload if row.kind == "frame" else None)
        for side, price in touched:
            is_equal = len({follower.book[side].get(price) for follower in followers}) == 1
            (differing.discard if is_equal else differing.add)((side, price))
        assert not differing, time
        changed += bool(touched)
    assert place == len(after)
    return changed


def test_the_frames_are_those_of_the_feed(tmp_path: Path) -> None:
    """Every decimal is as in the file, times are its own; trades come first, with the maker's side."""
    book = write_book(
        tmp_path / "b.csv",
        [
            *BEGIN,
            (START + 3, "false", "bid", "99.10", "0"),
            (START + 3, "false", "ask", "101.500", "1e-7"),
            (START + 9, "false", "ask", "100", "0.10"),
        ],
    )
    trades = write_trades(
        tmp_path / "t.csv", [(START + 3, 7, "buy", "101.50", "0.5"), (START + 3, 8, "sell", "99", "1.0")]
    )
    rows = read_rows(importing(tmp_path / "tape", book, trades), BTC)
    second = "2023-11-14T22:13:"
    match = '{"type":"match","trade_id":%d,"side":"%s","size":"%s","price":"%s","product_id":"BTC-USD","time":"%s"}'  # noqa: E501  one frame
    head = '","product_id":"BTC-USD",'
    snapshot = (
        f'{{"type":"snapshot{head}"asks":[["101.50","2"]],"bids":[["99","1"]],"time":"{second}19.999995Z"}}'
    )
    two = f'"changes":[["buy","99.10","0"],["sell","101.500","0.0000001"]],"time":"{second}19.999998Z"}}'
    one = f'"changes":[["sell","100","0.10"]],"time":"{second}20.000004Z"}}'
    assert told(rows) == [
        (0, "connected"),
        (0, snapshot),
        (3, match % (7, "sell", "0.5", "101.50", f"{second}19.999996Z")),
        (3, match % (8, "buy", "1.0", "99", f"{second}19.999996Z")),
        (3, f'{{"type":"l2update{head}{two}'),
        (9, f'{{"type":"l2update{head}{one}'),
        (9, "disconnected"),
    ]
    opened = json.loads(rows[0].payload)
    assert (opened["made_from"], opened["url"]) == ("Tardis CSV of coinbase", "b.csv, t.csv")
    inspected = bt.open(tmp_path / "tape").inspect().products[BTC]
    assert inspected.made_from == {"Tardis CSV of coinbase": 1}


def test_a_snapshot_after_an_update_begins_a_connection(tmp_path: Path) -> None:
    """The time between is not observed; rows of a snapshot at a second time add to it."""
    levels = [
        *BEGIN,
        (START + 1, "true", "bid", "98", "1"),
        (START + 5, "false", "bid", "97", "1"),
        (START + 9, "true", "bid", "90", "1"),
    ]
    rows = read_rows(importing(tmp_path / "tape", write_book(tmp_path / "b.csv", levels)), BTC)
    kinds = [(time, text if "connected" in text else json.loads(text)["type"]) for time, text in told(rows)]
    assert kinds == [
        *((0, "connected"), (0, "snapshot"), (1, "l2update"), (5, "l2update"), (5, "disconnected")),
        *((9, "connected"), (9, "snapshot"), (9, "disconnected")),
    ]


def test_a_snapshot_without_levels(tmp_path: Path) -> None:
    """Before another snapshot it is the end of a connection; before an update, a book that is empty."""
    changed: list[Level] = [(START + 3, "false", "bid", "99", "2")]
    gone: list[Level] = [(START + 4, "true", "bid", "99", "0")]
    ended = write_book(tmp_path / "b.csv", [*BEGIN, *changed, *gone, (START + 9, "true", "bid", "90", "1")])
    rows = told(read_rows(importing(tmp_path / "ended", ended), BTC))
    assert [(time, text[:18]) for time, text in rows] == [
        *((0, "connected"), (0, '{"type":"snapshot"'), (3, '{"type":"l2update"'), (4, "disconnected")),
        *((9, "connected"), (9, '{"type":"snapshot"'), (9, "disconnected")),
    ]
    emptied = write_book(
        tmp_path / "e.csv",
        [*BEGIN, *changed, *gone, (START + 9, "false", "bid", "90", "1")],
    )
    tape = importing(tmp_path / "emptied", emptied)
    assert [text[:18] for time, text in told(read_rows(tape, BTC)) if time >= 4] == [
        *("connected", '{"type":"snapshot"', '{"type":"l2update"', "disconnected")
    ]
    assert bt.open(tape).summaries(BTC)["bid_price"].to_pylist() == [99, 99, None, 90]


def exported(tape: Path, out: Path) -> list[Path]:
    """Export some products of a tape; return the files of books and trades."""
    bt.open(tape).export(out, to="tardis", products=bt.open(tape).products[:3])
    return [*out.glob("*_incremental_book_L2_*"), *out.glob("*_trades_*")]


@pytest.mark.parametrize("name", ["exchange-2021-04-ten-products", "advanced-2026-08-btc-eth"])
def test_a_real_capture_comes_back(name: str, import_capture: Callable[[str], Path], tmp_path: Path) -> None:
    """Its export and import give whole books at every microsecond and all trades; twice more, all digests."""
    before = import_capture(name)
    tape = importing(tmp_path / "tape", *exported(before, tmp_path / "first"))
    for product in bt.open(tape).products:
        assert compare_books(read_rows(before, product), read_rows(tape, product), product) > 10
        told, found = (bt.open(each).trades(product) for each in (before, tape))
        told = told.filter(pc.invert(told["is_history"]))
        columns = ["trade_id", "maker_side", "price", "size"]
        assert found.select(columns).to_pylist() == told.select(columns).to_pylist()
        told_us, found_us = (
            pc.floor_temporal(each["recv_time"], unit="microsecond") for each in (told, found)
        )
        assert found_us.equals(told_us)
    if name.startswith("advanced"):
        return  # its snapshots are large
    again = importing(tmp_path / "again", *exported(tape, tmp_path / "second"))
    last = importing(tmp_path / "last", *exported(again, tmp_path / "third"))
    assert bt.open(last).replay().digest == bt.open(again).replay().digest


def test_an_unknown_start(tmp_path: Path) -> None:
    """A file without a snapshot is imported, its updates are early, and the result says so."""
    levels: list[Level] = [(START + n, "false", "bid", str(n + 1), "1") for n in range(3)]
    book = write_book(tmp_path / "b.csv", [*levels, *later(BEGIN, 9)])
    recorded = import_captures([book], tmp_path / "tape", CSV)
    assert recorded.notes() == [
        "BTC-USD: 3 updates came before a snapshot: of the book before one nothing is known"
    ]
    assert recorded.tallies[BTC].summaries == 1


def test_several_symbols_and_days(tmp_path: Path) -> None:
    """Each product has its own connections, whichever files have its rows; days follow one another."""
    day = 86_400_000_000
    first = write_book(tmp_path / "1.csv", [*BEGIN, (START + 5, "false", "bid", "98", "1")])
    lines = first.read_text().splitlines()
    lines[3:3] = [line.replace(BTC, ETH) for line in lines[1:3]]
    first.write_text("\n".join([*lines, ""]))
    second = write_book(tmp_path / "2.csv", later(BEGIN, day))
    trades = write_trades(
        tmp_path / "t.csv", [(START + 9, 1, "buy", "101", "1"), (START + day, 2, "buy", "101", "1")]
    )
    tape = importing(tmp_path / "tape", trades, second, first)
    kinds = [(row.connection, row.kind, row.payload[9:14]) for row in read_rows(tape, BTC)]
    marks = [(number, kind) for number, kind, _ in kinds if kind != "frame"]
    assert marks == [(number, kind) for number in (0, 1) for kind in ("connected", "disconnected")]
    assert [text for *_, text in kinds if text == "match"] == ["match"] * 2
    assert [row.kind for row in read_rows(tape, ETH)] == ["connected", "frame", "disconnected"]


ROWS = st.tuples(
    st.sampled_from([BTC, ETH]),
    st.integers(0, 2),
    st.booleans(),
    st.sampled_from(["bid", "ask"]),
    st.sampled_from(["1", "2.5", "3.00", "4e-5"]),
    st.sampled_from(["0", "0.00", "1", "2e-7", "12.50"]),
)


@settings(max_examples=40)
@given(st.lists(ROWS, min_size=1, max_size=30), st.integers(60, 400))
def test_any_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, bool, str, str, str]], block: int
) -> None:
    """Whatever rows follow one another, and wherever a block ends: the book after each time is Tardis's."""
    time, lines = START, []
    for symbol, step, is_snapshot, side, price, amount in rows:
        time += step
        lines.append(f"x,{symbol},{time},{time},{str(is_snapshot).lower()},{side},{price},{amount}")
    path = write_book(tmp_path_factory.getbasetemp() / "any.csv", [])
    path.write_text(path.read_text() + "\n".join([*lines, ""]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tardis_rows, "_BLOCK_BYTES", block)
        captured = list(merged([path], column_writer(None), None))
    for product in (BTC, ETH):
        follower, found, ended = Follower(product), {}, set()
        for at, text, named in captured:
            if named == product:
                follower.follow(text)
                if text is None:
                    ended.add(at // 1000)
                else:
                    found[at // 1000] = json.dumps(follower.book, sort_keys=True)
        for at, book in books([row for row in read_csv(path) if row["symbol"] == product]):
            is_gone = at in ended and not any(book.values())
            assert is_gone or found[at] == json.dumps(book, sort_keys=True), (product, at - START)
