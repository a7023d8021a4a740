"""A row of a backtest: the numbers of one lane, and what limits them."""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import UNSET, UnsetType

from orderbook.document import Document
from orderbook.execution.codes import QueueModel
from orderbook.times import format_optional
from replay.simulation.lane_runs import ProductRun
from replay.simulation.settings import BacktestSettings
from replay.simulation.statistics import (
    HorizonDocument,
    markout_documents,
    money,
    money_of_twice,
    ratio,
    sharpe,
    sharpe_hourly,
    size,
)
from replay.simulation.sums import LaneSums, sums_of
from replay.simulation.tables import horizon_name


class BacktestRow(Document, frozen=True, kw_only=True):
    """The numbers of one lane: a product under a setting and a queue model. Money is in the quote currency.

    Attributes:
        product: product id.
        tape: of several, the one that it is about; null of all together.
        setting: index of the setting in `settings`.
        queue: queue model that decided what filled.
        orders: number of orders, refused ones included.
        refused: number of refused orders by reason, and of refused amends: `amend_` and the reason.
        fills, fills_maker, fills_taker: number of fills.
        fill_ratio: filled size as a share of the accepted size; null if no order was accepted.
        fill_ratio_back, fill_ratio_front: the same under the lower and the upper bound of the queue.
        turnover: sum of the values of all fills.
        fees: sum of the fees, rebates taken off.
        realised: profit of what was bought and sold again, before fees.
        mark: the last mid that is known, at which `net` values the position; null if there was none.
        marked_at: when it last held, ISO. At the end a book can be unknown, as after a disconnect: then the
            last sample of RUN/equity is null.
        unrealised: profit of the position at `mark`; null likewise.
        net: realised + unrealised - fees.
        net_exit: the same if the position is closed at the best price, without its fee; null likewise.
        position, position_max, position_min: size held at the end, and the most and least.
        drawdown: largest fall of the equity below its highest mark on the grid, or below its start.
        time_in_position_s: seconds in a position, on the grid.
        observed_s: seconds in which a book was known.
        sharpe: yearly Sharpe ratio of the equity on the grid; null below 100 samples or one day.
        sharpe_samples: number of samples, which it takes for independent.
        sharpe_standard_error: its standard error; null likewise.
        sharpe_hourly: yearly Sharpe ratio of hourly marks; null below 30 hours.
        markouts: how the mid moved after fills, by time after them.
        interrupted_size: size of the orders that interruptions ended.
        interrupted_through: number of those that the next book was at or through.
        interrupted_traded: number of those that the next history trades went through.
        trades: number of trades of others; "none" if no connection with a book, of one of the tapes, carried
            them.
        trade_gaps: number of places at which trades are missing.
        trades_malformed: number of frames whose trades could not be read.
        sizes_cut: number of sizes of the feed with more than 8 decimals.
        tick: smallest step of prices.
        shown_tick, shown_lot: the steps of prices and sizes that the first book shows.
        inferred: settings that were not given and come from the tape or a default.
        caveats: what limits these numbers, by the names of docs/numbers.md; `size` is about that of orders.
        execution_digest: digest of everything that happened to the orders, hex.
    """

    product: str
    tape: str | UnsetType | None = UNSET
    setting: int
    queue: QueueModel
    orders: int
    refused: dict[str, int]
    fills: int
    fills_maker: int
    fills_taker: int
    fill_ratio: float | None
    fill_ratio_back: float | None
    fill_ratio_front: float | None
    turnover: float
    fees: float
    realised: float
    mark: float | None
    marked_at: str | None
    unrealised: float | None
    net: float | None
    net_exit: float | None
    position: float
    position_max: float
    position_min: float
    drawdown: float
    time_in_position_s: float
    observed_s: float
    sharpe: float | None
    sharpe_samples: int
    sharpe_standard_error: float | None
    sharpe_hourly: float | None
    markouts: dict[str, HorizonDocument]
    interrupted_size: float
    interrupted_through: int
    interrupted_traded: int
    trades: int | Literal["none"]
    trade_gaps: int
    trades_malformed: int
    sizes_cut: int
    tick: float | None
    shown_tick: float | None
    shown_lot: float | None
    inferred: tuple[str, ...]
    caveats: tuple[str, ...]
    execution_digest: str


