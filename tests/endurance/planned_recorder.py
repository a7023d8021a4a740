"""A recorder without a socket: known rows through journal, engine and seal, as in the recording flow.

The rows are a function of their number alone, so a tape can be checked however often its writer died.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, Self

from orderbook.engine import PlainEngine
from orderbook.tally import Tally
from orderbook.thresholds import DEFAULT_THRESHOLD
from orderbook.times import NS
from recorder.settings import SealPolicy
from recorder.tape.format.manifest import Manifest, write_manifest
from recorder.tape.reader import Tape
from recorder.tape.recovery import resume
from recorder.tape.store import files as store
from tests.support.constants import BTC, START
from tests.support.oracle import Row
from tests.support.rows import open_writer, to_batch
from tests.support.tapes import snapshot, update

ENGINE: Final = PlainEngine()
CONNECTION_ROWS: Final = 50
SEGMENT_ROWS: Final = 20
DAY_NS: Final = 86_400 * NS
STEP_NS: Final = 1_000_003
FIRST_NS: Final = (START // DAY_NS + 1) * DAY_NS - 2 * SEGMENT_ROWS * STEP_NS
"""Time of the first row: the third segment is the first of another day."""


def planned(first_seq: int, number: int) -> list[Row]:
    """Return rows from a seq on: connections of 50 rows, each with a snapshot and updates."""
    return [_row(seq) for seq in range(first_seq, first_seq + number)]


@cache
def _row(seq: int) -> Row:
    connection, place = divmod(seq, CONNECTION_ROWS)
    kind, text = "frame", update(BTC, ("buy", f"{90 + seq % 9}.{seq % 7}", str(seq)))
    if place == 0:
        kind, text = "connected", f'{{"id":"{connection}","products":["{BTC}"]}}'
    elif place == 1:
        text = snapshot(BTC, [["89", "1"]], [["101", "2"]])
    elif place == CONNECTION_ROWS - 1:
        kind, text = "disconnected", '{"code":1006,"reason":"é"}'
    return Row(seq, FIRST_NS + seq * STEP_NS, connection, kind, text)


def planned_digest(rows: int) -> str:
    """Return the digest of the first planned rows, from an undisturbed run."""
    tally = Tally(DEFAULT_THRESHOLD)
    if rows:
        tally.add(ENGINE.step(ENGINE.start(BTC, "exchange"), to_batch(planned(0, rows)))[1])
    return tally.digest.hexdigest()


def begin_format_1(tape: Path) -> None:
    """Make a tape of format 1 without rows, as an earlier version has begun it."""
    store.make_directory(tape / f"product={BTC}" / "_journal")
    write_manifest(tape, Manifest(1, "exchange", (BTC,), "2026-08-09T00:00:00Z", "test 0"))


class PlannedRecorder:
    """Writes the planned rows to a tape, starting after its last row; close it or use `with`."""

    def __init__(self, tape: Path, segment_rows: int = SEGMENT_ROWS, book_rows: int = 1) -> None:
        self._writer = open_writer(tape, policy=SealPolicy(rows=segment_rows, book_rows=book_rows))
        self._product = self._writer.products[BTC]
        try:
            resumed = resume(Tape.open(tape).product(BTC), "exchange", self._product, ENGINE)
        except BaseException:
            self._writer.close()
            raise
        self._state = ENGINE.load(resumed.book)
        self._tally = Tally(DEFAULT_THRESHOLD, resumed.digest)
        self.next_seq = self._product.position.seq
        self._processed = self.next_seq

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def append(self, number: int) -> Sequence[object]:
        """Append the next rows to the journal and return them for `process`; now they must never be lost."""
        parts = self._product.append(to_batch(planned(self.next_seq, number)))
        self.next_seq += number
        return parts

    def process(self, parts: Sequence[object]) -> None:
        """Run the engine over appended rows and seal the ended segments."""
        for part in parts:
            self._product.seal(self._tally, self._processed)
            if self._product.needs_book(self._processed):
                self._product.hold_book(self._processed, ENGINE.save(self._state))
            self._state, step = ENGINE.step(self._state, part)
            self._tally.add(step)
            self._processed = step.span.next_seq or self._processed
            self._product.seal(self._tally, self._processed)

    def record(self, number: int) -> None:
        """Append rows and process them."""
        self.process(self.append(number))

    def sync(self) -> None:
        """Make the journal durable."""
        self._product.sync()

    def seal_all(self) -> None:
        """Seal all processed rows."""
        self._product.seal_all(self._tally, self._processed)
