"""A strategy of the user's in one run: found by its name, begun for each product, its rows added up."""

import importlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from orderbook.digest import run_digest
from orderbook.row_digest import RowDigest
from orderbook.strategy import CheckedStrategy, NamedFactory, StrategyError, StrategyFactory, name_of

log = logging.getLogger(__name__)

TakeRows = Callable[[str, pa.RecordBatch], None]


class StrategyNameError(ValueError):
    """The text names nothing that makes strategies."""


def load_strategy(text: str) -> NamedFactory:
    """Return the factory that `module:factory` names; modules are looked for as by `python -m`.

    Raises:
        StrategyNameError: where there is no such module, or nothing to call in it.
        StrategyError: where the module raises on import.
    """
    module_name, _, name = text.partition(":")
    if not (all(part.isidentifier() for part in module_name.split(".")) and name.isidentifier()):
        raise StrategyNameError(f"{text!r} is not of the form module:factory")
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{module_name}.".startswith(f"{missing}."):
            raise StrategyNameError(f"no module {missing!r}, here or installed") from None
        first_line = (str(error).splitlines() or [""])[0]
        what = f"{type(error).__name__}: {first_line} (BOOKTAPE_TRACEBACK=1 shows where)"
        raise StrategyError(f"strategy {text}, on import: {what}") from error
    factory = getattr(module, name, None)
    if not callable(factory):
        raise StrategyNameError(f"no {name} that can be called in module {module_name}")
    return NamedFactory(text, factory)


class StrategyRun:
    """A strategy in one run.

    Args:
        factory: makes the strategy of a product.
        take: where rows go as they are made.

    Attributes:
        name: how the strategy is called.
        take: as given.
        failure: the first one, if any.
        digests: by product that has rows.
    """

    def __init__(self, factory: StrategyFactory, take: TakeRows) -> None:
        self._factory = factory
        self.name = name_of(factory)
        self.take = take
        self.failure: StrategyError | None = None
        self.digests: dict[str, RowDigest] = {}

    def start(self, product: str) -> CheckedStrategy:
        """Return the strategy of a product at its start.

        Raises:
            StrategyError: where the factory raises, or gives something else.
        """
        return CheckedStrategy(self._factory, product)

    def add(self, product: str, rows: pa.RecordBatch) -> None:
        """Take up rows into the product's digest."""
        if product not in self.digests:
            self.digests[product] = RowDigest(rows.schema)
        self.digests[product].update(rows)

    def go_on_without(self, error: StrategyError) -> None:
        """Say at once that a product's recording goes on without its strategy; the end says it again."""
        log.error("%s; the recording goes on without it", error)

    @property
    def digest(self) -> str | None:
        """Over the rows of all products that have some, hex; None where the strategy failed."""
        if self.failure is not None:
            return None
        return run_digest({product: each.hexdigest() for product, each in self.digests.items()})

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        products = {
            product: {"rows": each.rows, "digest": each.hexdigest()}
            for product, each in sorted(self.digests.items())
        }
        return {"name": self.name, "products": products}

    def line(self) -> str:
        """Return the line under a result."""
        rows = sum(each.rows for each in self.digests.values())
        made = f"{rows:,} row{'' if rows == 1 else 's'}"
        return f"Strategy {self.name}: {made}, digest {(self.digest or 'none')[:16]}"


def strategy_document(run: StrategyRun | None) -> dict[str, object]:
    """Return what a JSON document says of a run's strategy; nulls where it has none."""
    if run is None:
        return {"strategy": None, "strategy_digest": None}
    return {"strategy": run.document(), "strategy_digest": run.digest}
