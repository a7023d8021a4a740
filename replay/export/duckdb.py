"""A file of SQL that gives DuckDB a view of each table of a tape, a RUN directory or an export."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orderbook.display import plural, printable
from orderbook.errors import reason_of
from recorder.installed import software
from recorder.tape.overview import overview
from recorder.tape.reader import Tape
from recorder.tape.store.durable import sync_content
from replay.export.results import Exported, ExportedFile
from replay.run_dir.unfinished import aside
from replay.run_dir.writer import RunError, refuse_existing

ROWS_OF_TAPE: Final = "rows"
"""The view of a tape's sealed rows."""


def write_tape_view(tape: Tape, output: Path) -> Exported:
    """Write the view of a tape's sealed rows; see `write_views`.

    Raises:
        TapeError: if the tape cannot be read.
        RunError: if the file exists already or cannot be written, or no row is sealed.
    """
    views = [overview(tape.product(product)) for product in tape.select(())]
    unsealed = sum(each.journal_rows for each in views)
    if not any(each.segments for each in views):
        left = f"; {plural(unsealed, 'row')} are in its journal" if unsealed else ""
        raise RunError(f"{tape.path}: no row is sealed yet{left}: wait for a seal", tape.path)
    globs = {ROWS_OF_TAPE: "product=*/date=*/*.parquet"}
    return _written(tape.path, output, globs, synthetic=tape.manifest.synthetic, unsealed=unsealed)


def write_views(source: Path, output: Path) -> Exported:
    """Write a view of each table of a RUN or an export: never over another file, never half of it.

    Raises:
        RunError: if the file exists already or cannot be written, or the source has no table.
    """
    globs = dict(sorted(_tables(source)))
    if not globs:
        raise RunError(f"{source}: has no table", source)
    return _written(source, output, globs)


def _written(
    source: Path, output: Path, globs: dict[str, str], *, synthetic: bool = False, unsealed: int = 0
) -> Exported:
    started = time.perf_counter()
    refuse_existing(output)
    text = "\n".join(_lines(source.resolve(), globs, synthetic=synthetic, unsealed=unsealed))
    unfinished = aside(output)
    try:
        with unfinished.open("x", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            sync_content(file.fileno())
        refuse_existing(output)
        unfinished.rename(output)
    except OSError as error:
        raise RunError(f"{output}: cannot be written ({reason_of(error)})", output) from None
    finally:
        unfinished.unlink(missing_ok=True)
    made = Exported(source, output, "duckdb", synthetic, software(), unsealed_rows=unsealed)
    made.files = [ExportedFile(output.name, len(globs), output.stat().st_size)]
    made.elapsed_s = time.perf_counter() - started
    return made


def _tables(directory: Path) -> Iterator[tuple[str, str]]:
    """Yield the tables of a RUN or an export, and the files of each as a pattern."""
    for path in directory.iterdir():
        if path.suffix == ".parquet":
            yield path.stem, path.name
        elif path.is_dir() and any(path.glob("product=*/**/*.parquet")):
            has_days = any(path.glob("product=*/date=*/*.parquet"))
            yield path.name, f"{path.name}/product=*/{'date=*/' * has_days}*.parquet"


def _lines(source: Path, globs: dict[str, str], *, synthetic: bool, unsealed: int) -> Iterator[str]:
    yield f"-- Views of {printable(str(source), len(str(source)))}, written by {software()}."
    if synthetic:
        yield "-- SYNTHETIC: a synthetic exchange sent the frames, no price was ever quoted."
    if unsealed:
        rows = plural(unsealed, "row")
        yield f"-- {rows} of the tape not sealed yet when this was written: the view has sealed rows only."
    yield "-- Read it by .read FILE in the shell, or by duckdb.sql(Path(FILE).read_text())."
    for name, glob in globs.items():
        where = f"{_escaped(source)}/{glob}"
        view, files = name.replace('"', '""'), where.replace("'", "''")
        yield f'CREATE OR REPLACE VIEW "{view}" AS'
        yield f"  SELECT * FROM read_parquet('{files}', hive_partitioning = true, union_by_name = true);"  # noqa: S608  nothing runs it here
    yield ""


def _escaped(path: Path) -> str:
    """Return a path in which no character stands for others in a pattern.

    >>> _escaped(Path("/tapes/a[1]*"))
    '/tapes/a[[]1][*]'
    """
    return re.sub(r"[*?\[]", r"[\g<0>]", str(path))
