"""The files for hftbacktest: their events, applied by dicts alone, and what its own rules ask for.

`test_tools.py` runs hftbacktest itself on them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import booktape as bt
from orderbook.engine import Engine, PlainEngine
from orderbook.times import NS
from recorder.runtime.loading import load_engine
from replay.export.hftbacktest import EVENT
from tests.support import tapes
from tests.support.constants import BTC, START

EXCH, LOCAL, BUY, SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28
DEPTH, TRADE, CLEAR, SNAPSHOT = 1, 2, 3, 4
ENGINES = {"plain": PlainEngine(), "compiled": load_engine("compiled")}


def files_of(out: Path, product: str = BTC) -> list[Path]:
    """Return the files of the days of a product, in order."""
    return sorted(path for path in out.glob(f"{product}_*.npz") if not path.stem.endswith("_start"))


def events_of(paths: list[Path]) -> np.ndarray[Any, Any]:
    """Return the events of files, one after another."""
    found = [np.load(path)["data"] for path in paths]
    assert all(each.dtype == EVENT for each in found)
    return np.concatenate(found)


def applied(events: np.ndarray[Any, Any], flag: int) -> Iterator[tuple[int, tuple[float | None, ...]]]:
    """Yield the best levels of one side after each of its times, in order."""
    book: dict[int, dict[float, float]] = {BUY: {}, SELL: {}}
    time = "local_ts" if flag == LOCAL else "exch_ts"
    mine = events[(events["ev"] & np.uint64(flag)) > 0]
    assert (np.diff(mine[time]) >= 0).all()
    following = [*mine[time][1:].tolist(), None]
    rows = zip(*(mine[name].tolist() for name in ("ev", time, "px", "qty")), following, strict=True)
    for bits, now, price, size, after in rows:
        if bits & 0xFF == CLEAR:
            assert not bits & (BUY | SELL)
            book = {BUY: {}, SELL: {}}
        elif bits & 0xFF != TRADE:
            side = book[bits & (BUY | SELL)]
            side[price] = size
            if not size:
                del side[price]
        if after != now:
            bid, ask = max(book[BUY], default=None), min(book[SELL], default=None)
            yield (
                now,
                (
                    *(bid, None if bid is None else book[BUY][bid]),
                    *(ask, None if ask is None else book[SELL][ask]),
                ),
            )


def expected_best(tape: bt.Tape, product: str, shift: int, **window: Any) -> dict[int, tuple[Any, ...]]:
    """Return our best levels after each time of receipt at which a book or an interruption came."""
    summaries, rows = tape.summaries(product, **window), tape.rows(product, **window)
    names = ("bid_price", "bid_size", "ask_price", "ask_size")
    best = dict(
        zip(
            summaries["seq"].to_pylist(),
            zip(*(summaries[name].to_pylist() for name in names), strict=True),
            strict=True,
        )
    )
    found = {}
    for seq, time, kind in zip(
        rows["seq"].to_pylist(),
        rows["recv_time"].cast("int64").to_pylist(),
        rows["kind"].to_pylist(),
        strict=True,
    ):
        if kind != "frame":
            found[time + shift] = (None, None, None, None)
        elif seq in best:
            found[time + shift] = best[seq]
    return found


def check(rebuilt: dict[int, tuple[Any, ...]], expected: dict[int, tuple[Any, ...]]) -> None:
    """Compare best levels at every time of ours; at one without an event the last ones hold."""
    last: tuple[Any, ...] = (None, None, None, None)
    for time, best in expected.items():
        last = rebuilt.get(time, last)
        assert last == best, time


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_every_best(odd_tape: Path, tmp_path: Path, engine: Engine) -> None:
    """Applied in order, the local events give our best levels at every time, over breaks and midnight."""
    tape, out = bt.open(odd_tape), tmp_path / "out"
    found = tape.export(out, to="hftbacktest", engine=engine)
    paths = files_of(out)
    assert len(paths) == 2
    events = events_of(paths)
    assert (events["local_ts"] > events["exch_ts"]).all()
    check(dict(applied(events, LOCAL)), expected_best(tape, BTC, found.products[BTC].shift_ns))
    assert sum(file.rows for file in found.files if not file.path.endswith("_start.npz")) == len(events)


def test_sample(tmp_path: Path) -> None:
    """So for each product of the sample, with its trades, whose initiator is turned."""
    tape, out = bt.open("sample:"), tmp_path / "out"
    found = tape.export(out, to="hftbacktest")
    for product in tape.products:
        events = events_of(files_of(out, product))
        check(dict(applied(events, LOCAL)), expected_best(tape, product, found.products[product].shift_ns))
        told, trades = tape.trades(product), events[(events["ev"] & np.uint64(0xFF)) == TRADE]
        trades = trades[(trades["ev"] & np.uint64(LOCAL)) > 0]
        assert trades["px"].tolist() == told["price"].to_pylist()
        assert trades["qty"].tolist() == told["size"].to_pylist()
        bought = (trades["ev"] & np.uint64(BUY)) > 0
        assert bought.tolist() == [side == "ask" for side in told["maker_side"].to_pylist()]


def test_trades_come_first(import_capture: Any, tmp_path: Path) -> None:
    """A real feed tells trades after the rows that hold them: at the exchange they come before."""
    tape, out = bt.open(import_capture("advanced-2026-08-btc-eth")), tmp_path / "out"
    found = tape.export(out, to="hftbacktest")
    product = found.products[BTC]
    assert product.history_trades == 100
    assert product.lag_ns is not None
    assert product.shift_ns == 1 - product.lag_ns > 0  # this recorder's clock was behind
    events = events_of(files_of(out))
    exchange = events[(events["ev"] & np.uint64(EXCH)) > 0]
    is_trade = (exchange["ev"] & np.uint64(0xFF)) == TRADE
    assert (np.diff(exchange["exch_ts"]) >= 0).all()
    assert is_trade.sum() == tape.trades(BTC).num_rows - 100
    last_book = np.maximum.accumulate(np.where(is_trade, 0, exchange["exch_ts"]))
    assert (exchange["exch_ts"][is_trade] > last_book[is_trade]).all()
    alone = events[(events["ev"] & np.uint64(EXCH | LOCAL)) != np.uint64(EXCH | LOCAL)]
    assert len(alone) > 0
    assert ((alone["ev"] & np.uint64(0xFF)) == TRADE).all()


def test_a_day_begins_with_its_book(tmp_path: Path) -> None:
    """Each day after the first has a file with the book before it, and a window begins with its book."""
    midnight = 86_400 * NS - START % (86_400 * NS)
    frames = [(midnight - 3, tapes.snapshot(BTC, [["99", "1"], ["98", "5"]], [["100", "1"]]))]
    frames += [(midnight - 2, tapes.update(BTC, ("buy", "99", "0")))]
    frames += [(midnight + 5, tapes.update(BTC, ("sell", "100", "2"))), (midnight + 6, "{}")]
    tape, out = bt.open(tapes.import_frames(tmp_path, frames)), tmp_path / "out"
    tape.export(out, to="hftbacktest")
    (start,) = out.glob("*_start.npz")
    assert [(each["px"], each["qty"]) for each in np.load(start)["data"]] == [(98, 5), (100, 1)]
    tape.export(tmp_path / "late", to="hftbacktest", start=START + midnight)
    events = events_of(files_of(tmp_path / "late"))
    assert (events["ev"] & np.uint64(0xFF)).tolist() == [CLEAR, SNAPSHOT, SNAPSHOT, DEPTH, CLEAR]
    rebuilt = dict(applied(events, LOCAL))
    assert rebuilt[START + midnight + 5] == (98.0, 5.0, 100.0, 2.0)


def test_segments_do_not_matter(tmp_path: Path) -> None:
    """A tape in many segments gives the same bytes."""
    frames = [(0, tapes.snapshot(BTC))]
    frames += [(n * NS, tapes.update(BTC, ("buy", f"98.{n}", "1"))) for n in range(1, 60)]
    found = []
    for rows in (4, 50_000):
        directory = tmp_path / str(rows)
        directory.mkdir()
        bt.export(tapes.import_frames(directory, frames, rows), directory / "out", to="hftbacktest")
        found.append([path.read_bytes() for path in files_of(directory / "out")])
    assert found[0] == found[1]
