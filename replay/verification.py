"""What a verification of a tape found."""

from dataclasses import dataclass, field
from pathlib import Path

from orderbook.tally import Tally
from recorder.tape.reader import Tape
from replay.audit import ReconnectAudit
from replay.divergence import Divergence
from replay.verdicts import ConnectionVerdict


@dataclass(slots=True)
class Verification:
    """What was found.

    Attributes:
        tape: the tape.
        engine: name of what ran the books.
        divergences: where replay first differs from live, one a product at most.
        damage: what is not as it was written, or differs from live; a line each.
        feed_faults: what the feed itself did wrong; a line each.
        tallies: counts and recomputed digest by product.
        audits: what each interruption cost, by product.
        verdicts: on each connection, by product.
        checked_digests: how many live digests were recomputed and found equal.
        sidecars, unindexed: segments, each part of a merged one too, whose sidecar is the book before them,
            and those without one.
        kept: copies of journals of which a record was bad, with rows behind it that the tape lacks: a power
            cut does that to what was not synced yet, or a byte that went bad.
        torn_bytes: at the ends of journals, of records that were never whole: a recorder died, or is at it.
    """

    tape: Tape
    engine: str
    damage: list[str] = field(default_factory=list)
    divergences: list[Divergence] = field(default_factory=list)
    feed_faults: list[str] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    audits: dict[str, list[ReconnectAudit]] = field(default_factory=dict)
    verdicts: dict[str, list[ConnectionVerdict]] = field(default_factory=dict)
    checked_digests: int = 0
    sidecars: int = 0
    unindexed: int = 0
    kept: list[Path] = field(default_factory=list)
    torn_bytes: int = 0

    def passes(self, *, strict: bool) -> bool:
        """Tell whether the tape is whole; with `strict` also whether the feed did nothing wrong."""
        return not self.damage and not (strict and self.feed_faults)

    def document(self) -> dict[str, object]:
        """Return the JSON form (`verify --json`)."""
        return {
            "tape": str(self.tape.path),
            "ok": not self.damage,
            "engine": self.engine,
            "damage": self.damage,
            "divergences": [each.document() for each in self.divergences],
            "feed_faults": self.feed_faults,
            "checked_digests": self.checked_digests,
            "sidecars": self.sidecars,
            "unindexed": self.unindexed,
            "kept": [str(path) for path in self.kept],
            "torn_bytes": self.torn_bytes,
            "products": {product: self._product(product) for product in sorted(self.tallies)},
        }

    def _product(self, product: str) -> dict[str, object]:
        return {
            **self.tallies[product].document(),
            "verdicts": [each.document() for each in self.verdicts.get(product, ())],
            "audits": [each.document() for each in self.audits.get(product, ())],
        }
