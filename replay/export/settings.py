"""The settings of an export."""

from dataclasses import dataclass
from typing import Final, Literal

from replay.running.window import WHOLE, Window

FormatName = Literal["parquet", "duckdb", "hftbacktest", "tardis", "nautilus"]
TimeUnit = Literal["ns", "us"]
TableName = Literal["summaries", "levels", "depth", "trades", "rows"]

TABLES: Final[tuple[TableName, ...]] = ("summaries", "levels", "depth", "trades")
"""The tables that are written unless others are named."""
DEPTH: Final = 10
"""Best levels a side in a row of the table `depth`, or of `book_snapshot_N`."""


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What is exported, and how.

    Attributes:
        format: name of the format.
        products: product ids, sorted.
        window: the part of the tape to export; rows before it build the book.
        time: unit of the times in Parquet files.
        tables: the tables to write as Parquet.
        depth: best levels a side in a row of the table `depth`, or of `book_snapshot_N`.
        processes: number of processes that share the products; no file depends on it.
    """

    format: FormatName
    products: tuple[str, ...]
    window: Window = WHOLE
    time: TimeUnit = "ns"
    tables: tuple[TableName, ...] = TABLES
    depth: int = DEPTH
    processes: int = 1
