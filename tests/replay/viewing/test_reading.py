"""Passages of a recording: every book on the page is that of a naive book, wherever reading begins."""

import json
import random
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recorder.runtime.loading import load_engine
from recorder.settings import EngineName
from recorder.tape.reader import Tape
from replay.viewing.books import KeptBooks
from replay.viewing.passage import LADDER_LEVELS
from replay.viewing.reading import OpenPassage, ProductReader, ViewError
from tests.support.constants import BTC, SECOND
from tests.support.depth_oracle import depth_rows
from tests.support.oracle import Row
from tests.support.tapes import Recording, tape_rows

Ladder = list[tuple[float, float]]


def reader_of(tape: Path, engine: EngineName = "plain") -> ProductReader:
    """Return a reader of one product."""
    loaded = load_engine(engine)
    return ProductReader(Tape.open(tape).product(BTC), loaded, KeptBooks(loaded))


def naive_moments(rows: list[Row], levels: int) -> list[tuple[int, int, Ladder, Ladder]]:
    """Return seq, time, bids and asks after each summary and each row that begins or ends a connection."""
    found: list[tuple[int, int, Ladder, Ladder]] = [
        (row.seq, row.recv_time, [], []) for row in rows if row.kind != "frame"
    ]
    for seq, time, *values in depth_rows(rows, BTC, "exchange", levels):
        bids, asks = (
            [(values[place], values[place + 1]) for place in range(first, 4 * levels, 4) if values[place]]
            for first in (0, 2)
        )
        found.append((seq, time, bids, asks))
    return sorted(found)


def shown(opened: OpenPassage, origin: int) -> list[tuple[int, int, Ladder, Ladder]]:
    """Return the same as the page gets it."""
    found: list[tuple[int, int, Ladder, Ladder]] = []
    for number in range(opened.passage.blocks):
        block = {name: values[0].as_py() for name, values in opened.passage.block(number, origin).items()}
        for place, (seq, time) in enumerate(zip(block["block_seq"], block["block_time"], strict=True)):
            part = slice(place * LADDER_LEVELS, (place + 1) * LADDER_LEVELS)
            bids, asks = (
                [
                    level
                    for level in zip(
                        *(block[f"block_{side}_{what}"][part] for what in ("price", "size")), strict=True
                    )
                    if level[0] > 0
                ]
                for side in ("bid", "ask")
            )
            found.append((int(seq), int(time) + origin, bids, asks))
    return found


@pytest.mark.parametrize("engine", ["plain", "compiled"])
def test_ladders_are_those_of_a_naive_book(recording: Recording, engine: EngineName) -> None:
    """Any spans have each moment of them, and the book before it; also where others ended or were read."""
    rows = tape_rows(recording.tape, BTC)
    naive = naive_moments(rows, LADDER_LEVELS)
    first, last = rows[0].recv_time, rows[-1].recv_time
    reader, rng = reader_of(recording.tape, engine), random.Random(engine)
    for _ in range(4):
        bounds = sorted({rng.randrange(first - SECOND, last + SECOND) for _ in range(rng.randint(2, 5))})
        passages = reader.passages(bounds)
        assert len(passages) == max(1, sum(low <= last for low in bounds[:-1]))
        for opened, (start, end) in zip(passages, pairwise(bounds), strict=False):
            before = [each for each in naive if each[1] < start]
            inside = [each for each in naive if start <= each[1] < end]
            found = shown(opened, first)
            if before and before[-1][2:] != ([], []):
                assert found.pop(0)[1:] == (start, *before[-1][2:])
            assert found == inside
            assert opened.is_complete == any(row.recv_time >= end for row in rows)


def test_a_picture_has_the_trades_and_the_extremes(recording: Recording) -> None:
    """Trades are those of the frames, and no column leaves out a quote or a spread that was there."""
    rows = tape_rows(recording.tape, BTC)
    start, end = rows[0].recv_time, rows[-1].recv_time + 1
    (opened,) = reader_of(recording.tape).passages([start, end])
    (picture,) = opened.passage.picture(start, opened.reached, is_complete=opened.is_complete).to_pylist()
    matches: list[dict[str, Any]] = [json.loads(row.payload) for row in rows if '"match"' in row.payload]
    trades = [(float(each["price"]), float(each["size"]), each["side"] == "sell") for each in matches]
    names = ("trade_price", "trade_size", "trade_is_buy")
    assert trades
    assert [*zip(*(picture[name] for name in names), strict=True)] == trades
    columns = picture["columns"]
    for _, time, bids, asks in naive_moments(rows, 1):
        column = (time - start) * columns // (end - start)
        for name, side in (("bid", bids), ("ask", asks)):
            if side:
                assert picture[f"{name}_low"][column] <= side[0][0] <= picture[f"{name}_high"][column]
        if bids and asks:
            spread = (asks[0][0] - bids[0][0]) / asks[0][0]
            assert picture["spread_low"][column] <= spread + 1e-12
            assert picture["spread_high"][column] >= spread - 1e-12
    cells = np.array(picture["cells"]).reshape(columns, picture["bins"])
    for column, place in np.argwhere(cells > 0).tolist():
        price = (picture["first_bin"] + place) * picture["step"]
        low, high = picture["known_bid_low"][column], picture["known_ask_high"][column]
        assert low - 2 * picture["step"] < price < high + picture["step"]  # a bin begins at its price
    assert np.nanmin(picture["known_bid_low"]) > 0  # the plain engine reads 20 levels, and there are more
    assert len(picture["break_time"]) == sum(row.kind != "frame" for row in rows)


def test_a_row_that_is_not_there(recording: Recording) -> None:
    """Rows before the first and after the last are refused in words; the last one is found."""
    rows = tape_rows(recording.tape, BTC)
    reader = reader_of(recording.tape)
    assert reader.time_of(len(rows) - 1) == rows[-1].recv_time
    for seq in (-1, len(rows), 2**62):
        with pytest.raises(ViewError, match=f"no row {seq}"):
            reader.time_of(seq)


def test_reading_that_is_ended(recording: Recording) -> None:
    """What was read when the page had moved on does not change what is read next."""
    rows = tape_rows(recording.tape, BTC)
    start, end = rows[len(rows) // 2].recv_time, rows[-1].recv_time
    bounds = [start, (start + end) // 2, end]
    reader, wanted = reader_of(recording.tape), reader_of(recording.tape).passages(bounds)
    for most in range(4):
        left = iter(range(most))
        with suppress(StopIteration):
            reader.passages(bounds, check=lambda left=left: next(left))  # type: ignore[misc]  # raises at last
        found = reader.passages(bounds)
        assert [shown(each, 0) for each in found] == [shown(each, 0) for each in wanted]
