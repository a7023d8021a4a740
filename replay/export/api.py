"""`export_tape`: one pass over each product into the files of a format, or several over its pieces."""

import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from orderbook.document import to_json
from orderbook.engine import Engine
from recorder.installed import software
from recorder.runtime.loading import engine_for, load_engine
from recorder.runtime.signals import interruptible
from recorder.settings import EngineName
from recorder.tape.reader import Tape, TapeLike
from recorder.tape.store.writing import replace_file
from replay.export.pieces import ExportWork, Outcome, Progress, export_pieces, export_product
from replay.export.results import Exported
from replay.export.settings import ExportSettings
from replay.pieces.cutting import WHOLE_PRODUCT, ProductPiece
from replay.pieces.workers import LocalWorkers, Workers
from replay.run_dir.writer import complete_directory

DOCUMENT = "export.json"


def export_tape(
    tape: TapeLike,
    settings: ExportSettings,
    output: Path,
    *,
    engine: Engine | EngineName = "auto",
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> Exported:
    """Write a tape in another form, in memory that does not grow with it.

    Args:
        tape: the tape, or its path.
        settings: what is exported, and how.
        output: directory to write; must not exist. It gets its name when it is complete.
        engine: runs the books.
        progress: called with the product and every step; only with one process.
        workers: who work on the pieces of the tape; None for the processes of the settings.

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
        if workers is None and settings.processes > 1:
            module = export_pieces.__module__
            workers = stack.enter_context(LocalWorkers(settings.processes, engine, module))
        directory = stack.enter_context(complete_directory(output))
        chosen = engine_for(opened.sealed_work(settings.products), engine)
        if workers is None:
            outcomes = _export(ExportWork(opened, settings, directory, load_engine(chosen)), progress)
        else:
            outcomes = export_pieces(ExportWork(opened, settings, directory, chosen), workers)
        for product, outcome in zip(settings.products, outcomes, strict=False):
            result.products[product] = outcome.found.product(outcome.lag, outcome.shift)
            result.files += outcome.files
        result.files.sort(key=lambda file: file.path)
        result.elapsed_s = time.perf_counter() - started
        replace_file(directory / DOCUMENT, to_json(result.document()))
    return result


def _export(work: ExportWork, progress: Progress | None) -> list[Outcome]:
    """Export one product after another, until a signal comes."""
    stopped, found = threading.Event(), []
    with interruptible(stopped.set, "nothing was written"):
        for product in work.settings.products:
            if not stopped.is_set():
                each = ProductPiece(0, product, WHOLE_PRODUCT)
                found.append(export_product(work, each, stopped.is_set, progress))
    return found
