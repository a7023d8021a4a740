"""Random tapes of each kind of feed, and random requests, for the engines and the oracle of execution.

A market of single orders with price-time priority makes the tape, so what every order really filled is known:

- `level2`: each change is sent at once, and a trade after the update that shows it
- `level2_batch`: a trade is sent at once, and the changes of about 55 ms after it in one update
- `advanced`: changes in batches, trades in batches of up to 250 ms, newest first: either comes first
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.support.constants import MS, SECOND, START

FEEDS = ("level2", "level2_batch", "advanced")
TICK = Decimal("0.01")
MIDDLE = 10_000  # ticks
WIDTH = 6
LATENCY = 40 * MS
SIGN = {"bid": 1, "ask": -1}
OTHER = {"bid": "ask", "ask": "bid"}
Row = dict[str, Any]


@dataclass
class RealOrder:
    """An order of the market, and its truth: when the feed showed it, when it was over, and what filled."""

    side: str
    price: int
    size: Decimal
    left: Decimal
    came: int  # time of the exchange
    gone: int | None = None
    is_cancelled: bool = False
    fills: list[int] = field(default_factory=list)  # times of the exchange


@dataclass
class Case:
    """A tape, requests and settings, and the real orders of the market that made the tape."""

    rows: list[Row]
    requests: list[dict[str, Any]]
    settings: dict[str, Any]
    orders: list[RealOrder]


class Market:
    """Single orders with price-time priority; says every change of a level and every trade."""

    def __init__(self, rng: random.Random, sizes: Callable[[], Decimal]) -> None:
        self.rng = rng
        self.sizes = sizes
        self.now = START
        self.resting: list[RealOrder] = []
        self.orders: list[RealOrder] = []
        self.trade_id = 100
        for distance in range(1, WIDTH):
            self.come("bid", MIDDLE - distance, sizes())
            self.come("ask", MIDDLE + distance, sizes())

    def best(self, side: str) -> int:
        """Return the best price of a side, in ticks; beyond the grid if it is empty."""
        prices = [SIGN[side] * order.price for order in self.resting if order.side == side]
        return SIGN[side] * max(prices, default=SIGN[side] * (MIDDLE - SIGN[side] * WIDTH))

    def level(self, side: str, price: int) -> tuple[str, str, str]:
        """Return a level as an update shows it."""
        here = (order.left for order in self.resting if (order.side, order.price) == (side, price))
        return side, str(price * TICK), f"{sum(here, Decimal(0)):f}"

    def levels(self, side: str) -> list[tuple[str, str]]:
        """Return the levels of a side as a snapshot shows them."""
        prices = sorted({order.price for order in self.resting if order.side == side})
        return [self.level(side, price)[1:] for price in prices]

    def come(self, side: str, price: int, size: Decimal) -> tuple[str, str, str]:
        """Add an order, and return its level."""
        order = RealOrder(side, price, size, size, self.now)
        self.resting.append(order)
        self.orders.append(order)
        return self.level(side, price)

    def leave(self, order: RealOrder, *, is_cancelled: bool) -> None:
        """Remove an order."""
        self.resting.remove(order)
        order.gone, order.is_cancelled = self.now, is_cancelled

    def step(self) -> Iterator[tuple[tuple[str, str, str], tuple[Any, ...] | None]]:
        """Let one thing happen; yield each change of a level with the trade that made it, if one did."""
        self.now += self.rng.choice((1_000, 700_000, 3 * MS, 20 * MS, 90 * MS))
        side = self.rng.choice(("bid", "ask"))
        what = self.rng.random()
        if what < 0.25:  # a taker
            left = self.sizes() * self.rng.choice((1, 1, 2, 4))
            while left and (hit := self.first(side)):
                size = min(left, hit.left)
                hit.left -= size
                hit.fills.append(self.now)
                left -= size
                self.trade_id += 1
                if not hit.left:
                    self.leave(hit, is_cancelled=False)
                trade = (side, str(hit.price * TICK), f"{size:f}", self.now, self.trade_id)
                yield self.level(side, hit.price), trade
        elif what < 0.55 and self.resting:
            order = self.rng.choice(self.resting)
            self.leave(order, is_cancelled=True)
            yield self.level(order.side, order.price), None
        else:
            nearest = self.best(OTHER[side]) - SIGN[side]
            price = nearest - SIGN[side] * min(int(self.rng.expovariate(0.6)), WIDTH)
            yield self.come(side, price, self.sizes()), None

    def first(self, side: str) -> RealOrder | None:
        """Return the order that a taker meets first."""
        best = self.best(side)
        return next((own for own in self.resting if (own.side, own.price) == (side, best)), None)


def tape(rng: random.Random, feed: str, market: Market, steps: int) -> list[Row]:
    """Return the rows that a feed sends of a market, in the order in which they are received."""
    sent: list[Row] = [
        {"t": market.now, "row": "connected"},
        {"t": market.now + LATENCY, "row": "trades", "is_history": True, "trades": [history(market)]},
        {"t": market.now + LATENCY, "row": "snapshot", **whole(market)},
    ]
    batch = Batch(received=dict.fromkeys(("update", "trades"), market.now + LATENCY))
    for _ in range(steps):
        changes = list(market.step())
        sent += batch.close(rng, feed, market.now)
        for level, trade in changes:
            if feed == "level2":
                sent.append(update(market.now + LATENCY, [level], market.now))
            else:
                batch.levels[level[:2]] = level
            if trade and feed == "advanced":
                batch.trades.append(trade)
            elif trade:
                time = batch.receive("trades", market.now + LATENCY + rng.choice((0, 0, 1_000, 400_000)))
                sent.append({"t": time, "row": "trades", "trades": [trade]})
    sent += batch.close(rng, feed, market.now + SECOND)
    sent.append({"t": market.now + 2 * SECOND, "row": "other"})
    return sorted(sent, key=lambda row: row["t"])


@dataclass
class Batch:
    """What a feed has collected and not sent, and when it sends it (in time of the exchange)."""

    received: dict[str, int]
    ends: dict[str, int] = field(default_factory=lambda: {"update": 0, "trades": 0})
    levels: dict[tuple[str, ...], tuple[str, str, str]] = field(default_factory=dict)
    trades: list[tuple[Any, ...]] = field(default_factory=list)

    def close(self, rng: random.Random, feed: str, now: int) -> Iterator[Row]:
        """Yield what has been sent before this moment, at which the next thing happens."""
        if self.ends["update"] < now:
            end, self.ends["update"] = self.ends["update"], now + rng.choice((12, 50, 56, 112)) * MS
            levels, self.levels = sorted(self.levels.values(), key=lambda level: level[0] == "ask"), {}
            lag = LATENCY if feed == "level2_batch" else rng.randrange(5, 110) * MS
            if levels:
                yield update(self.receive("update", end + lag), levels, end)
        if self.ends["trades"] < now:
            end, self.ends["trades"] = self.ends["trades"], now + rng.choice((1, 50, 250)) * MS
            trades, self.trades = self.trades[::-1], []
            if trades:
                time = self.receive("trades", end + rng.randrange(20, 110) * MS)
                yield {"t": time, "row": "trades", "trades": trades}

    def receive(self, kind: str, time: int) -> int:
        """Return when a frame is received: never before the one before it."""
        self.received[kind] = max(time, self.received[kind])
        return self.received[kind]


def update(time: int, levels: list[tuple[str, str, str]], book_time: int | None) -> Row:
    """Return the row of an update."""
    return {"t": time, "row": "update", "changes": levels, "time": book_time}


def whole(market: Market) -> dict[str, Any]:
    """Return a market's book, for a snapshot."""
    return {"bids": market.levels("bid"), "asks": market.levels("ask"), "time": market.now}


