"""`Tape.export` and `export`: check the arguments, write a tape or a RUN directory in another form."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from booktape import arguments
from booktape.arguments import ProductsLike
from booktape.paths import PathLike, local_path, output_path, path_of, tape_path
from booktape.windows import window
from booktape.workers import workers_of
from orderbook.errors import OptionError
from orderbook.time_input import TimeLike
from recorder.settings import EngineName

if TYPE_CHECKING:
    from booktape.workers import ClientLike
    from orderbook.engine import Engine, Step
    from replay.export.results import Exported

T = TypeVar("T")

log = logging.getLogger(__name__)


def export(
    tape: PathLike,
    output: PathLike,
    *,
    to: str = "parquet",
    products: ProductsLike | None = None,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    time: str = "ns",
    tables: str | Iterable[str] | None = None,
    depth: int | None = None,
    processes: int = 1,
    cluster: str | None = None,
    client: ClientLike | None = None,
    engine: Engine | EngineName = "auto",
    progress: Callable[[str, Step], None] | None = None,
) -> Exported:
    """Write a tape, or the tables of a RUN directory, in a form that other tools read.

    Args:
        tape: the tape, or a RUN directory.
        output: directory to write (`duckdb`: a file); must not exist.
        to: `parquet` (tables), `duckdb` (a file of SQL with views of the tables that there are),
            `hftbacktest` (npz files), `tardis` (CSV files) or `nautilus` (a catalog; needs nautilus_trader).
        products: product ids; None for all of the tape.
        start: first time to export, inclusive; rows before it build the book.
        end: last time to export, exclusive.
        time: unit of the times in Parquet files, `ns` or `us`; with `us`, int64 columns such as `recv_ns`
            keep the nanoseconds.
        tables: the tables to write as Parquet, of `summaries`, `levels`, `depth`, `trades` and `rows`; None
            for all but `rows`.
        depth: best levels a side in a row of the table `depth`, or of `book_snapshot_N`, 1 to 1000; None
            for 10.
        processes: number of processes that share the work: pieces of the tables of Parquet, products of other
            forms.
        cluster: share the work on a cluster of Dask instead: the address of its scheduler, such as
            `tcp://scheduler:8786`, or `local:4` for four processes here. It needs the tape and the output at
            the same paths.
        client: the same with a client of Dask that you have, or any `replay.pieces.cluster.Cluster`.
        engine: what runs the books; all give the same files.
        progress: called with the product and every step; only in one process.

    Raises:
        OptionError: if an argument cannot be used.
        TapeError: if the tape cannot be read or has no such product.
        RunError: if the output exists or cannot be written, or the RUN directory cannot be read.
    """
    from replay.export.settings import DEPTH, TABLES, ExportSettings, FormatName, TableName, TimeUnit

    directory = output_path(output, "output")
    form = _choice(to, "to", get_args(FormatName))
    unit = _choice(time, "time", get_args(TimeUnit))
    if time == "us" and form != "parquet":
        raise OptionError("only with --to parquet: the other forms have a unit of their own", option="time")
    given = {"products": products, "start": start, "end": end, "tables": tables, "depth": depth}
    path = path_of(tape, "tape")
    if form == "duckdb" or _is_run(path):
        _refuse(
            given | {"cluster": cluster, "client": client},
            "there is no book to compute" if form == "duckdb" else "not of a RUN directory",
        )
        return _of_files(tape, directory, form, unit)
    names = tuple(TABLES) if tables is None else _tables(tables, get_args(TableName))
    if tables is not None and form != "parquet":
        raise OptionError("only with --to parquet", option="tables", value=tables)
    if form == "nautilus":
        from replay.export.nautilus import require_nautilus

        require_nautilus()
    has_depth = form == "tardis" or (form == "parquet" and "depth" in names)
    if depth is not None and not has_depth:
        raise OptionError("nothing of this export has so many levels", option="depth", value=depth)

    processes = arguments.whole_number(processes, "processes", 1, 64)
    engine = arguments.engine_of(engine)
    with workers_of(processes, cluster, client, engine, "replay.export.pieces") as workers:
        from recorder.tape.reader import Tape as StoredTape
        from replay.export.api import export_tape

        stored = StoredTape.open(tape_path(tape))
        selected = stored.select(arguments.products_of(products))
        settings = ExportSettings(
            form,
            selected,
            window(stored, start, end, selected),
            unit,
            names,
            DEPTH if depth is None else arguments.whole_number(depth, "depth", 1, 1000),
            processes,
        )
        if workers is not None and form != "parquet":
            log.info("exporting each product in one process: its events are put in order together")
        return export_tape(
            stored,
            settings,
            directory,
            engine=engine,
            progress=arguments.optional_function(progress, "progress"),
            workers=workers,
        )


def _of_files(tape: PathLike, output: Path, form: str, unit: Any) -> Exported:
    """Export what needs no book: views of files, or the tables of a RUN."""
    path = local_path(tape, "tape", "export its tables (--to parquet) to this machine, or copy it")
    if form == "duckdb":
        from replay.export.duckdb import write_tape_view, write_views

        if _is_run(path) or (path / "export.json").is_file():
            return write_views(path, output)
        from recorder.tape.reader import Tape as StoredTape

        return write_tape_view(StoredTape.open(tape_path(tape)), output)
    if form != "parquet":
        raise OptionError("a RUN directory has no frames: export its tape", option="to", value=form)
    if unit == "ns":
        reason = "a RUN directory is Parquet with nanoseconds already; --time us writes microseconds"
        raise OptionError(reason, option="time", value=unit)
    from replay.export.run_tables import export_run

    return export_run(path, output, unit)


def _is_run(path: Path) -> bool:
    from recorder.tape.store import files as store
    from replay.run_dir.reader import DOCUMENT

    return store.exists(path / DOCUMENT)


def _refuse(given: Mapping[str, object], reason: str) -> None:
    for option, value in given.items():
        if value not in (None, (), []):
            raise OptionError(reason, option=option, value=value)


def _choice(value: T, option: str, choices: tuple[Any, ...]) -> Any:
    """Return one of several values; if `to` is given a time, say which option takes the end of the window."""
    if option == "to" and isinstance(value, str) and value not in choices and value[:1] in "+0123456789":
        reason = f"{value!r} is not one of {', '.join(choices)}; the end of the window is --until"
        raise OptionError(reason, option=option, value=value)
    return arguments.choice(value, option, choices)


def _tables(tables: str | Iterable[str], known: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the tables, each once, in our order."""
    wanted = arguments.texts_of(tables, "tables", "levels")
    for each in wanted:
        arguments.choice(each, "tables", known)
    if not wanted:
        raise OptionError("name one table or several", option="tables", value=tables)
    return tuple(each for each in known if each in wanted)
