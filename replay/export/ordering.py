"""The two orders of events: as they were received, and as they happened at the exchange.

A feed tells a trade before or after the update of the book that it changed. At the exchange it comes before:
the first update whose time is not before the trade's holds it. An event that is at the same place in both
orders is one of both sides; a trade that is not is one of each side, twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from orderbook.execution.market_rows import NO_TIME
from orderbook.times import NS
from replay.export.events import IS_BOOK, IS_BREAK, IS_TRADE, Events, Ints, no_events

HOLD_NS: Final = 10 * NS
"""The two orders differ by less than this; a time of the exchange that is further ahead is taken for none."""

EXCHANGE: Final = 1
LOCAL: Final = 2
BOTH: Final = EXCHANGE | LOCAL
"""The sides of an event, as bits."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """Groups in an order in which each side finds its own ones in their order.

    Attributes:
        events: the groups' events.
        group: place of each group in `events`; a trade of each side alone is there twice.
        sides: `EXCHANGE`, `LOCAL` or `BOTH` for each.
        exch: time of the exchange for each, in nanoseconds; never decreases on the side of the exchange.
        local: time of receipt for each, after `exch`; never decreases on the local side.
        day_time: recv_time for each, which tells the day: never decreases.
    """

    events: Events
    group: Ints
    sides: npt.NDArray[np.uint8]
    exch: Ints
    local: Ints
    day_time: Ints


class Ordering:
    """Puts the events of a product in order. Holds those of some seconds.

    Args:
        lag: the least measured time from the exchange to the receipt of a frame, in nanoseconds; None if not
            known. If it is not above 0, all times of receipt are moved.

    Attributes:
        shift: nanoseconds that are added to all times of receipt.
    """

    def __init__(self, lag: int | None) -> None:
        self.shift = 0 if lag is None else max(0, 1 - lag)
        self._least_lag = 1 if lag is None else max(1, lag)
        self._held = no_events()
        self._is_done = np.empty(0, np.bool_)  # of trades: the event of the exchange's side is out
        self._last_book = self._last_trade = self._last_local = NO_TIME

    def __len__(self) -> int:
        """Return how many groups are held."""
        return len(self._held)

    def add(self, events: Events) -> Iterator[Ordered]:
        """Add the next events; yield those whose place is certain."""
        self._hold(events)
        if len(self._held):
            yield from self._settle(int(self._held.recv[-1]) - HOLD_NS)

    def finish(self) -> Iterator[Ordered]:
        """Yield all others."""
        if len(self._held):
            yield from self._settle(None)

    def _hold(self, events: Events) -> None:
        self._held = self._held.joined(events)
        self._is_done = np.concatenate([self._is_done, np.zeros(len(events), np.bool_)])

    def _settle(self, until: int | None) -> Iterator[Ordered]:
        held = self._held
        number = len(held)
        wanted = number if until is None else int(np.searchsorted(held.recv, until, "right"))
        if not wanted:
            return
        local = held.recv + self.shift
        times = self._plausible(local)
        is_trade = held.kind == IS_TRADE
        books, trades = np.flatnonzero(~is_trade), np.flatnonzero(is_trade)
        exch = np.empty(number, np.int64)
        exch[books] = self._book_times(times, books, local)
        exch[trades] = self._trade_times(times, trades, exch[books], books, local)
        place = np.searchsorted(exch[books], exch[trades])  # at the exchange: before this row of the book
        told = np.searchsorted(books, trades)  # as it was received
        ends = np.append(books, number)
        cut = wanted if until is None else _safe_cut(wanted, trades, ends[np.maximum(place, told)])
        if not cut:
            return
        yield self._ordered(cut, exch, trades, ends[place], place - told)

    def _plausible(self, local: Ints) -> Ints:
        """Return the times of the exchange, without those that are far ahead of their receipt."""
        exch = self._held.exch
        is_ahead = exch > local + HOLD_NS
        return np.where(is_ahead, NO_TIME, exch) if is_ahead.any() else exch

    def _book_times(self, times: Ints, books: Ints, local: Ints) -> Ints:
        """Return times of rows of the book, none missing and none before the one before it.

        One without a time, such as a snapshot, has that of the next row of its connection, if one soon comes.
        """
        found, kind, recv = times[books], self._held.kind[books], self._held.recv[books]
        missing = np.flatnonzero(found == NO_TIME)
        if len(missing):
            known = np.flatnonzero(found != NO_TIME)
            breaks = np.flatnonzero(kind == IS_BREAK)
            following = np.append(known, len(found))[np.searchsorted(known, missing)]
            next_break = np.append(breaks, len(found))[np.searchsorted(breaks, missing)]
            is_told = (following < next_break) & (kind[missing] == IS_BOOK)
            reached = np.minimum(following, len(found) - 1)
            is_told &= recv[reached] <= recv[missing] + HOLD_NS
            found = found.copy()
            found[missing] = np.where(is_told, found[reached], local[books][missing] - self._least_lag)
        if len(found):
            found[0] = max(found[0], self._last_book)
        return np.maximum.accumulate(found)

    def _trade_times(self, times: Ints, trades: Ints, exch: Ints, books: Ints, local: Ints) -> Ints:
        """Return times of trades: after what is out, and none before the one before it."""
        if not len(trades):
            return trades
        found, recv = times[trades], self._held.recv
        found = np.where(found == NO_TIME, local[trades] - self._least_lag, found)
        before = np.searchsorted(recv[books], recv[trades] - HOLD_NS, "right")
        out = np.concatenate([[self._last_book], exch])[before]
        later = np.maximum(found, np.where(out == NO_TIME, out, out + 1))
        found = np.where(self._is_done[trades], found, later)
        found[0] = max(found[0], self._last_trade)
        found = np.maximum.accumulate(found)
        self._held.exch[trades] = found
        return found

    def _ordered(self, cut: int, exch: Ints, trades: Ints, before: Ints, moved: Ints) -> Ordered:
        """Return the groups before a cut in order, and drop them.

        Args:
            cut: place of the first group that is held on.
            exch: times of all groups.
            trades: places of the trades.
            before: place of the row of the book that holds each trade.
            moved: by how many rows of the book each trade is moved at the exchange.
        """
        held = self._held
        is_early = moved > 0
        is_done = self._is_done[trades]
        # One at its place among early ones is split, too, so that they keep their order.
        is_split = is_done | (moved != 0) | np.isin(before, before[is_early])
        is_due = is_split & ~is_done & ((before < cut) | (cut == len(held)))
        alone, at = trades[is_due], before[is_due]
        sides = np.full(len(held), BOTH, np.uint8)
        sides[trades[is_split]] = LOCAL
        local = held.recv[:cut] + self.shift
        local = np.maximum.accumulate(np.maximum(local, exch[:cut] + 1))
        local = np.maximum(local, self._last_local)
        self._last_local = int(local[-1])
        self._note_last(cut, exch)
        ordered = Ordered(held, np.arange(cut), sides[:cut], exch[:cut], local, held.recv[:cut])
        if len(alone):
            day_time = held.recv[np.minimum(at, cut - 1)]
            ordered = Ordered(
                held,
                np.insert(ordered.group, at, alone),
                np.insert(ordered.sides, at, EXCHANGE),
                np.insert(ordered.exch, at, exch[alone]),
                np.insert(local, at, np.maximum(held.recv[alone] + self.shift, exch[alone] + 1)),
                np.insert(ordered.day_time, at, day_time),
            )
        self._is_done[alone] = True
        self._held, self._is_done = held.since(cut), self._is_done[cut:]
        return ordered

    def _note_last(self, cut: int, exch: Ints) -> None:
        is_trade = self._held.kind[:cut] == IS_TRADE
        books, trades = exch[:cut][~is_trade], exch[:cut][is_trade]
        self._last_book = int(books[-1]) if len(books) else self._last_book
        self._last_trade = int(trades[-1]) if len(trades) else self._last_trade


def _safe_cut(cut: int, trades: Ints, until: Ints) -> int:
    """Return the last place at which no trade before it waits for a row of the book after it.

    Args:
        cut: the place to begin at, going back.
        trades: places of the trades.
        until: place of the row of the book that each waits for.
    """
    while True:
        waits = trades[(trades < cut) & (until >= cut)]
        if not len(waits):
            return cut
        cut = int(waits[0])
