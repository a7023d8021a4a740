"""Where a recording ends: a tape that is sealed."""

from collections.abc import Callable
from functools import partial

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from orderbook.engine import Step
from orderbook.tally import Tally
from recorder.halt import Halt
from recorder.tape.errors import TapeError
from recorder.tape.writer import TapeWriter


class TapeSink(FixedPartitionedSink[Step, None]):
    """Adds up each product and seals what has ended. Stands below the core, in the writer's process.

    Attributes:
        is_complete: whether every row that reached the journal has also been added up; after a failure
            of the tape it is not, and what is left in the journal waits for the next writer.
    """

    def __init__(self, writer: TapeWriter, tallies: dict[str, Tally], halt: Halt) -> None:
        self._writer = writer
        self._tallies = tallies
        self._halt = halt
        self.is_complete = True
        self._next_seq: dict[str, int] = {}

    def list_parts(self) -> list[str]:
        """Return the products."""
        return list(self._tallies)

    def part_fn(self, item_key: str) -> int:
        """Return a product's place among all of them."""
        return sorted(self._tallies).index(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_TapePartition":  # noqa: ARG002  bytewax
        """Return one product's sink; a recording resumes from its tape, never from recovery state."""
        return _TapePartition(self, for_part)

    def take_up(self, product: str, step: Step) -> None:
        """Add up a step, and seal the segments that ended with its rows."""
        if not self.is_complete:
            return
        tally = self._tallies[product]
        if step.book_before is not None and step.span.first_seq is not None:
            self._writer.products[product].hold_book(step.span.first_seq, step.book_before)
        # The segment before these rows may have ended only as they were appended; a step without rows
        # is a tick and comes by for the same reason.
        self._seal(product, tally)
        tally.add(step)
        if step.span.next_seq is not None:
            self._next_seq[product] = step.span.next_seq
            self._seal(product, tally)

    def _seal(self, product: str, tally: Tally) -> None:
        """Seal what ended before the product's next row; the tally must hold just the rows before it."""
        if self.is_complete and product in self._next_seq:
            self._guard(partial(self._writer.products[product].seal, tally, self._next_seq[product]))

    def sync(self, product: str) -> None:
        """Make a product's journal durable."""
        if self.is_complete:
            self._guard(self._writer.products[product].sync)

    def seal_all(self) -> None:
        """Seal what has been through the core; to be called when the flow has ended.

        Rows that are in a journal and have not been, after a failure, wait there for the next writer.
        """
        for product, tally in self._tallies.items():
            if self.is_complete:
                seal_all = self._writer.products[product].seal_all
                self._guard(partial(seal_all, tally, self._next_seq.get(product, 0)))

    def _guard(self, write: Callable[[], None]) -> None:
        try:
            write()
        except (OSError, TapeError) as error:
            self.is_complete = False
            self._halt(
                TapeError(f"{self._writer.path}: cannot write ({error}); all rows are kept in the journal")
            )


class _TapePartition(StatefulSinkPartition[Step, None]):
    def __init__(self, sink: TapeSink, product: str) -> None:
        self._sink = sink
        self._product = product

    def write_batch(self, values: list[Step]) -> None:
        for step in values:
            self._sink.take_up(self._product, step)

    def snapshot(self) -> None:
        # Asked at the end of every epoch: the beat at which the journal is made durable.
        self._sink.sync(self._product)
