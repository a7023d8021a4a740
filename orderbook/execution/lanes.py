"""All lanes of a product, and which of them a row concerns.

A row concerns a lane if

- a request, a report or a timer of it is due by then;
- it wakes the strategy, which is decided once for all lanes with the same `Wakes`;
- a connection begins or ends, a snapshot replaces the book, or trades of before the connection are told;
- it is a book frame that changed a level that the lane watches (`Watched`), or whose opposite best
  reached one of its orders, or the first after a mark-out was due;
- it is a book frame and one of its orders waits for any (`Watched`);
- a trade of others is at the price of one of its orders or beyond.

The others are not asked, or only woken. A lane that is asked without a reason does nothing (`Lane.see`): the
rule may be generous, never narrow.
"""

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from typing import Final

from sortedcontainers import SortedList

from orderbook.execution.codes import SIGN
from orderbook.execution.lane import Lane
from orderbook.execution.market import Market
from orderbook.execution.rows import BookRow, BreakRow, TapeRow, TradeRow
from orderbook.execution.wakes import NOTHING, WakeRules, Wakes, Why
from orderbook.execution.watched import NOTHING_WATCHED, Watched
from orderbook.venues.base import Side

_SIDES: Final[tuple[Side, ...]] = ("bid", "ask")


class Lanes:
    """All lanes of a product; they begin with the first row that is shown."""

    def __init__(self, market: Market, lanes: Sequence[Lane]) -> None:
        self._market = market
        self._lanes = lanes
        self._everybody = range(len(lanes))
        self._due = _DueTimes()
        self._markouts = _DueTimes()
        self._watchers = _Watchers(len(lanes))
        woken: dict[Wakes, list[int]] = {}
        for number, lane in enumerate(lanes):
            woken.setdefault(lane.wakes, []).append(number)
            self._note(number)
        self._woken = [(WakeRules(wakes), numbers) for wakes, numbers in woken.items()]

    def advance(self, time: int) -> None:
        """Do what is due before a row of this time; the market is still as the row before left it."""
        self._market.pass_time(time)
        for number in self._due.take(time):
            self._lanes[number].advance(time)
            self._note(number)

    def see(self, row: TapeRow) -> None:
        """Give a row, which the market has applied, to the lanes that it concerns."""
        whys: dict[int, Why] = {}
        for rules, numbers in self._woken:
            why = rules.of_row(self._market, row)
            if why:
                whys |= dict.fromkeys(numbers, why)
        for number in self._concerned(row):
            self._lanes[number].see(row, whys.pop(number, NOTHING))
            self._note(number)
        trades = row.new_trades if whys and isinstance(row, TradeRow) else ()
        for number, why in whys.items():
            lane = self._lanes[number]
            if lane.wake(row.time, trades, why):
                self._due.note(number, lane.next_due)  # what it sends arrives later: no more has changed

    def sample(self) -> None:
        """Let all lanes take the samples of the grid so far."""
        for lane in self._lanes:
            lane.kept.sample_grid()
        self._market.forget_marks()

    def finish(self) -> None:
        """End the tape for all lanes."""
        for lane in self._lanes:
            lane.finish()

    def _concerned(self, row: TapeRow) -> Iterable[int]:
        """Return the lanes to whose orders or reports a row does something, in order."""
        if isinstance(row, BreakRow):
            return self._everybody
        found = set(self._due.take(row.time + 1))
        if isinstance(row, BookRow):
            if row.has_snapshot:
                return self._everybody
            found.update(self._markouts.take(row.time))
            self._watchers.of_book(row, self._market, found)
        elif isinstance(row, TradeRow):
            if any(trade.is_history for trade in row.trades):
                return self._everybody
            for trade in row.trades:
                self._watchers.of_price(trade.maker_side, trade.price, found)
        return sorted(found) if found else ()

    def _note(self, number: int) -> None:
        """Note what concerns a lane from now on."""
        lane = self._lanes[number]
        self._due.note(number, lane.next_due)
        self._markouts.note(number, lane.next_markout)
        self._watchers.note(number, lane.watched)


class _Watchers:
    """The levels that lanes watch, and how far their orders reach."""

    def __init__(self, lanes: int) -> None:
        self._watched = [NOTHING_WATCHED] * lanes
        self._at: dict[Side, dict[int, set[int]]] = {side: {} for side in _SIDES}
        self._reach: dict[Side, SortedList] = {side: SortedList() for side in _SIDES}
        self._waiting: set[int] = set()

    def note(self, number: int, now: Watched) -> None:
        """Note what a lane watches."""
        before = self._watched[number]
        if now == before:
            return
        self._watched[number] = now
        old, new = set(before.levels), set(now.levels)
        for side, price in old - new:
            lanes = self._at[side][price]
            lanes.remove(number)
            if not lanes:
                del self._at[side][price]
        for side, price in new - old:
            self._at[side].setdefault(price, set()).add(number)
        for side, was, best in zip(_SIDES, before.best, now.best, strict=True):
            if was != best:
                if was is not None:
                    self._reach[side].remove((SIGN[side] * was, number))
                if best is not None:
                    self._reach[side].add((SIGN[side] * best, number))
        if now.waits_for_book:
            self._waiting.add(number)
        else:
            self._waiting.discard(number)

    def of_book(self, row: BookRow, market: Market, found: set[int]) -> None:
        """Add the lanes that a book frame concerns."""
        found |= self._waiting
        for side in _SIDES:
            at = self._at[side]
            if not at:
                continue
            for event in row.events:
                for price, _ in event.bids if side == "bid" else event.asks:
                    if price in at:
                        found |= at[price]
        bid, ask = market.touch
        if ask is not None:
            self.of_price("bid", ask, found)
        if bid is not None:
            self.of_price("ask", bid, found)

    def of_price(self, side: Side, price: int, found: set[int]) -> None:
        """Add the lanes with an order of a side that somebody who trades at a price would meet."""
        reach, least = self._reach[side], SIGN[side] * price
        if reach and reach[-1][0] >= least:
            found.update(number for _, number in reach.irange((least,)))


class _DueTimes:
    """When something of each lane is due next."""

    def __init__(self) -> None:
        self._of: dict[int, int | None] = {}
        self._heap: list[tuple[int, int]] = []  # also holds times that are no longer those of their lanes

    def note(self, number: int, time: int | None) -> None:
        """Note when something of a lane is due; None if nothing is."""
        if self._of.get(number) != time:
            self._of[number] = time
            if time is not None:
                heappush(self._heap, (time, number))

    def take(self, before: int) -> list[int]:
        """Return the lanes of which something is due before a time; they are noted anew when it is done."""
        numbers = []
        while self._heap and self._heap[0][0] < before:
            time, number = heappop(self._heap)
            if self._of.get(number) == time:
                self._of[number] = None
                numbers.append(number)
        return numbers
