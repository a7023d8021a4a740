"""Writing a RUN directory. It gets its name only when it is complete."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from orderbook.document import to_json
from orderbook.errors import BooktapeError, reason_of
from recorder.tape.format.segment_writer import ROW_GROUP_ROWS
from recorder.tape.store.durable import sync_directory
from recorder.tape.store.files import ParquetFile, rename_file, replace_file, sync_file
from recorder.tape.store.writing import arrow_sink
from replay.run_dir.unfinished import aside, release, remove_asides, unfinished_directory

_MAX_SMALL: Final = 256
"""Small batches to hold before they are combined: each takes kilobytes besides its rows."""


class RunError(BooktapeError):
    """The RUN directory cannot be written, or was not written by a replay.

    Attributes:
        path: the directory, or the file in it, if one is to blame.
    """

    def __init__(self, message: str, path: Path | None = None) -> None:
        super().__init__(message)
        self.path = path


def refuse_existing(run: Path) -> None:
    """Check that a RUN directory can be made.

    Raises:
        RunError: if it exists already, or its parent directory does not.
    """
    if run.exists() or run.is_symlink():
        raise RunError(f"{run}: exists already; nothing is overwritten", run)
    if not run.absolute().parent.is_dir():
        raise RunError(f"{run}: no directory {run.absolute().parent}", run)


@contextmanager
def complete_directory(path: Path) -> Iterator[Path]:
    """Yield a new directory. It gets its name if the block succeeds, and is removed if it fails.

    Raises:
        RunError: if the path exists already or cannot be written.
    """
    refuse_existing(path)
    try:
        with unfinished_directory(path) as directory:
            yield directory
            remove_asides(directory)
            refuse_existing(path)
            release(directory)
            directory.rename(path)
            sync_directory(path.absolute().parent)
    except (OSError, pa.ArrowException) as error:
        raise RunError(f"{path}: cannot be written ({reason_of(error)})", path) from None


@contextmanager
def run_directory(run: Path) -> Iterator["RunWriter"]:
    """Yield a writer of a new RUN directory, see `complete_directory`.

    Raises:
        RunError: if RUN exists already or cannot be written.
    """
    with complete_directory(run) as directory:
        writer = RunWriter(directory)
        yield writer
        writer.close()


class RunWriter:
    """Writes batches as RUN/<stream>/product=P/<first seq>.parquet, and run.json.

    Rows without a seq are in a file named 0. A file has another name until it is complete, so it does no harm
    to write a piece of a tape again if its process died.

    Args:
        directory: the directory.
        label: follows the first seq in the names of files, if others may begin with the same one.
        prefix: precedes it, if files of others come before them in the order of their names.
    """

    def __init__(self, directory: Path, label: str = "", prefix: str = "") -> None:
        self.directory = directory
        self._label = label
        self._prefix = prefix
        self._files: dict[tuple[str, str], StreamFile] = {}

    def write(self, stream: str, product: str, batch: pa.RecordBatch) -> None:
        """Append a batch to the file of a stream and product; the first seq names the file.

        Raises:
            OSError: if it cannot be written.
        """
        key = (stream, product)
        if key not in self._files:
            folder = self.directory / stream / f"product={product}"
            folder.mkdir(parents=True, exist_ok=True)  # another piece of the product may have made it
            first_seq = batch.column("seq")[0].as_py() if "seq" in batch.schema.names else 0
            path = folder / f"{self._prefix}{first_seq:020d}{self._label}.parquet"
            self._files[key] = StreamFile(path, batch.schema)
        self._files[key].write(batch)

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write RUN/<name>.parquet."""
        with arrow_sink(self.directory / f"{name}.parquet") as sink:
            pq.write_table(table, sink, compression="zstd", write_page_checksum=True)

    def write_document(self, document: object) -> None:
        """Write run.json."""
        replace_file(self.directory / "run.json", to_json(document))

    def close(self) -> None:
        """Finish and fsync the files of this process, and check that each can be read back.

        Raises:
            OSError, pyarrow.ArrowException: if a file cannot be finished or read.
        """
        for file in self._files.values():
            file.close()
        self._files = {}


@contextmanager
def piece_files(whole: RunWriter | None, label: str = "", prefix: str = "") -> Iterator[RunWriter | None]:
    """Yield a writer of files of a piece, complete if the block succeeds; None without a RUN.

    Args:
        whole: the writer of the RUN, which another process may have made.
        label: as of `RunWriter`.
        prefix: as of `RunWriter`.

    Raises:
        RunError: if a file cannot be written, or the directory is not there, as on a machine of a cluster
            that does not share it: files of its own would be missing from the RUN.
    """
    if whole is not None and not whole.directory.is_dir():
        raise RunError(
            f"{whole.directory.parent}: {platform.node()} does not see what is written there: write to a "
            "directory that all workers share",
            whole.directory,
        )
    writer = None if whole is None else RunWriter(whole.directory, label, prefix)
    try:
        yield writer
        if writer is not None:
            writer.close()
    except (OSError, pa.ArrowException) as error:
        raise RunError(f"the run directory: {reason_of(error)}") from None


class StreamFile:
    """One Parquet file with large row groups, though a paced replay's batches hold one row each.

    The footer lists every group and stays in memory until the end.

    Args:
        path: the file.
        schema: of its rows.
        group_rows: rows of a group, about.

    Attributes:
        path: the file.
        schema: of its rows.
        rows: number of rows so far.
    """

    def __init__(self, path: Path, schema: pa.Schema, group_rows: int = ROW_GROUP_ROWS) -> None:
        self.path = path
        self.schema = schema
        self.rows = 0
        self._group_rows = group_rows
        self._aside = aside(path)
        self._sink = arrow_sink(self._aside)
        options = _encodings(schema)
        self._file = pq.ParquetWriter(
            self._sink, schema, compression="zstd", write_page_checksum=True, **options
        )
        self._combined: list[pa.RecordBatch] = []
        self._small: list[pa.RecordBatch] = []
        self._held = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch; a full row group is written. O(rows), each copied twice at most."""
        self._small.append(batch)
        self._held += batch.num_rows
        self.rows += batch.num_rows
        if self._held >= self._group_rows:
            self._flush()
        elif len(self._small) >= _MAX_SMALL:
            self._combined += pa.Table.from_batches(self._small).combine_chunks().to_batches()
            self._small = []

    def _flush(self) -> None:
        if self._held:
            self._file.write_table(pa.Table.from_batches(self._combined + self._small), self._held)
        self._combined, self._small, self._held = [], [], 0

    def close(self) -> None:
        """Write the remaining rows and the footer, fsync, check that it can be read, and give it its name."""
        self._flush()
        self._file.close()
        self._sink.close()
        sync_file(self._aside)
        ParquetFile(self._aside).close()
        rename_file(self._aside, self.path)


def _encodings(schema: pa.Schema) -> dict[str, Any]:
    """Return the Parquet options that suit the columns: dictionaries for all but numbers, as few repeat.

    Of summaries and levels that takes half the time, and two thirds of the bytes.
    """
    whole = [each.name for each in schema if pa.types.is_int64(each.type) or pa.types.is_timestamp(each.type)]
    plain = {*whole, *(each.name for each in schema if pa.types.is_floating(each.type))}
    return {
        "use_dictionary": [name for name in schema.names if name not in plain],
        "column_encoding": dict.fromkeys(whole, "DELTA_BINARY_PACKED"),
    }
