"""Reading the RUN directory of a backtest: run.json, and its tables by product."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec
import pyarrow as pa
from msgspec import UNSET, UnsetType

from orderbook.execution.codes import QueueModel
from orderbook.venues.base import is_product_id
from orderbook.venues.rawjson import UNREADABLE
from recorder.tape.format.segment import naming_damage
from recorder.tape.store import files as store
from recorder.tape.store.paths import noted_path
from replay.run_dir.reader import DOCUMENT
from replay.run_dir.writer import RunError

Stream = Literal["orders", "fills", "resting", "equity", "log"]

STREAMS: Final[tuple[Stream, ...]] = ("orders", "fills", "resting", "equity", "log")


class LaneName(NamedTuple):
    """A lane of a backtest on one product; the tape is named if there are several."""

    tape: str
    setting: int
    queue: QueueModel


class _Row(msgspec.Struct):
    product: str
    setting: int
    queue: QueueModel
    orders: int
    fills: int
    tape: str | UnsetType | None = UNSET


class _Tape(msgspec.Struct):
    tape: str


class _Document(msgspec.Struct):
    digest: str | None
    execution_digest: str
    tapes: list[_Tape]
    settings: list[dict[str, Any]]
    rows: list[_Row]
    run: dict[str, Any]
    fees: str
    latency: str
    seed: int
    impact: str
    on_break: str


def is_backtest(path: Path) -> bool:
    """Tell whether a RUN directory is of a backtest."""
    try:
        return b'"execution_digest"' in store.read_file(path / DOCUMENT)
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class BacktestRun:
    """A RUN directory that a backtest wrote.

    Attributes:
        path: the directory.
        tapes: paths of the tapes, as they were given.
        facts: how it was run, and its digests.
        lanes: the lanes of each product, in order.
    """

    path: Path
    tapes: tuple[Path, ...]
    facts: dict[str, Any]
    lanes: dict[str, tuple[LaneName, ...]]
    _rows: list[_Row]

    @classmethod
    def open(cls, path: Path) -> "BacktestRun":
        """Open a RUN.

        Raises:
            RunError: if run.json cannot be read or was not written by a backtest.
        """
        name = path / DOCUMENT
        try:
            document = msgspec.json.decode(store.read_file(name), type=_Document)
        except OSError as error:
            raise RunError(f"{name}: {error.strerror}", name) from None
        except UNREADABLE as error:
            raise RunError(f"{name}: not written by a backtest ({error})", name) from None
        lanes: dict[str, tuple[LaneName, ...]] = {}
        rows = [row for row in document.rows if row.tape is not None]
        for row in rows:
            if not is_product_id(row.product):
                raise RunError(f"{name}: {row.product!r} is not a product id", name)
            tape = "" if row.tape is UNSET else str(row.tape)
            lanes[row.product] = (*lanes.get(row.product, ()), LaneName(tape, row.setting, row.queue))
        facts = msgspec.structs.asdict(document)
        for used in ("rows", "run", "tapes"):
            del facts[used]
        facts |= document.run
        lanes = {product: tuple(sorted(lanes[product])) for product in sorted(lanes)}
        return cls(path, tuple(noted_path(each.tape) for each in document.tapes), facts, lanes, rows)

    @property
    def products(self) -> tuple[str, ...]:
        """Product ids."""
        return tuple(self.lanes)

    def table(self, stream: Stream, product: str) -> pa.Table | None:
        """Return the rows of a stream of a product, None if there are none.

        Raises:
            RunError: if there are not as many rows as run.json counts.
            DamagedTapeError: if a file is not as it was written.
        """
        folder = self.path / stream / f"product={product}"
        tables = []
        for path in store.find_files(folder, "*.parquet"):
            with naming_damage(path), store.ParquetFile(path, page_checksum_verification=True) as file:
                tables.append(file.read())
        found = sum(table.num_rows for table in tables)
        if stream in {"orders", "fills"}:
            counted = sum(getattr(row, stream) for row in self._rows if row.product == product)
            if counted != found:
                reason = f"{folder}: {found:,} rows, but {DOCUMENT} counts {counted:,}"
                raise RunError(reason, folder)
        return pa.concat_tables(tables) if tables else None

    def lacks_resting(self, product: str) -> bool:
        """Tell whether it is unknown how the orders of a product rested: earlier versions did not write it.

        Raises:
            RunError, DamagedTapeError: see `table`.
        """
        if store.find_files(self.path / "resting" / f"product={product}", "*.parquet"):
            return False
        orders = self.table("orders", product)
        return orders is not None and orders.column("rested").null_count < orders.num_rows