def row_of(sums: LaneSums, settings: BacktestSettings, tape: str | UnsetType | None) -> BacktestRow:
    """Return the numbers of a lane, rounded once; `tape` names its tape if there are several."""
    totals = sums.totals
    by_marks, error = sharpe(totals)
    interrupted, through, traded = sums.interrupted
    refused = {code.word: number for code, number in sorted(totals.ends.items()) if code.is_refusal}
    amends = {code.word: number for code, number in sorted(totals.refused_amends.items())}
    return BacktestRow(
        product=sums.product,
        tape=tape,
        setting=sums.setting,
        queue=sums.queue,
        orders=totals.ends.total(),
        refused=refused | amends,
        fills=totals.fills_maker + totals.fills_taker,
        fills_maker=totals.fills_maker,
        fills_taker=totals.fills_taker,
        fill_ratio=ratio(totals.done, totals.accepted),
        fill_ratio_back=ratio(totals.filled["back"], totals.accepted),
        fill_ratio_front=ratio(totals.filled["front"], totals.accepted),
        turnover=money(sums.turnover),
        fees=money(sums.fees),
        realised=money(sums.realised),
        mark=None if sums.mark_twice is None else size(sums.mark_twice) / 2,
        marked_at=format_optional(sums.marked_at),
        unrealised=money_of_twice(sums.unrealised_twice),
        net=money_of_twice(sums.net_twice),
        net_exit=None if sums.net_exit is None else money(sums.net_exit),
        position=size(sums.position),
        position_max=size(totals.position_max),
        position_min=size(totals.position_min),
        drawdown=money(totals.fall_twice) / 2,
        time_in_position_s=totals.time_in_position / 1e9,
        observed_s=sums.observed_ns / 1e9,
        sharpe=by_marks,
        sharpe_samples=totals.of_marks.count,
        sharpe_standard_error=error,
        sharpe_hourly=sharpe_hourly(totals),
        markouts={horizon_name(horizon): each for horizon, each in markout_documents(totals).items()},
        interrupted_size=size(interrupted),
        interrupted_through=through,
        interrupted_traded=traded,
        trades=sums.trades if sums.carries_trades else "none",
        trade_gaps=sums.trade_gaps,
        trades_malformed=sums.trades_malformed,
        sizes_cut=sums.sizes_cut,
        tick=_known_size(sums.tick),
        shown_tick=_known_size(sums.shown_tick),
        shown_lot=_known_size(sums.shown_lot),
        inferred=settings.inferred,
        caveats=tuple(caveat for caveat in CAVEATS if caveat in sums.caveats),
        execution_digest=sums.digest,
    )


def rows_of(run: ProductRun, settings: BacktestSettings) -> list[BacktestRow]:
    """Return the numbers of all lanes of a product on the only tape."""
    return [row_of(sums, settings, UNSET) for sums in sums_of(run, settings, 0)]


def _known_size(units: int | None) -> float | None:
    return None if units is None else size(units)


CAVEATS: Final[Mapping[str, str]] = {
    "no_trades": "no trade of the tape could be read: only what the other side crosses is filled, so fills"
    " are lower bounds",
    "trades_malformed": "the trades of some frames could not be read, and are missing",
    "trade_gaps": "some trades are missing on the tape",
    "interruptions": "interruptions ended orders that would have stood; what happened to them is not known",
    "size": "orders above 5 % of the size ahead of them: others would have reacted",
    "latency": "a latency below 100 ms is less than what a batched channel can show",
    "tick": "the tick does not divide the prices of the first book: orders at such prices are refused",
    "lot": "the lot does not divide the sizes of the first book: orders of such sizes are refused",
    "mark": "no book was known for some time at the end: what is held is valued at the last mid that was",
}
"""What limits the numbers of a lane."""
