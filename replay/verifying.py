"""`verify`: whether a tape is what was written, and whether its replay is what was seen live."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from orderbook.decoder import sequence_num
from orderbook.engine import Engine
from orderbook.tally import Tally
from orderbook.threshold import DEFAULT_THRESHOLD
from recorder.tape.catalog import SegmentEntry
from recorder.tape.errors import DamagedTapeError
from recorder.tape.reader import ProductTape, Tape
from replay.flows import PLAIN

FEED_FAULTS = ("malformed", "early_update", "crossed", "gap")
"""Anomalies that are the feed's doing and make a tape fail under --strict."""


@dataclass(slots=True)
class Verification:
    """What was found.

    Attributes:
        tape: the tape.
        damage: what is not as it was written, or differs from live; a line each.
        feed_faults: what the feed itself did wrong; a line each.
        tallies: counts and recomputed digest by product.
        checked_digests: how many live digests were recomputed and found equal.
    """

    tape: Tape
    damage: list[str] = field(default_factory=list)
    feed_faults: list[str] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    checked_digests: int = 0

    def passes(self, *, strict: bool) -> bool:
        """Tell whether the tape is whole; with `strict` also whether the feed did nothing wrong."""
        return not self.damage and not (strict and self.feed_faults)

    def document(self) -> dict[str, object]:
        """Return the JSON form (`verify --json`)."""
        return {
            "tape": str(self.tape.path),
            "ok": not self.damage,
            "damage": self.damage,
            "feed_faults": self.feed_faults,
            "checked_digests": self.checked_digests,
            "products": {product: tally.document() for product, tally in sorted(self.tallies.items())},
        }


def verify(path: Path, engine: Engine = PLAIN) -> Verification:
    """Check a whole tape: files, numbering, order of time, sequence numbers, and live = replay.

    Raises:
        NotATapeError, NewerTapeError: where the path is no tape of ours.
    """
    found = Verification(Tape.open(path))
    sequences = _Sequences()
    for product in found.tape.select(()):
        check = _ProductCheck(found, found.tape.product(product), engine, sequences)
        try:
            check.run()
        except DamagedTapeError as error:
            found.damage.append(str(error))
        found.tallies[product] = check.tally
        _tell_anomalies(found, product, check.tally)
    found.feed_faults += sequences.faults()
    return found


def _tell_anomalies(found: Verification, product: str, tally: Tally) -> None:
    for kind in FEED_FAULTS:
        if tally.anomalies[kind]:
            found.feed_faults.append(f"{product}: {tally.anomalies[kind]:,} {kind}")


class _ProductCheck:
    """One product, row by row; after damage its book is unknown, so its digests are not judged further."""

    def __init__(
        self, found: Verification, tape: ProductTape, engine: Engine, sequences: "_Sequences"
    ) -> None:
        self._found = found
        self._tape = tape
        self._engine = engine
        self._sequences = sequences
        self._state = engine.start(tape.product, found.tape.feed)
        self._next_seq = 0
        self._last: tuple[int, int] | None = None  # connection and recv_time of the last row
        self.tally = Tally(DEFAULT_THRESHOLD)

    def run(self) -> None:
        entries = self._tape.segments()
        for entry in entries:
            self._check_file(entry)
            for rows in self._tape.segment_batches(entry):
                self._take_up(rows)
            self._check_entry(entry)
        sealed = entries[-1].next_seq if entries else 0
        for rows in self._tape.batches(first_seq=sealed):
            self._take_up(rows)

    def _check_file(self, entry: SegmentEntry) -> None:
        path = self._tape.directory / entry.file
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DamagedTapeError(f"{path}: {error.strerror}") from None
        if digest != entry.sha256:
            self._found.damage.append(f"{path}: the SHA-256 is not the one that was sealed")

    def _check_entry(self, entry: SegmentEntry) -> None:
        path = self._tape.directory / entry.file
        if self._next_seq != entry.next_seq:
            raise DamagedTapeError(
                f"{path}: ends before row {self._next_seq}, not before row {entry.next_seq}"
            )
        if self.tally.digest.hexdigest() != entry.digest:
            raise DamagedTapeError(
                f"{path}: replay differs from live: digest {self.tally.digest.hexdigest()} after row "
                f"{entry.next_seq - 1}, {entry.digest} when it was recorded"
            )
        self._found.checked_digests += 1

    def _take_up(self, rows: pa.RecordBatch) -> None:
        seq = rows.column("seq").to_numpy()
        times = rows.column("recv_time").view(pa.int64()).to_numpy()
        connections = rows.column("connection").to_numpy()
        where = f"{self._tape.directory}: product {self._tape.product}"
        expected = np.arange(self._next_seq, self._next_seq + len(seq))
        if not np.array_equal(seq, expected):
            first = int(seq[np.flatnonzero(seq != expected)[0]])
            raise DamagedTapeError(f"{where}: row {first} is out of order")
        before = self._last or (int(connections[0]), int(times[0]))
        back = np.flatnonzero(np.diff(times, prepend=before[1]) < 0)
        if back.size:
            self._found.damage.append(f"{where}: recv_time goes back at row {int(seq[back[0]])}")
        jumps = np.flatnonzero(~np.isin(np.diff(connections, prepend=before[0]), (0, 1)))
        if jumps.size:
            self._found.damage.append(
                f"{where}: connections do not count up by one at row {int(seq[jumps[0]])}"
            )
        self._next_seq = int(seq[-1]) + 1
        self._last = (int(connections[-1]), int(times[-1]))
        self._state, step = self._engine.step(self._state, rows)
        self.tally.add(step)
        if self._found.tape.feed == "advanced":
            self._sequences.take_up(self._tape.product, rows)


class _Opened(msgspec.Struct):
    id: str = ""
    products: list[str] = msgspec.field(default_factory=list)


class _Sequences:
    """sequence_num over all products of a connection: the frames of many-product connections together."""

    def __init__(self) -> None:
        self._numbers: dict[str, list[int]] = {}
        self._current: dict[str, str | None] = {}

    def take_up(self, product: str, rows: pa.RecordBatch) -> None:
        """Collect the numbers of one product's rows; one-product connections are the core's to check."""
        for kind, payload in zip(
            rows.column("kind").to_pylist(), rows.column("payload").to_pylist(), strict=True
        ):
            if kind != "frame":
                self._current[product] = _shared_connection(payload) if kind == "connected" else None
                continue
            connection = self._current.get(product)
            number = sequence_num(payload) if connection is not None else None
            if connection is not None and number is not None:
                self._numbers.setdefault(connection, []).append(number)

    def faults(self) -> list[str]:
        """Return a line for each connection whose numbers have holes."""
        lines = []
        for connection, numbers in sorted(self._numbers.items()):
            missing = int((np.diff(np.unique(numbers)) - 1).sum())
            if missing:
                lines.append(f"connection {connection}: {missing:,} sequence numbers are missing")
        return lines


def _shared_connection(payload: str) -> str | None:
    try:
        opened = msgspec.json.decode(payload, type=_Opened)
    except msgspec.DecodeError:
        return None
    return opened.id if len(opened.products) > 1 else None
