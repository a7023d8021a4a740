"""A strategy of one's own over the summaries of a product: state in, rows out.

`module:factory` on the command line names a function (or a class) from a product to a `Strategy`. One is
made for each product that has a summary. `examples/episode_alert.py` is one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orderbook.errors import BooktapeError
from orderbook.row_digest import is_packable


class StrategyError(BooktapeError):
    """A strategy cannot be loaded, raised an exception, or gave rows that are not what it promised."""


class Strategy(Protocol):
    """What a strategy is: an object that is the state of one product.

    Its rows must depend on the summaries alone and not on how they are cut into batches, which live is as
    they arrive: then the `strategy_digest` is the same live and replayed, at any speed. It reads no clock;
    time is what `recv_time` says. A change of `connection` is an interruption.
    """

    @property
    def schema(self) -> pa.Schema:
        """The columns of its rows: first `seq` (int64), then numbers, bools, timestamps and strings."""

    def step(self, summaries: pa.RecordBatch, /) -> pa.RecordBatch | None:
        """Take the next summaries (`FLOW_SUMMARY_SCHEMA`, at least one); return rows, if there are any.

        A row has the seq of the summary that it was known at, so seq never goes back.
        """

    def finish(self) -> pa.RecordBatch | None:
        """Return what is still to be said after the last summary, e.g. of what has not ended."""


StrategyFactory = Callable[[str], Strategy]
"""Makes the strategy of a product."""


@dataclass(frozen=True, slots=True)
class NamedFactory:
    """A factory under the name by which it was asked for, `module:factory`."""

    name: str
    factory: StrategyFactory

    def __call__(self, product: str) -> Strategy:
        """Return the strategy of a product."""
        return self.factory(product)


def name_of(factory: StrategyFactory) -> str:
    """Return how a factory is called, `module:factory`."""
    if isinstance(factory, NamedFactory):
        return factory.name
    return f"{factory.__module__}:{getattr(factory, '__qualname__', type(factory).__name__)}"


class CheckedStrategy:
    """The strategy of one product, with its rows held against what it promises.

    Raises:
        StrategyError: where it cannot be made, or has no schema that rows can have.
    """

    def __init__(self, factory: StrategyFactory, product: str) -> None:
        self._who = f"strategy {name_of(factory)}, {product}"
        self._place = "at its start"
        self._last_seq = self._row_seq = 0
        try:
            self._strategy = factory(product)
            self._schema = self._strategy.schema
        except BaseException as error:
            raise self._raised(error) from error
        self._check_schema()

    def step(self, summaries: pa.RecordBatch) -> pa.RecordBatch | None:
        """Take the next summaries and return the rows.

        Raises:
            StrategyError: where the strategy raises, or its rows are wrong.
        """
        first, self._last_seq = (summaries.column("seq")[end].as_py() for end in (0, -1))
        self._place = f"rows {first} to {self._last_seq}"
        return self._checked(lambda: self._strategy.step(summaries))

    def finish(self) -> pa.RecordBatch | None:
        """Return the last rows.

        Raises:
            StrategyError: where the strategy raises, or its rows are wrong.
        """
        self._place = f"at its end, after row {self._last_seq}"
        return self._checked(self._strategy.finish)

    def _check_schema(self) -> None:
        if not isinstance(self._schema, pa.Schema):
            raise self._wrong("its schema is no pyarrow.Schema")
        names = self._schema.names
        if not names or names[0] != "seq" or self._schema.types[0] != pa.int64():
            raise self._wrong("the first column of its schema must be seq, int64")
        if len(set(names)) < len(names) or "product" in names:
            raise self._wrong("its columns must have names of their own, and none may be named product")
        for field in self._schema:
            if not is_packable(field.type):
                what = "numbers, bools, timestamps and strings"
                raise self._wrong(f"column {field.name} is {field.type}; rows hold {what}")

    def _checked(self, call: Callable[[], pa.RecordBatch | None]) -> pa.RecordBatch | None:
        """Return the rows of a call, None where there are none."""
        try:
            rows = call()
        except BaseException as error:  # a strategy that calls sys.exit() must not end a recording
            raise self._raised(error) from error
        if rows is None:
            return None
        if not isinstance(rows, pa.RecordBatch):
            raise self._wrong(f"gave a {type(rows).__name__} in place of a RecordBatch or None")
        given, promised = (
            ", ".join(f"{each.name} {each.type}" for each in schema) for schema in (rows.schema, self._schema)
        )
        if given != promised:
            raise self._wrong(f"gave columns ({given}) in place of ({promised})")
        for field, column in zip(self._schema, rows.columns, strict=True):
            if column.null_count and (field.name == "seq" or not field.nullable):
                raise self._wrong(f"gave a row without a {field.name}")
        try:
            rows.validate(full=True)
        except pa.ArrowInvalid as error:
            raise self._wrong(f"gave rows that are none: {str(error).splitlines()[0]}") from None
        self._check_order(rows.column("seq").to_numpy())
        return pa.RecordBatch.from_arrays(rows.columns, schema=self._schema) if rows.num_rows else None

    def _check_order(self, given: npt.NDArray[np.int64]) -> None:
        seq = np.concatenate([[self._row_seq], given])
        back = np.flatnonzero(np.diff(seq) < 0)
        if back.size:
            raise self._wrong(f"gave a row of seq {seq[back[0] + 1]} after one of seq {seq[back[0]]}")
        if seq[-1] > self._last_seq:
            raise self._wrong(f"gave a row of seq {seq[-1]}, which it has not seen")
        self._row_seq = int(seq[-1])

    def _raised(self, error: BaseException) -> StrategyError:
        text = (str(error).splitlines() or [""])[0]
        return self._wrong(f"{type(error).__name__}: {text} (BOOKTAPE_TRACEBACK=1 shows where)")

    def _wrong(self, what: str) -> StrategyError:
        return StrategyError(f"{self._who}, {self._place}: {what}")
