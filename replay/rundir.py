"""A RUN directory: what a replay writes. It has its name only once it is whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from orderbook.errors import BooktapeError
from recorder.tape.files import replace_file, sync_directory, sync_file
from recorder.tape.segment import ROW_GROUP_ROWS
from replay.aside import directory_aside, release

_MAX_SMALL: Final = 256
"""Batches that wait as they are: each takes kilobytes beside its rows."""


class RunError(BooktapeError):
    """The RUN directory cannot be written, or is not what a replay wrote."""


def refuse_existing(run: Path) -> None:
    """Refuse a directory to be made that is there already.

    Raises:
        RunError: where it is.
    """
    if run.exists() or run.is_symlink():
        raise RunError(f"{run}: exists already; nothing is overwritten")
    if not run.absolute().parent.is_dir():
        raise RunError(f"{run}: no directory {run.absolute().parent}")


@contextmanager
def run_directory(run: Path) -> Iterator["RunWriter"]:
    """Yield a writer; the directory gets its name when the block ends well, else nothing of it stays.

    Raises:
        RunError: where RUN exists already or cannot be made.
    """
    refuse_existing(run)
    try:
        with directory_aside(run) as aside:
            writer = RunWriter(aside)
            yield writer
            writer.close()
            refuse_existing(run)
            release(aside)
            aside.rename(run)
            sync_directory(run.absolute().parent)
    except (OSError, pa.ArrowException) as error:
        raise RunError(f"{run}: cannot be written ({error})") from None


class RunWriter:
    """Writes batches as RUN/<stream>/product=P/<first seq>.parquet, and run.json."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._files: dict[tuple[str, str], _StreamFile] = {}

    def write(self, stream: str, product: str, batch: pa.RecordBatch) -> None:
        """Append a batch to the file of a stream and product; the first one names it by its first seq.

        Raises:
            OSError: as the operating system says.
        """
        key = (stream, product)
        if key not in self._files:
            folder = self.directory / stream / f"product={product}"
            folder.mkdir(parents=True)
            path = folder / f"{batch.column('seq')[0].as_py():020d}.parquet"
            self._files[key] = _StreamFile(path, batch.schema)
        self._files[key].write(batch)

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write RUN/<name>.parquet."""
        pq.write_table(
            table, self.directory / f"{name}.parquet", compression="zstd", write_page_checksum=True
        )

    def write_document(self, document: object) -> None:
        """Write run.json."""
        text = msgspec.json.format(msgspec.json.encode(document), indent=2)
        replace_file(self.directory / "run.json", text + b"\n")

    def close(self) -> None:
        """Finish the files of this process, each durable, and check that each can be read back.

        Raises:
            OSError, pyarrow.ArrowException: where one cannot.
        """
        for file in self._files.values():
            file.close()
            sync_file(file.path)
            sync_directory(file.path.parent)
            pq.read_metadata(file.path)


class _StreamFile:
    """One Parquet file, in row groups of a fair size: a paced replay's batches hold a row each.

    The footer, in memory up to the end, lists every group.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self._file = pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)
        self._gathered: list[pa.RecordBatch] = []  # large enough to be kept as they are
        self._small: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch; it is on disk once a row group is full. O(rows), each copied twice at most."""
        self._small.append(batch)
        self._rows += batch.num_rows
        if self._rows >= ROW_GROUP_ROWS:
            self._flush()
        elif len(self._small) >= _MAX_SMALL:
            self._gathered += pa.Table.from_batches(self._small).combine_chunks().to_batches()
            self._small = []

    def _flush(self) -> None:
        if self._rows:
            self._file.write_table(pa.Table.from_batches(self._gathered + self._small), self._rows)
        self._gathered, self._small, self._rows = [], [], 0

    def close(self) -> None:
        """Write what is gathered, and the footer."""
        self._flush()
        self._file.close()
