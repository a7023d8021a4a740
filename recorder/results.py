"""The result of a recording or an import."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from orderbook import display
from orderbook.anomalies import oddity_lines
from orderbook.digest import run_digest
from orderbook.document import Document
from orderbook.facts import Lag, clock_fault
from orderbook.result import Result
from orderbook.tally import Tally, TallyDocument, tally_documents, tally_table
from recorder.runtime.strategy_run import StrategyDocument
from recorder.runtime.strategy_thread import LiveStrategy
from recorder.tape.connections import Outage, OutageDocument


class RecordedDocument(Document, frozen=True):
    """The JSON form of `Recorded`.

    Attributes:
        products: counts of the rows that were added, by product; each digest covers the product's whole tape.
        strategy: the rows of a strategy of rows; null without one.
        strategy_digest: digest of its rows, hex; null without one, or if it failed.
        execution: what a strategy that trades did, as `backtest --json` prints it; null without one, or if it
            failed, or was stopped before it had caught up.
        execution_digest: digest of everything that happened to its orders, hex; null likewise.
        failures: by product, why it was given up, or why no book of it was received.
        outages: by product, since when it was not observed any more when the recording was stopped.
        oddities: by product, numbers of what was odd and left the book as it is, such as unreadable
            trades.
    """

    tape: str
    feed: str
    digest: str | None
    products: dict[str, TallyDocument]
    clamped: int
    gaps: int
    torn: dict[str, int]
    cut_bytes: int
    engine: str
    strategy: StrategyDocument | None
    strategy_digest: str | None
    execution: dict[str, Any] | None
    execution_digest: str | None
    failures: dict[str, str]
    outages: dict[str, OutageDocument]
    oddities: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True, repr=False)
class Recorded(Result):
    """What a recording or an import added to a tape.

    Attributes:
        tape: directory of the tape.
        feed: name of its venue.
        tallies: counts of the rows that were added, by product; each digest covers the product's whole tape.
        digests: digest of every product with rows on the tape, hex; None if it is not sealed to its end.
        clamped: number of rows of a capture whose time was before that of the row before.
        gaps: number of gaps in sequence_num, over all products of a capture's connections.
        cut_bytes: bytes of an incomplete row, left by a recorder that was killed, that were cut.
        engine: name of the engine that kept the books.
        strategy: the run of a strategy over the rows that were added.
        torn: bytes of an incomplete line that were left out at the end of a capture, by file.
        failures: by product, why it was given up, or why no book of it was received.
        lags: the lags of the rows of captures, by product, one of each batch.
        outages: by product, the outage in which the recording was stopped.
        oddities: by product, numbers of what was odd and left the book as it is, see `orderbook.anomalies`.
    """

    tape: Path
    feed: str
    tallies: Mapping[str, Tally]
    digests: Mapping[str, str | None]
    clamped: int
    gaps: int
    cut_bytes: int
    engine: str
    strategy: LiveStrategy | None = None
    torn: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    lags: Mapping[str, Lag] = field(default_factory=dict)
    outages: Mapping[str, Outage] = field(default_factory=dict)
    oddities: Mapping[str, dict[str, int]] = field(default_factory=dict)

    @property
    def digest(self) -> str | None:
        """Digest of the whole tape, hex; None if that of a product is unknown."""
        known = {product: digest for product, digest in self.digests.items() if digest is not None}
        return run_digest(known) if len(known) == len(self.digests) else None

    def summary(self) -> str:
        """Return one line: the tape, its products, and the rows that were added."""
        rows = display.plural(sum(tally.rows for tally in self.tallies.values()), "row")
        return f"{self.tape}: {', '.join(sorted(self.tallies))}; {rows} added"

    def table(self) -> pa.Table:
        """Return the counts of each product as a row, columns `TALLY_SCHEMA`."""
        return tally_table(self.tallies)

    def _document(self) -> RecordedDocument:
        execution = self.strategy and self.strategy.execution
        return RecordedDocument.of(
            self,
            tape=str(self.tape),
            products=tally_documents(self.tallies),
            torn=dict(self.torn),
            strategy=self.strategy and self.strategy.document(),
            strategy_digest=self.strategy and self.strategy.digest,
            execution=None if execution is None else execution.document(),
            execution_digest=self.strategy and self.strategy.execution_digest,
            failures=dict(self.failures),
            outages={product: each.document() for product, each in sorted(self.outages.items())},
            oddities=dict(self.oddities),
        )

    def notes(self) -> list[str]:
        """Return the lines under the counts: what was corrected or is missing."""
        notes = [outage.line(product) for product, outage in sorted(self.outages.items())]
        for product, counts in sorted(self.oddities.items()):
            notes += [f"{product}: {line}" for line in oddity_lines(counts)]
        for product, tally in sorted(self.tallies.items()):
            if early := tally.anomalies.get("early_update", 0):
                updates = display.plural(early, "update")
                notes.append(
                    f"{product}: {updates} came before a snapshot: of the book before one nothing is known"
                )
        if self.clamped:
            rows = display.plural(self.clamped, "row")
            notes.append(f"{rows} had a time before that of the row before, and got that time")
        if self.gaps:
            notes.append(f"{display.plural(self.gaps, 'gap')} in sequence_num: the capture missed messages")
        notes += [
            f"{path}: its end is torn; {f'{size:,} bytes of ' if size else ''}an incomplete line was left out"
            for path, size in self.torn.items()
        ]
        by_fault: dict[str, list[str]] = {}
        for product, lag in sorted(self.lags.items()):
            by_fault.setdefault(clock_fault(lag), []).append(product)
        notes += [f"{fault}: {', '.join(found)}" for fault, found in by_fault.items() if fault]
        if self.cut_bytes:
            notes.append(
                f"{self.cut_bytes:,} bytes of an incomplete row, left by a recorder that was killed, were cut"
            )
        return notes
