"""What can be said of each connection: verified, unverifiable or broken, and why."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from orderbook.feeds import Feed
from orderbook.marks import read_connected, read_disconnected
from recorder.tape.overview import Mark

Verdict = Literal["verified", "unverifiable", "broken"]


@dataclass(frozen=True, slots=True)
class ConnectionVerdict:
    """The verdict on one connection of a product."""

    connection: int
    verdict: Verdict
    reason: str

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        return {"connection": self.connection, "verdict": self.verdict, "reason": self.reason}


def judge(
    feed: Feed,
    marks: Sequence[Mark],
    faults: Mapping[int, Mapping[str, int]],
    numbered: Collection[int],
    missing: Mapping[str, int] | None = None,
    unsealed_from: int | None = None,
) -> list[ConnectionVerdict]:
    """Judge the connections of a product.

    Args:
        feed: the Exchange feed has no counter, so nothing of it can be verified.
        marks: where they begin and end.
        faults: gaps and crossed summaries by connection.
        numbered: connections with sequence numbers that were checked.
        missing: sequence numbers that are missing on shared connections, by id; None where nobody counted.
        unsealed_from: the connection from which on faults are not known; None where all are.
    """
    endings = {
        mark.connection: read_disconnected(mark.payload).reason
        for mark in marks
        if mark.kind == "disconnected"
    }
    verdicts = []
    for mark in marks:
        if mark.kind == "connected":
            found = faults.get(mark.connection, {})
            text = ", ".join(f"{number:,} {kind}" for kind, number in found.items())
            if not text and endings.get(mark.connection) in ("overflow", "gap"):
                text = f"ended by {endings[mark.connection]}"
            if text:
                verdicts.append(ConnectionVerdict(mark.connection, "broken", text))
            else:
                verdicts.append(
                    ConnectionVerdict(
                        mark.connection, *_unbroken(feed, mark, numbered, missing, unsealed_from)
                    )
                )
    return verdicts


def _unbroken(
    feed: Feed,
    mark: Mark,
    numbered: Collection[int],
    missing: Mapping[str, int] | None,
    unsealed_from: int | None,
) -> tuple[Verdict, str]:
    """Judge a connection without faults of its own."""
    if feed == "exchange":
        return "unverifiable", "the feed has no sequence numbers"
    opened = read_connected(mark.payload)
    if opened.is_shared:
        if missing is None or opened.id not in missing:
            return "unverifiable", "several products share it; verify counts them together"
        if missing[opened.id]:
            return "broken", f"{missing[opened.id]:,} sequence numbers are missing"
    elif unsealed_from is not None and mark.connection >= unsealed_from:
        return "unverifiable", "not sealed yet; verify counts it"
    elif mark.connection not in numbered:
        return "unverifiable", "no frame has a sequence number"
    return "verified", "sequence numbers are contiguous"
