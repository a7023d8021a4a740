"""The plan of a fleet on a terminal."""

from typing import TYPE_CHECKING

from rich.console import Console

from booktape.console.columns import Column, fitted_table
from orderbook.display import products_title

if TYPE_CHECKING:
    from recorder.fleet.plan import Fleet

_COLUMNS = (
    Column("Host", side="left"),
    Column("Recorder", side="left"),
    Column("Products", side="left"),
    Column("Tape", side="left"),
    Column("Ships to", side="left", drop=3),
    Column("Metrics", "port", drop=1),
    Column("Standby", "on", side="left", drop=2),
)


def print_fleet(console: Console, fleet: "Fleet") -> None:
    """Print a line for each process, and which products have no second recorder."""
    console.print(f"{fleet.summary()}, from {fleet.file}")
    rows = [
        [
            each.host,
            each.name,
            products_title(each.products),
            str(each.tape),
            each.ship or "-",
            str(each.metrics_port or "-"),
            ", ".join(fleet.standby(each)) or "-",
        ]
        for each in sorted(fleet.recorders, key=lambda each: fleet.hosts.index(each.host))
    ]
    console.print(fitted_table(console, _COLUMNS, rows))
    if fleet.once:
        console.print(
            f"Recorded once, so an interruption is a hole: {products_title(fleet.once)}", soft_wrap=True
        )
