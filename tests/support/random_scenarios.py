"""Random scenarios of simulated execution (see `scenarios`): a market in three feeds' orders, and orders.

A trade and the update that shows it come as the feeds send them: `level2` the update first, with the same
time; `batch` the trade first, the updates gathered for some 50 ms; `advanced` either first, trades gathered
for up to 250 ms and newest first. On top there are faults: times that are missing or go back, crossed books,
snapshots in the middle, interruptions, trades that no update shows, decreases that no trade explains, sizes
of 18 decimals.
"""

from random import Random
from typing import Any, Final, Literal

from tests.support.constants import MS, SECOND

FeedOrder = Literal["level2", "batch", "advanced"]
FEED_ORDERS: Final[tuple[FeedOrder, ...]] = ("level2", "batch", "advanced")

Line = dict[str, Any]

_TICKS: Final = 10_000  # the price 100.00 in ticks of 0.01


def price_text(ticks: int) -> str:
    """Return a number of ticks as a price."""
    return f"{ticks // 100}.{ticks % 100:02d}"


def size_text(units: int) -> str:
    """Return units of 1e-8 as a size."""
    return f"{units // 10**8}.{units % 10**8:08d}"


class RandomMarket:
    """Writes the rows of a market.

    Args:
        random: where all choices come from.
        feed: in which order trades and updates come.
        faults: whether the feed has faults.
    """

    def __init__(self, random: Random, feed: FeedOrder, *, faults: bool = True) -> None:
        self.lines: list[Line] = []
        self.time = SECOND
        self._random = random
        self._feed = feed
        self._faults = faults
        self._levels: dict[str, dict[int, int]] = {"bid": {}, "ask": {}}
        self._changes: list[list[str]] = []
        self._trades: list[list[Any]] = []
        self._change_time = 0
        self._trade_id = 100

    def run(self, steps: int) -> None:
        """Write a snapshot and some steps."""
        self._snapshot()
        for _ in range(steps):
            self.time += self._random.choice([1, 1000, MS, 7 * MS, 20 * MS, 60 * MS, 300 * MS])
            self._step()
            if self._feed != "level2" and self._random.random() < 0.4:
                self._flush()
        self._flush()
        self.time += SECOND
        self._row({"row": "other"})

    def _step(self) -> None:
        kind = self._random.random()
        if kind < 0.4:
            self._set_level()
        elif kind < 0.85:
            self._trade()
        elif kind < 0.92 or not self._faults:
            self._row({"row": "other"})
        elif kind < 0.95:
            self._snapshot()
        elif kind < 0.97:
            self._flush()
            self._row({"row": "disconnected"})
            self.time += self._random.choice([0, 1, SECOND])
            self._row({"row": "connected"})
            self._levels = {"bid": {}, "ask": {}}
            if self._random.random() < 0.5:
                self._row({"row": "history", "trades": [self._tell("bid", _TICKS, 10**8)]})
            self._snapshot()
        elif kind < 0.985:
            self._emit_trades([self._tell(self._side(), _TICKS + self._random.randint(-3, 3), 10**8)])
        else:
            self._change(self._side(), _TICKS + self._random.randint(-3, 3), 10**8)

    def _side(self) -> str:
        return self._random.choice(["bid", "ask"])

    def _size(self) -> int:
        return self._random.choice([1, 10**7, 5 * 10**7, 10**8, 2 * 10**8, 5 * 10**8, 123_456_789])

    def _best(self, side: str) -> int:
        levels = self._levels[side]
        if side == "bid":
            return max(levels, default=_TICKS - 1)
        return min(levels, default=_TICKS + 1)

    def _set_level(self) -> None:
        side = self._side()
        other = self._best("ask" if side == "bid" else "bid")
        away = self._random.choice([1, 1, 1, 2, 3])
        price = other - away if side == "bid" else other + away
        held = self._levels[side].get(price, 0)
        size = self._random.choice([0, held // 2, held + self._size(), held + self._size(), self._size()])
        self._change(side, price, size)

    def _change(self, side: str, price: int, size: int) -> None:
        if size:
            self._levels[side][price] = size
        else:
            self._levels[side].pop(price, None)
        text = size_text(size)
        if self._faults and size and self._random.random() < 0.05:
            text += "0000000019"[: self._random.choice([1, 10])]
        self._changes.append([side, price_text(price), text])
        self._change_time = self._exchange_time()
        if self._feed == "level2":
            self._flush()

    def _exchange_time(self) -> int:
        return self.time - 5 * MS

    def _trade(self) -> None:
        side = self._side()
        size = self._size()
        trades = []
        for _ in range(self._random.choice([1, 1, 2])):
            price = self._best(side)
            held = self._levels[side].get(price, 0)
            if not held:
                break
            done = min(size, held)
            trades.append(self._tell(side, price, done))
            self._levels[side][price] -= done
            if not self._levels[side][price]:
                del self._levels[side][price]
            self._changes.append([side, price_text(price), size_text(held - done)])
            size -= done
            if not size:
                break
        self._change_time = self._exchange_time()
        if self._feed == "level2":
            self._flush()
            self.time += self._random.choice([0, 50_000, 30 * MS])
        self._emit_trades(trades)

    def _tell(self, side: str, price: int, size: int) -> list[Any]:
        self._trade_id += 1
        time = self._exchange_time()
        if self._faults and self._random.random() < 0.05:
            time += self._random.choice([-300 * MS, -MS, MS, 300 * MS])
        is_timeless = self._faults and self._random.random() < 0.03
        return [side, price_text(price), size_text(size), None if is_timeless else time, self._trade_id]

    def _emit_trades(self, trades: list[list[Any]]) -> None:
        if not trades:
            return
        if self._feed == "advanced":
            self._trades += trades
            if self._random.random() < 0.5:
                self._flush_trades()
            return
        for trade in trades:
            self._row({"row": "trades", "trades": [trade]})

    def _flush(self) -> None:
        """Send the changes that were gathered, and perhaps the trades."""
        if self._changes:
            time = self._exchange_time() if self._feed == "batch" else self._change_time
            if self._faults and self._random.random() < 0.04:
                time -= self._random.choice([MS, 100 * MS])
            is_timeless = self._faults and self._random.random() < 0.03
            changes = list(
                {(side, price): [side, price, size] for side, price, size in self._changes}.values()
            )
            self._row({"row": "update", "changes": changes, "time": None if is_timeless else time})
            self._changes = []
        if self._trades and self._random.random() < 0.6:
            self.time += self._random.choice([0, 1000, 20 * MS])
            self._flush_trades()

    def _flush_trades(self) -> None:
        self._row({"row": "trades", "trades": self._trades[::-1]})
        self._trades = []

    def _snapshot(self) -> None:
        """Send a snapshot, of a new book if there is none."""
        if not self._levels["bid"]:
            for away in range(1, 5):
                self._levels["bid"][_TICKS - away] = self._size()
                self._levels["ask"][_TICKS + away - self._random.choice([0, 0, 1])] = self._size()
        self._changes = []
        self._row(
            {
                "row": "snapshot",
                "bids": [[price_text(p), size_text(s)] for p, s in self._levels["bid"].items()],
                "asks": [[price_text(p), size_text(s)] for p, s in self._levels["ask"].items()],
                "time": None if self._faults and self._random.random() < 0.1 else self._exchange_time(),
            }
        )

    def _row(self, line: Line) -> None:
        self.lines.append({"t": self.time, **line})


def random_requests(random: Random, rows: list[Line], count: int) -> list[Line]:
    """Return requests between the times of rows, some at their very times; sorted by time."""
    first, last = rows[0]["t"], rows[-1]["t"]
    times = [
        random.choice([random.randint(first, last), random.choice(rows)["t"] + random.choice([0, 1])])
        for _ in range(count)
    ]
    requests: list[Line] = []
    names: list[str] = []
    for number, time in enumerate(sorted(times)):
        kind = random.random()
        request: Line = {"t": time, "name": f"o{number}"}
        if names and kind < 0.2:
            request |= {"do": "cancel", "name": random.choice(names[-6:])}
        elif names and kind < 0.3:
            request |= {"do": "amend", "name": random.choice(names[-6:])}
            if random.random() < 0.7:
                request["price"] = price_text(_TICKS + random.randint(-4, 4))
            if random.random() < 0.7:
                request["size"] = random.choice(["0.1", "0.5", "1", "3", "0.00000001", "0"])
        else:
            request["size"] = random.choice(["0.1", "0.5", "1", "3", "0.00000001", "2.5"])
            if kind < 0.36:
                request |= {"do": "market", "side": random.choice(["bid", "ask"])}
            else:
                request["do"] = random.choice(["buy", "sell"])
                away = random.choice([-4, -3, -2, -2, -1, -1, -1, 0, 0, 1, 2])
                request["price"] = price_text(_TICKS + (away if request["do"] == "buy" else -away))
                request |= random.choice([{}, {}, {"post_only": True}, {"ioc": True}])
            names.append(request["name"])
        requests.append(request)
    return requests


def random_settings(random: Random) -> Line:
    """Return settings of a lane."""
    return {
        "latency": random.choice([0, 0, 1, 20 * MS, 100 * MS]),
        "report": random.choice([0, 0, 30 * MS]),
        "maker": random.choice([0, 4000, -100]),
        "taker": random.choice([0, 6000, 333]),
        "impact": random.choice(["taken", "taken", "taken", "none"]),
        "on_break": random.choice(["end", "end", "keep"]),
    }


def random_scenario(
    seed: int, feed: FeedOrder, *, steps: int = 60, orders: int = 20, faults: bool = True
) -> list[Line]:
    """Return a scenario without expectations."""
    random = Random(seed)
    market = RandomMarket(random, feed, faults=faults)
    market.run(steps)
    requests = random_requests(random, market.lines, orders)
    return [{"settings": random_settings(random)}, *market.lines, *requests]
