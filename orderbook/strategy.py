"""User-defined strategies: they read the summaries of a product and return rows.

`module:factory` on the command line names a function (or a class) that takes a product and returns a
`Strategy`, one for each product that has a summary. `booktape/examples/episode_alert.py` is an example.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orderbook.digest import is_packable
from orderbook.errors import BooktapeError, first_line


class StrategyError(BooktapeError):
    """A strategy cannot be loaded, raised an exception, or returned other rows than it promised."""


class Strategy(Protocol):
    """A strategy: an object that holds the state of one product.

    Its rows must depend only on the summaries, not on how they are cut into batches (live batches depend on
    timing): then the `strategy_digest` is the same live and replayed, at any speed. It must not read a clock;
    time is `recv_time`. A change of `connection` is an interruption.

    A strategy with a method `on_trade(trades)` is also given the trades of others, at least one at a time
    (`FLOW_TRADE_SCHEMA`): after the summaries of the rows before them, and before those of the rows after. It
    gets none from before the first summary. The method returns rows as `step` does.
    """

    @property
    def schema(self) -> pa.Schema:
        """The columns of its rows: first `seq` (int64), then numbers, bools, timestamps and strings."""

    def step(self, summaries: pa.RecordBatch, /) -> pa.RecordBatch | None:
        """Process the next summaries (`FLOW_SUMMARY_SCHEMA`, at least one) and return rows, if there are any.

        The seq of a row is that of the summary at which it became known, so seq never decreases.
        """

    def finish(self) -> pa.RecordBatch | None:
        """Return the rows that remain after the last summary, e.g. for an episode that is still open."""


StrategyFactory = Callable[[str], Strategy]
"""Returns the strategy of a product."""


@dataclass(frozen=True, slots=True)
class NamedFactory:
    """A factory with the name by which it was requested, `module:factory`."""

    name: str
    factory: StrategyFactory

    def __call__(self, product: str) -> Strategy:
        """Return the strategy of a product."""
        return self.factory(product)


def reads_trades(factory: StrategyFactory, product: str) -> bool:
    """Tell whether what is made has `on_trade`. A class is looked at, a function called for a product."""
    made: object = factory.factory if isinstance(factory, NamedFactory) else factory
    if not isinstance(made, type):
        try:
            made = factory(product)
        except Exception:  # noqa: BLE001  it is a user's; it will fail again, where that is told
            return False
    return callable(getattr(made, "on_trade", None))


def name_of(factory: StrategyFactory) -> str:
    """Return the name of a factory, `module:factory`."""
    if isinstance(factory, NamedFactory):
        return factory.name
    return f"{factory.__module__}:{getattr(factory, '__qualname__', type(factory).__name__)}"


_Part = tuple[Callable[[pa.RecordBatch], pa.RecordBatch | None], pa.RecordBatch]


class CheckedStrategy:
    """The strategy of one product, with its rows checked against its schema and against their order.

    Raises:
        StrategyError: if the factory raises, or the schema is not valid.
    """

    def __init__(self, factory: StrategyFactory, product: str) -> None:
        self._who = f"strategy {name_of(factory)}, {product}"
        self._place = "at its start"
        self._last_seq = self._row_seq = 0
        self._has_begun = False
        try:
            self._strategy = factory(product)
            self._schema = self._strategy.schema
        except BaseException as error:
            raise self._raised(error) from error
        self._check_schema()

    def step(self, summaries: pa.RecordBatch, trades: pa.RecordBatch | None = None) -> list[pa.RecordBatch]:
        """Process the next summaries and trades, in the order of their rows, and return the rows.

        Raises:
            StrategyError: if the strategy raises, or its rows are not valid.
        """
        found = []
        for method, batch in self._parts(summaries, trades):
            first, self._last_seq = (batch.column("seq")[end].as_py() for end in (0, -1))
            self._place = f"rows {first} to {self._last_seq}"
            if (rows := self._checked(partial(method, batch))) is not None:
                found.append(rows)
        return found

    def _parts(self, summaries: pa.RecordBatch, trades: pa.RecordBatch | None) -> Iterator[_Part]:
        """Yield the calls of the strategy that a batch takes, in order."""
        begun = 0
        on_trade = getattr(self._strategy, "on_trade", None)
        if callable(on_trade) and trades is not None:
            # How many summaries come before each trade.
            places = np.searchsorted(summaries.column("seq").to_numpy(), trades.column("seq").to_numpy())
            for place in np.unique(places if self._has_begun else places[places > 0]).tolist():
                if begun < place:
                    yield self._strategy.step, summaries.slice(begun, place - begun)
                start, end = (int(np.searchsorted(places, place, side)) for side in ("left", "right"))
                yield on_trade, trades.slice(start, end - start)
                begun = place
        if begun < summaries.num_rows:
            yield self._strategy.step, summaries.slice(begun) if begun else summaries
        self._has_begun = True

    def finish(self) -> pa.RecordBatch | None:
        """Return the last rows.

        Raises:
            StrategyError: if the strategy raises, or its rows are not valid.
        """
        self._place = f"at its end, after row {self._last_seq}"
        return self._checked(self._strategy.finish)

    def _check_schema(self) -> None:
        if not isinstance(self._schema, pa.Schema):
            raise self._wrong("its schema is not a pyarrow.Schema")
        names = self._schema.names
        if not names or names[0] != "seq" or self._schema.types[0] != pa.int64():
            raise self._wrong("the first column of its schema must be seq, int64")
        if len(set(names)) < len(names) or "product" in names:
            raise self._wrong("its columns must have different names, and none may be named product")
        for field in self._schema:
            if not is_packable(field.type):
                what = "numbers, bools, timestamps and strings"
                raise self._wrong(f"column {field.name} is {field.type}; use {what}")

    def _checked(self, call: Callable[[], pa.RecordBatch | None]) -> pa.RecordBatch | None:
        """Return the rows of a call, None if there are none."""
        try:
            rows = call()
        except BaseException as error:  # a strategy that calls sys.exit() must not end a recording
            raise self._raised(error) from error
        if rows is None:
            return None
        if not isinstance(rows, pa.RecordBatch):
            raise self._wrong(f"it returned a {type(rows).__name__} instead of a RecordBatch or None")
        given, promised = (
            ", ".join(f"{each.name} {each.type}" for each in schema) for schema in (rows.schema, self._schema)
        )
        if given != promised:
            raise self._wrong(f"it returned columns ({given}) instead of ({promised})")
        for field, column in zip(self._schema, rows.columns, strict=True):
            if column.null_count and (field.name == "seq" or not field.nullable):
                raise self._wrong(f"it returned a row without a {field.name}")
        try:
            rows.validate(full=True)
        except pa.ArrowInvalid as error:
            raise self._wrong(f"it returned an invalid RecordBatch: {str(error).splitlines()[0]}") from None
        self._check_order(rows.column("seq").to_numpy())
        return pa.RecordBatch.from_arrays(rows.columns, schema=self._schema) if rows.num_rows else None

    def _check_order(self, given: npt.NDArray[np.int64]) -> None:
        seq = np.concatenate([[self._row_seq], given])
        back = np.flatnonzero(np.diff(seq) < 0)
        if back.size:
            raise self._wrong(f"it returned a row of seq {seq[back[0] + 1]} after one of seq {seq[back[0]]}")
        if seq[-1] > self._last_seq:
            raise self._wrong(f"it returned a row of seq {seq[-1]}, which it has not received")
        self._row_seq = int(seq[-1])

    def _raised(self, error: BaseException) -> StrategyError:
        return self._wrong(first_line(error))

    def _wrong(self, what: str) -> StrategyError:
        return StrategyError(f"{self._who}, {self._place}: {what}")
