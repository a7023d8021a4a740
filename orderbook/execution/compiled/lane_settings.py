"""The settings of a lane as the kernel reads them, and what is wanted of all."""

from typing import Any, Final

from orderbook.execution.codes import QUEUE_MODELS
from orderbook.execution.compiled import layout
from orderbook.execution.compiled.layout import NEVER, NO_ONE, UNKNOWN
from orderbook.execution.latency import (
    Draws,
    FeedLatency,
    FixedLatency,
    Latency,
    TableLatency,
    UniformLatency,
)
from orderbook.execution.records import Wanted
from orderbook.execution.settings import LaneSettings
from orderbook.execution.wakes import WakeRules, Wakes, Why

_WORD: Final = 2**64


def set_wakes(lane: Any, wakes: Wakes) -> None:
    """Write what wakes the strategy of a lane."""
    rules = WakeRules(wakes)
    why = Why(0)
    for is_wanted, each in (
        (wakes.top, Why.TOP),
        (wakes.book, Why.BOOK),
        (wakes.trades, Why.TRADES),
        (wakes.fills, Why.FILLS),
        (wakes.reports, Why.REPORTS),
        (rules.spread is not None, Why.SPREAD),
    ):
        why |= each if is_wanted else Why(0)
    lane["wakes"], lane["every"] = why, rules.every
    lane["spread"] = rules.spread or 0.0


def set_wanted(market: Any, wanted: Wanted) -> None:
    """Write what is wanted beside sums; -1 is all."""
    market["sample_shift"] = -1 if wanted.sample_shift is None else wanted.sample_shift
    market["most_orders"] = -1 if wanted.orders is None else wanted.orders
    market["keeps_rested"] = len(wanted.rested_of) > 0
    market["most_rested"] = wanted.rested or 0
    market["rested_shift"] = -1 if wanted.rested is None else wanted.rested_shift


def set_lane(lane: Any, number: int, settings: LaneSettings, draws: Draws, latencies: list[int]) -> None:
    """Write the settings of a lane."""
    lane["number"] = number
    lane["queue"] = QUEUE_MODELS.index(settings.queue)
    lane["keeps"], lane["forgets"] = settings.on_break == "keep", settings.impact == "none"
    lane["maker"], lane["taker"] = settings.fees.maker, settings.fees.taker
    lane["limits_cash"], lane["limits_base"] = settings.cash is not None, settings.base is not None
    lane["report"] = settings.report
    lane["draws"] = _signed(draws.start)
    lane["latency"], lane["low"], lane["span"], table = _latency(settings.latency)
    lane["table_start"] = len(latencies)
    latencies.extend(table)
    for name in ("late_first", "late_last", "taken_first", "arrival_first", "arrival_last", "report_first"):
        lane[name] = NO_ONE
    for name in ("report_last", "heard_first", "heard_last", "timer_first", "broken_first", "untraded_first"):
        lane[name] = NO_ONE
    lane["own_first"] = lane["own_last"] = NO_ONE
    lane["timer"] = lane["timer_number"] = NEVER
    lane["broken_book_time"] = UNKNOWN


def set_account(account: Any, settings: LaneSettings) -> None:
    """Write what a lane owns at the start."""
    account["cash_high"], account["cash_low"] = words(settings.cash or 0)
    account["position"] = settings.base or 0
    account["is_valued"] = not settings.base
    account["highest_high"], account["highest_low"] = words(2 * (settings.cash or 0))


def _latency(latency: Latency) -> tuple[int, int, int, tuple[int, ...]]:
    """Return a model of latency as the kernel has it: its number, two numbers and a table.

    Raises:
        TypeError: if the kernel does not have it.
    """
    if isinstance(latency, FixedLatency):
        return layout.FIXED, latency.ns, 0, ()
    if isinstance(latency, UniformLatency):
        return layout.UNIFORM, latency.low, latency.high - latency.low + 1, ()
    if isinstance(latency, TableLatency):
        return layout.DRAWN, 0, len(latency.table), latency.table
    if isinstance(latency, FeedLatency):
        return layout.FEED, latency.base, latency.factor, ()
    raise TypeError(f"{latency!r} is not a latency of the compiled exchange")


def _signed(word: int) -> int:
    """Return the int64 of the same 64 bits."""
    return (word + _WORD // 2) % _WORD - _WORD // 2


def words(number: int) -> tuple[int, int]:
    """Return a number as two words, see `wide`."""
    high, low = divmod(number, _WORD)
    return high, _signed(low)
