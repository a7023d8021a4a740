"""The tables of an export: equal to a replay's, and a book that is rebuilt from them by dicts alone."""

from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sortedcontainers import SortedDict

import booktape as bt
from orderbook.engine import Engine, PlainEngine
from recorder.runtime.loading import load_engine
from tests.conftest import CAPTURE_NAMES
from tests.endurance.forms import IS_LONG
from tests.support.constants import BTC

ENGINES = {"plain": PlainEngine(), "compiled": load_engine("compiled")}


def table(out: Path, name: str, product: str = BTC) -> pa.Table:
    """Return a table of an export without the columns of its directories; all its files in order."""
    files = sorted((out / name).glob(f"product={product}/date=*/*.parquet"), key=lambda path: path.name)
    return pa.concat_tables([pq.ParquetFile(file).read() for file in files])


def tops(levels: pa.Table) -> dict[int, tuple[Any, ...]]:
    """Return the best levels after each row of the tape that has changes, by seq: a loop over two dicts."""
    bids, asks = SortedDict(), SortedDict()
    found: dict[int, tuple[Any, ...]] = {}
    names = ("seq", "change", "side", "price", "size")
    rows = zip(*(levels[name].to_pylist() for name in names), strict=True)
    for seq, of_row in groupby(rows, itemgetter(0)):
        for _, change, side, price, size in of_row:
            if change == "clear":
                bids.clear()
                asks.clear()
            elif size:
                (asks if side == "ask" else bids)[price] = size
            else:
                (asks if side == "ask" else bids).pop(price, None)
        bid = bids.peekitem(-1) if bids else (None, None)
        found[seq] = (*bid, *(asks.peekitem(0) if asks else (None, None)))
    return found


def expected_tops(summaries: pa.Table) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Yield seq, and best levels, of summaries."""
    names = ("bid_price", "bid_size", "ask_price", "ask_size")
    values = zip(*(summaries[name].to_pylist() for name in names), strict=True)
    yield from zip(summaries["seq"].to_pylist(), values, strict=True)


def check_tables(tape: bt.Tape, out: Path, product: str, depth: int) -> None:
    """Compare the tables of a product with a replay, and the book of `levels` with its summaries."""
    run = tape.replay(products=product, depth=depth, trades=True)
    assert table(out, "summaries", product).equals(run.summaries[product])
    assert table(out, "depth", product).equals(run.depth[product])
    if run.trades[product].num_rows:
        assert table(out, "trades", product).equals(run.trades[product])
    rebuilt = tops(table(out, "levels", product))
    before: tuple[Any, ...] = (None, None, None, None)
    for seq, best in expected_tops(run.summaries[product]):
        before = rebuilt.get(seq, before)  # an update without changes has no row
        assert before == best, seq


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_odd_tape(odd_tape: Path, tmp_path: Path, engine: Engine) -> None:
    """Every table is that of a replay, over interruptions, midnight, long sizes and large prices."""
    tape, out = bt.open(odd_tape), tmp_path / "out"
    found = tape.export(out, depth=3, engine=engine)
    check_tables(tape, out, BTC, 3)
    assert found.digest == tape.replay().digest
    product = found.products[BTC]
    assert (product.trades, product.anomalies) == (2, {"early_update": 1, "malformed": 1})
    assert [mark.kind for mark in product.marks] == ["connected", "disconnected"] * 3
    dates = {path.parent.name for path in out.rglob("*.parquet")}
    assert len(dates) == 2
    assert {file.path for file in found.files} == {
        str(path.relative_to(out)) for path in out.rglob("*.parquet")
    }
    assert sum(file.rows for file in found.files if file.path.startswith("summaries")) == product.summaries


@pytest.mark.parametrize("name", CAPTURE_NAMES if IS_LONG else (CAPTURE_NAMES[0], CAPTURE_NAMES[3]))
def test_captures(import_capture: Callable[[str], Path], name: str, tmp_path: Path) -> None:
    """Every best bid and ask of the real captures can be rebuilt from the changes."""
    tape, out = bt.open(import_capture(name)), tmp_path / "out"
    tape.export(out, depth=2)
    for product in tape.products:
        check_tables(tape, out, product, 2)


def test_window(odd_tape: Path, tmp_path: Path) -> None:
    """A part of a tape begins with the book before it, so it can be used alone."""
    tape, out = bt.open(odd_tape), tmp_path / "out"
    rows = tape.rows(BTC)
    start, end = rows["recv_time"][5].value, rows["recv_time"][9].value
    found = tape.export(out, start=start, end=end)
    levels = table(out, "levels")
    assert levels["change"][0].as_py() == "clear"
    assert pc.min(levels["seq"]).as_py() == 5
    rebuilt = tops(levels)
    before = rebuilt[5]
    for seq, best in expected_tops(tape.summaries(BTC, start=start, end=end)):
        before = rebuilt.get(seq, before)
        assert before == best
    assert found.products[BTC].rows == 4


def test_rows_and_microseconds(odd_tape: Path, tmp_path: Path) -> None:
    """In microseconds every time is cut, never rounded, and int64 columns keep the nanoseconds."""
    tape, out = bt.open(odd_tape), tmp_path / "out"
    tape.export(out, time="us", tables=("rows", "trades"))
    assert not (out / "levels").exists()
    found, rows = table(out, "rows"), tape.rows(BTC)
    assert found.schema.field("recv_time").type == pa.timestamp("us", "UTC")
    assert found["recv_ns"].equals(rows["recv_time"].cast(pa.int64()))
    assert found["recv_time"].cast(pa.int64()).to_pylist() == [
        ns // 1000 for ns in found["recv_ns"].to_pylist()
    ]
    assert found["payload"].equals(rows["payload"])
    assert "exchange_ns" in table(out, "trades").schema.names


def test_metadata(odd_tape: Path, tmp_path: Path) -> None:
    """A file says whether its prices were ever quoted."""
    for tape, expected in ((bt.sample(), b"true"), (odd_tape, b"false")):
        out = tmp_path / expected.decode()
        bt.export(tape, out, tables="summaries")
        for path in out.rglob("*.parquet"):
            assert pq.read_schema(path).metadata[b"synthetic"] == expected
