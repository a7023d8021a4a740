"""A recorder without a socket: known rows through journal, core and seal, as the recording flow does it.

The rows are a function of their number alone, so a tape can be held against what belongs on it however
often its writer died.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, Self

from orderbook.engine import PlainEngine
from orderbook.tally import Tally
from orderbook.threshold import DEFAULT_THRESHOLD
from recorder.resume import resume
from recorder.tape.policy import SealPolicy
from recorder.tape.reader import Tape
from tests.oracle import Row
from tests.recorder.rows import BTC, START, batch, open_writer
from tests.replay.tapes import snapshot, update

ENGINE: Final = PlainEngine()
CONNECTION_ROWS: Final = 50
SEGMENT_ROWS: Final = 20
STEP_NS: Final = 1_000_003


def planned(first_seq: int, number: int) -> list[Row]:
    """Return rows by their number: connections of 50 rows, each with a snapshot and updates."""
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
    return Row(seq, START + seq * STEP_NS, connection, kind, text)


def planned_digest(rows: int) -> str:
    """Return the digest of so many planned rows, from a run that nothing disturbed."""
    tally = Tally(DEFAULT_THRESHOLD)
    if rows:
        tally.add(ENGINE.step(ENGINE.start(BTC, "exchange"), batch(planned(0, rows)))[1])
    return tally.digest.hexdigest()


class Machine:
    """Writes the planned rows to a tape, from wherever it ends; close it or use `with`."""

    def __init__(self, tape: Path, segment_rows: int = SEGMENT_ROWS) -> None:
        self._writer = open_writer(tape, policy=SealPolicy(rows=segment_rows))
        self._product = self._writer.products[BTC]
        try:
            left = resume(Tape.open(tape).product(BTC), "exchange", self._product, ENGINE)
        except BaseException:
            self._writer.close()
            raise
        self._state = ENGINE.load(left.book)
        self._tally = Tally(DEFAULT_THRESHOLD, left.digest)
        self.next_seq = self._product.position.seq
        self._taken_up = self.next_seq

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def append(self, number: int) -> Sequence[object]:
        """Put rows into the journal and return them as `take_up` wants them; from then on they are taken."""
        parts = self._product.append(batch(planned(self.next_seq, number)))
        self.next_seq += number
        return parts

    def take_up(self, parts: Sequence[object]) -> None:
        """Run the core over appended rows and seal what has ended."""
        for part in parts:
            self._product.seal(self._tally, self._taken_up)
            if self._product.begins_segment(self._taken_up):
                self._product.hold_book(self._taken_up, ENGINE.save(self._state))
            self._state, step = ENGINE.step(self._state, part)
            self._tally.add(step)
            self._taken_up = step.span.next_seq or self._taken_up
            self._product.seal(self._tally, self._taken_up)

    def take(self, number: int) -> None:
        """Append rows and take them up."""
        self.take_up(self.append(number))

    def sync(self) -> None:
        """Make the journal durable."""
        self._product.sync()

    def seal_all(self) -> None:
        """Seal all that was taken up."""
        self._product.seal_all(self._tally, self._taken_up)
