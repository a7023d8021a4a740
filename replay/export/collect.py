"""What an export tells of a product besides its files: counts, faults, interruptions, digest and lag."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from orderbook.digest import Digest
from orderbook.execution.market_rows import BREAK
from orderbook.times import format_optional, format_time
from recorder.tape.product_tape import ProductTape
from replay.export.passing import Part
from replay.export.results import ExportedProduct, Mark


def least_lag(tape: ProductTape) -> int | None:
    """Return the least lag of a product's frames, which the list of segments has; None if it has none.

    Frames that are not sealed yet are left out. O(segments).
    """
    lags = (lag for entry in tape.segments() for lag in (entry.lags or {}).values())
    return min((least for least, _ in lags), default=None)


@dataclass(slots=True)
class Collector:
    """Adds up what the parts of a product hold."""

    rows: int = 0
    frames: int = 0
    summaries: int = 0
    trades: int = 0
    history_trades: int = 0
    trade_gaps: int = 0
    trades_malformed: int = 0
    trades_repeated: int = 0
    first_time: int | None = None
    last_time: int | None = None
    anomalies: Counter[str] = field(default_factory=Counter)
    marks: list[Mark] = field(default_factory=list)
    digest: Digest = field(default_factory=Digest)

    def add(self, part: Part) -> None:
        """Add a part. O(summaries)."""
        step, market = part.step, part.market
        self.rows += step.span.rows
        self.frames += step.span.frames
        self.summaries += step.summaries.num_rows
        self.trades += len(market.trades)
        self.history_trades += int(market.trades[:, 5].sum())
        if step.trades is not None:
            self.trade_gaps += step.trades.gaps
            self.trades_malformed += step.trades.malformed
            self.trades_repeated += step.trades.repeated
        self.first_time = part.first_time if self.first_time is None else self.first_time
        self.last_time = step.span.last_time
        self.anomalies.update(step.anomalies.column("kind").to_pylist())
        if step.summaries.num_rows:
            self.digest.update(step.summaries)
        for row in np.flatnonzero(market.kind == BREAK).tolist():
            kind = part.rows.column("kind")[row].as_py()
            self.marks.append(Mark(int(market.seq[row]), format_time(int(market.time[row])), kind))

    def merge(self, later: "Collector") -> None:
        """Add the piece that comes next, whose digest is that of a piece."""
        for name in (
            *("rows", "frames", "summaries", "trades", "history_trades"),
            *("trade_gaps", "trades_malformed", "trades_repeated"),
        ):
            setattr(self, name, getattr(self, name) + getattr(later, name))
        self.first_time = later.first_time if self.first_time is None else self.first_time
        self.last_time = self.last_time if later.last_time is None else later.last_time
        self.anomalies += later.anomalies
        self.marks += later.marks
        self.digest.merge(later.digest)

    def product(self, lag: int | None, shift: int) -> ExportedProduct:
        """Return what was added up."""
        return ExportedProduct.of(
            self,
            first_time=format_optional(self.first_time),
            last_time=format_optional(self.last_time),
            anomalies=dict(sorted(self.anomalies.items())),
            lag_ns=lag,
            shift_ns=shift,
            digest=self.digest.hexdigest(),
        )
