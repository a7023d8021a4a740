"""The naive oracle: a second implementation of the contract that shares no code with the core.

Rules for editing it: do not import orderbook, recorder or replay; use plain dicts, exact numbers, and max()
and min() over all levels; do not make it faster or shorter if that makes it less obvious.
"""

import hashlib
import json
import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

KNOWN_TYPES = {
    *("subscriptions", "heartbeat", "status", "ticker", "snapshot", "l2update", "error", "received", "open"),
    *("done", "match", "last_match", "change", "activate", "balance", "auction", "rfq_match"),
}
KNOWN_CHANNELS = {
    *("subscriptions", "heartbeats", "candles", "status", "ticker", "ticker_batch", "l2_data"),
    *("market_trades", "user", "futures_balance_summary"),
}
MAX_NESTING = 64
BLOCK = 4096
NAN = struct.pack("<Q", 0x7FF8000000000000)

_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_PRICE = re.compile(r"[0-9]{1,10}(\.[0-9]{1,8}0*)?")  # beyond the 8th decimal only zeros
_SIZE = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?Z",
)


class Row(NamedTuple):
    """A row of the tape."""

    seq: int
    recv_time: int
    connection: int
    kind: str
    payload: str


class Summary(NamedTuple):
    """The top of book after an accepted frame; times in nanoseconds since the epoch."""

    seq: int
    recv_time: int
    exchange_time: int | None
    bid_price: float | None
    bid_size: float | None
    ask_price: float | None
    ask_size: float | None
    spread: float | None
    relative_spread: float | None
    connection: int


class Event(NamedTuple):
    """A valid snapshot or update of one product; levels are (side, price, size)."""

    snapshot: bool
    product: str
    levels: list[tuple[str, Decimal, Decimal]]


class MalformedError(Exception):
    """Raised for a malformed frame."""


@dataclass
class OracleRun:
    """The results of a run over rows."""

    summaries: list[Summary] = field(default_factory=list)
    anomalies: list[tuple[int, str]] = field(default_factory=list)
    absent_deletes: int = 0
    noop_sets: int = 0


# JSON


def _reject_constant(name: str) -> None:
    raise ValueError(name)


def _integer(text: str) -> int | Decimal:
    """Return an integer, as a Decimal if it has more than the 4,300 digits that int() can read."""
    return int(text) if len(text.lstrip("-")) <= 4300 else Decimal(text)


def nesting(text: str) -> int:
    """Return the depth of nested containers in a JSON text."""
    depth = deepest = 0
    for character in re.sub(r"[^][{}]", "", _JSON_STRING.sub("", text)):
        depth += 1 if character in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def load_json(text: str) -> Any:
    """Return the value of an RFC 8259 text without lone surrogates, nested at most 64 deep.

    Raises:
        MalformedError: if the text is invalid.
    """
    if nesting(text) > MAX_NESTING:
        raise MalformedError("nesting")
    try:
        value = json.loads(text, parse_constant=_reject_constant, parse_int=_integer)
    except ValueError as error:
        raise MalformedError(str(error)) from error
    if "\\u" in text:
        for literal in _JSON_STRING.findall(text):
            if any("\ud800" <= character <= "\udfff" for character in json.loads(literal)):
                raise MalformedError("lone surrogate")
    return value


# Numbers and times


def _need(condition: object) -> None:
    if not condition:
        raise MalformedError


def read_price(text: Any) -> Decimal:
    """Return the exact price."""
    _need(isinstance(text, str) and _PRICE.fullmatch(text) and Decimal(text) > 0)
    return Decimal(text)


def read_size(text: Any) -> Decimal:
    """Return the exact size."""
    _need(isinstance(text, str) and _SIZE.fullmatch(text))
    return Decimal(text)


def read_time(text: Any) -> int | None:
    """Return a frame's time in nanoseconds, None if its form is not exactly right."""
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        instant = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    seconds = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    nanoseconds = seconds * 10**9 + int((match[7] or "").ljust(9, "0"))
    return nanoseconds if 0 <= nanoseconds < 2**63 else None


def exact_float(number: Fraction) -> float:
    """Return the nearest double; a division of two ints rounds only once."""
    return number.numerator / number.denominator


# Frames


def _exchange_events(frame: dict[str, Any]) -> list[Event]:
    product = frame.get("product_id")
    _need(isinstance(product, str))
    levels = []
    if frame["type"] == "snapshot":
        for key, side in (("bids", "bid"), ("asks", "ask")):
            _need(isinstance(frame.get(key), list))
            for level in frame[key]:
                _need(isinstance(level, list) and len(level) == 2)
                levels.append((side, read_price(level[0]), read_size(level[1])))
    else:
        _need(isinstance(frame.get("changes"), list))
        for change in frame["changes"]:
            _need(isinstance(change, list) and len(change) == 3)
            _need(change[0] in ("buy", "sell"))
            side = {"buy": "bid", "sell": "ask"}[change[0]]
            levels.append((side, read_price(change[1]), read_size(change[2])))
    return [Event(frame["type"] == "snapshot", str(product), levels)]


