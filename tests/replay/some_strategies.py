"""Strategies for tests: some that are right, and one for every way to be wrong."""

import sys
from typing import Any

import pyarrow as pa

SCHEMA = pa.schema([("seq", pa.int64()), ("spread", pa.float64())])
FAILS_AFTER = 150

not_callable = 7


class Spreads:
    """Gives each summary's seq and spread."""

    schema = SCHEMA

    def __init__(self, product: str) -> None:
        self.product = product

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
        """Return a row a summary."""
        return summaries.select(["seq", "spread"])

    def finish(self) -> pa.RecordBatch | None:
        """Return nothing more."""
        return None


class Counts(Spreads):
    """Not what a strategy should be: it gives a row a batch, so its rows depend on the cut."""

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
        """Return the last row of the batch."""
        return super().step(summaries.slice(summaries.num_rows - 1))


class Raises(Spreads):
    """Gives the spread of every 50th seq; raises after some rows of ETH-USD."""

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
        """Raise where it is time."""
        if self.product == "ETH-USD" and summaries["seq"][-1].as_py() >= FAILS_AFTER:
            raise ValueError("this one fails\non purpose")
        seq = summaries["seq"].to_numpy()
        return super().step(summaries.filter(pa.array(seq % 50 == 0)))


class Exits(Spreads):
    """Ends the process, or tries to."""

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:  # noqa: ARG002  the form
        """Exit."""
        sys.exit(3)


class NoText(Spreads):
    """Gives text that is none."""

    schema = pa.schema([("seq", pa.int64()), ("text", pa.string())])

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
        """Give bytes that are not UTF-8 as a string."""
        offsets, data = pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")
        text = pa.Array.from_buffers(pa.string(), 1, [None, offsets, data])
        return pa.RecordBatch.from_arrays([summaries["seq"][:1], text], schema=self.schema)


class RaisesAtEnd(Spreads):
    """Raises at the end."""

    def finish(self) -> pa.RecordBatch | None:
        """Raise."""
        raise KeyError("end")


class RaisesAtStart(Spreads):
    """Cannot be made."""

    def __init__(self, product: str) -> None:
        super().__init__(product)
        raise RuntimeError("no start")


class OtherColumns(Spreads):
    """Promises more than it gives."""

    schema = SCHEMA.append(pa.field("more", pa.string()))


class Backwards(Spreads):
    """Gives rows in the wrong order."""

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
        """Return the rows upside down."""
        rows = summaries.select(["seq", "spread"])
        return rows.take(pa.array(range(rows.num_rows - 1, -1, -1)))


class Foresees(Spreads):
    """Gives a row that is not there yet."""

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
        """Return a row of the future."""
        seq = summaries["seq"][-1].as_py() + 1
        return pa.RecordBatch.from_pylist([{"seq": seq, "spread": 0.0}], schema=SCHEMA)


class Nameless(Spreads):
    """Gives a row without a seq."""

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:  # noqa: ARG002  the form
        """Return a row that has none."""
        return pa.RecordBatch.from_pylist([{"seq": None, "spread": 0.0}], schema=SCHEMA)


class GivesList(Spreads):
    """Gives something else than rows."""

    def step(self, summaries: pa.RecordBatch) -> Any:
        """Return a list."""
        return summaries.to_pylist() and []


class NoSchema(Spreads):
    """Has a schema that is none."""

    schema = ("seq",)


class NoSeq(Spreads):
    """Has no seq."""

    schema = pa.schema([("spread", pa.float64())])


class NamesProduct(Spreads):
    """Has a column that the directory is named by."""

    schema = SCHEMA.append(pa.field("product", pa.string()))


class BreaksPromise(Spreads):
    """Gives a row without what it promised never to be null."""

    schema = pa.schema([("seq", pa.int64()), pa.field("spread", pa.float64(), nullable=False)])

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
        """Return a row of which a part is missing."""
        return pa.RecordBatch.from_pylist([{"seq": summaries["seq"][0].as_py()}], schema=SCHEMA)


class Nested(Spreads):
    """Has a column that no digest can be made of."""

    schema = SCHEMA.append(pa.field("levels", pa.list_(pa.float64())))


class NoObject:
    """Makes strategies that are none."""

    def __new__(cls, product: str) -> Any:  # noqa: ARG004  the form
        """Return nothing."""
        return None
