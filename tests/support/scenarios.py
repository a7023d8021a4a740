"""Scenarios of simulated execution: JSON lines of tape rows and requests, and of what must come of them.

{"settings": {"latency": 0, "maker": 100, "taker": 600}}                     fees in millionths
{"t": 1, "row": "snapshot", "bids": [["100.00", "5"]], "asks": [], "time": 1}
{"t": 2, "row": "update", "changes": [["bid", "100.00", "0"]], "time": 2}
{"t": 3, "row": "trades", "trades": [["bid", "100.00", "5", 3, 1]]}          maker side, price, size, time, id
{"t": 4, "row": "disconnected"}                                              also connected, history, other
{"t": 5, "do": "buy", "name": "a", "price": "100.00", "size": "1"}           also sell, market, cancel, amend
{"queue": "back", "expect": {"fills": [...], "orders": {...}}}               share if it names no queue
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from orderbook.book import OrderBookState
from orderbook.decimals import parse_price, parse_size
from orderbook.events import BookEvent, Level, Trade
from orderbook.execution.codes import QUEUE_MODELS, Code, QueueModel
from orderbook.execution.events import Event
from orderbook.execution.lane import Lane
from orderbook.execution.lanes import Lanes
from orderbook.execution.latency import FixedLatency
from orderbook.execution.market import Market
from orderbook.execution.market_view import MarketView
from orderbook.execution.numbers import MONEY_UNITS, money_to_decimal, order_units, units_to_decimal
from orderbook.execution.orders import Order
from orderbook.execution.rows import BookRow, BreakRow, OtherRow, TapeRow, TradeRow
from orderbook.execution.settings import Fees, LaneSettings, ProductRules
from orderbook.execution.table import OrdersTable, TableRow
from orderbook.execution.wakes import WakeRules, Wakes, Why
from tests.support.constants import BTC

Line = dict[str, Any]


class RecordingTable(OrdersTable):
    """A table of orders that also keeps the reports that come."""

    def __init__(self, rows: list[TableRow]) -> None:
        super().__init__(rows)
        self.wakes = Wakes(reports=True)  # type: ignore[misc]  # a table alone asks for no reports
        self.reports: list[tuple[int, Event]] = []

    def on_event(self, m: MarketView) -> None:
        """Keep the reports and send what is due."""
        self.reports += [(m.now, event) for event in m.reports]
        if Why.TIMER in m.why:
            super().on_event(m)


@dataclass
class Played:
    """A scenario under one queue model, as it came out."""

    lane: Lane
    market: Market
    orders: dict[str, Order]
    fills: list[Event]
    reports: list[tuple[int, str, str]]
    events: list[Event] = field(default_factory=list)


def read_scenario(text: str) -> list[Line]:
    """Return the lines of a scenario without its comments."""
    return [json.loads(line) for line in text.splitlines() if line and not line.startswith("#")]


def lane_settings(values: Line, queue: QueueModel) -> tuple[ProductRules, LaneSettings]:
    """Return the settings of a scenario; without any there is no latency and no fee."""
    tick = order_units(values.get("tick", "0.01"))
    fees = Fees(values.get("maker", 0), values.get("taker", 0))
    rules = ProductRules(
        tick,
        lot=order_units(values.get("lot", "0.00000001")),
        min_funds=values.get("min_funds", 0) * MONEY_UNITS,
        collar=values.get("collar", 20_000),
        band=values.get("band"),
    )
    cash = values.get("cash")
    base = values.get("base")
    return rules, LaneSettings(
        queue,
        fees,
        FixedLatency(values.get("latency", 0)),
        report=values.get("report", 0),
        impact=values.get("impact", "taken"),
        on_break=values.get("on_break", "end"),
        cash=None if cash is None else cash * MONEY_UNITS,
        base=None if base is None else order_units(base),
    )


def table_row(line: Line) -> TableRow:
    """Return a request of a scenario as a row of a table."""
    what = line["do"]
    side = {"buy": "bid", "sell": "ask"}.get(what, line.get("side"))
    return TableRow(
        line["t"],
        "limit" if what in {"buy", "sell"} else what,
        line["name"],
        side,  # type: ignore[arg-type]  # the table checks it
        line.get("price"),
        line.get("size"),
        line.get("post_only", False),
        line.get("ioc", False),
    )


def _levels(levels: Iterable[list[str]]) -> list[Level]:
    return [(parse_price(price), parse_size(size)) for price, size in levels]


def tape_row(seq: int, line: Line, connection: int) -> TapeRow:
    """Return a row of a scenario as the exchange reads it."""
    where = seq, line["t"], connection
    kind = line["row"]
    if kind == "snapshot":
        return BookRow(*where, line["time"], [BookEvent(True, _levels(line["bids"]), _levels(line["asks"]))])
    if kind == "update":
        sides = ([change[1:] for change in line["changes"] if change[0] == side] for side in ("bid", "ask"))
        return BookRow(*where, line["time"], [BookEvent(False, *map(_levels, sides))])
    if kind in {"trades", "history"}:
        trades = [
            Trade(number, time, side, parse_price(price), parse_size(size), kind == "history")
            for side, price, size, time, number in line["trades"]
        ]
        return TradeRow(*where, trades)
    return OtherRow(*where) if kind == "other" else BreakRow(*where)


class EveryRow(Lanes):
    """Lanes of which each is asked about each row, whatever it concerns."""

    def __init__(self, market: Market, lanes: Sequence[Lane]) -> None:
        super().__init__(market, lanes)
        self._rules = [WakeRules(lane.wakes) for lane in lanes]

    def advance(self, time: int) -> None:
        """Advance all lanes."""
        self._market.pass_time(time)
        for lane in self._lanes:
            lane.advance(time)

    def see(self, row: TapeRow) -> None:
        """Show a row to all lanes."""
        for lane, rules in zip(self._lanes, self._rules, strict=True):
            lane.see(row, rules.of_row(self._market, row))


def feed(
    market: Market, lanes: Sequence[Lane], rows: Iterable[TapeRow], kind: type[Lanes] = EveryRow
) -> None:
    """Give rows to a market and its lanes, up to the end of the tape."""
    shown = kind(market, lanes)
    for row in rows:
        shown.advance(row.time)
        if isinstance(row, BookRow) and not (row.has_snapshot or market.is_known):
            row = OtherRow(*row[:3])  # noqa: PLW2901  the core does not accept it
        elif isinstance(row, BookRow):
            for book_event in row.events:
                market.book.apply(book_event)
        elif isinstance(row, BreakRow):
            market.book.clear()
        market.apply(row)
        shown.see(row)
        if row.seq % 10 == 0:  # the end of a batch
            shown.sample()
    shown.finish()


class WatchedLane(Lane):
    """A lane that keeps all its events."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        self.events: list[Event] = []
        super().__init__(*args, **keywords)

    def _happens(self, event: Event) -> None:
        self.events.append(event)
        super()._happens(event)