def _advanced_events(frame: dict[str, Any]) -> list[Event]:
    events = []
    _need(isinstance(frame.get("events"), list))
    for event in frame["events"]:
        _need(isinstance(event, dict))
        _need(event.get("type") in ("snapshot", "update"))
        _need(isinstance(event.get("product_id"), str))
        _need(isinstance(event.get("updates"), list))
        levels = []
        for update in event["updates"]:
            _need(isinstance(update, dict))
            _need(update.get("side") in ("bid", "offer", "ask"))
            side = {"bid": "bid", "offer": "ask", "ask": "ask"}[update["side"]]
            price, size = read_price(update.get("price_level")), read_size(update.get("new_quantity"))
            levels.append((side, price, size))
        events.append(Event(event["type"] == "snapshot", event["product_id"], levels))
    return events


# The book


class Side:
    """One side: all levels in a dict, the best price by max() or min() over all of them.

    The best price is kept between frames, and dropped if a level that is not worse changes.
    """

    def __init__(self, best_of: Callable[[Iterable[Decimal]], Decimal]) -> None:
        """Create an empty side; `best_of` is max or min."""
        self.levels: dict[Decimal, Decimal] = {}
        self.best_of = best_of
        self.known_best: Decimal | None = None

    def best(self) -> Decimal | None:
        """Return the best price, None if the side is empty."""
        if self.known_best is None and self.levels:
            self.known_best = self.best_of(self.levels)
        return self.known_best

    def touch(self, price: Decimal) -> None:
        """Drop the kept best price unless the changed level is worse."""
        if self.known_best is not None and self.best_of((price, self.known_best)) == price:
            self.known_best = None


class Oracle:
    """The book of one product and the results of its frames."""

    def __init__(self, product: str, feed: str) -> None:
        """Begin without a book."""
        self.product = product
        self.feed = feed
        self.run = OracleRun()
        self.book: dict[str, Side] | None = None
        self.checks_sequence = False
        self.last_sequence: int | None = None

    def row(self, row: Row) -> None:
        """Process the next row."""
        if row.kind != "frame":
            self.book = None
            self.last_sequence = None
            self.checks_sequence = row.kind == "connected" and len(_named_products(row.payload)) == 1
            return
        try:
            frame = load_json(row.payload)
            _need(isinstance(frame, dict))
            self._check_sequence(row, frame)
            self._frame(row, frame)
        except MalformedError:
            self._anomaly(row, "malformed")

    def _anomaly(self, row: Row, kind: str) -> None:
        self.run.anomalies.append((row.seq, kind))

    def _check_sequence(self, row: Row, frame: dict[str, Any]) -> None:
        number = frame.get("sequence_num")
        if not self.checks_sequence or type(number) is not int:
            return
        if self.last_sequence is not None and number != self.last_sequence + 1:
            self._anomaly(row, "gap")
        self.last_sequence = number

    def _frame(self, row: Row, frame: dict[str, Any]) -> None:
        keys = ("type", "channel") if self.feed == "exchange" else ("channel", "type")
        named = [key for key in keys if isinstance(frame.get(key), str)]
        _need(named)
        key, name = named[0], frame[named[0]]
        if self.feed == "exchange" and key == "type" and name in ("snapshot", "l2update"):
            self._events(row, _exchange_events(frame), read_time(frame.get("time")))
        elif self.feed == "advanced" and key == "channel" and name == "l2_data":
            self._events(row, _advanced_events(frame), read_time(frame.get("timestamp")))
        elif key == "type" and name == "error":
            self._anomaly(row, "error")
        elif name not in KNOWN_TYPES | KNOWN_CHANNELS:
            self._anomaly(row, "unknown")

    def _events(self, row: Row, events: list[Event], exchange_time: int | None) -> None:
        accepted = early = False
        for event in events:
            if event.product != self.product:
                continue
            if event.snapshot:
                self.book = {"bid": Side(max), "ask": Side(min)}
            if self.book is None:
                early = True
                continue
            accepted = True
            for side, price, size in event.levels:
                self._level(self.book[side], price, size)
        if early:
            self._anomaly(row, "early_update")
        if accepted:
            self._summary(row, exchange_time)

    def _level(self, side: Side, price: Decimal, size: Decimal) -> None:
        side.touch(price)
        if size == 0:
            if price not in side.levels:
                self.run.absent_deletes += 1
            side.levels.pop(price, None)
        else:
            if side.levels.get(price) == size:
                self.run.noop_sets += 1
            side.levels[price] = size

    def _summary(self, row: Row, exchange_time: int | None) -> None:
        assert self.book is not None
        bid, ask = self.book["bid"].best(), self.book["ask"].best()
        spread = relative = None
        if bid is not None and ask is not None:
            spread = exact_float(Fraction(ask) - Fraction(bid))
            relative = float(np.rint(spread / exact_float(Fraction(ask)) * 1e12) / 1e12)
            if ask < bid:
                self._anomaly(row, "crossed")
        self.run.summaries.append(
            Summary(
                seq=row.seq,
                recv_time=row.recv_time,
                exchange_time=exchange_time,
                bid_price=None if bid is None else exact_float(Fraction(bid)),
                bid_size=None if bid is None else exact_float(Fraction(self.book["bid"].levels[bid])),
                ask_price=None if ask is None else exact_float(Fraction(ask)),
                ask_size=None if ask is None else exact_float(Fraction(self.book["ask"].levels[ask])),
                spread=spread,
                relative_spread=relative,
                connection=row.connection,
            )
        )


