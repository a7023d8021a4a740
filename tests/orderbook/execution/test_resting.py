"""The prices at which orders rested: those told from their requests and acknowledgements alone."""

from collections import defaultdict, deque
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orderbook.execution.codes import QUEUE_MODELS, Code, QueueModel
from orderbook.execution.events import Event
from orderbook.execution.numbers import order_units
from tests.endurance.forms import cases
from tests.support.constants import SECOND
from tests.support.random_scenarios import FEED_ORDERS, Line, random_scenario
from tests.support.scenarios import play

_AMENDS = frozenset({Code.AMENDED, *(code for code in Code if code.refuses_amend)})


def told(lines: list[Line], events: list[Event]) -> list[tuple[Any, ...]]:
    """Return (number, price, from, until) of each time that an order rested, in the order in which they end.

    A naive trader's books: the price of an order is that of the last request that was acknowledged.
    """
    sent = [line for line in lines if line.get("do") in {"buy", "sell", "market"}]
    price = {number: order_units(line.get("price", "0")) for number, line in enumerate(sent, 1)}
    numbers = {line["name"]: number for number, line in enumerate(sent, 1)}
    changes = defaultdict(deque)  # type: ignore[var-annotated]  # requests about an order, not acknowledged yet
    for line in lines:
        if line.get("do") in {"amend", "cancel"}:
            changes[numbers[line["name"]]].append(line)
    since: dict[int, int] = {}
    found = []
    for place, event in enumerate(events):
        number, time = event.number, event.time
        change: Line = {}
        if event.code in {*_AMENDS, Code.CANCELLED, Code.TOO_LATE}:
            change = changes[number].popleft()
        if number in since and (event.code is Code.AMENDED or event.code.ends_order):
            found.append((number, price[number], since.pop(number), time))
        if event.code is Code.AMENDED and change.get("price") is not None:
            price[number] = order_units(change["price"])
        if event.code is Code.RESTING or (
            event.code is Code.AMENDED and not _is_taken(number, events[place + 1 :])
        ):
            since[number] = time
    return found


def _is_taken(number: int, after: list[Event]) -> bool:
    """Tell whether the fills as taker that follow at once end an order."""
    for event in after:
        if event.number != number or event.fill is None or event.fill.by != "take":
            return event.number == number and event.code is Code.FILLED
    return False


@given(st.integers(0, 2**32), st.sampled_from(FEED_ORDERS), st.sampled_from(QUEUE_MODELS))
@settings(max_examples=cases(2_000, 40))
def test_prices_are_those_of_acknowledged_requests(seed: int, feed: Any, queue: QueueModel) -> None:
    """Each row has the price that was acknowledged last, from then on until the order leaves it."""
    lines = random_scenario(seed, feed, steps=80, orders=40)
    lines[0]["settings"]["on_break"] = "end"
    played = play(lines, queue)
    rows = played.lane.rows.resting.array()
    assert [tuple(row) for row in rows[:, [0, 2, 3, 4]].tolist()] == told(lines, played.events)
    assert (rows[:, 5] > 0).all()
    assert (rows[:, [6, 8]] >= rows[:, [7, 9]]).all()  # under the lower bound as much is ahead, or more


def test_a_kept_order_does_not_rest_while_no_book_is_known() -> None:
    """It rests at the back of the next book; a step back in size keeps its place, and is a row of its own."""
    book = {"row": "snapshot", "bids": [["100", "3"]], "asks": [["101", "1"]], "time": None}
    lines: list[Line] = [
        {"settings": {"on_break": "keep"}},
        {"t": SECOND, **book},
        {"t": SECOND, "do": "buy", "name": "a", "price": "100", "size": "2"},
        {"t": 2 * SECOND, "do": "amend", "name": "a", "size": "1"},
        {"t": 3 * SECOND, "row": "disconnected"},
        {"t": 4 * SECOND, "row": "connected"},
        {"t": 5 * SECOND, **book, "bids": [["100", "7"]]},
        {"t": 6 * SECOND, "row": "other"},
    ]
    rows = play(lines, "share").lane.rows.resting.array().tolist()
    whole = 10**8
    assert [(row[3] // SECOND, row[4] // SECOND, row[5] // whole, row[6] // whole) for row in rows] == [
        *[(1, 2, 2, 3), (2, 3, 1, 3)],
        (5, 6, 1, 7),
    ]
