"""What a comparison is made of: the numbers of a group, how far to trust them, and the counts of a tape."""

from dataclasses import dataclass
from pathlib import Path

from orderbook.digest import run_digest
from orderbook.tally import Tally, products_with_rows
from replay.sweep.results import SpreadStatistics, ThresholdStatistics
from replay.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Quality:
    """How far the numbers beside it can be trusted.

    Attributes:
        excluded_s: time from the first row to the last in which no book was known; it counts for nothing.
        interruptions: connections that begin in it after another one.
        crossed: summaries whose bid is over the ask: never above a threshold.
        verdict: the worst of its connections, as `inspect` gives it; None where there is none.
        connections: how many have each verdict.
    """

    excluded_s: float
    interruptions: int
    crossed: int
    verdict: Verdict | None
    connections: dict[Verdict, int]

    def columns(self) -> dict[str, object]:
        """Return what stands in a row."""
        return {
            "excluded_s": self.excluded_s,
            "interruptions": self.interruptions,
            "crossed": self.crossed,
            "verdict": self.verdict,
        }

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        return {**self.columns(), "connections": dict(self.connections)}


@dataclass(slots=True)
class Group:
    """The numbers of one product: of a tape or of several, as a whole or a part.

    Attributes:
        tape: which; None for the total of several.
        product: which.
        part: start of the hour or day (ISO), or number of the connection; None for the whole.
        statistics: one entry a threshold.
        spread: the relative spread over all observed time.
        quality: how far to trust them.
    """

    tape: Path | None
    product: str
    part: str | int | None
    statistics: list[ThresholdStatistics]
    spread: SpreadStatistics
    quality: Quality


@dataclass(slots=True)
class TapePass:
    """One tape of a comparison: its counts and digest by product."""

    tape: Path
    tallies: dict[str, Tally]

    @property
    def digest(self) -> str:
        """The digest of all its summaries, hex."""
        return run_digest(products_with_rows(self.tallies))

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "tape": str(self.tape),
            "digest": self.digest,
            "products": {product: tally.document() for product, tally in sorted(self.tallies.items())},
        }


def block_of(group: Group) -> tuple[str, Path | None]:
    """Return what all parts of a group have in common: the product and the tape."""
    return group.product, group.tape
