"""Strategies as a user writes them: correct ones, and one with each possible error."""

import os
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa

from orderbook.execution.market_view import MarketView
from orderbook.execution.wakes import Wakes

SCHEMA = pa.schema([("seq", pa.int64()), ("spread", pa.float64())])
FAILS_AFTER = 150

not_callable = 7


class Spreads:
    """Returns the seq and spread of each summary."""

    schema = SCHEMA

    def __init__(self, product: str) -> None:
        self.product = product

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
        """Return a row a summary."""
        return summaries.select(["seq", "spread"])

    def finish(self) -> pa.RecordBatch | None:
        """Return nothing more."""
        return None


class BookAndTrades(Spreads):
    """Returns all that it is given: the best bid of each summary, the price of each trade."""

    schema = pa.schema([("seq", pa.int64()), ("what", pa.string()), ("price", pa.float64())])

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
        """Return a row a summary."""
        return self._rows(summaries, "book", "bid_price")

    def on_trade(self, trades: pa.RecordBatch) -> pa.RecordBatch | None:
        """Return a row a trade."""
        return self._rows(trades, "trade", "price")

    def _rows(self, given: pa.RecordBatch, what: str, price: str) -> pa.RecordBatch:
        columns = [given["seq"], pa.array([what] * given.num_rows), given[price]]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


class Counts(Spreads):
    """Returns one row for each batch, so that its rows depend on the size of the batches."""

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
        """Return the last row of the batch."""
        return super().step(summaries.slice(summaries.num_rows - 1))


class Raises(Spreads):
    """Returns the spread of every 50th seq, and raises after some rows of ETH-USD."""

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
        """Raise at a seq of ETH-USD."""
        if self.product == "ETH-USD" and summaries["seq"][-1].as_py() >= FAILS_AFTER:
            raise ValueError("this one fails\non purpose")
        seq = summaries["seq"].to_numpy()
        return super().step(summaries.filter(pa.array(seq % 50 == 0)))


class Exits(Spreads):
    """Calls sys.exit."""

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:  # noqa: ARG002  the interface
        """Exit."""
        sys.exit(3)


class InvalidText(Spreads):
    """Returns a string that is not UTF-8."""

    schema = pa.schema([("seq", pa.int64()), ("text", pa.string())])

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
        """Return bytes that are not UTF-8 as a string."""
        offsets, data = pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")
        text = pa.Array.from_buffers(pa.string(), 1, [None, offsets, data])
        return pa.RecordBatch.from_arrays([summaries["seq"][:1], text], schema=self.schema)


class RaisesAtEnd(Spreads):
    """Raises at the end."""

    def finish(self) -> pa.RecordBatch | None:
        """Raise."""
        raise KeyError("end")


class RaisesAtStart(Spreads):
    """Raises in its constructor."""

    def __init__(self, product: str) -> None:
        super().__init__(product)
        raise RuntimeError("no start")


class OtherColumns(Spreads):
    """Declares a column that its rows do not have."""

    schema = SCHEMA.append(pa.field("more", pa.string()))


class Backwards(Spreads):
    """Returns rows in reverse order."""

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
        """Return the rows in reverse order."""
        rows = summaries.select(["seq", "spread"])
        return rows.take(pa.array(range(rows.num_rows - 1, -1, -1)))


class FutureRow(Spreads):
    """Returns a row with a seq that has not been read yet."""

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
        """Return a row with the seq after the last one."""
        seq = summaries["seq"][-1].as_py() + 1
        return pa.RecordBatch.from_pylist([{"seq": seq, "spread": 0.0}], schema=SCHEMA)


class NullSeq(Spreads):
    """Returns a row without a seq."""

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:  # noqa: ARG002  the interface
        """Return a row whose seq is null."""
        return pa.RecordBatch.from_pylist([{"seq": None, "spread": 0.0}], schema=SCHEMA)


class ReturnsList(Spreads):
    """Returns a list instead of rows."""

    def step(self, summaries: pa.RecordBatch) -> Any:
        """Return a list."""
        return summaries.to_pylist() and []


class NoSchema(Spreads):
    """Has a tuple instead of a schema."""

    schema = ("seq",)


class NoSeq(Spreads):
    """Has no column seq."""

    schema = pa.schema([("spread", pa.float64())])


class ProductColumn(Spreads):
    """Has a column named product, like the directories of RUN."""

    schema = SCHEMA.append(pa.field("product", pa.string()))


class NullSpread(Spreads):
    """Returns null in a column that it declares as not nullable."""

    schema = pa.schema([("seq", pa.int64()), pa.field("spread", pa.float64(), nullable=False)])

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
        """Return a row without a spread."""
        return pa.RecordBatch.from_pylist([{"seq": summaries["seq"][0].as_py()}], schema=SCHEMA)


class Nested(Spreads):
    """Has a column of lists, for which there is no digest."""

    schema = SCHEMA.append(pa.field("levels", pa.list_(pa.float64())))


class ReturnsNone:
    """Returns None instead of an instance."""

    def __new__(cls, product: str) -> Any:  # noqa: ARG004  the interface
        """Return None."""
        return None


class Divides:
    """Trades, and divides by zero at its tenth wake."""

    wakes = Wakes(book=True)

    def __init__(self, product: str) -> None:
        self.product = product
        self.left = 10

    def on_event(self, m: MarketView) -> None:
        """Send an order."""
        self.left -= 1
        m.buy(1 / self.left, 1)


class NoWakes:
    """Trades, but does not say when."""

    def __init__(self, product: str) -> None:
        self.product = product

    def on_event(self, m: MarketView) -> None:
        """Do nothing."""


class Trades:
    """Base of those that trade."""

    wakes = Wakes(book=True)

    def __init__(self, product: str) -> None:
        self.product = product


class ClosesGenerator(Trades):
    """Raises what is no Exception."""

    def on_event(self, m: MarketView) -> None:  # noqa: ARG002  the interface
        """Raise."""
        raise GeneratorExit


class BadWakes(Trades):
    """Asks to be woken at no duration."""

    wakes = Wakes(every="often")

    def on_event(self, m: MarketView) -> None:
        """Do nothing."""


class PostsAndTakes(Trades):
    """Sends an order that could neither take nor rest."""

    def on_event(self, m: MarketView) -> None:
        """Send it."""
        m.buy(1, 1, post_only=True, ioc=True)


class ReturnsOrders(Trades):
    """Returns its orders, as strategies of other frameworks do."""

    def on_event(self, m: MarketView) -> list[int]:
        """Return an order."""
        return [m.buy(1, 1)]


class Waits(Trades):
    """Buys once; number 1 then writes the id of its process into a file, and waits for its end."""

    def __init__(self, product: str, number: int = 0, mark: str = "") -> None:
        super().__init__(product)
        self.number, self.mark = number, Path(mark)
        self.orders = 0

    def on_event(self, m: MarketView) -> None:
        """Buy, or wait."""
        if not self.orders:
            m.market("bid", "0.01")
        elif self.number == 1:
            self.mark.write_text(str(os.getpid()), encoding="utf-8")
            threading.Event().wait()
        self.orders += 1
