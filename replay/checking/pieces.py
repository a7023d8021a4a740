"""`verify` in pieces: what a piece finds of its rows, and the judgement on all pieces of a product together.

A piece believes what the list of segments says of the rows before it: the book, and the digests by which its
sidecars are known. When the pieces are put together, all of that is compared with what the rows before it
gave. If anything differs, or a piece has found damage, the product is checked once more in one pass: so what
is damaged has the findings of one pass, in their order.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from orderbook.digest import Digest
from orderbook.digest_marks import DigestMark, DigestState, mark_of, states_at
from orderbook.engine import Engine
from orderbook.facts import Facts, all_facts
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from orderbook.times import format_time, parse_time
from orderbook.trades import TradeReader, TradeTally
from orderbook.venues.base import Venue
from recorder.runtime.loading import load_engine
from recorder.settings import EngineName
from recorder.tape.connections import ConnectionCollector
from recorder.tape.errors import DamagedTapeError
from recorder.tape.format.segment import SealedSegment
from recorder.tape.format.segment_entry import Part, SegmentEntry, parts_of
from recorder.tape.product_tape import ProductTape
from recorder.tape.reader import Tape
from recorder.tape.row_batches import split_at
from replay.checking.files import check_journals, problem_of
from replay.checking.product_check import ProductCheck, check_product
from replay.checking.reconnects import ReconnectAudit
from replay.checking.replayed import ReplayCheck, ends_of, entry_of
from replay.checking.verdicts import SharedSequences
from replay.checking.verification import Findings
from replay.pieces.cutting import WHOLE_PRODUCT, Piece, ProductPiece


@dataclass(frozen=True, slots=True)
class VerifyWork:
    """The tape to check; picklable."""

    tape: Tape
    engine: Engine | EngineName


@dataclass(frozen=True, slots=True)
class _Slice:
    """The rows of a part of a segment, as they were found in a piece.

    Attributes:
        entry: the segment, as it is listed.
        part: the part as its rows have it, with the digest before it that is listed.
        before, after: the digest before and after its rows.
        last: connection and recv_time of its last row.
        facts: of its rows.
    """

    entry: SegmentEntry
    part: Part
    before: DigestMark
    after: DigestMark
    last: tuple[int, int]
    facts: Facts


@dataclass(slots=True)
class _Evidence:
    """What a piece has found; it is judged together with the others.

    Attributes:
        found: counts; damage makes it worthless.
        tally: without trades.
        trades: the rows that may say something about trades.
        first: connection and recv_time of the first row; None without rows.
        last: the same of the last row.
        sequences: the numbers of shared connections.
    """

    found: Findings
    tally: Tally
    slices: list[_Slice]
    trades: list[pa.RecordBatch]
    first: tuple[int, int] | None
    last: tuple[int, int] | None
    collector: ConnectionCollector
    facts: Facts
    audits: list[ReconnectAudit]
    sequences: SharedSequences | None


@dataclass(slots=True)
class PieceFindings:
    """What was found of adjacent pieces; picklable.

    Attributes:
        whole: the check of a whole product, which has no other piece.
        pieces: the evidence of each piece; None if it has found damage or cannot be certain.
    """

    whole: ProductCheck | None = None
    pieces: list[_Evidence | None] = field(default_factory=list)

    def merge(self, later: "PieceFindings") -> None:
        """Add the pieces that come next."""
        self.pieces += later.pieces


def check_piece(work: VerifyWork, each: ProductPiece) -> PieceFindings:
    """Check a piece.

    Raises:
        TapeError: if the tape is gone; damage is part of the result.
    """
    engine = load_engine(work.engine)
    if each.piece == WHOLE_PRODUCT:
        return PieceFindings(check_product(work.tape, each.product, engine))
    found, evidence = Findings(), None
    tape, venue = work.tape.product(each.product), work.tape.venue
    with suppress(DamagedTapeError):
        evidence = _PieceCheck(tape, engine, found, venue, each.piece).evidence()
    return PieceFindings(pieces=[None if found.damage else evidence])


class _PieceCheck(ReplayCheck):
    """Replays the rows of a piece, and keeps what the judgement needs."""

    def __init__(
        self, tape: ProductTape, engine: Engine, found: Findings, venue: Venue, piece: Piece
    ) -> None:
        super().__init__(tape, engine, found, SharedSequences(venue) if venue.is_numbered else None)
        self.tally = Tally.piece(DEFAULT_THRESHOLD)
        self._engine = engine
        self._piece = piece
        self._slices: list[_Slice] = []
        self._trade_rows: list[pa.RecordBatch] = []
        self._first: tuple[int, int] | None = None

    def evidence(self) -> _Evidence | None:
        """Check the piece; None if nothing certain can be said.

        Raises:
            DamagedTapeError: if a file is damaged.
        """
        piece, found = self._piece, self._found
        before = self._part_at(piece.first_seq)
        if not piece.is_first:
            start = self._tape.start_at(piece.first_seq, believes_unlisted=False)
            if start.saved and self._engine.levels(self._engine.load(start.saved)) is None:
                return None  # the book before its first snapshot is known to an earlier piece alone
            self.book.load(start.saved)
            self._warm_up(start.seq)
            self._books.needs_book(before.first_seq, parse_time(before.first_recv_time) or 0, has_book=True)
        next_seq = self._check_segments(before)
        if piece.next_seq is None:
            self.check_unsealed(next_seq)
            check_journals(self._tape, found)
        elif not self._check_next(self._part_at(piece.next_seq)):
            return None
        return _Evidence(
            found,
            self.tally,
            self._slices,
            self._trade_rows,
            self._first,
            self._last,
            self._collector,
            self._facts,
            self.book.audits,
            self._sequences,
        )

    def _part_at(self, seq: int) -> Part:
        """Return the part that begins at a row, as it is listed."""

        def last_of(parts: Iterator[Part]) -> Part | None:
            return next(parts, None)

        part = self._tape.listing.nearest(last_of, seq=seq)
        if part is None or part.first_seq != seq:
            raise DamagedTapeError(f"{self._tape.directory}: no segment begins at row {seq} any more")
        return part

    def _warm_up(self, seq: int) -> None:
        """Bring the book from a row to the beginning of the piece; another piece checks these rows."""
        if seq == self._piece.first_seq:
            return
        end = self._piece.first_seq
        for rows in split_at(self._tape.batches(first_seq=seq, next_seq=end), {end}):
            if rows.column("seq")[0].as_py() == end:
                break
            for _ in self.book.steps(rows):
                pass
        self.book.audits.clear()

    def _check_segments(self, first: Part) -> int:
        """Check the sealed rows; return the seq after them."""
        next_seq, before = self._piece.first_seq, first.before
        for segment in self._tape.sealed(next_seq, self._piece.next_seq):
            entry = segment.entry
            if segment.start == entry.first_seq and (problem := problem_of(self._tape, entry)):
                raise DamagedTapeError(problem, segment.path)
            parts = entry.parts or (replace(parts_of([entry])[0], before=before),)
            self._check_slices(segment, {part.first_seq: part for part in parts})
            next_seq, before = entry.next_seq, entry.digest
        return next_seq

    def _check_slices(self, segment: SealedSegment, parts: dict[int, Part]) -> None:
        """Check the rows of a segment that are in the piece, part by part."""
        piece = self._piece
        listed = None
        for rows in split_at(segment.batches(), parts):
            seq = rows.column("seq")[0].as_py()
            if seq == piece.next_seq:
                return
            (connection, time), _ = ends_of(rows)
            if seq in parts:
                listed, mark = parts[seq], mark_of(self.tally.digest)
                found = replace(listed, first_recv_time=format_time(time), book_sha256="")
                if seq == piece.first_seq and not piece.is_first:
                    found = replace(found, book_sha256=listed.book_sha256)  # the piece before has checked it
                else:
                    found = self._check_sidecar(found, is_listed=listed.book_sha256 != "", time=time)
                first, facts = connection, self._take_facts()
                self._slices.append(_Slice(segment.entry, found, mark, mark, (0, 0), facts))
            if listed is None:
                raise DamagedTapeError(f"{segment.path}: it was merged meanwhile", segment.path)
            self._check_rows(rows, segment.path)
            self._end_slice(first)

    def _end_slice(self, first_connection: int) -> None:
        """Note where the rows of the last part end so far."""
        assert self._last is not None  # noqa: S101  rows were checked
        each, facts = self._slices[-1], self._take_facts()
        self._slices[-1] = replace(
            each,
            part=replace(each.part, connections=(first_connection, self._last[0])),
            after=mark_of(self.tally.digest),
            last=self._last,
            facts=all_facts((each.facts, facts)),
        )

    def _check_next(self, part: Part) -> bool:
        """Check the sidecar with which the next piece begins; return whether it may begin there."""
        time = parse_time(part.first_recv_time) or 0
        found = self._check_sidecar(replace(part, book_sha256=""), is_listed=True, time=time)
        return found.book_sha256 == part.book_sha256 and self._books.last == (part.first_seq, time)

    def _check_rows(self, rows: pa.RecordBatch, path: Path) -> None:
        if self._first is None:
            self._first, _ = ends_of(rows)
        super()._check_rows(rows, path)

    def _check_trades(self, rows: pa.RecordBatch) -> None:
        """Keep what may say something about trades: the judgement needs all of a connection."""
        kept = rows.filter(self._trades.watch.may_matter(rows))
        if kept.num_rows:
            self._trade_rows.append(kept)


def judged(tape: ProductTape, venue: Venue, found: PieceFindings) -> ProductCheck | None:
    """Return the check of a product from its pieces; None if it must be checked in one pass."""
    if found.whole is not None:
        return found.whole
    check = ProductCheck(
        Findings(),
        Tally(DEFAULT_THRESHOLD, trades=TradeTally()),
        sequences=SharedSequences(venue) if venue.is_numbered else None,
    )
    trades, collector = TradeReader(tape.product, venue), ConnectionCollector()
    facts, last, slices = [], None, []
    for piece in found.pieces:
        if piece is None or not _follows(last, piece.first):
            return None
        states = _states(check.tally.digest, piece.tally.digest, piece.slices)
        if states is None:
            return None
        slices += list(zip(piece.slices, states, strict=True))
        check.findings.add(piece.found)
        check.tally.merge(piece.tally)
        assert check.tally.trades is not None  # noqa: S101  made above
        for rows in piece.trades:
            check.tally.trades.add(trades.of_rows(rows))
        collector.merge(piece.collector)
        facts.append(piece.facts)
        check.audits += piece.audits
        if check.sequences is not None and piece.sequences is not None:
            check.sequences.merge(piece.sequences)
        last = piece.last or last
    entries = _listed_entries(slices)
    if entries is None:
        return None
    check.findings.checked_digests = entries
    check.connections = collector.connections(all_facts(facts))
    return check


def _follows(last: tuple[int, int] | None, first: tuple[int, int] | None) -> bool:
    """Return whether a row may come after another one: connections count up, and time does not go back."""
    if last is None or first is None:
        return True
    return first[0] - last[0] in (0, 1) and first[1] >= last[1]


def _states(earlier: Digest, piece: Digest, slices: Sequence[_Slice]) -> list[DigestState] | None:
    """Return the digest after each part; None if that before one is not the one that the piece believed."""
    marks = [mark for each in slices for mark in (each.before, each.after)]
    found = list(states_at(earlier, piece, marks))
    before, after = found[::2], found[1::2]
    is_right = all(state.digest == each.part.before for state, each in zip(before, slices, strict=True))
    return after if is_right else None


def _listed_entries(slices: Sequence[tuple[_Slice, DigestState]]) -> int | None:
    """Return the number of segments; None if one is not as it is listed."""
    begin = number = 0
    for end in range(1, len(slices) + 1):
        entry = slices[begin][0].entry
        if end < len(slices) and slices[end][0].entry == entry:
            continue
        of_entry = [each for each, _ in slices[begin:end]]
        facts = all_facts(each.facts for each in of_entry)
        parts = [each.part for each in of_entry]
        if entry_of(entry, parts, of_entry[-1].last, facts, slices[end - 1][1]) != entry:
            return None
        begin, number = end, number + 1
    return number
