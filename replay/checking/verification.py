"""The result of a verification."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa

from orderbook import display
from orderbook.document import Document
from orderbook.result import Result
from orderbook.tally import Tally, TallyDocument, tally_documents
from recorder.installed import tape_name
from recorder.tape.connections import Outage, OutageDocument
from recorder.tape.format.removed import Removed
from recorder.tape.reader import Tape
from replay.checking.divergence import ReplayDivergence
from replay.checking.executions import ExecutionVerdict
from replay.checking.reconnects import ReconnectAudit
from replay.checking.verdicts import ConnectionVerdict

VERDICT_SCHEMA: Final = pa.schema(
    [
        pa.field("product", pa.string(), nullable=False),
        pa.field("connection", pa.int64(), nullable=False),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
    ]
)
"""Columns of `Verification.table`."""


class VerifiedProduct(TallyDocument, frozen=True, kw_only=True):
    """The counts and the recomputed digest of a product, and its connections.

    Attributes:
        verdicts: the verdict on each connection.
        audits: an audit of each interruption.
        outage: since when nothing was observed, if the tape ends without a book.
    """

    verdicts: list[ConnectionVerdict]
    audits: list[ReconnectAudit]
    outage: OutageDocument | None


class VerificationDocument(Document, frozen=True):
    """The JSON form of `Verification`.

    Attributes:
        tape: directory of the tape.
        ok: whether nothing is damaged.
        executions: whether what strategies traded is what their replay trades.
        removed: by product, which first rows are in a store alone, and were not checked.
        products: counts, recomputed digest, verdicts and audits by product.
    """

    tape: str
    ok: bool
    engine: str
    damage: list[str]
    divergences: list[ReplayDivergence]
    feed_faults: list[str]
    checked_digests: int
    sidecars: int
    unindexed: int
    kept: list[str]
    torn_bytes: int
    executions: list[ExecutionVerdict]
    removed: dict[str, str]
    products: dict[str, VerifiedProduct]


@dataclass(slots=True, kw_only=True, repr=False)  # a verification has the repr of a result
class Findings:
    """What a check has found so far; picklable.

    Attributes:
        divergences: the first difference between replay and live of each product that has one.
        damage: one line for everything that is not as it was written, or differs from live.
        checked_digests: number of live digests that were recomputed and found equal.
        sidecars, unindexed: number of segments (before compaction) with a right sidecar, and without one.
        kept: copies of journals in which a record was bad, with rows after it that the tape lacks: a power
            failure before an fsync, or a byte that went bad.
        torn_bytes: bytes of incomplete records at the ends of journals: a recorder died or is writing.
    """

    damage: list[str] = field(default_factory=list)
    divergences: list[ReplayDivergence] = field(default_factory=list)
    checked_digests: int = 0
    sidecars: int = 0
    unindexed: int = 0
    kept: list[Path] = field(default_factory=list)
    torn_bytes: int = 0

    def add(self, other: "Findings") -> None:
        """Add what was found of other rows; a line that is known already is not added again."""
        self.damage += [line for line in other.damage if line not in self.damage]
        self.divergences += other.divergences
        self.checked_digests += other.checked_digests
        self.sidecars += other.sidecars
        self.unindexed += other.unindexed
        self.kept += other.kept
        self.torn_bytes += other.torn_bytes

    def name_as(self, tape: Path, known: Path) -> None:
        """Name the tape as whoever asked did, where its path is named as a worker knows it."""
        inside = str(tape / "_").removesuffix("_")  # of the tape "." nothing stands before a file

        def named(text: str) -> str:
            return text.replace(f"{known}/", inside).replace(str(known), str(tape))

        self.damage = list(dict.fromkeys(map(named, self.damage)))
        self.kept = [Path(named(str(path))) for path in self.kept]


@dataclass(slots=True, repr=False)
class Verification(Findings, Result):
    """The result of a verification.

    Attributes:
        tape: the tape.
        engine: name of the engine that ran the books.
        feed_faults: one line for every kind of fault of the feed itself.
        tallies: counts and recomputed digest by product.
        audits: an audit of each interruption, by product.
        verdicts: the verdict on each connection, by product.
        outages: since when nothing was observed, by product, where the tape ends without a book.
        executions: a verdict on each session of a strategy that traded.
        removed: by product, which first rows are in a store alone: nothing is said of those.
    """

    tape: Tape
    engine: str
    feed_faults: list[str] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    audits: dict[str, list[ReconnectAudit]] = field(default_factory=dict)
    verdicts: dict[str, list[ConnectionVerdict]] = field(default_factory=dict)
    outages: dict[str, Outage] = field(default_factory=dict)
    executions: list[ExecutionVerdict] = field(default_factory=list)
    removed: dict[str, Removed] = field(default_factory=dict)

    def passes(self, *, strict: bool) -> bool:
        """Return whether the tape is whole; if `strict`, also without faults and broken connections."""
        broken = any(each.verdict == "broken" for verdicts in self.verdicts.values() for each in verdicts)
        return not self.damage and not (strict and (self.feed_faults or broken))

    def summary(self) -> str:
        """Return one line: whether the tape is whole, and what was checked."""
        rows = display.plural(sum(tally.rows for tally in self.tallies.values()), "row")
        digests = display.plural(self.checked_digests, "digest")
        verdict = self.verdict(is_good=not self.damage)
        return f"{tape_name(self.tape.path)} {verdict}: {rows} checked, {digests} equal to the recording's"

    @property
    def without_book(self) -> list[str]:
        """Products of which the tape holds no snapshot, so that nothing is known of their books."""
        return [product for product, tally in sorted(self.tallies.items()) if not tally.summaries]

    def verdict(self, *, is_good: bool) -> str:
        """Return the verdict in words; a tape that holds no book is not called whole."""
        if not is_good:
            return "is NOT whole"
        return (
            "is undamaged, but holds no book" if len(self.without_book) == len(self.tallies) else "is whole"
        )

    def table(self) -> pa.Table:
        """Return the verdict on each connection of each product as a row, columns `VERDICT_SCHEMA`."""
        return pa.Table.from_pylist(
            [
                {"product": product, **msgspec.structs.asdict(verdict)}
                for product, verdicts in sorted(self.verdicts.items())
                for verdict in verdicts
            ],
            VERDICT_SCHEMA,
        )

    def _document(self) -> VerificationDocument:
        return VerificationDocument.of(
            self,
            tape=str(self.tape.path),
            ok=not self.damage,
            kept=[str(path) for path in self.kept],
            removed={product: each.line() for product, each in self.removed.items()},
            products={
                product: VerifiedProduct.of(
                    counts,
                    verdicts=self.verdicts.get(product, []),
                    audits=self.audits.get(product, []),
                    outage=self.outages[product].document() if product in self.outages else None,
                )
                for product, counts in tally_documents(self.tallies).items()
            },
        )
