"""A RUN directory: what a replay writes. It has its name only once it is whole."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from orderbook.errors import BooktapeError
from recorder.tape.files import replace_file, sync_directory


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
        aside = Path(tempfile.mkdtemp(prefix=f"_{run.name}.", dir=run.absolute().parent))
    except OSError as error:
        raise RunError(f"{run}: {error.strerror}") from None
    try:
        writer = RunWriter(aside)
        yield writer
        writer.close()
        refuse_existing(run)
        aside.rename(run)
        sync_directory(run.absolute().parent)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise RunError(f"{run}: cannot be written ({error})") from None
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


class RunWriter:
    """Writes batches as RUN/<stream>/product=P/<first seq>.parquet, and run.json."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[tuple[str, str], pq.ParquetWriter] = {}

    def write(self, stream: str, product: str, batch: pa.RecordBatch) -> None:
        """Append a batch to the file of a stream and product; the first one names it by its first seq.

        Raises:
            OSError: as the operating system says.
        """
        key = (stream, product)
        if key not in self._files:
            folder = self._directory / stream / f"product={product}"
            folder.mkdir(parents=True)
            path = folder / f"{batch.column('seq')[0].as_py():020d}.parquet"
            self._files[key] = pq.ParquetWriter(
                path, batch.schema, compression="zstd", write_page_checksum=True
            )
        self._files[key].write_batch(batch)

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write RUN/<name>.parquet."""
        pq.write_table(
            table, self._directory / f"{name}.parquet", compression="zstd", write_page_checksum=True
        )

    def write_document(self, document: object) -> None:
        """Write run.json."""
        text = msgspec.json.format(msgspec.json.encode(document), indent=2)
        replace_file(self._directory / "run.json", text + b"\n")

    def close(self) -> None:
        """Finish all files, and check that each can be read back.

        Raises:
            OSError, pyarrow.ArrowException: where one cannot.
        """
        for file in self._files.values():
            file.close()
        for path in self._directory.rglob("*.parquet"):
            pq.read_metadata(path)
