"""The CSV files of Tardis, read by the rule that Tardis gives its readers, by the standard library."""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import booktape as bt
from orderbook.engine import Engine, PlainEngine
from recorder.runtime.loading import load_engine
from tests.replay.export.test_hftbacktest import check, expected_best
from tests.support.constants import BTC

ENGINES = {"plain": PlainEngine(), "compiled": load_engine("compiled")}
Best = tuple[float | None, float | None, float | None, float | None]


def rows_of(out: Path, name: str, product: str = BTC) -> list[dict[str, str]]:
    """Return the rows of the files of a type, in order."""
    found = []
    for path in sorted(out.glob(f"coinbase_{name}_*_{product}.csv.gz")):
        with gzip.open(path, "rt", encoding="ascii", newline="") as file:
            found += list(csv.DictReader(file))
    return found


def rebuilt(rows: list[dict[str, str]]) -> Iterator[tuple[int, Best]]:
    """Yield the best levels after each time of receipt, in order."""
    book: dict[str, dict[float, float]] = {"bid": {}, "ask": {}}
    was_snapshot = False
    for place, row in enumerate(rows):
        is_snapshot = row["is_snapshot"] == "true"
        if is_snapshot and not was_snapshot:
            book = {"bid": {}, "ask": {}}
        was_snapshot = is_snapshot
        price, amount = float(row["price"]), float(row["amount"])
        book[row["side"]][price] = amount
        if not amount:
            del book[row["side"]][price]
        time = row["local_timestamp"]
        if place + 1 == len(rows) or rows[place + 1]["local_timestamp"] != time:
            bid, ask = max(book["bid"], default=None), min(book["ask"], default=None)
            yield (
                int(time),
                (
                    *(bid, None if bid is None else book["bid"][bid]),
                    *(ask, None if ask is None else book["ask"][ask]),
                ),
            )


def in_microseconds(best: dict[int, Best]) -> dict[int, Best]:
    """Return the last best levels of each microsecond."""
    return {time // 1000: values for time, values in best.items()}


def check_tape(tape: bt.Tape, out: Path, product: str) -> None:
    """Compare the rebuilt book with ours at every time, and the files of the best levels as well."""
    found = dict(rebuilt(rows_of(out, "incremental_book_L2", product)))
    check(found, in_microseconds(expected_best(tape, product, 0)))
    summaries = tape.summaries(product)
    columns = (summaries[name].to_pylist() for name in ("bid_price", "bid_size", "ask_price", "ask_size"))
    times = summaries["recv_time"].cast(pa.int64()).to_pylist()
    tops = in_microseconds(dict(zip(times, zip(*columns, strict=True), strict=True)))
    for name, fields in (
        ("quotes", ("bid_price", "bid_amount", "ask_price", "ask_amount")),
        ("book_snapshot_2", ("bids[0].price", "bids[0].amount", "asks[0].price", "asks[0].amount")),
    ):
        told = {int(row["local_timestamp"]): values(row, fields) for row in rows_of(out, name, product)}
        check(told, tops)


def values(row: dict[str, str], fields: tuple[str, ...]) -> Best:
    """Return the best levels of a row, None for an empty field."""
    bid, bid_size, ask, ask_size = (float(row[name]) if row[name] else None for name in fields)
    return bid, bid_size, ask, ask_size


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_odd_tape(odd_tape: Path, tmp_path: Path, engine: Engine) -> None:
    """Every best level is there again, over interruptions, empty snapshots and two in a row."""
    tape, out = bt.open(odd_tape), tmp_path / "out"
    tape.export(out, to="tardis", depth=2, engine=engine)
    books = sorted(out.glob("*_incremental_book_L2_*"))
    assert len(books) == 2  # days, each of which begins with its book
    assert all(b",true," in gzip.decompress(path.read_bytes()).splitlines()[1] for path in books)
    found = dict(rebuilt(rows_of(out, "incremental_book_L2")))
    check(found, in_microseconds(expected_best(tape, BTC, 0)))
    trades = rows_of(out, "trades")
    assert [(row["id"], row["side"], row["price"]) for row in trades] == [
        ("7", "buy", "100.5"),
        ("8", "sell", "50"),
    ]


def test_sample(tmp_path: Path) -> None:
    """So for the sample, and the files of the best levels tell every change of them."""
    tape, out = bt.open("sample:"), tmp_path / "out"
    tape.export(out, to="tardis", depth=2)
    for product in tape.products:
        check_tape(tape, out, product)
    header = gzip.decompress(next(out.glob("*_trades_*")).read_bytes()).partition(b"\n")[0]
    assert header == b"exchange,symbol,timestamp,local_timestamp,id,side,price,amount"


def test_snapshots_without_a_time(import_capture: object, tmp_path: Path) -> None:
    """A snapshot without a time has that of the update after it, not a later one."""
    tape, out = bt.open(import_capture("exchange-2021-04-ten-products")), tmp_path / "out"  # type: ignore[operator]
    tape.export(out, to="tardis", products=tape.products[0])
    rows = rows_of(out, "incremental_book_L2", tape.products[0])
    times = [int(row["timestamp"]) for row in rows]
    assert times == sorted(times)
    first_update = next(row for row in rows if row["is_snapshot"] == "false")
    assert rows[0]["timestamp"] == first_update["timestamp"]
