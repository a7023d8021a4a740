"""The sink of a recording: a tape whose segments are sealed."""

from functools import partial

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from orderbook.engine import Step
from orderbook.tally import Tally
from recorder.dataflow.running import FirstFailure
from recorder.tape.errors import TapeError
from recorder.tape.seal_threads import SealThreads
from recorder.tape.writer import TapeWriter


class TapeSink(FixedPartitionedSink[Step, None]):
    """Tallies the steps of each product and seals the segments that have ended.

    After a failure of the tape it does neither: the rows are in the journal for the next writer.
    """

    def __init__(self, writer: TapeWriter, tallies: dict[str, Tally], failure: FirstFailure) -> None:
        self._writer = writer
        self._tallies = tallies
        self._failure = failure
        self._has_failed = False
        self._seals = SealThreads(self._fail)
        self._next_seq: dict[str, int] = {}

    def list_parts(self) -> list[str]:
        """Return the products."""
        return list(self._tallies)

    def part_fn(self, item_key: str) -> int:
        """Return the index of a product's partition."""
        return sorted(self._tallies).index(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_TapePartition":  # noqa: ARG002  bytewax
        """Return the sink of a product; a recording resumes from its tape, never from recovery state."""
        return _TapePartition(self, for_part)

    def add(self, product: str, step: Step) -> None:
        """Tally a step, and seal the segments that ended with its rows."""
        if self._has_failed:
            return
        try:
            self._add(product, step)
        except BaseException:
            self._has_failed = True  # a tally may hold half of a step: its digest must not be sealed
            raise

    def _add(self, product: str, step: Step) -> None:
        tally = self._tallies[product]
        if step.book_before is not None and step.span.first_seq is not None:
            self._writer.products[product].hold_book(step.span.first_seq, step.book_before)
        # The segment before these rows may have ended only as they were appended, or by its age: that is why
        # a step without rows comes every second.
        self._seal(product, tally)
        tally.add(step)
        if step.span.next_seq is not None:
            self._next_seq[product] = step.span.next_seq
            self._seal(product, tally)

    def _seal(self, product: str, tally: Tally) -> None:
        """Seal what ended before the product's next row; the tally must hold exactly the rows before it."""
        if product in self._next_seq:
            for seal in self._writer.products[product].take_ended(tally, self._next_seq[product]):
                self._seals.submit(product, seal)

    def seal_all(self) -> None:
        """Seal all rows that were tallied, after the end of the flow; others remain in the journal."""
        if not self._has_failed:
            for product, tally in self._tallies.items():
                seal_all = self._writer.products[product].seal_all
                self._seals.submit(product, partial(seal_all, tally, self._next_seq.get(product, 0)))
        self._seals.join()

    def _fail(self, error: Exception) -> None:
        self._has_failed = True
        if isinstance(error, OSError | TapeError):
            error = self._writer.failure(error, "all rows are kept in the journal")
        self._failure.report(error)


class _TapePartition(StatefulSinkPartition[Step, None]):
    def __init__(self, sink: TapeSink, product: str) -> None:
        self._sink = sink
        self._product = product

    def write_batch(self, values: list[Step]) -> None:
        for step in values:
            self._sink.add(self._product, step)

    def snapshot(self) -> None:
        return None