def _named_products(payload: str) -> list[Any]:
    try:
        opened = load_json(payload)
    except MalformedError:
        return []
    products = opened.get("products") if isinstance(opened, dict) else None
    return products if isinstance(products, list) else []


def replay(rows: Iterable[Row], product: str, feed: str) -> OracleRun:
    """Return the results of a run over the rows of one product."""
    oracle = Oracle(product, feed)
    for row in rows:
        oracle.row(row)
    return oracle.run


# Digest


def _pack(summary: Summary) -> bytes:
    exchange_time = -(2**63) if summary.exchange_time is None else summary.exchange_time
    packed = struct.pack("<qqq", summary.seq, summary.recv_time, exchange_time)
    numbers = (summary.bid_price, summary.bid_size, summary.ask_price, summary.ask_size, summary.spread)
    for number in numbers:
        packed += NAN if number is None else struct.pack("<d", number)
    return packed


def product_digest(summaries: Iterable[Summary]) -> str:
    """Return the digest of one product's summaries in hex."""
    blocks: dict[int, bytes] = {}
    for summary in summaries:
        block = summary.seq // BLOCK
        blocks[block] = blocks.get(block, b"") + _pack(summary)
    digest = bytes(32)
    for block in sorted(blocks):
        digest = hashlib.sha256(digest + hashlib.sha256(blocks[block]).digest()).digest()
    return digest.hex()


def run_digest(products: Mapping[str, str]) -> str:
    """Return the digest of a run from the digests of its products."""
    lines = sorted(f"{product} {digest}\n" for product, digest in products.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


# Time above and episodes


def compare(summaries: Sequence[Summary], thresholds: Iterable[float]) -> list[dict[str, float | None]]:
    """Return the statistics of each threshold, from a separate pass for each."""
    return [_compare(summaries, threshold) for threshold in thresholds]


def _compare(summaries: Sequence[Summary], threshold: float) -> dict[str, float | None]:
    above = [s.relative_spread is not None and s.relative_spread > threshold for s in summaries]
    # The interval of a summary ends at the next summary of its connection; the last one has none.
    follows = [
        index + 1 < len(summaries) and summaries[index + 1].connection == summary.connection
        for index, summary in enumerate(summaries)
    ]
    intervals = [
        summaries[index + 1].recv_time - summary.recv_time if follows[index] else 0
        for index, summary in enumerate(summaries)
    ]
    episodes: list[int] = []
    open_episode = False
    for index in range(len(summaries)):
        if above[index]:
            if not open_episode:
                episodes.append(0)
            episodes[-1] += intervals[index]
        open_episode = above[index] and follows[index]
    observed = sum(intervals)
    time_above = sum(interval for interval, is_above in zip(intervals, above, strict=True) if is_above)
    spreads = [s.relative_spread or 0.0 for s in summaries]
    weighted = sum(
        (Fraction(spreads[i]) * intervals[i] for i in range(len(summaries)) if above[i]),
        start=Fraction(0),
    )
    durations = [exact_float(Fraction(duration, 10**9)) for duration in episodes]
    return {
        "threshold": threshold,
        "signals": sum(above),
        "episodes": len(episodes),
        "time_above_s": exact_float(Fraction(time_above, 10**9)),
        "observed_s": exact_float(Fraction(observed, 10**9)),
        "share": exact_float(Fraction(time_above, observed)) if observed else None,
        "duration_p50_s": float(np.percentile(durations, 50)) if durations else None,
        "duration_p95_s": float(np.percentile(durations, 95)) if durations else None,
        "duration_max_s": max(durations) if durations else None,
        "mean_relative_spread": exact_float(weighted / time_above) if time_above else None,
        "max_relative_spread": max((spreads[i] for i in range(len(summaries)) if above[i]), default=None),
    }