def history(market: Market) -> tuple[Any, ...]:
    """Return a trade of before the subscription, which must not fill anything."""
    return "bid", str((MIDDLE - WIDTH) * TICK), "1000", market.now, market.trade_id


def noise(rng: random.Random, rows: list[Row]) -> list[Row]:
    """Return a tape with what a feed should not do, and at times does, put in at random places."""
    shown: dict[str, dict[str, str]] = {"bid": {}, "ask": {}}
    out: list[Row] = []
    skip = 0
    trade_id = 10**6
    for row in rows:
        show(shown, row)
        skip -= 1
        luck = rng.random()
        if skip > 0 and row["row"] != "connected":
            continue
        if luck < 0.02 and row["row"] == "trades":
            continue  # a gap
        out.append(row)
        if luck > 0.94:
            time, book_time = row["t"], row.get("time", row["t"] - LATENCY)
            trade_id += 1
            out += odd_rows(rng, shown, time, book_time, trade_id)
        if luck > 0.99:
            skip = rng.randrange(12)
    return sorted(out, key=lambda row: row["t"])


def show(shown: dict[str, dict[str, str]], row: Row) -> None:
    """Update the book that a tape shows."""
    if row["row"] == "snapshot":
        shown["bid"], shown["ask"] = dict(row["bids"]), dict(row["asks"])
    for side, price, size in row.get("changes", ()):
        shown[side].pop(price, None)
        if Decimal(size):
            shown[side][price] = size


