"""The tables of a RUN directory in another unit of time: the same files, for engines without nanoseconds."""

import shutil
import threading
import time
from pathlib import Path

from orderbook.document import to_json
from recorder.installed import software
from recorder.runtime.signals import interruptible
from recorder.tape.format.segment import naming_damage
from recorder.tape.row_batches import BATCH_ROWS
from recorder.tape.store.files import ParquetFile, replace_file, sync_file
from replay.export.api import DOCUMENT
from replay.export.results import Exported, ExportedFile
from replay.export.settings import TimeUnit
from replay.export.times import timed_schema, with_times
from replay.run_dir.writer import StreamFile, complete_directory


def export_run(run: Path, output: Path, unit: TimeUnit) -> Exported:
    """Write all tables of a RUN, each at its place; run.json comes along.

    Raises:
        RunError: if `output` exists already or cannot be written.
        DamagedTapeError: if a file is not as it was written.
        InterruptedRunError: if a signal ended the export.
    """
    result = Exported(run, output, "parquet", synthetic=False, software=software())
    started, stopped = time.perf_counter(), threading.Event()
    with complete_directory(output) as directory, interruptible(stopped.set, "nothing was written"):
        for path in sorted(run.rglob("*.parquet")):
            if stopped.is_set():
                break
            target = directory / path.relative_to(run)
            target.parent.mkdir(parents=True, exist_ok=True)
            rows = _rewrite(path, target, unit)
            result.files.append(ExportedFile.of_path(target, directory, rows))
        for path in run.glob("*.json"):
            sync_file(Path(shutil.copyfile(path, directory / path.name)))
        result.elapsed_s = time.perf_counter() - started
        replace_file(directory / DOCUMENT, to_json(result.document()))
    return result


def _rewrite(path: Path, target: Path, unit: TimeUnit) -> int:
    """Write a file with its times in a unit; return how many rows it has."""
    with naming_damage(path), ParquetFile(path, page_checksum_verification=True) as file:
        schema = timed_schema(file.schema_arrow, unit)
        written = StreamFile(target, schema)
        for batch in file.iter_batches(BATCH_ROWS):
            written.write(with_times(batch, schema))
        written.close()
    return written.rows
