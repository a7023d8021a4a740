"""The result of an export."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import pyarrow as pa

from orderbook.digest import run_digest
from orderbook.display import plural, products_title
from orderbook.document import Document
from orderbook.result import Result
from orderbook.schema import columns
from orderbook.times import format_optional
from recorder.installed import tapes_title
from replay.export.settings import ExportSettings

FILE_SCHEMA: Final = pa.schema(columns(False, path=pa.string(), rows=pa.int64(), bytes=pa.int64()))
"""Columns of `Exported.table`."""


class ExportedFile(Document, frozen=True):
    """A file of an export.

    Attributes:
        path: its path inside the export.
        rows: number of its rows or events.
        bytes: its size.
    """

    path: str
    rows: int
    bytes: int

    @classmethod
    def of_path(cls, path: Path, directory: Path, rows: int) -> Self:
        """Return a file that was written."""
        return cls(str(path.relative_to(directory)), rows, path.stat().st_size)


class Mark(Document, frozen=True):
    """A row that begins or ends a connection: no book is known from it to the next snapshot.

    Attributes:
        seq: its number.
        time: its recv_time.
        kind: `connected` or `disconnected`.
    """

    seq: int
    time: str
    kind: str


class ExportedProduct(Document, frozen=True):
    """What was exported of a product, and what was left out.

    Attributes:
        rows, frames, summaries, trades: numbers of rows of the tape, frames, summaries and trades.
        first_time, last_time: recv_time of the first and last row.
        anomalies: number of each kind of fault that occurred; such a frame has no row in a table of the book.
        history_trades: number of trades from before a subscription; only Parquet files hold them.
        trade_gaps: number of places at which trades are missing.
        trades_malformed: number of trade frames that could not be read.
        trades_repeated: number of trade frames with a trade_id that their connection had shown before.
        marks: where no book is known.
        lag_ns: the least measured time from the exchange to the receipt, in nanoseconds; null if not known.
        shift_ns: nanoseconds that were added to all times of receipt, so that the least lag is above 0.
        digest: digest of all summaries, as that of a replay.
    """

    rows: int
    frames: int
    summaries: int
    trades: int
    first_time: str | None
    last_time: str | None
    anomalies: dict[str, int]
    history_trades: int
    trade_gaps: int
    trades_malformed: int
    trades_repeated: int
    marks: list[Mark]
    lag_ns: int | None
    shift_ns: int
    digest: str


class ExportSettingsDocument(Document, frozen=True):
    """The settings of an export.

    Attributes:
        products: product ids.
        processes: number of processes that shared the products.
        from_, to: the window, ISO times; null for an open side.
        time: unit of the times in Parquet files.
        tables: the tables that were written as Parquet.
        depth: best levels a side in a row of the table `depth`, or of `book_snapshot_N`.
    """

    products: tuple[str, ...]
    from_: str | None
    to: str | None
    time: str
    tables: tuple[str, ...]
    depth: int
    processes: int


class ExportDocument(Document, frozen=True):
    """The JSON form of `Exported`, also in OUT/export.json.

    Attributes:
        tape: path of the tape or RUN directory.
        synthetic: whether a synthetic exchange sent the frames: no price was ever quoted.
        software: the program that wrote the export.
        format: name of the format.
        settings: the settings of the export; null if it was not made of a tape's frames.
        digest: digest of the run, as that of a replay; null if no frames were read.
        products: what was exported of each product.
        files: all files.
        unsealed_rows: of a view for DuckDB, rows of the tape that it does not have, as they were not sealed.
        elapsed_s: wall time in seconds.
        frames_per_s: frames exported in a second of wall time.
    """

    tape: str
    synthetic: bool
    software: str
    format: str
    settings: ExportSettingsDocument | None
    digest: str | None
    products: dict[str, ExportedProduct]
    files: list[ExportedFile]
    unsealed_rows: int
    elapsed_s: float
    frames_per_s: float


@dataclass(slots=True, repr=False)
class Exported(Result):
    """The result of an export.

    Attributes:
        tape: path of the tape or RUN directory.
        output: the directory or file that was written.
        format: name of the format.
        synthetic: whether a synthetic exchange sent the frames.
        software: the program that wrote the export.
        settings: the settings; None if it was not made of a tape's frames.
        products: what was exported of each product, and what was left out.
        files: all files.
        unsealed_rows: rows of the tape that a view for DuckDB does not have, as they were not sealed.
        elapsed_s: wall time in seconds.
    """

    tape: Path
    output: Path
    format: str
    synthetic: bool
    software: str
    settings: ExportSettings | None = None
    products: dict[str, ExportedProduct] = field(default_factory=dict)
    files: list[ExportedFile] = field(default_factory=list)
    unsealed_rows: int = 0
    elapsed_s: float = 0.0

    @property
    def frames(self) -> int:
        """Number of frames of all products."""
        return sum(each.frames for each in self.products.values())

    @property
    def frames_per_s(self) -> float:
        """Frames exported in a second of wall time."""
        return self.frames / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(each.bytes for each in self.files)

    @property
    def digest(self) -> str | None:
        """Digest of the run, as that of a replay; None if no frames were read."""
        digests = {product: each.digest for product, each in self.products.items() if each.rows}
        return run_digest(digests) if digests else None

    def summary(self) -> str:
        """Return one line: tape, products, format and files."""
        products = f" {products_title(self.products)}," if self.products else ""
        return f"{tapes_title(self.tape)}{products} {plural(len(self.files), 'file')} for {self.format}"

    def table(self) -> pa.Table:
        """Return the files as rows, columns `FILE_SCHEMA`."""
        rows = [{"path": each.path, "rows": each.rows, "bytes": each.bytes} for each in self.files]
        return pa.Table.from_pylist(rows, FILE_SCHEMA)

    def _document(self) -> ExportDocument:
        return ExportDocument.of(
            self,
            tape=str(self.tape),
            settings=self.settings and _settings(self.settings),
            products=dict(sorted(self.products.items())),
        )


def _settings(settings: ExportSettings) -> ExportSettingsDocument:
    start, end = settings.window.start, settings.window.end
    return ExportSettingsDocument.of(settings, from_=format_optional(start), to=format_optional(end))
