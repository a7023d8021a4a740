"""CSV files of Tardis: written, and read by the rules that Tardis gives, by the standard library alone."""

import csv
import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.support.constants import BTC

BOOK_HEADER = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
TRADES_HEADER = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
Sides = dict[str, dict[float, float]]

Level = tuple[int, str, str, str, str]
"""local_timestamp, is_snapshot, side, price, amount."""


def write_book(path: Path, levels: Iterable[Level], symbol: str = BTC, exchange: str = "coinbase") -> Path:
    """Write a file of levels; the exchange's time is 5 us before the local one."""
    rows = [f"{exchange},{symbol},{max(0, level[0] - 5)},{','.join(map(str, level))}" for level in levels]
    path.write_text("\n".join([BOOK_HEADER, *rows, ""]), encoding="ascii")
    return path


def write_trades(path: Path, trades: Iterable[Sequence[object]], symbol: str = BTC) -> Path:
    """Write a file of trades: local_timestamp, id, side, price, amount; of the exchange 7 us before."""
    rows = [f"coinbase,{symbol},{int(str(each[0])) - 7},{','.join(map(str, each))}" for each in trades]
    path.write_text("\n".join([TRADES_HEADER, *rows, ""]), encoding="ascii")
    return path


def later(levels: Iterable[Level], microseconds: int) -> list[Level]:
    """Return levels at a later time."""
    return [(time + microseconds, *rest) for time, *rest in levels]  # type: ignore[misc]  # a tuple's length


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a file, packed or not."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return list(csv.DictReader(io.StringIO(text)))


def books(rows: Sequence[dict[str, str]]) -> Iterator[tuple[int, Sides]]:
    """Yield the book of one symbol after each local_timestamp, as Tardis says; it is one that changes."""
    book: Sides = {"bid": {}, "ask": {}}
    was_snapshot = False
    for place, row in enumerate(rows):
        is_snapshot = row["is_snapshot"].lower() == "true"
        if is_snapshot and not was_snapshot:
            book = {"bid": {}, "ask": {}}
        was_snapshot = is_snapshot
        price, amount = float(row["price"]), float(row["amount"])
        book[row["side"]].pop(price, None)
        if amount:
            book[row["side"]][price] = amount
        if place + 1 == len(rows) or rows[place + 1]["local_timestamp"] != row["local_timestamp"]:
            yield int(row["local_timestamp"]), book
