"""Reading a RUN directory: run.json, and its streams product by product."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orderbook.schema import ANOMALY_SCHEMA, SUMMARY_SCHEMA
from recorder.tape.layout import is_product_id
from recorder.tape.reader import BATCH_ROWS
from recorder.tape.segment import naming_damage
from replay.rundir import RunError

DOCUMENT: Final = "run.json"

CORE_STREAMS: Final = {"summaries": SUMMARY_SCHEMA, "signals": SUMMARY_SCHEMA, "anomalies": ANOMALY_SCHEMA}
"""What every RUN of a replay has, with its columns; a directory is there only where there are rows."""


class _Counts(msgspec.Struct):
    summaries: int
    signals: int
    anomalies: dict[str, int]


class _StrategyRows(msgspec.Struct):
    rows: int


class _Strategy(msgspec.Struct):
    products: dict[str, _StrategyRows]


class _Document(msgspec.Struct):
    tape: str
    digest: str
    settings: dict[str, Any]
    products: dict[str, _Counts]
    strategy: _Strategy | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A RUN directory that a replay wrote.

    Attributes:
        path: its directory.
        tape: the tape it is of, as it was named then; a relative path is one from where we run now.
        digest: of all its summaries, hex.
        settings: of the replay.
        counts: rows that each stream of each product has, by what run.json says.
    """

    path: Path
    tape: Path
    digest: str
    settings: dict[str, Any]
    counts: dict[str, dict[str, int]]

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Open a RUN.

        Raises:
            RunError: where run.json cannot be read or is not a replay's.
        """
        name = path / DOCUMENT
        try:
            document = msgspec.json.decode(name.read_bytes(), type=_Document)
        except OSError as error:
            raise RunError(f"{name}: {error.strerror}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RunError(f"{name}: not the document of a replay ({error})") from None
        bad = [product for product in document.products if not is_product_id(product)]
        if bad:
            raise RunError(f"{name}: {bad[0]!r} is no product id")
        counts = {
            product: {
                "summaries": found.summaries,
                "signals": found.signals,
                "anomalies": sum(found.anomalies.values()),
            }
            for product, found in document.products.items()
        }
        if document.settings.get("depth"):
            for product, found in document.products.items():
                counts[product]["depth"] = found.summaries
        if document.strategy is not None:
            for product, made in document.strategy.products.items():
                counts.setdefault(product, {})["strategy"] = made.rows
        return cls(path, Path(document.tape), document.digest, document.settings, counts)

    @property
    def products(self) -> tuple[str, ...]:
        """The products that were replayed."""
        return tuple(self.counts)

    @property
    def streams(self) -> tuple[str, ...]:
        """The core's streams, then what else it holds by product."""
        others = {folder.parent.name for folder in self.path.glob("*/product=*")}
        others |= {stream for counts in self.counts.values() for stream in counts}
        return (*CORE_STREAMS, *sorted(others - CORE_STREAMS.keys()))

    def batches(self, stream: str, product: str) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a stream of a product, in seq order.

        Raises:
            RunError: where a file is missing, or holds other columns or another order.
            DamagedTapeError: where a file is not what was written.
        """
        folder = self.path / stream / f"product={product}"
        paths = sorted(folder.glob("*.parquet"))
        expected = self.counts.get(product, {}).get(stream, 0)
        if expected and not paths:
            raise RunError(f"{folder}: missing; {DOCUMENT} counts {expected:,} rows there")
        last_seq = -1
        for path in paths:
            for batch in self._file(path, CORE_STREAMS.get(stream)):
                seq = batch.column("seq").to_numpy()
                if np.any(np.diff(seq, prepend=last_seq) < 0):  # also a first one below 0
                    raise RunError(f"{path}: its rows are not in the order of seq")
                last_seq = int(seq[-1])
                yield batch

    def _file(self, path: Path, schema: pa.Schema | None) -> Iterator[pa.RecordBatch]:
        with naming_damage(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
            found = file.schema_arrow
            if "seq" not in found.names or found.field("seq").type != pa.int64():
                raise RunError(f"{path}: has no column seq of int64")
            if schema is not None and not found.equals(schema):
                raise RunError(f"{path}: its columns are not those of a RUN")
            for batch in file.iter_batches(BATCH_ROWS):
                if batch.column("seq").null_count:
                    raise RunError(f"{path}: a row without seq")
                if batch.num_rows:
                    yield batch