def scenario_rows(lines: list[Line]) -> list[TapeRow]:
    """Return the rows of a scenario."""
    rows: list[TapeRow] = []
    for line in lines:
        if "row" in line:
            connection = rows[-1].connection if rows else 0
            is_new = line["row"] == "connected" and bool(rows)
            rows.append(tape_row(len(rows), line, connection + is_new))
    return rows


def scenario_table(lines: list[Line]) -> list[TableRow]:
    """Return the requests of a scenario."""
    return [table_row(line) for line in lines if "do" in line]


def play(lines: list[Line], queue: QueueModel, kind: type[WatchedLane] = WatchedLane) -> Played:
    """Run a scenario under one queue model."""
    settings: Line = next((line["settings"] for line in lines if "settings" in line), {})
    table = RecordingTable(scenario_table(lines))
    rules, of_lane = lane_settings(settings, queue)
    market = Market(OrderBookState(), rules.tick)
    lane = kind(BTC, market, table, rules=rules, settings=of_lane)
    feed(market, [lane], scenario_rows(lines))
    return Played(
        lane,
        market,
        {order.name or "": order for order in lane.rows.orders},
        [event for event in lane.events if event.code is Code.FILL],
        [
            (time, event.code.word, (event.order.name or "") if event.order else "")
            for time, event in table.reports
        ],
        lane.events,
    )


def outcome(played: Played, expected: Line) -> Line:
    """Return what came out, in the form and with the keys of what is expected."""
    orders, account = played.orders, played.lane.account
    found: Line = {}
    for key, value in expected.items():
        if key == "fills":
            found[key] = [
                {
                    name: _fill_value(event, name)
                    for name in (value[number] if number < len(value) else ["t", "order"])
                }
                for number, event in enumerate(played.fills)
            ]
        elif key == "orders":
            ends = {name: orders[name].end for name in value}
            found[key] = {name: None if end in {None, Code.END} else end.word for name, end in ends.items()}
        elif key == "ahead":
            found[key] = {
                name: {model: _ahead(orders[name], model) for model in value[name]} for name in value
            }
        elif key == "shadow":
            found[key] = {
                name: {model: units_to_decimal(orders[name].filled[model]) for model in value[name]}
                for name in value
            }
        elif key == "reports":
            found[key] = [list(report) for report in played.reports if report[1] != "end"]
        elif key == "position":
            found[key] = units_to_decimal(account.position)
        elif key in {"cash", "realised"}:
            found[key] = money_to_decimal(getattr(account, key))
        else:
            found[key] = getattr(played.lane.exchange.broken, key.removeprefix("interrupted_"))
    return found


def _fill_value(event: Event, name: str) -> Any:
    assert event.fill is not None
    assert event.order is not None
    values = {
        "t": event.time,
        "order": event.order.name,
        "price": units_to_decimal(event.price),
        "size": units_to_decimal(event.size),
        "maker": event.fill.is_maker,
        "fee": money_to_decimal(event.fill.fee),
        "by": event.fill.by,
    }
    return values[name]


def _ahead(order: Order, model: QueueModel) -> Any:
    return None if order.place is None else units_to_decimal(getattr(order.place.ahead, model))


def check(text: str) -> None:
    """Run a scenario under all queue models and compare it with what is expected."""
    lines = read_scenario(text)
    for queue in QUEUE_MODELS:
        played = play(lines, queue)
        for line in lines:
            if "expect" in line and line.get("queue", "share") == queue:
                expected = line["expect"]
                found = outcome(played, expected)
                assert _plain(found) == _plain(expected), f"queue {queue}"


def _plain(value: Any) -> Any:
    """Return decimals in one spelling, however they are written."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, str | Decimal):
        try:
            return Decimal(value).normalize()
        except InvalidOperation:
            return value
    return value