def top(levels: dict[str, str], side: str) -> Decimal:
    """Return the best price of the levels of a side, or one far away."""
    prices = [SIGN[side] * Decimal(price) for price in levels]
    return SIGN[side] * max(prices, default=SIGN[side] * (MIDDLE - SIGN[side] * WIDTH) * TICK)


def odd_rows(
    rng: random.Random, shown: dict[str, dict[str, str]], time: int, book_time: int | None, trade_id: int
) -> list[Row]:
    """Return rows to put in: an interruption, a snapshot, a crossed or locked book, a level that goes, ..."""
    side = rng.choice(("bid", "ask"))
    best = top(shown[side], side)
    size = rng.choice(("0.3", "2", "0.000000001234567891"))
    book = {"bids": list(shown["bid"].items()), "asks": list(shown["ask"].items()), "time": book_time}
    beyond = str(best + SIGN[side] * rng.choice((0, 1)) * TICK)
    cross = update(time, [(OTHER[side], beyond, size)], book_time)
    back = update(time, [(OTHER[side], beyond, "0")], book_time)
    gone = update(time, [(side, str(best), "0")], book_time)
    again = update(time, [(side, str(best), shown[side].get(str(best), size))], book_time)
    when = None if book_time is None else book_time + rng.choice((-90, 0, 30)) * MS
    through = str(best - SIGN[side] * rng.randrange(3) * TICK)
    trade = {"t": time, "row": "trades", "trades": [(side, through, size, when, trade_id)]}
    snapshot = {"t": time, "row": "snapshot", **book}
    later = {**snapshot, "t": time + rng.choice((1, 40)) * MS}
    broken: list[Row] = [{"t": time, "row": "disconnected"}, {"t": time, "row": "connected"}]
    choices: tuple[list[Row], ...] = (
        [*broken, trade, later],
        [broken[1], snapshot],
        [snapshot],
        [cross, back],
        [cross, trade, gone, back],
        [gone, again],
        [gone, trade, again],
        [trade],
        [trade, gone],
        [{**trade, "is_history": True}],
        [update(time, [(side, "90.00", "0"), (side, str(best), size)], book_time)],
        [{"t": time, "row": "other"}],
    )
    return rng.choice(choices)


def forget_times(rng: random.Random, rows: list[Row], part: float) -> list[Row]:
    """Return rows of which a part carries no time of the exchange."""
    out = []
    for row in rows:
        if rng.random() < part and "time" in row:
            row = {**row, "time": None}  # noqa: PLW2901  the row without it
        if rng.random() < part and "trades" in row:
            row = {**row, "trades": [(*trade[:3], None, trade[4]) for trade in row["trades"]]}  # noqa: PLW2901
        out.append(row)
    return out


def random_requests(
    rng: random.Random, rows: list[Row], sizes: Callable[[], Decimal], part: float
) -> list[dict[str, Any]]:
    """Return requests near the best prices of a tape, some of them wrong, after this part of its rows."""
    shown: dict[str, dict[str, str]] = {"bid": {}, "ask": {}}
    requests: list[dict[str, Any]] = []
    names: list[str] = []
    time = 0
    for row in rows:
        show(shown, row)
        burst = 70 if rng.random() < part / 100 else int(rng.random() < part)
        for _ in range(burst):
            time = max(time, row["t"] + rng.choice((-1, 0, 0, 1, 300_000, 30 * MS)))
            side = rng.choice(("bid", "ask"))
            other = top(shown[OTHER[side]], OTHER[side])
            price = str(other - SIGN[side] * rng.choice((-2, -1, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4)) * TICK)
            size = f"{sizes().quantize(Decimal('1e-8')):f}"
            request: dict[str, Any] = {"t": time, "price": price, "size": size}
            luck = rng.random()
            if names and luck < 0.25 and burst == 1:
                request = {"t": time, "do": "cancel", "name": rng.choice(names[-rng.choice((1, 3, 9)) :])}
            elif names and luck < 0.4 and burst == 1:
                request |= {"do": "amend", "name": rng.choice(names[-rng.choice((1, 3, 9)) :])}
                request["price"] = rng.choice((price, None))
                request["size"] = rng.choice((size, "0.00000003", "0"))
            else:
                names.append(f"order{len(names)}")
                request |= {"do": {"bid": "buy", "ask": "sell"}[side], "name": names[-1]}
                request["post_only"] = rng.random() < 0.3
                request["ioc"] = rng.random() < 0.15 and not request["post_only"]
                if rng.random() < 0.05:
                    request["price"] = rng.choice((None, None, "100.005", "0", "-1"))
                if rng.random() < 0.03:
                    request["size"] = rng.choice(("0", "-1", "0.00000001", "1000000"))
            requests.append(request)
    return requests


