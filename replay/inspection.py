"""`inspect`: what a tape holds, without reading its frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orderbook.marks import Disconnected, read_disconnected
from orderbook.times import format_time
from recorder.tape.overview import Mark, Overview, overview
from recorder.tape.reader import Tape
from replay.verdicts import ConnectionVerdict, judge


@dataclass(frozen=True, slots=True)
class Interruption:
    """What lies between two connections.

    Attributes:
        start, end: recv_time of the last row before and the first row after it, ns since 1970.
        connection: number of the connection that begins after it.
        code, reason: how the connection before it ended; code is None where no row tells.
    """

    start: int
    end: int
    connection: int
    code: int | None
    reason: str

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "from": format_time(self.start),
            "to": format_time(self.end),
            "seconds": (self.end - self.start) / 1e9,
            "connection": self.connection,
            "code": self.code,
            "reason": self.reason,
        }


def interruptions(marks: Sequence[Mark]) -> Iterator[Interruption]:
    """Yield what lies between the connections of a product, in order."""
    for number, mark in enumerate(marks):
        if mark.kind != "connected" or mark.time_before is None:
            continue
        before = marks[number - 1]
        ending = Disconnected(None, "the recorder ended without a word")
        if before.kind == "disconnected":
            ending = read_disconnected(before.payload)
        yield Interruption(mark.time_before, mark.recv_time, mark.connection, ending.code, ending.reason)


@dataclass(frozen=True, slots=True)
class ProductInspection:
    """One product of a tape."""

    overview: Overview
    interruptions: tuple[Interruption, ...]
    verdicts: tuple[ConnectionVerdict, ...]

    @property
    def connections(self) -> int:
        """How many connections its rows come from."""
        return sum(mark.kind == "connected" for mark in self.overview.marks)

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        found = self.overview
        return {
            "rows": found.rows,
            "connections": self.connections,
            "first_time": None if found.first_time is None else format_time(found.first_time),
            "last_time": None if found.last_time is None else format_time(found.last_time),
            "segments": found.segments,
            "bytes": found.sealed_bytes + found.journal_bytes,
            "sealed_bytes": found.sealed_bytes,
            "journal_rows": found.journal_rows,
            "journal_bytes": found.journal_bytes,
            "torn_bytes": found.torn_bytes,
            "damaged": [str(path) for path in found.damaged],
            "verdicts": [each.document() for each in self.verdicts],
            "interruptions": [each.document() for each in self.interruptions],
        }


@dataclass(frozen=True, slots=True)
class Inspection:
    """A tape as a whole."""

    tape: Tape
    products: dict[str, ProductInspection]

    def document(self) -> dict[str, object]:
        """Return the JSON form (`inspect --json`)."""
        manifest = self.tape.manifest
        return {
            "tape": str(self.tape.path),
            "format": manifest.format,
            "feed": manifest.feed,
            "created": manifest.created,
            "software": manifest.software,
            "products": {product: found.document() for product, found in sorted(self.products.items())},
        }


def inspect(path: Path) -> Inspection:
    """Look at a tape, also while it is being recorded; `overview` says what is read, `verify` reads it all.

    Raises:
        TapeError: where the tape cannot be read.
    """
    tape = Tape.open(path)
    return Inspection(tape, {product: inspect_product(tape, product) for product in tape.select(())})


def inspect_product(tape: Tape, product: str) -> ProductInspection:
    """Look at one product of a tape.

    Raises:
        TapeError: where the tape cannot be read.
    """
    found = overview(tape.product(product))
    verdicts = judge(
        tape.feed, found.marks, found.faults, found.numbered, unsealed_from=found.unsealed_connection
    )
    return ProductInspection(found, tuple(interruptions(found.marks)), tuple(verdicts))
