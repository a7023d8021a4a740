"""Fees and latencies of a backtest as people write them."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from orderbook.errors import OptionError
from orderbook.execution.latency import FeedLatency, FixedLatency, Latency, TableLatency, UniformLatency
from orderbook.execution.numbers import MILLION
from orderbook.execution.settings import Fees
from orderbook.execution.sweeps import is_range, parse_range
from orderbook.time_input import parse_duration, require_unit
from orderbook.times import NS

_NUMBER: Final = r"([+-]?[0-9]{1,12}(?:\.[0-9]{1,12})?)"
_FEES: Final = re.compile(rf"{_NUMBER}/{_NUMBER}(?:\s*bps)?")
_HIGHEST_FEE_BPS: Final = 1_000
_LONGEST_S: Final = 3_600

TIERS: Final[Mapping[str, str]] = {
    "coinbase:10K": "40/60",
    "coinbase:50K": "25/40",
    "coinbase:100K": "15/25",
    "coinbase:1M": "10/20",
    "coinbase:15M": "8/18",
    "coinbase:75M": "6/16",
    "coinbase:250M": "3/12",
    "coinbase:400M": "0/8",
    "coinbase:top": "0/5",
}
"""Maker and taker fees of Coinbase Exchange in basis points, by the volume of 30 days up to which they hold.

Source: help.coinbase.com/en/exchange/trading-and-funding/exchange-fees, 2026-09.
"""


def parse_fees(text: str) -> Fees:
    """Return the rates of `MAKER/TAKER` in basis points, or of a name in `TIERS`.

    Raises:
        OptionError: if it is neither, or a rate is beyond 1000 bps.

    >>> parse_fees("40/60"), parse_fees("-0.5/5"), parse_fees("coinbase:1M")
    (Fees(maker=4000, taker=6000), Fees(maker=-50, taker=500), Fees(maker=1000, taker=2000))
    """
    match = _FEES.fullmatch(TIERS.get(text, text).strip()) if isinstance(text, str) else None
    if match is None:
        raise OptionError(f"{text!r} is not MAKER/TAKER in bps: write 40/60, or one of {', '.join(TIERS)}")
    rates = [Decimal(each) * (MILLION // 10_000) for each in match.groups()]
    for rate in rates:
        if abs(rate) > _HIGHEST_FEE_BPS * 100 or rate != int(rate):
            raise OptionError(f"{text!r}: a fee is at most {_HIGHEST_FEE_BPS} bps, in steps of 0.01 bps")
    return Fees(*map(int, rates))


def parse_latency(text: str) -> Latency:
    """Return a model of latency: `100ms`, `uniform:20ms:80ms` or `feed:40ms:1`.

    Raises:
        OptionError: if it is none of these.

    >>> parse_latency("uniform:20ms:80ms"), parse_latency("0")
    (UniformLatency(low=20000000, high=80000000), FixedLatency(ns=0))
    """
    kind, *values = str(text).split(":")
    if kind == "uniform" and len(values) == 2:
        low, high = map(nanoseconds, values)
        if low > high:
            raise OptionError(f"{text!r}: the first latency is above the second")
        return UniformLatency(low, high)
    if kind == "feed" and len(values) == 2 and re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", values[1]):
        return FeedLatency(nanoseconds(values[0]), int(Decimal(values[1]) * MILLION))
    if values:
        raise OptionError(
            f"{text!r} is not a latency: write 100ms, uniform:20ms:80ms, feed:40ms:1 or file:PATH"
        )
    return FixedLatency(nanoseconds(kind))


def latency_texts(text: str) -> list[str]:
    """Return the latencies that a text names: `A,B,C`, each also as `LOW:HIGH:STEP`; a path is taken whole.

    Raises:
        OptionError: if a range cannot be used.

    >>> latency_texts("20ms,40ms:60ms:10ms,feed:40ms:1"), latency_texts("file:a,b")
    (['20ms', '40ms', '50ms', '60ms', 'feed:40ms:1'], ['file:a,b'])
    """
    if text.startswith("file:"):
        return [text]
    parts = text.split(",")
    return [each for part in parts for each in (parse_range(part).texts() if is_range(part) else [part])]


def latency_table(lines: Iterable[str]) -> TableLatency:
    """Return the latency that draws from durations, one a line; empty lines are passed over.

    Raises:
        OptionError: if a line is not a duration, or there is none.
    """
    table = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                table.append(nanoseconds(line.strip()))
            except OptionError as error:
                raise OptionError(f"line {number}: {error.reason}") from None
    if not table:
        raise OptionError("it has no duration")
    return TableLatency(tuple(table))


def nanoseconds(text: str) -> int:
    """Return a duration from 0 to an hour; a number without a unit could be meant in ms, or in s.

    Raises:
        OptionError: if it is more than an hour.
        TimeError: if it is not a duration, or has no unit and is not 0.
    """
    require_unit(text)
    seconds = parse_duration(text)
    if seconds > _LONGEST_S:
        raise OptionError(f"{text!r} is more than an hour")
    return round(seconds * NS)
