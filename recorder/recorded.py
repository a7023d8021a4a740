"""What a recording or an import says at its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orderbook.digest import run_digest
from orderbook.feeds import Feed
from orderbook.tally import Tally
from recorder.strategies import StrategyRun, strategy_document


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a recording or an import added to a tape.

    Attributes:
        tape, feed: where, in which dialect.
        tallies: by product, of the rows that were added; each digest covers the product's whole tape.
        digests: of every product with a row on the tape, hex; None where one is not sealed to its end.
        clamped: rows of a capture whose time would have gone back.
        gaps: jumps of sequence_num over all products of a capture's connections.
        cut_bytes: torn bytes that a dead recorder had left and that were cut.
        engine: name of what ran the books.
        strategy: what a strategy made of the rows that were added.
    """

    tape: Path
    feed: Feed
    tallies: Mapping[str, Tally]
    digests: Mapping[str, str | None]
    clamped: int
    gaps: int
    cut_bytes: int
    engine: str
    strategy: StrategyRun | None = None

    @property
    def digest(self) -> str | None:
        """The digest of the whole tape, hex; None where that of a product is not known."""
        known = {product: digest for product, digest in self.digests.items() if digest is not None}
        return run_digest(known) if len(known) == len(self.digests) else None

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "tape": str(self.tape),
            "feed": self.feed,
            "digest": self.digest,
            "products": {product: tally.document() for product, tally in sorted(self.tallies.items())},
            "clamped": self.clamped,
            "gaps": self.gaps,
            "cut_bytes": self.cut_bytes,
            "engine": self.engine,
            **strategy_document(self.strategy),
        }

    def notes(self) -> list[str]:
        """Return what the user should know beside the counts, a line each."""
        notes = []
        if self.clamped:
            notes.append(f"{self.clamped:,} rows went back in time and were clamped to the row before")
        if self.gaps:
            notes.append(f"{self.gaps:,} jumps of sequence_num: the capture missed messages")
        if self.cut_bytes:
            notes.append(f"{self.cut_bytes:,} torn bytes of a recorder that died were cut")
        return notes
