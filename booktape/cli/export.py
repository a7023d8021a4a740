"""`booktape export`."""

from pathlib import Path
from typing import Any

import booktape
from booktape.cli.options import (
    cluster_option,
    command,
    engine_option,
    json_option,
    option,
    processes_option,
    products_option,
    tape_argument,
)
from booktape.cli.param_types import PATH, WholeNumber
from booktape.exporting import export as export_source


@command("booktape export sample: --to hftbacktest -o sample-npz")
@tape_argument
@option(
    export_source,
    "to",
    "--to",
    metavar="FORMAT",
    help="parquet: tables; duckdb: a file of SQL with views; hftbacktest: npz files; tardis: CSV files;"
    " nautilus: a catalog, written by nautilus_trader.",
)
@option(
    export_source,
    "output",
    "-o",
    "--output",
    type=PATH,
    metavar="OUT",
    help="Directory (duckdb: file) to write.",
)
@products_option
@option(
    export_source,
    "start",
    "--from",
    metavar="TIME",
    help="Export rows from this time on, such as 2026-08-09T21:05:50 (UTC, or with a zone) or +5m after the"
    " first row; rows before it build the book.",
)
@option(export_source, "end", "--until", metavar="TIME", help="Export only rows before this time.")
@option(
    export_source,
    "time",
    "--time",
    metavar="UNIT",
    help="Unit of times in Parquet: ns, or us for engines that cannot read nanoseconds; then columns such as"
    " recv_ns have them as int64.",
)
@option(
    export_source,
    "tables",
    "--table",
    multiple=True,
    metavar="TABLE",
    help="Only this table: summaries, levels, depth, trades or rows; repeatable.  [default: all but rows]",
)
@option(
    export_source,
    "depth",
    "--depth",
    type=WholeNumber(1, 1000),
    help="Best levels a side in the table depth, and in book_snapshot_N.  [default: 10]",
)
@processes_option
@cluster_option
@engine_option
@json_option
def export(
    tape: Path, products: tuple[str, ...], tables: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Write TAPE in a form that other tools read: docs/export.md says what maps to what.

    OUT is there only when it is complete; export.json in it tells its files, and what was left out. TAPE may
    be a RUN directory: --time us writes its tables with microseconds, --to duckdb views of them.
    """
    from booktape.console.exporting import print_exported
    from booktape.console.progress import progress_bar
    from booktape.console.terminal import log_to_stderr, print_result

    log_to_stderr()
    with progress_bar(tape, products, "export") as advance:
        exported = booktape.export(
            tape,
            products=products,
            tables=tables or None,
            progress=advance if options["processes"] == 1 and options["cluster"] is None else None,
            **options,
        )
    print_result(exported, print_exported, as_json=as_json)
