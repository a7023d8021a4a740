"""The parts of a lane, by hour, day or connection; they add up to the whole exactly.

A fill belongs to the part of its time. The profit of a part is what the equity has changed between its last
sample and the last one before it, each marked at the last mid that is known by then: so what a position gains
over an interruption is of the part that comes after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from orderbook.document import Document
from orderbook.execution.account import Account
from orderbook.execution.codes import QueueModel
from orderbook.execution.market import Touch
from orderbook.execution.results import LaneRows, Sample
from replay.comparing.metrics import By
from replay.comparing.sweep.parts import PERIODS_NS, part_label
from replay.simulation.statistics import money, money_of_twice, size


class BacktestPart(Document, frozen=True, kw_only=True):
    """What a lane did in one part of the tape. Money is in the quote currency.

    Attributes:
        product: product id.
        tape: the tape, if there are several.
        setting: index of the setting in `settings`.
        queue: queue model that decided what filled.
        part: start of the UTC hour, UTC date, or number of the connection.
        fills, fills_maker, fills_taker: number of fills.
        turnover: sum of the values of all fills.
        fees: sum of the fees, rebates taken off.
        realised: profit of what was bought and sold again, before fees.
        net: change of the equity since the part before; null until a mid is known.
        position: size held at the end of the part.
    """

    product: str
    tape: str | UnsetType = UNSET
    setting: int
    queue: QueueModel
    part: str | int
    fills: int
    fills_maker: int
    fills_taker: int
    turnover: float
    fees: float
    realised: float
    net: float | None
    position: float


@dataclass(slots=True)
class _Sums:
    """What is added up of a part, and the state of the lane at its end."""

    fills_maker: int = 0
    fills_taker: int = 0
    turnover: int = 0
    last: Sample | None = None
    mid_twice: int | None = None


class LaneParts:
    """The parts of one lane.

    Args:
        by: how they are cut; None for no parts.
    """

    def __init__(self, by: By | None) -> None:
        self._by = by
        self._period = PERIODS_NS.get(by)
        self._sums: dict[int, _Sums] = {}
        self._mid_twice: int | None = None

    def add(self, rows: LaneRows) -> None:
        """Add rows that are whole. O(rows)."""
        if self._by is None:
            return
        for sample in rows.samples:
            self.add_sample(sample)
        for fill in rows.fills:
            key, is_maker = self._key(fill.time, fill.how.connection), int(fill.how.is_maker)
            self.add_fills(key, is_maker, 1 - is_maker, fill.how.value)

    def add_sample(self, sample: Sample) -> None:
        """Add a sample; those of a part in order."""
        self._mid_twice = Touch(sample.bid, sample.ask).mid_twice or self._mid_twice
        part = self._part(self._key(sample.time, sample.connection))
        part.last, part.mid_twice = sample, self._mid_twice

    def add_fills(self, key: int, makers: int, takers: int, turnover: int) -> None:
        """Add fills of a part, by its connection, or its start in units of the period."""
        part = self._part(key)
        part.fills_maker += makers
        part.fills_taker += takers
        part.turnover += turnover

    def _key(self, time: int, connection: int) -> int:
        return connection if self._period is None else time // self._period

    def _part(self, key: int) -> _Sums:
        if key not in self._sums:
            self._sums[key] = _Sums()
        return self._sums[key]

    def finish(
        self, product: str, setting: int, queue: QueueModel, account: Account, tape: str | UnsetType
    ) -> Iterator[BacktestPart]:
        """Yield the parts in order; `account` is that of the lane at its end."""
        fees = realised = 0
        equity_twice = 2 * account.start
        for key, sums in sorted(self._sums.items()):
            last = sums.last
            assert last is not None  # noqa: S101  every fill has its sample
            net_twice = None
            if sums.mid_twice is not None:
                marked_twice = 2 * last.cash + last.position * sums.mid_twice
                net_twice, equity_twice = marked_twice - equity_twice, marked_twice
            yield BacktestPart(
                product=product,
                tape=tape,
                setting=setting,
                queue=queue,
                part=part_label(key * (self._period or 1), self._by),
                fills=sums.fills_maker + sums.fills_taker,
                fills_maker=sums.fills_maker,
                fills_taker=sums.fills_taker,
                turnover=money(sums.turnover),
                fees=money(last.fees - fees),
                realised=money(last.realised - realised),
                net=money_of_twice(net_twice),
                position=size(last.position),
            )
            fees, realised = last.fees, last.realised
