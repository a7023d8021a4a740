"""Both orders of events, on random ones: against what hftbacktest needs, and a slow way to the same times."""

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest

from orderbook.execution.market_rows import NO_TIME
from orderbook.times import NS
from replay.export.events import IS_BOOK, IS_BREAK, IS_TRADE, Events
from replay.export.ordering import BOTH, EXCHANGE, HOLD_NS, LOCAL, Ordering
from tests.support.constants import START

MS = 1_000_000


class Event(NamedTuple):
    """A group of one event."""

    kind: int
    recv: int
    exch: int


class Placed(NamedTuple):
    """An event where the ordering put it."""

    number: int
    sides: int
    exch: int
    local: int


def random_events(seed: int, number: int = 400) -> list[Event]:
    """Return events as a feed might send them: late trades, early ones, no times, wrong times, breaks."""
    chance = random.Random(seed)
    spacing = chance.choice((MS, 40 * MS, 2 * NS))
    lag = chance.choice((-20 * MS, 0, 60 * MS))
    time, events = START, []
    for _ in range(number):
        time += chance.choice((0, 1, spacing, spacing, 2 * spacing, 12 * NS if chance.random() < 0.02 else 1))
        kind = chance.choices((IS_BOOK, IS_TRADE, IS_BREAK), (10, 5, 0.2))[0]
        exch = time - lag - chance.randrange(5 * MS) if kind == IS_BOOK else NO_TIME
        if kind == IS_TRADE:
            exch = time - lag + chance.choice((-50 * MS, -5 * MS, 0, 5 * MS, -20 * NS))
        if chance.random() < 0.05:
            exch = chance.choice((NO_TIME, time + 3600 * NS, 0))
        events.append(Event(kind, time, exch))
    return events


def packed(events: Sequence[Event], first: int) -> Events:
    """Return events as arrays; the price is the number of each."""
    number = len(events)
    kind, recv, exch = np.array(events, np.int64).reshape(-1, 3).T
    price = np.arange(first, first + number).astype(float)
    small = np.zeros(number, np.uint8)
    return Events(kind.astype(np.uint8), recv, exch, np.arange(number + 1), small, small, price, price)


def place(events: Sequence[Event], lag: int | None, cuts: Sequence[int]) -> list[Placed]:
    """Return all events in order, added in pieces."""
    ordering, found = Ordering(lag), []
    for low, high in zip([0, *cuts], [*cuts, len(events)], strict=True):
        found += list(ordering.add(packed(events[low:high], low)))
    found += list(ordering.finish())
    return [
        Placed(int(each.events.price[group]), int(sides), int(exch), int(local))
        for each in found
        for group, sides, exch, local in zip(
            each.group.tolist(), each.sides, each.exch, each.local, strict=True
        )
    ]


def book_times(events: Sequence[Event], shift: int, least: int) -> dict[int, int]:
    """Return the times of the exchange for all rows but trades, one after another."""
    found: dict[int, int] = {}
    last = NO_TIME
    for number, event in enumerate(events):
        if event.kind == IS_TRADE:
            continue
        local = event.recv + shift
        time = event.exch if event.exch <= local + HOLD_NS else NO_TIME
        if time == NO_TIME:
            time = local - least
            for later in events[number + 1 :] if event.kind == IS_BOOK else ():
                if later.kind == IS_BREAK or later.recv > event.recv + HOLD_NS:
                    break
                if later.kind == IS_BOOK and NO_TIME != later.exch <= later.recv + shift + HOLD_NS:
                    time = later.exch
                    break
        found[number] = last = max(last, time)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_both_orders(seed: int) -> None:
    """Each side finds its events in its order, each once, and a trade before the row that holds it."""
    events = random_events(seed)
    lag = random.Random(seed).choice((None, -20 * MS, 3 * MS))
    shift, least = (0, 1) if lag is None else (max(0, 1 - lag), max(1, lag))
    found = place(events, lag, ())
    local = [each for each in found if each.sides & LOCAL]
    exchange = [each for each in found if each.sides & EXCHANGE]
    assert [each.number for each in local] == list(range(len(events)))
    assert sorted(each.number for each in exchange) == list(range(len(events)))
    for side, name in ((local, "local"), (exchange, "exch")):
        times = [getattr(each, name) for each in side]
        assert times == sorted(times)
    assert all(each.local > each.exch for each in found)
    assert all(each.local >= events[each.number].recv + shift for each in found)
    books = book_times(events, shift, least)
    assert {each.number: each.exch for each in exchange if each.number in books} == books
    last_book = NO_TIME
    for each in exchange:
        if each.number in books:
            last_book = each.exch
        else:
            assert each.exch > last_book  # the row of the book that holds it is still to come


@pytest.mark.parametrize("seed", range(12))
def test_no_order_depends_on_pieces(seed: int) -> None:
    """Events that come in pieces, of one event as well, have the same places and times."""
    events, chance = random_events(seed, 200), random.Random(seed)
    whole = place(events, 0, ())
    for number in (3, 30, 199):
        cuts = sorted(chance.sample(range(1, len(events)), number))
        assert sides_of(place(events, 0, cuts)) == sides_of(whole)


def sides_of(found: Sequence[Placed]) -> tuple[list[Placed], list[tuple[int, int, int]]]:
    """Return what each side sees."""
    return [each._replace(sides=0) for each in found if each.sides & LOCAL], [
        (each.number, each.exch, each.sides) for each in found if each.sides & EXCHANGE
    ]


def test_a_trade_in_place_is_one_event() -> None:
    """Only a trade that came after the row that holds it, or far before, is an event of each side alone."""
    events = [
        Event(IS_BOOK, START + 10, START),
        Event(IS_TRADE, START + 12, START + 3),
        Event(IS_BOOK, START + 14, START + 4),
        Event(IS_TRADE, START + 15, START + 4),
        Event(IS_BOOK, START + 16, START + 5),
    ]
    assert [(each.number, each.sides) for each in place(events, 1, ())] == [
        (0, BOTH),
        (1, BOTH),
        (3, EXCHANGE),
        (2, BOTH),
        (3, LOCAL),
        (4, BOTH),
    ]


def test_memory_is_bounded() -> None:
    """What is held are the events of some seconds, however many came."""
    ordering = Ordering(0)
    for first in range(0, 20_000, 100):
        events = [
            Event(place % 2, START + place * 10 * MS, START + place * 10 * MS)
            for place in range(first, first + 100)
        ]
        for _ in ordering.add(packed(events, first)):
            pass
        assert len(ordering) < 1500
