"""The plain exchange beside the naive oracle: the same rows, requests and settings, and what both say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from orderbook.book import OrderBookState
from orderbook.execution.codes import Code, QueueModel
from orderbook.execution.latency import FeedLatency, FixedLatency, Latency
from orderbook.execution.market import Market
from orderbook.execution.numbers import MILLION, MONEY_UNITS, order_units
from orderbook.execution.rows import TapeRow
from orderbook.execution.settings import Fees, LaneSettings, ProductRules
from orderbook.execution.table import TableRow
from orderbook.execution.wakes import Why
from tests.support.constants import BTC
from tests.support.execution_cases import Case
from tests.support.execution_oracle import Exchange, run
from tests.support.scenarios import RecordingTable, WatchedLane, feed, table_row, tape_row

QUEUED = {"trade", "cross", "late"}
"""Fills of orders in a queue. `through` may also be a book that was through an order that was kept."""


@dataclass
class LatencyInTurn:
    """The latencies of a list, one request after the other."""

    table: list[int]
    _requests: int = field(default=0)

    def delay(self, draw: int, excess_lag: int) -> int:  # noqa: ARG002  one signature for all models
        """Return the next latency."""
        self._requests += 1
        return self.table[(self._requests - 1) % len(self.table)]


class Twin(WatchedLane):
    """A lane that keeps what is ahead of its orders after each row."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        self.ahead: list[dict[str | None, Any]] = []
        super().__init__(*args, **keywords)

    def see(self, row: TapeRow, why: Why) -> None:
        """Take a row."""
        super().see(row, why)
        ahead: dict[str | None, Any] = {}
        for order in self.exchange.resting:
            if order.place is not None:
                order.place.settle_old(row.time)
                ahead[order.name] = order.place.ahead._asdict()
        self.ahead.append(ahead)


def millionths(text: str | None) -> int | None:
    """Return a fraction in millionths."""
    return None if text is None else int(Fraction(text) * MILLION)


def money_units(text: str | None) -> int | None:
    """Return money in units of 1e-16."""
    return None if text is None else int(Fraction(text) * MONEY_UNITS)


def settings_of(values: Mapping[str, Any], queue: QueueModel) -> tuple[ProductRules, LaneSettings]:
    """Return the settings of a case."""
    spelled = values["latency"]
    latency: Latency = FixedLatency(spelled) if isinstance(spelled, int) else LatencyInTurn(spelled)
    if isinstance(spelled, Mapping):
        latency = FeedLatency(spelled["base"], millionths(spelled["factor"]) or 0)
    rules = ProductRules(
        order_units(values["tick"]),
        order_units(values["lot"]),
        money_units(values["min_funds"]) or 0,
        millionths(values["collar"]) or 0,
        millionths(values["band"]),
    )
    return rules, LaneSettings(
        queue,
        Fees(values["maker"], values["taker"]),
        latency,
        report=values["report"],
        impact=values["impact"],
        on_break=values["on_break"],
        cash=money_units(values["cash"]),
        base=None if values["base"] is None else order_units(values["base"]),
    )


def run_plain(case: Case, queue: QueueModel) -> Twin:
    """Run a case through the plain exchange."""
    rules, settings = settings_of(case.settings, queue)
    market = Market(OrderBookState(), rules.tick)
    table = RecordingTable(table_of(case))
    lane = Twin(BTC, market, table, rules=rules, settings=settings)
    feed(market, [lane], rows_of(case))
    return lane


def rows_of(case: Case) -> list[TapeRow]:
    """Return the rows of a case, on one connection."""
    return [
        tape_row(seq, {**row, "row": "history"} if row.get("is_history") else row, 0)
        for seq, row in enumerate(case.rows)
    ]


def table_of(case: Case) -> list[TableRow]:
    """Return the requests of a case as rows of a table."""
    requests = [dict(request) for request in sorted(case.requests, key=lambda request: request["t"])]
    for request in requests:
        if request["do"] in {"buy", "sell"} and request["price"] is None:
            request |= {"side": {"buy": "bid", "sell": "ask"}[request["do"]], "do": "market"}
    return [table_row(request) for request in requests]


def said_by_plain(lane: Twin) -> list[tuple[Any, ...]]:
    """Return the events of a lane, in words."""
    words: dict[Code, tuple[str, str]] = {
        Code.RESTING: ("rested", ""),
        Code.FILL: ("fill", ""),
        Code.AMENDED: ("amended", ""),
        Code.TOO_LATE: ("too_late", ""),
    }
    said: list[tuple[Any, ...]] = []
    for event in lane.events:
        what, why = words.get(event.code) or ("end", event.code.word)
        if event.code >= Code.AMEND_NO_BOOK:
            what, why = "amend_refused", why.removeprefix("amend_")
        said.append((event.time, what, why, event.number))
        if event.fill:
            how = event.fill
            said[-1] += (event.price, event.size, how.is_maker, how.fee, how.by)
            said[-1] += (how.ahead_back, how.ahead_share) if how.by in QUEUED else ()
    return said


def said_by_oracle(lane: Exchange) -> list[tuple[Any, ...]]:
    """Return the events of the oracle in the same form."""
    fills = iter(lane.fills)
    said: list[tuple[Any, ...]] = []
    for time, what, why, number, _, price, size, is_maker, fee in lane.events:
        said.append((time, what, why, number))
        if what == "fill":
            how = next(fills)
            said[-1] += (price, size, is_maker, fee, how["by"])
            said[-1] += (how["ahead_back"], how["ahead_share"]) if how["by"] in QUEUED else ()
    return said


def difference(case: Case, queue: QueueModel) -> str | None:
    """Return where the plain exchange and the oracle part, None if they do not."""
    oracle = run(case.rows, case.requests, {**case.settings, "queue": queue})
    lane = run_plain(case, queue)
    mine, naive = said_by_plain(lane), said_by_oracle(oracle)
    for number, (plain, other) in enumerate(zip(mine, naive, strict=False)):
        if plain != other:
            return f"event {number}: plain {plain}, oracle {other}"
    if len(mine) != len(naive):
        return f"{len(mine)} events, oracle {len(naive)}: {mine[len(naive) :][:1]} {naive[len(mine) :][:1]}"
    for seq, (ahead, expected) in enumerate(zip(lane.ahead, oracle.ahead, strict=True)):
        if ahead != {name: expected.get(name or "") for name in ahead}:
            return f"ahead after row {seq}: plain {ahead}, oracle {expected}"
    for order in lane.rows.orders:
        if order.filled != oracle.orders[order.name or ""].filled:
            return (
                f"order {order.name}: plain {order.filled}, oracle {oracle.orders[order.name or ''].filled}"
            )
    stays = [tuple(row) for row in lane.rows.resting.array().tolist()]
    if stays != oracle.stays:
        return f"rested {stays}, oracle {oracle.stays}"
    booked, naive_booked = _booked(lane, case), _booked(oracle, case)
    return None if booked == naive_booked else f"booked {booked}, oracle {naive_booked}"


def _booked(lane: Twin | Exchange, case: Case) -> list[int]:
    """Return the money and the position of either; those of the plain exchange hold what it began with."""
    if isinstance(lane, Exchange):
        return [lane.cash, lane.fees, lane.position, 0 if case.settings["base"] else lane.realised]
    account = lane.account
    base, cash = case.settings["base"], money_units(case.settings["cash"]) or 0
    position = account.position - (order_units(base) if base else 0)
    return [account.cash - cash, account.fees, position, 0 if base else account.realised]
