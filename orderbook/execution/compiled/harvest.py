"""What the kernel has written, as the results of each lane: `results.LaneRows`, money and digest."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from orderbook.execution.account import Account
from orderbook.execution.breaks import Broken
from orderbook.execution.codes import CODES, QUEUE_MODELS, Code, FilledBy, QueueModel
from orderbook.execution.compiled.layout import EVENT, NEVER, ORDER, UNKNOWN, places_of
from orderbook.execution.digest import ExecutionDigest
from orderbook.execution.events import Fill
from orderbook.execution.market import Touch
from orderbook.execution.numbers import MONEY_UNITS
from orderbook.execution.orders import Kind, Order
from orderbook.execution.results import FillRow, GridRun, LaneRows, Marks, OrderRun, sample_of
from orderbook.venues.base import Side

SIDES: Final[tuple[Side, ...]] = ("bid", "ask")
KINDS: Final[tuple[Kind, ...]] = ("limit", "ioc", "market")
FILLED_BY: Final[tuple[FilledBy, ...]] = ("take", "take", "trade", "through", "cross", "late")
_WORD: Final = 2**64
_FEW_MARKS: Final = 8
"""So many samples are made sooner one by one than looked at in arrays."""
_PACKED: Final = ("time", "code", "number", "side", "price", "size", "is_maker")


_NUMBER, _SIDE, _KIND, _POST_ONLY, _PRICE, _SIZE, _SENT, _FILLED = places_of(
    ORDER, *("number", "side", "kind", "post_only", "price", "size", "sent", "filled")
)
_ARRIVED, _RESTED, _AHEAD_AT_REST, _ENDED, _END, _AMENDS, _LATE_BOOK_TIME = places_of(
    ORDER, *("arrived", "rested", "ahead_at_rest", "ended", "end", "amends", "late_book_time")
)
_TIME, _FILL_NUMBER, _FILL_SIDE, _FILL_PRICE, _FILL_SIZE, _IS_MAKER, _FEE_HIGH, _FEE_LOW = places_of(
    EVENT, *("time", "number", "side", "price", "size", "is_maker", "fee_high", "fee_low")
)
_BY, _SEQ, _CONNECTION, _AHEAD_BACK, _AHEAD_SHARE, _BID, _ASK = places_of(
    EVENT, *("by", "seq", "connection", "ahead_back", "ahead_share", "bid", "ask")
)


class CompiledLane:
    """One lane as its results are made.

    Args:
        queue: the queue model.
        name_of: returns the name of an order that is over, by its number; None if no order has one.
        account: its money.

    Attributes:
        digest: the execution digest so far.
        rows: results that are whole; the caller takes them away.
        broken: what interruptions did.
        resting: how many orders rest.
        refused_amends: number of refused amends so far, by reason.
    """

    def __init__(
        self, queue: QueueModel, name_of: Callable[[int], str | None] | None, account: Account
    ) -> None:
        self.account = account
        self.digest = ExecutionDigest()
        self.rows = LaneRows()
        self.broken: Broken = BrokenSums()
        self.queue: QueueModel = queue
        self.resting = 0
        self.name_of = name_of
        self.refused_amends: Counter[Code] = Counter()
        self.fills = 0


@dataclass(slots=True)
class BrokenSums:
    """What interruptions may have done to the orders that they ended, see `breaks.BrokenOrders`."""

    size: int = 0
    through: int = 0
    traded: int = 0


@dataclass(slots=True)
class Batch:
    """What the kernel wrote in a batch, copied.

    Attributes:
        events, done: records, in order.
        marks: of the grid, (n, `MARK`).
        breaks: interruptions of a known book, (n, `BREAK`).
        first_mid: twice the first mid that is known, 0 before; and the time of it.
    """

    events: npt.NDArray[Any]
    done: npt.NDArray[Any]
    marks: npt.NDArray[np.int64]
    breaks: npt.NDArray[np.int64]
    first_mid: int
    first_mid_time: int


def harvest(lanes: Sequence[CompiledLane], batch: Batch) -> list[list[FillRow]]:
    """Add a batch to the results of all lanes; return the new fills of each, whose mark-outs are to come."""
    marks = Marks(batch.marks)
    breaks = [tuple(each) for each in batch.breaks.tolist()]
    fills: list[list[FillRow]] = []
    done_of, events_of = _by_lane(batch.done, len(lanes)), _by_lane(batch.events, len(lanes))
    for lane, done, events in zip(lanes, done_of, events_of, strict=True):
        if len(done):
            lane.rows.order_runs.append(_orders(lane, done))
        if len(events):
            lane.digest.add_packed(packed(events))
            codes = events["code"]
            if (codes >= Code.AMEND_NO_BOOK).any():
                refused = codes[codes >= Code.AMEND_NO_BOOK].tolist()
                lane.refused_amends.update(map(CODES.__getitem__, refused))
            events = events[codes == Code.FILL]  # noqa: PLW2901  the only ones that are looked at
        words = events.view(np.int64).reshape(-1, EVENT.itemsize // 8)
        fills.append(_book(lane, words.tolist(), marks, breaks, batch))
    return fills


def _by_lane(records: npt.NDArray[Any], lanes: int) -> list[npt.NDArray[Any]]:
    """Return the records of each lane, in order."""
    if lanes == 0:
        return []
    if lanes == 1 or not len(records):
        return [records] * lanes
    order = np.argsort(records["lane"], kind="stable")
    ends = np.searchsorted(records["lane"][order], np.arange(1, lanes))
    return np.split(records[order], ends)


def packed(events: npt.NDArray[Any]) -> memoryview:
    """Return events as they are in the digest, see `digest.pack`."""
    words = np.zeros((len(events), 9), np.int64)
    for column, name in enumerate(_PACKED):
        words[:, column] = events[name]
    high, low = events["fee_high"], events["fee_low"]
    if not high.any() and (low >= 0).all():
        words[:, 7], words[:, 8] = np.divmod(low, MONEY_UNITS)
    else:
        for row, fee in enumerate(map(wide, high.tolist(), low.tolist())):
            if fee:
                whole, words[row, 8] = divmod(fee, MONEY_UNITS)
                words[row, 7] = (whole + _WORD // 2) % _WORD - _WORD // 2
    return memoryview(words.tobytes())


def wide(high: int, low: int) -> int:
    """Return a number of two words."""
    return high * _WORD + low % _WORD


def _known(value: int) -> int | None:
    return None if value == UNKNOWN else value


def _orders(lane: CompiledLane, done: npt.NDArray[Any]) -> OrderRun:
    """Return orders that are over; their names are asked for now, as strategies forget them."""
    names = None if lane.name_of is None else [lane.name_of(number) for number in done["number"].tolist()]
    words = done.view(np.int64).reshape(-1, ORDER.itemsize // 8)

    def make() -> list[Order]:
        rows = words.tolist()
        return [_order(lane, row, name) for row, name in zip(rows, names or [None] * len(rows), strict=True)]

    filled, ahead = done["filled"], done["ahead_at_rest"]
    of_lane = filled[:, QUEUE_MODELS.index(lane.queue)]
    return OrderRun(done["end"], done["size"], filled, of_lane, np.maximum(ahead, -1), make)


def _order(lane: CompiledLane, done: list[int], name: str | None) -> Order:
    """Return an order that is over."""
    order = Order(
        done[_NUMBER],
        name,
        SIDES[done[_SIDE]],
        KINDS[done[_KIND]],
        done[_POST_ONLY] != 0,
        done[_PRICE],
        done[_SIZE],
        lane.queue,
        done[_SENT],
        {"back": done[_FILLED], "share": done[_FILLED + 1], "front": done[_FILLED + 2]},
    )
    order.arrived, order.rested = _known(done[_ARRIVED]), _known(done[_RESTED])
    order.ahead_at_rest, order.ended = _known(done[_AHEAD_AT_REST]), done[_ENDED]
    order.end, order.amends = CODES[done[_END]], done[_AMENDS]
    order.late_book_time = _known(done[_LATE_BOOK_TIME])
    return order


def _book(
    lane: CompiledLane,
    events: list[list[int]],
    marks: Marks,
    breaks: list[tuple[int, ...]],
    batch: Batch,
) -> list[FillRow]:
    """Book the fills of a batch; take the samples of the grid, of interruptions and of fills in order."""
    fills: list[FillRow] = []
    mark = interruption = 0
    account, samples = lane.account, lane.rows.samples
    for event in events:
        time, seq = event[_TIME], event[_SEQ]
        while interruption < len(breaks) and breaks[interruption][5] <= seq:
            mark = _sample_break(lane, marks, mark, breaks[interruption])
            interruption += 1
        mark = _sample_grid(lane, marks, mark, time)
        touch = Touch(event[_BID] or None, event[_ASK] or None)
        fill = _fill(lane, event, touch)
        if batch.first_mid and batch.first_mid_time <= time:
            account.value_start(batch.first_mid)
        account.fill(fill.side, fill.price, fill.size, fill.how.fee)
        fills.append(fill)
        samples.append(sample_of(account, time, fill.how.connection, "fill", touch))
    for each in breaks[interruption:]:
        mark = _sample_break(lane, marks, mark, each)
    _sample_grid(lane, marks, mark, NEVER)
    if batch.first_mid:
        account.value_start(batch.first_mid)
    return fills


def _fill(lane: CompiledLane, event: list[int], touch: Touch) -> FillRow:
    price, size = event[_FILL_PRICE], event[_FILL_SIZE]
    how = Fill(
        FILLED_BY[event[_BY]],
        event[_IS_MAKER] != 0,
        price * size,
        wide(event[_FEE_HIGH], event[_FEE_LOW]),
        event[_SEQ],
        event[_CONNECTION],
        event[_AHEAD_BACK],
        event[_AHEAD_SHARE],
    )
    lane.fills += 1
    side = SIDES[event[_FILL_SIDE] - 1]
    return FillRow(lane.fills - 1, event[_FILL_NUMBER], event[_TIME], side, price, size, how, touch.mid_twice)


def _sample_grid(lane: CompiledLane, marks: Marks, mark: int, before: int) -> int:
    """Sample the marks from a number on that are before a time; return the number of the next one."""
    rows = marks.rows
    if mark == len(rows) or rows[mark][0] >= before:
        return mark
    last = len(rows) if before == NEVER else bisect_left(rows, [before])
    if last - mark < _FEW_MARKS:
        for time, connection, bid, ask in rows[mark:last]:
            touch = Touch(bid or None, ask or None)
            lane.rows.samples.append(sample_of(lane.account, time, connection, "grid", touch))
    else:
        lane.rows.samples.append(GridRun(marks, mark, last, lane.account.copy()))
    return last


def _sample_break(lane: CompiledLane, marks: Marks, mark: int, interruption: tuple[int, ...]) -> int:
    time, connection, bid, ask, _, _ = interruption
    mark = _sample_grid(lane, marks, mark, time)
    touch = Touch(bid or None, ask or None)
    lane.rows.samples.append(sample_of(lane.account, time, connection, "break", touch))
    return mark
