"""An export on a terminal."""

from collections.abc import Iterator
from itertools import pairwise

from rich.console import Console
from rich.text import Text

from booktape.console.columns import Column, fitted_table
from orderbook import display
from orderbook.display import count, plural, printable
from recorder.installed import tape_name
from replay.export.results import Exported, ExportedProduct

_MOST_BREAKS = 5


def print_exported(console: Console, exported: Exported) -> None:
    """Print what was exported, and what was left out."""
    synthetic = "  synthetic" * exported.synthetic
    console.print(Text.assemble((tape_name(exported.tape), "bold"), f"{synthetic}  to {exported.format}"))
    if exported.products:
        console.print(_table(console, exported))
    for product, found in sorted(exported.products.items()):
        for line in _lines(found, has_history=exported.format == "parquet"):
            console.print(f"{product}: {line}")
    if exported.unsealed_rows:
        rows = plural(exported.unsealed_rows, "row")
        console.print(f"not in the view: {rows} that are not sealed yet; it has them once they are")
    files = f"{plural(len(exported.files), 'file')}, {display.size(exported.bytes)}"
    path = str(exported.output)
    console.print(f"{files} in {printable(path, len(path))}")
    if exported.frames:
        rate = f"{exported.frames_per_s:,.0f} frames/s"
        console.print(f"{exported.frames:,} frames in {display.seconds(exported.elapsed_s)} s ({rate})")
    if exported.digest is not None:
        console.print(f"Digest {exported.digest}")


def _table(console: Console, exported: Exported) -> object:
    columns = [
        Column("product", side="left"),
        Column("rows", drop=2),
        Column("frames"),
        Column("summaries"),
        Column("trades"),
        Column("digest", side="left", drop=1),
    ]
    rows = [
        (
            product,
            *map(count, (found.rows, found.frames, found.summaries, found.trades)),
            found.digest[:16],
        )
        for product, found in sorted(exported.products.items())
    ]
    return fitted_table(console, columns, rows)


def _lines(found: ExportedProduct, *, has_history: bool) -> Iterator[str]:
    """Yield what a product lacks, and what was changed; whether it has trades of before a subscription."""
    breaks = [
        f"{before.time[11:23]} to {mark.time[11:23]}"
        for before, mark in pairwise(found.marks)
        if mark.kind == "connected"
    ]
    if breaks:
        more = f" and {len(breaks) - _MOST_BREAKS:,} more" * (len(breaks) > _MOST_BREAKS)
        shown = ", ".join(breaks[:_MOST_BREAKS])
        yield f"{plural(len(breaks), 'interruption')}, each empties the book: {shown}{more}"
    skipped = {**found.anomalies, "trades that could not be read": found.trades_malformed}
    skipped |= {"frames with repeated trades": found.trades_repeated, "gaps of trades": found.trade_gaps}
    left_out = ", ".join(f"{count(number)} {what}" for what, number in skipped.items() if number)
    if left_out:
        yield f"not exported: {left_out}"
    if found.history_trades and not has_history:
        yield f"left out: {plural(found.history_trades, 'trade')} of before a subscription"
    if found.shift_ns:
        moved = f"{found.shift_ns / 1e6:,.3f} ms"
        yield f"times of receipt are {moved} later: none is before the exchange's"
