"""The JSON form of a backtest, and its best row."""

from typing import Any, Literal

from orderbook.display import plural
from orderbook.document import Document
from replay.simulation.luck import Luck
from replay.simulation.neighbours import Nearest, Neighbours
from replay.simulation.parts import BacktestPart
from replay.simulation.rows import BacktestRow
from replay.simulation.settings import BacktestSettingsDocument


class BacktestTapeDocument(Document, frozen=True):
    """One tape of a backtest: its digests are those of a backtest of this tape alone.

    Attributes:
        digest: digest of the summaries, hex.
        execution_digest: digest of everything that happened to orders, hex.
    """

    tape: str
    digest: str
    execution_digest: str


class SearchDocument(Document, frozen=True, kw_only=True):
    """How the settings of a backtest were searched.

    Attributes:
        choose: the column that was to be large.
        study: where the trials are kept; null if nowhere.
        trials: number of trials, those of earlier runs of the study and repeated ones included.
        earlier: number of trials of earlier runs.
    """

    choose: str
    study: str | None
    trials: int
    earlier: int


class BacktestDocument(Document, frozen=True, kw_only=True):
    """The JSON form of `Backtest`, also in RUN/run.json.

    Attributes:
        tape, digest: directory of the tape, and digest of its summaries, hex; null if there are several.
        execution_digest: digest of everything that happened to orders, hex; of several tapes over theirs.
        tapes: each tape, in the order in which they were named.
        fees: maker and taker in basis points, as given.
        latency: the model of latency, as given.
        best_at: the latency at which the best setting is chosen and judged: the largest; null if there is
            one.
        seed: of random latencies.
        impact: whether what was taken of a level stays taken.
        on_break: what interruptions do to resting orders.
        settings: those of the strategy, one for each lane; `setting` of a row is an index into them.
        trials: number of settings that were tried: the best is the best of so many. A latency is no setting.
        search: how they were chosen, if they were searched.
        rows: the numbers of each lane.
        parts: those of each hour, day or connection of each lane, if they are split.
        luck: how far the best setting of each product is above luck, if there are 30 hours or days.
        neighbours: what the settings next to the best one of each product come to, along each swept setting.
        nearest: the settings nearest to the best one, if it has few neighbours, as in a search.
        run: how it was run.
        elapsed_s: wall time in seconds.
    """

    tape: str | None
    digest: str | None
    execution_digest: str
    tapes: list[BacktestTapeDocument]
    fees: str
    latency: str
    best_at: str | None
    seed: int
    impact: Literal["taken", "none"]
    on_break: Literal["end", "keep"]
    settings: list[dict[str, Any]]
    trials: int
    search: SearchDocument | None
    rows: list[BacktestRow]
    parts: list[BacktestPart]
    luck: list[Luck]
    neighbours: list[Neighbours]
    nearest: list[Nearest]
    run: BacktestSettingsDocument
    elapsed_s: float


class BestRow(BacktestRow, frozen=True, kw_only=True):
    """The row with the largest value of a column; of many settings the best is partly luck.

    Attributes:
        best_by: the column.
        best_of: number of settings that it is the best of.
        best_at: the latency at which they are compared, if there are several.
    """

    best_by: str
    best_of: int
    best_at: str | None

    def __str__(self) -> str:
        best = f"the best {self.best_by} of {plural(self.best_of, 'setting')}"
        at = "" if self.best_at is None else f" at a latency of {self.best_at}"
        return f"{self.product}, setting {self.setting}, {self.queue}: {best}{at}"
