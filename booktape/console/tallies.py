"""Parts that the results of all commands share: heading, counts by product, the line on data quality."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console, Group
from rich.text import Text

from booktape.console.columns import Column, fitted_table
from orderbook.anomalies import ANOMALY_KINDS
from orderbook.display import count, percent, plural, products_title, seconds, span
from orderbook.tally import Tally
from orderbook.thresholds import format_threshold
from recorder.installed import tape_name
from recorder.tape.reader import Tape
from replay.checking.absence import why_no_summary
from replay.running.window import Window


def heading(
    tallies: Mapping[str, Tally], tape: Path | str, feed: str = "", *, synthetic: bool = False
) -> Text:
    """Return the heading of a result: tape, products, time span.

    Args:
        tallies: counts by product.
        tape: path of the tape, or a title of the result.
        feed: dialect of the tape, if it should be shown.
        synthetic: whether a synthetic exchange sent its frames.
    """
    firsts = [tally.first_time for tally in tallies.values() if tally.first_time is not None]
    lasts = [tally.last_time for tally in tallies.values() if tally.last_time is not None]
    return Text.assemble(
        (tape if isinstance(tape, str) else tape_name(tape), "bold"),
        f"  {'synthetic  ' * synthetic}{feed + '  ' if feed else ''}{products_title(tallies)}\n",
        (span(min(firsts, default=None), max(lasts, default=None)), "dim"),
    )


def quality(tallies: Mapping[str, Tally]) -> str:
    """Return the line on data quality under every result."""
    interruptions = sum(max(tally.connections - 1, 0) for tally in tallies.values())
    kinds = {kind: sum(tally.anomalies[kind] for tally in tallies.values()) for kind in ANOMALY_KINDS}
    found = ", ".join(f"{count(number)} {kind}" for kind, number in kinds.items() if number) or "none"
    excluded = sum(tally.excluded_ns for tally in tallies.values())
    spans = sum(tally.span_ns for tally in tallies.values())
    share = f" ({percent(excluded / spans)} %)" if spans else ""
    return (
        f"Data quality: {plural(interruptions, 'interruption')}; anomalies: {found}; "
        f"excluded (not observed) {seconds(excluded / 1e9)} s{share}"
    )


def absences(tape: Path, tallies: Mapping[str, Tally], window: Window) -> Iterator[str]:
    """Yield a line for each product without a summary that says why."""
    for product, tally in tallies.items():
        if not tally.summaries:
            reason = why_no_summary(Tape.open(tape).product(product), window)
            yield f"{product}: no best bid and ask: {reason}"


def tally_table(console: Console, tallies: Mapping[str, Tally], threshold: float) -> Group:
    """Return the table of counts by product."""
    columns = [
        Column("product", side="left"),
        Column("rows", drop=2),
        Column("frames"),
        Column("summaries", drop=3),
        Column("signals", f"> {format_threshold(threshold)}"),
        Column("connections", drop=1),
        Column("observed", "s"),
        Column("digest", side="left", drop=4),
    ]
    rows = [
        (
            product,
            count(tally.rows),
            count(tally.frames),
            count(tally.summaries),
            count(tally.signals),
            count(tally.connections),
            seconds(tally.observed_ns / 1e9),
            tally.digest.hexdigest()[:16],
        )
        for product, tally in sorted(tallies.items())
    ]
    return fitted_table(console, columns, rows)