def random_settings(rng: random.Random) -> dict[str, Any]:
    """Return settings of a lane, without its queue model."""
    choose = rng.choice
    return {
        "tick": "0.01",
        "lot": choose((*["0.00000001"] * 9, "0.001")),
        "latency": choose((0, 0, 1, 30 * MS, [3 * MS, 0, 90 * MS], {"base": 2 * MS, "factor": "0.5"})),
        "report": choose((0, 0, 10 * MS)),
        "maker": choose((0, 4000, -1000, 7)),
        "taker": choose((0, 6000, 13)),
        "impact": choose(("taken", "taken", "none")),
        "on_break": choose(("end", "keep")),
        "collar": choose(("0.02", "0.0002", "0")),
        "min_funds": choose((*["0"] * 5, "30")),
        "band": choose((*[None] * 5, "0.0002")),
        "cash": choose((*[None] * 5, "2000")),
        "base": choose((*[None] * 5, "9")),
    }


def size_maker(rng: random.Random, *decimals_allowed: int) -> Callable[[], Decimal]:
    """Return a maker of sizes, all with one of these numbers of decimals."""
    decimals = rng.choice(decimals_allowed)
    return lambda: Decimal(
        rng.randrange(1, 40) * 10**decimals // 10 + rng.randrange(10**decimals // 10)
    ).scaleb(-decimals)


def market_case(seed: int, feed: str, steps: int = 150) -> Case:
    """Return the tape of a market without noise, and its orders; nothing is requested."""
    rng = random.Random(seed)
    market = Market(rng, size_maker(rng, 1, 8))
    return Case(tape(rng, feed, market, steps), [], {"tick": "0.01"}, market.orders)


def random_case(seed: int, feed: str, steps: int = 120) -> Case:
    """Return a tape with noise, requests and settings."""
    rng = random.Random(f"{seed} {feed}")
    sizes = size_maker(rng, 1, 8, 18)
    rows = noise(rng, tape(rng, feed, market := Market(rng, sizes), steps))
    rows = forget_times(rng, rows, rng.choice((0, 0, 0.05, 1)))
    return Case(rows, random_requests(rng, rows, sizes, 0.4), random_settings(rng), market.orders)


def orders_sent_again(case: Case, feed: str) -> Iterator[tuple[RealOrder, list[dict[str, Any]]]]:
    """Yield the orders of a market, each with the requests that send it when the feed shows it.

    A batch does not tell the order of what is in it. Orders that met a trade or ended in their first batch
    are left out, and those that were cancelled at about the time of a trade.
    """
    books = [(row["t"], row["time"]) for row in case.rows if row["row"] in {"snapshot", "update"}]
    frames = [row for row in case.rows if row["row"] == "trades" and not row.get("is_history")]
    trades = [(row["t"], trade) for row in frames for trade in row["trades"]]
    for order in case.orders:
        shown = first_at(books, order.came)
        size = f"{order.size.quantize(Decimal('1e-8'), rounding='ROUND_FLOOR'):f}"
        if order.came == START or shown is None or not Decimal(size):
            continue
        met = [
            (time, trade[3])
            for time, trade in trades
            if trade[0] == order.side and SIGN[order.side] * (order.price - Decimal(trade[1]) / TICK) >= 0
        ]
        if feed != "level2" and is_within_a_batch(order, books, shown, met):
            continue
        time = shown + (-1 if feed == "level2" else 1)
        do = {"bid": "buy", "ask": "sell"}[order.side]
        requests = [{"t": time, "do": do, "name": "a", "price": str(order.price * TICK), "size": size}]
        if order.is_cancelled and order.gone is not None:
            ended = order.gone + LATENCY if feed != "advanced" else first_at(books, order.gone)
            requests.append({"t": (ended or case.rows[-1]["t"]) - 1, "do": "cancel", "name": "a"})
        yield order, requests


def first_at(books: list[tuple[int, int]], time: int) -> int | None:
    """Return when the first book frame of at least this time was received."""
    return next((received for received, book_time in books if book_time >= time), None)


def is_within_a_batch(
    order: RealOrder, books: list[tuple[int, int]], shown: int, met: list[tuple[int, int]]
) -> bool:
    """Return whether a batched feed cannot tell an order's beginning or end from the trades beside it."""
    if shown in {first_at(books, time) for time in (*order.fills, order.gone) if time is not None}:
        return True
    if any(received <= shown for received, time in met if time in order.fills):
        return True
    return (
        order.gone is not None
        and order.is_cancelled
        and any(abs(time - order.gone) < 400 * MS for _, time in met)
    )
