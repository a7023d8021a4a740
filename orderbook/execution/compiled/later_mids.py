"""The mid at each horizon after a fill: `markouts.Markouts` in compiled code.

Fills of all lanes are followed together, in the order of their times. Lanes act one after the other, so a
fill may come when later ones of other lanes are there; those whose mid has been told are all before it.
"""

from typing import Any

from orderbook.compiled.jit import inner
from orderbook.execution.compiled import markouts
from orderbook.execution.compiled.addresses import event_ref, load, store
from orderbook.execution.compiled.layout import NEVER


@inner
def follow(x: Any) -> None:
    """Follow the fill that was made last."""
    market = x
    number = market.fills - 1
    time = event_ref(x.fills_at, number).time
    at = number
    while at > 0 and event_ref(x.fills_at, load(x.fill_order, at - 1)).time > time:
        store(x.fill_order, at, load(x.fill_order, at - 1))
        at -= 1
    store(x.fill_order, at, number)
    if x.horizons_room:
        market.next_markout = min(market.next_markout, time + load(x.horizons, 0))


@inner
def _tell(x: Any, place: int, at: int, mid_twice: int) -> None:
    """Tell the mid at a horizon of the fill that is at a place in the order of times."""
    number = load(x.fill_order, place)
    store(x.mids_at, number * x.horizons_room + at, mid_twice)
    markouts.add(x, event_ref(x.fills_at, number), at, mid_twice)
    store(x.told, at, place + 1)


@inner
def see_book(x: Any, time: int, mid_twice: int) -> None:
    """A book row has come: what was due before it is known by the book before it."""
    market = x
    market.next_markout = NEVER
    for at in range(x.horizons_room):
        place = load(x.told, at)
        while place < market.fills:
            due = event_ref(x.fills_at, load(x.fill_order, place)).time + load(x.horizons, at)
            if due >= time:
                market.next_markout = min(market.next_markout, due)
                break
            _tell(x, place, at, mid_twice)
            place += 1


@inner
def end(x: Any, mid_twice: int, last_book: int) -> None:
    """The connection or the tape ends; its last book row was at `last_book` and left this mid."""
    market = x
    market.next_markout = NEVER
    for at in range(x.horizons_room):
        for place in range(load(x.told, at), market.fills):
            due = event_ref(x.fills_at, load(x.fill_order, place)).time + load(x.horizons, at)
            _tell(x, place, at, mid_twice if due <= last_book else 0)
