"""`export_tape`: one pass over each product into the files of a format."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from orderbook.document import to_json
from orderbook.engine import Engine, Step
from recorder.installed import software
from recorder.runtime.loading import engine_for, engine_name, load_engine
from recorder.runtime.signals import interruptible
from recorder.settings import EngineName
from recorder.tape.reader import Tape, TapeLike
from recorder.tape.store.local import replace_file
from replay.export.collect import Collector, least_lag
from replay.export.hftbacktest import HftbacktestWriter
from replay.export.nautilus import NautilusWriter
from replay.export.parquet import ParquetWriter
from replay.export.passing import Part, parts_of_product
from replay.export.results import Exported, ExportedFile, ExportedProduct
from replay.export.settings import ExportSettings
from replay.export.tardis import TardisWriter
from replay.processes import WaitForStart, WorkerPool, balanced
from replay.run_dir.writer import complete_directory

DOCUMENT = "export.json"
Progress = Callable[[str, Step], None]


class Writer(Protocol):
    """Writes the files of one product."""

    def add(self, part: Part) -> None:
        """Add the next rows."""

    def close(self) -> list[ExportedFile]:
        """Finish all files, durable, and return them."""


def export_tape(
    tape: TapeLike,
    settings: ExportSettings,
    output: Path,
    *,
    engine: Engine | EngineName = "auto",
    progress: Progress | None = None,
) -> Exported:
    """Write a tape in another form, in memory that does not grow with it.

    Args:
        tape: the tape, or its path.
        settings: what is exported, and how.
        output: directory to write; must not exist. It gets its name when it is complete.
        engine: runs the books.
        progress: called with the product and every step; only with one process.

    Raises:
        TapeError: if the tape cannot be read or has no such product.
        RunError: if `output` exists already or cannot be written.
        InterruptedRunError: if a signal ended the export.
    """
    opened = Tape.open(tape)
    settings = replace(settings, products=opened.select(settings.products))
    manifest = opened.manifest
    result = Exported(opened.path, output, settings.format, manifest.synthetic, software(), settings)
    started = time.perf_counter()
    with ExitStack() as stack:
        directory = stack.enter_context(complete_directory(output))
        several = settings.processes > 1
        if not several:
            engine = engine_for(opened.sealed_work(settings.products), engine)
        groups = balanced([(opened, settings.products)], settings.processes) if several else []
        pool = WorkerPool(_export_in_worker, len(groups), engine_name(engine))
        stack.enter_context(pool)
        work = _Work(opened, settings, directory, pool.ready_engine(engine))
        if several:
            parts = [replace(work, settings=replace(settings, products=group)) for group in groups]
            outcomes = pool.run(parts)
        else:
            outcomes = [_export(work, progress)]
        for outcome in outcomes:
            result.products |= outcome.products
            result.files += outcome.files
        result.files.sort(key=lambda file: file.path)
        result.elapsed_s = time.perf_counter() - started
        replace_file(directory / DOCUMENT, to_json(result.document()))
    return result


@dataclass(frozen=True, slots=True)
class _Work:
    """The products of one process; picklable."""

    tape: Tape
    settings: ExportSettings
    directory: Path
    engine: Engine | EngineName


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one process has exported."""

    products: dict[str, ExportedProduct]
    files: list[ExportedFile]


def _export_in_worker(work: _Work, _wait_for_start: WaitForStart) -> _Outcome:
    return _export(work, None)


def _export(work: _Work, progress: Progress | None) -> _Outcome:
    engine = load_engine(work.engine)
    stopped = threading.Event()
    found = _Outcome({}, [])
    with interruptible(stopped.set, "nothing was written"):
        for product in work.settings.products:
            if not stopped.is_set():
                _export_product(work, product, engine, progress, stopped, found)
    return found


def _export_product(
    work: _Work,
    product: str,
    engine: Engine,
    progress: Progress | None,
    stopped: threading.Event,
    found: _Outcome,
) -> None:
    tape, settings = work.tape.product(product), work.settings
    lag = least_lag(tape)
    collector = Collector()
    writer, shift = _writer(work, product, lag)
    parts = parts_of_product(
        tape, work.tape.venue, settings.window, engine, _depth(settings), progress or _ignore
    )
    for part in _until(parts, stopped):
        collector.add(part)
        writer.add(part)
    found.files.extend(writer.close())
    found.products[product] = collector.product(lag, shift)


def _writer(work: _Work, product: str, lag: int | None) -> tuple[Writer, int]:
    """Return the writer of a product, and the nanoseconds that it adds to times of receipt."""
    settings, directory = work.settings, work.directory
    if settings.format == "hftbacktest":
        writer = HftbacktestWriter(directory, product, lag)
        return writer, writer.ordering.shift
    if settings.format == "tardis":
        return TardisWriter(directory, product, settings.depth), 0
    if settings.format == "nautilus":
        return NautilusWriter(directory, product), 0
    return ParquetWriter(directory, product, settings, _metadata(work.tape)), 0


def _metadata(tape: Tape) -> Mapping[str, str]:
    """Return what the schema of a Parquet file tells of its tape."""
    return {"booktape": software(), "synthetic": "true" if tape.manifest.synthetic else "false"}


def _depth(settings: ExportSettings) -> int:
    """Return how many levels the pass must collect after every summary."""
    has_levels = settings.format == "tardis" or (settings.format == "parquet" and "depth" in settings.tables)
    return settings.depth if has_levels else 0


def _until(parts: Iterator[Part], stopped: threading.Event) -> Iterator[Part]:
    """Yield parts until a signal comes."""
    for part in parts:
        if stopped.is_set():
            return
        yield part


def _ignore(_product: str, _step: Step) -> None:
    """Do nothing: nobody watches."""
