"""A line of the list of segments: what is known of a sealed segment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Annotated, Any

import msgspec

from orderbook.digest import BLOCK, Digest
from orderbook.facts import Facts, Faults, all_facts
from orderbook.times import parse_time
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.layout import segment_on

_Hash = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Seq = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
_Connection = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
_Count = Annotated[int, msgspec.Meta(ge=1, lt=2**62)]
_Kind = Annotated[str, msgspec.Meta(pattern=r"\A[a-z_]{1,40}\Z")]
_Lag = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]  # between any two times of 1970 to 2262
_BookHash = Annotated[str, msgspec.Meta(pattern=r"\A([0-9a-f]{64})?\Z")]


@dataclass(frozen=True, slots=True)
class Part:
    """An original segment, kept in the list after a compaction merged it: reading can begin there.

    Attributes:
        first_seq: seq of its first row.
        first_recv_time: time of its first row, ISO with 9 digits.
        connections: the connections of its first and last row.
        before: digest of all summaries before it, hex; its book sidecar carries the same digest.
        book_sha256: SHA-256 of the book before it in the form of `Engine.save`, hex; empty if it is not known
            (a tape of version 0.1, or a book that was not saved).
    """

    first_seq: _Seq
    first_recv_time: str
    connections: tuple[_Connection, _Connection]
    before: _Hash
    book_sha256: _BookHash = ""


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """A sealed segment as the list describes it.

    Attributes:
        file: path inside the product's directory.
        first_seq, rows: its rows are first_seq ... first_seq + rows - 1.
        first_recv_time, last_recv_time: ISO with 9 digits (many readers lose the nanoseconds of a number).
        connections: the connections of its first and last row.
        bytes, sha256: size and checksum of the file.
        digest: digest of the product's summaries up to its last row, hex.
        chain, chain_seq: state from which a digest can continue: the digest over all blocks before the last
            one that has a summary, hex, and the first seq of that block.
        faults: number of anomalies that break a connection, by connection, without `malformed`.
        numbered: connections of which a row had a sequence number that was checked.
        lags: the lags of its summaries, by connection; None (not in the line) if a version wrote it that did
            not measure them, nor count malformed frames.
        malformed: number of malformed frames, by connection; not in the line if empty.
        book_sha256: as of `Part`.
        parts: the original segments that a compaction merged into it, in order; not in the line if empty.
    """

    file: str
    first_seq: _Seq
    rows: _Seq
    first_recv_time: str
    last_recv_time: str
    connections: tuple[_Connection, _Connection]
    bytes: _Seq
    sha256: _Hash
    digest: _Hash
    chain: _Hash
    chain_seq: _Seq
    faults: dict[_Connection, dict[_Kind, _Count]] = field(default_factory=dict)
    numbered: tuple[_Connection, ...] = ()
    lags: dict[_Connection, tuple[_Lag, _Lag]] | None = None
    malformed: dict[_Connection, _Count] = field(default_factory=dict)
    book_sha256: _BookHash = ""
    parts: tuple[Part, ...] = ()

    @property
    def last_time(self) -> int:
        """recv_time of its last row, nanoseconds since 1970."""
        time = parse_time(self.last_recv_time)
        if time is None:
            raise DamagedTapeError(f"{self.file}: {self.last_recv_time!r} is not a time")
        return time

    @property
    def has_facts(self) -> bool:
        """Whether its rows tell anything: of most segments of a feed without numbers nothing."""
        return bool(self.faults or self.numbered or self.lags or self.malformed)

    @property
    def facts(self) -> Facts:
        """What its rows tell of their connections."""
        malformed: Faults = {connection: {"malformed": n} for connection, n in self.malformed.items()}
        return all_facts(
            (Facts(malformed, set(), {}), Facts(self.faults, set(self.numbered), self.lags or {}))
        )

    @property
    def next_seq(self) -> int:
        """Seq of the first row after it."""
        return self.first_seq + self.rows


decode_entry = msgspec.json.Decoder(SegmentEntry).decode
"""Return the entry of a line; raises one of `UNREADABLE` if it is not one."""


def listed_facts(facts: Facts, *, is_complete: bool = True) -> dict[str, Any]:
    """Return the fields of an entry that hold facts.

    Args:
        facts: what the rows tell.
        is_complete: False for the fields that an earlier version wrote.
    """
    by_kind: dict[bool, Faults] = {True: {}, False: {}}
    for connection, counts in facts.faults.items():
        for kind, number in counts.items():
            by_kind[kind == "malformed"].setdefault(connection, {})[kind] = number
    malformed = {connection: counts["malformed"] for connection, counts in by_kind[True].items()}
    return {
        "faults": by_kind[False],
        "numbered": tuple(sorted(facts.numbered)),
        "lags": facts.lags if is_complete else None,
        "malformed": malformed if is_complete else {},
    }


def encode_entry(entry: SegmentEntry) -> bytes:
    """Return the line of an entry, which has `lags`, `malformed` and `parts` only if there are some."""
    fields = asdict(entry)
    if not entry.malformed:
        del fields["malformed"]
    if entry.lags is None:
        del fields["lags"]
    if not entry.parts:
        del fields["parts"]
    return msgspec.json.encode(fields) + b"\n"


def problem_of(entry: SegmentEntry, before: SegmentEntry | None) -> str:
    """Return what is wrong with an entry that follows another one; an empty text if nothing is."""
    expected = 0 if before is None else before.next_seq
    times = (entry.first_recv_time, entry.last_recv_time, *(part.first_recv_time for part in entry.parts))
    for text in times:
        if parse_time(text) is None:
            return f"{text!r} is not a time"
    if entry.file != segment_on(entry.first_recv_time[:10], entry.first_seq):
        return f"{entry.file!r} is not the name of a segment that begins there"
    if entry.first_seq != expected or entry.rows < 1:
        return f"begins with row {entry.first_seq}, expected row {expected}"
    return _problem_of_facts(entry, before) or _problem_of_parts(entry)


def _problem_of_facts(entry: SegmentEntry, before: SegmentEntry | None) -> str:
    if entry.chain_seq >= entry.next_seq or entry.chain_seq % BLOCK:
        return f"chain_seq {entry.chain_seq} is no block of its rows"
    low, high = entry.connections
    if not (0 if before is None else before.connections[1]) <= low <= high:
        return f"its connections {low} to {high} are out of order"
    told = {*entry.faults, *entry.numbered, *(entry.lags or ()), *entry.malformed}
    if told and not (low <= min(told) and max(told) <= high):
        return f"tells of connections {min(told)} to {max(told)}, and has {low} to {high}"
    if any(least > most for least, most in (entry.lags or {}).values()):
        return "its least lag is above its greatest"
    return ""


def _problem_of_parts(entry: SegmentEntry) -> str:
    starts = [part.first_seq for part in entry.parts]
    if starts and (starts[0] != entry.first_seq or starts[-1] >= entry.next_seq):
        return f"its parts begin with rows {starts[0]} to {starts[-1]}"
    if any(first >= second for first, second in pairwise(starts)):
        return "its parts do not follow one another"
    return ""


def sealed_rows(entries: Sequence[SegmentEntry]) -> int:
    """Return the number of rows in the segments of a list, which is the seq after the last."""
    return entries[-1].next_seq if entries else 0


def parts_of(entries: Iterable[SegmentEntry], last: SegmentEntry | None = None) -> list[Part]:
    """Return the original segments of some entries, in order: those listed, and those merged into them.

    Args:
        entries: consecutive segments.
        last: the segment before them; None if they begin the tape.
    """
    parts: list[Part] = []
    before = last.digest if last else Digest().hexdigest()
    for entry in entries:
        whole = Part(entry.first_seq, entry.first_recv_time, entry.connections, before, entry.book_sha256)
        parts += entry.parts or (whole,)
        before = entry.digest
    return parts


def with_books(entry: SegmentEntry, books: Mapping[int, str]) -> SegmentEntry:
    """Return an entry with the SHA-256 of books that it does not know, by the first seq of its parts."""

    def known(each: Part | SegmentEntry) -> str:
        return each.book_sha256 or books.get(each.first_seq, "")

    parts = tuple(replace(part, book_sha256=known(part)) for part in entry.parts)
    return replace(entry, book_sha256=known(entry), parts=parts)
