"""What the kernel has written, as the results of each lane: its sums, and rows if they are wanted."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from orderbook.execution.account import Account
from orderbook.execution.breaks import Broken
from orderbook.execution.codes import CODES, QUEUE_MODELS, Code, FilledBy, QueueModel
from orderbook.execution.compiled.layout import ORDER, UNKNOWN, places_of
from orderbook.execution.compiled.markouts import sums_of
from orderbook.execution.compiled.memory import Memory
from orderbook.execution.compiled.wide import joined, joined_words
from orderbook.execution.digest import ExecutionDigest
from orderbook.execution.events import Fill
from orderbook.execution.orders import Kind, Order
from orderbook.execution.records import as_words
from orderbook.execution.resting import COLUMNS as RESTED_COLUMNS
from orderbook.execution.results import FillRow, LaneRows, Sample, SampleWhy
from orderbook.execution.settings import LaneSettings
from orderbook.execution.totals import HOUR, KnownMid, LaneTotals, MarkoutSums, Moves
from orderbook.venues.base import Side

SIDES: Final[tuple[Side, ...]] = ("bid", "ask")
KINDS: Final[tuple[Kind, ...]] = ("limit", "ioc", "market")
FILLED_BY: Final[tuple[FilledBy, ...]] = ("take", "take", "trade", "through", "cross", "late")
SAMPLED: Final[tuple[SampleWhy, ...]] = ("grid", "fill", "break", "end")
_NUMBER, _SIDE, _KIND, _POST_ONLY, _PRICE, _SIZE, _SENT, _FILLED = places_of(
    ORDER, *("number", "side", "kind", "post_only", "price", "size", "sent", "filled")
)
_ARRIVED, _RESTED, _AHEAD_AT_REST, _ENDED, _END, _AMENDS, _LATE_BOOK_TIME = places_of(
    ORDER, *("arrived", "rested", "ahead_at_rest", "ended", "end", "amends", "late_book_time")
)


class BrokenSums:
    """What interruptions may have done to the orders that they ended, see `breaks.BrokenOrders`."""

    def __init__(self, lane: Any) -> None:
        self.size, self.through, self.traded = (
            int(lane[name]) for name in ("broken_size", "broken_through", "broken_traded")
        )


class CompiledLane:
    """One lane as its results are read out of the memory of the kernel.

    Args:
        memory: the memory.
        number: of the lane.
        settings: those of the lane.

    Attributes:
        rows: results that are whole; the caller takes them away.
        odd_markouts: sums of the mark-outs by horizon that the kernel has left, as maker and as taker.
        name_of: returns the name of an order that is over, by its number; None if no order has one.
    """

    def __init__(self, memory: Memory, number: int, settings: LaneSettings) -> None:
        self.rows = LaneRows()
        self.odd_markouts = [(MarkoutSums(), MarkoutSums()) for _ in settings.markouts]
        self.name_of: Callable[[int], str | None] | None = None
        self._memory = memory
        self._number = number
        self._settings = settings

    @property
    def resting(self) -> int:
        """How many orders rest."""
        return int(self._memory.lanes[self._number]["resting"])

    @property
    def broken(self) -> Broken:
        """What interruptions did."""
        return BrokenSums(self._memory.lanes[self._number])

    @property
    def digest(self) -> ExecutionDigest:
        """The execution digest so far."""
        chain = self._memory.accounts[self._number]["chain"]
        return ExecutionDigest(chain.view(np.uint32).astype(">u4").tobytes())

    @property
    def account(self) -> Account:
        """Its money."""
        record = self._memory.accounts[self._number]
        account = Account(self._settings.cash, self._settings.base)
        account.position = int(record["position"])
        account.first_cost = _wide(record, "first_cost") if record["is_valued"] else None
        for name in ("cash", "fees", "realised", "cost", "turnover"):
            setattr(account, name, _wide(record, name))
        return account

    @property
    def totals(self) -> LaneTotals:
        """Its sums so far."""
        record, moves = self._memory.accounts[self._number], self._memory.moves
        totals = LaneTotals(self._settings.equity_every, self._settings.markouts)
        counts = {code: int(record["counts"][code]) for code in Code if record["counts"][code]}
        totals.ends = Counter({code: counts[code] for code in counts if code.ends_order})
        totals.refused_amends = Counter({code: counts[code] for code in counts if code.refuses_amend})
        totals.fills_maker, totals.fills_taker = int(record["fills_maker"]), int(record["fills_taker"])
        totals.accepted, totals.done = (joined(*record[name]) for name in ("accepted", "done"))
        filled = record["filled"].reshape(-1, 2)
        totals.filled = {model: joined(*words) for model, words in zip(QUEUE_MODELS, filled, strict=True)}
        totals.rested_orders = int(record["rested_orders"])
        totals.filled_orders = dict(zip(QUEUE_MODELS, record["filled_orders"].tolist(), strict=True))
        totals.exceeds_level = bool(record["exceeds_level"])
        totals.position_max, totals.position_min = int(record["position_max"]), int(record["position_min"])
        totals.time_in_position = int(record["time_in_position"])
        totals.fall_twice = _wide(record, "fall")
        if record["known_bid"]:
            totals.last_known = KnownMid(*(int(record[f"known_{name}"]) for name in ("time", "bid", "ask")))
        totals.of_marks = _moves(moves[2 * self._number], totals.equity_every)
        totals.of_hours = _moves(moves[2 * self._number + 1], HOUR)
        totals.markouts = self._markouts()
        return totals

    def _markouts(self) -> dict[int, tuple[MarkoutSums, MarkoutSums]]:
        maker, taker = self._memory.markouts[self._number]
        return {
            horizon: (sums_of(maker[place]) + odd[0], sums_of(taker[place]) + odd[1])
            for place, (horizon, odd) in enumerate(
                zip(self._settings.markouts, self.odd_markouts, strict=True)
            )
        }

    def add_orders(self, done: npt.NDArray[Any], *, keeps_rows: bool) -> None:
        """Take orders that are over; their names are asked for now, as strategies forget them."""
        if not keeps_rows and self.name_of is None:
            return
        names = [self.name_of and self.name_of(number) for number in done["number"].tolist()]
        if keeps_rows:
            self.rows.orders += order_rows(self._settings.queue, as_words(done), names)

    def add_rested(self, records: npt.NDArray[Any]) -> None:
        """Take how orders rested, records of `RESTED`, which begin with the lane, each row as it is."""
        self.rows.resting.add(as_words(records)[:, 1 : 1 + len(RESTED_COLUMNS)])


def _moves(record: Any, every: int) -> Moves:
    moves = Moves(every, int(record["count"]), _wide(record, "total"))
    moves.squares = joined_words(record["squares"])
    if record["last"] != UNKNOWN:
        moves.first = int(record["first"])
        moves.last = int(record["last"]), int(record["connection"]), _wide(record, "equity")
    return moves


def _wide(record: Any, name: str) -> int:
    return joined(record[f"{name}_high"], record[f"{name}_low"])


def _known(value: int) -> int | None:
    return None if value == UNKNOWN else value


def order_rows(
    queue: QueueModel, done: npt.NDArray[np.int64], names: Sequence[str | None] | None = None
) -> list[Order]:
    """Return orders of a lane that are over, records of `ORDER` as words, as rows."""
    rows = done.tolist()
    return [_order(queue, row, name) for row, name in zip(rows, names or [None] * len(rows), strict=True)]


def _order(queue: QueueModel, done: list[int], name: str | None) -> Order:
    """Return an order that is over."""
    order = Order(
        done[_NUMBER],
        name,
        SIDES[done[_SIDE]],
        KINDS[done[_KIND]],
        done[_POST_ONLY] != 0,
        done[_PRICE],
        done[_SIZE],
        queue,
        done[_SENT],
        {"back": done[_FILLED], "share": done[_FILLED + 1], "front": done[_FILLED + 2]},
    )
    order.arrived, order.rested = _known(done[_ARRIVED]), _known(done[_RESTED])
    order.ahead_at_rest, order.ended = _known(done[_AHEAD_AT_REST]), done[_ENDED]
    order.end, order.amends = CODES[done[_END]], done[_AMENDS]
    order.late_book_time = _known(done[_LATE_BOOK_TIME])
    return order


_FILL_FIELDS: Final = (
    *("fill", "number", "time", "side", "price", "size", "by", "is_maker", "fee_high", "fee_low"),
    *("seq", "connection", "ahead_back", "ahead_share", "bid", "ask"),
)


def fill_rows(fills: npt.NDArray[Any], later_mids: npt.NDArray[np.int64]) -> list[FillRow]:
    """Return fills as rows.

    Args:
        fills: records of `EVENT`.
        later_mids: (fills, horizons), twice the mid, 0 if it is not known.
    """
    columns = (fills[name].tolist() for name in _FILL_FIELDS)
    return [
        FillRow(
            fill,
            number,
            time,
            SIDES[side - 1],
            price,
            size,
            Fill(FILLED_BY[by], is_maker != 0, price * size, joined(high, low), *how),
            bid + ask if bid and ask else None,
            [mid or None for mid in mids],
        )
        for fill, number, time, side, price, size, by, is_maker, high, low, *how, bid, ask, mids in zip(
            *columns, later_mids.tolist(), strict=True
        )
    ]


def sample_rows(samples: npt.NDArray[Any]) -> list[Sample]:
    """Return samples as rows; `samples` are records of `SAMPLE`."""
    columns = (samples[name].tolist() for name in ("time", "connection", "why", "bid", "ask", "position"))
    money = (_wide_column(samples, name) for name in ("cash", "fees", "realised", "equity", "exit"))
    return [
        Sample(
            time,
            connection,
            SAMPLED[why],
            bid or None,
            ask or None,
            position,
            cash,
            fees,
            realised,
            equity_twice if bid and ask else None,
            equity_exit if bid and ask else None,
        )
        for time, connection, why, bid, ask, position, cash, fees, realised, equity_twice, equity_exit in zip(
            *columns, *money, strict=True
        )
    ]


def _wide_column(records: npt.NDArray[Any], name: str) -> list[int]:
    return list(map(joined, records[f"{name}_high"].tolist(), records[f"{name}_low"].tolist()))


def by_lane(records: npt.NDArray[Any]) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Yield each lane that has records, and these in order."""
    if len(records):
        of_lane = records["lane"]
        order = np.argsort(of_lane, kind="stable")
        numbers, first = np.unique(of_lane[order], return_index=True)
        yield from zip(numbers.tolist(), np.split(records.take(order), first[1:]), strict=True)
