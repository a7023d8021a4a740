"""Reading a RUN directory: run.json, and its streams by product."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from orderbook.schema import FLOW_ANOMALY_SCHEMA, FLOW_SUMMARY_SCHEMA
from orderbook.venues.base import is_product_id
from orderbook.venues.rawjson import UNREADABLE
from recorder.tape.format.segment import naming_damage
from recorder.tape.row_batches import BATCH_ROWS
from recorder.tape.store import files as store
from recorder.tape.store.paths import noted_path
from replay.run_dir.writer import RunError

DOCUMENT: Final = "run.json"

CORE_STREAMS: Final = {
    "summaries": FLOW_SUMMARY_SCHEMA,
    "signals": FLOW_SUMMARY_SCHEMA,
    "anomalies": FLOW_ANOMALY_SCHEMA,
}
"""The streams of every RUN and their columns; a stream without rows has no directory."""


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
        path: the directory.
        tape: path of the replayed tape, as it was given; a relative one counts from the current directory.
        digest: digest of all summaries, hex.
        settings: settings of the replay.
        counts: number of rows of each product's streams, as run.json has it.
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
            RunError: if run.json cannot be read or was not written by a replay.
        """
        name = path / DOCUMENT
        try:
            text = store.read_file(name)
        except OSError as error:
            raise RunError(f"{name}: {error.strerror}", name) from None
        try:
            document = msgspec.json.decode(text, type=_Document)
        except UNREADABLE as error:
            raise RunError(f"{name}: not written by a replay ({error})", name) from None
        bad = [product for product in document.products if not is_product_id(product)]
        if bad:
            raise RunError(f"{name}: {bad[0]!r} is not a product id", name)
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
            for product, written in document.strategy.products.items():
                counts.setdefault(product, {})["strategy"] = written.rows
        return cls(path, noted_path(document.tape), document.digest, document.settings, counts)

    @property
    def products(self) -> tuple[str, ...]:
        """Product ids."""
        return tuple(self.counts)

    @property
    def streams(self) -> tuple[str, ...]:
        """The core's streams, then all others."""
        others = {
            stream
            for stream in store.names_in(self.path)
            if any(name.startswith("product=") for name in store.names_in(self.path / stream))
        }
        others |= {stream for counts in self.counts.values() for stream in counts}
        return (*CORE_STREAMS, *sorted(others - CORE_STREAMS.keys()))

    def batches(self, stream: str, product: str) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a stream of a product, in seq order.

        Raises:
            RunError: if a file is missing, or has other columns or another order.
            DamagedTapeError: if a file is not as it was written.
        """
        folder = self.path / stream / f"product={product}"
        paths = store.find_files(folder, "*.parquet")
        expected = self.counts.get(product, {}).get(stream, 0)
        if expected and not paths:
            raise RunError(f"{folder}: missing; {DOCUMENT} counts {expected:,} rows in it", folder)
        last_seq = -1
        for path in paths:
            for batch in self._file(path, CORE_STREAMS.get(stream)):
                seq = batch.column("seq").to_numpy()
                if np.any(np.diff(seq, prepend=last_seq) < 0):  # also a first one below 0
                    raise RunError(f"{path}: its rows are not in order of seq", path)
                last_seq = int(seq[-1])
                yield batch

    def _file(self, path: Path, schema: pa.Schema | None) -> Iterator[pa.RecordBatch]:
        with naming_damage(path), store.ParquetFile(path, page_checksum_verification=True) as file:
            found = file.schema_arrow
            if "seq" not in found.names or found.field("seq").type != pa.int64():
                raise RunError(f"{path}: has no int64 column seq", path)
            if schema is not None and found not in (schema, schema.remove(len(schema) - 1)):  # before 0.2
                raise RunError(f"{path}: its columns are not those of this stream of a RUN", path)
            for batch in file.iter_batches(BATCH_ROWS):
                if batch.column("seq").null_count:
                    raise RunError(f"{path}: a row has no seq", path)
                if batch.num_rows:
                    yield batch
