"""How results of the replay side look on a terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orderbook.threshold import format_threshold
from recorder import terminal
from replay.comparing import Comparison
from replay.inspection import Inspection, Interruption
from replay.running import RunResult
from replay.verifying import Verification

_MAX_INTERRUPTIONS = 20


def print_run(console: Console, result: RunResult) -> None:
    """Print a replay's counts, speed and pacing."""
    tallies = result.tallies
    console.print(terminal.heading(tallies, result.tape))
    console.print(terminal.tally_table(console, tallies, result.settings.threshold))
    frames = sum(tally.frames for tally in tallies.values())
    rate = frames / result.elapsed_s if result.elapsed_s else 0.0
    console.print(f"Digest {result.digest}")
    console.print(f"{frames:,} frames in {result.elapsed_s:,.3f} s ({rate:,.0f} frames/s)")
    if result.pacing is not None:
        late = result.pacing
        console.print(
            f"Handed over late by {late['late_ms_p50']:.3f} ms (p50), {late['late_ms_p99']:.3f} ms (p99), "
            f"{late['late_ms_max']:.3f} ms at most; {late['idle_cut_s']:,.3f} s of silence cut"
        )
    console.print(terminal.quality(tallies))


def print_comparison(console: Console, comparison: Comparison, sort: str) -> None:
    """Print the table of thresholds, a block a product."""
    console.print(terminal.heading(comparison.tallies, comparison.tape))
    console.print(comparison_table(console, comparison, sort))
    console.print(terminal.quality(comparison.tallies))


def comparison_table(console: Console, comparison: Comparison, sort: str) -> Table:
    """Return the table of a comparison; the column that it is sorted by is marked."""
    marks = {key: " ▾" if key != "threshold" else " ▴" for key in (sort,)}
    made = terminal.table(
        console,
        [
            ("product\n", "left"),
            (f"threshold{marks.get('threshold', '')}\n", "right"),
            (f"signals{marks.get('signals', '')}\n", "right"),
            (f"episodes{marks.get('episodes', '')}\n", "right"),
            (f"above{marks.get('time_above_s', '')}\ns", "right"),
            (f"share{marks.get('share', '')}\n%", "right"),
            ("p50\ns", "right"),
            ("p95\ns", "right"),
            ("max\ns", "right"),
            (f"mean{marks.get('mean_relative_spread', '')}\nbps", "right"),
            ("max\nbps", "right"),
        ],
    )
    for product, entries in sorted(comparison.statistics.items()):
        if made.row_count:
            made.add_section()
        for entry in entries:
            made.add_row(
                product,
                format_threshold(entry.threshold),
                terminal.count(entry.signals),
                terminal.count(entry.episodes),
                terminal.seconds(entry.time_above_s),
                terminal.percent(entry.share),
                terminal.seconds(entry.duration_p50_s),
                terminal.seconds(entry.duration_p95_s),
                terminal.seconds(entry.duration_max_s),
                terminal.bps(entry.mean_relative_spread),
                terminal.bps(entry.max_relative_spread),
            )
    return made


def print_inspection(console: Console, inspection: Inspection) -> None:
    """Print what a tape holds, and its interruptions."""
    manifest = inspection.tape.manifest
    made_by = f"made by {manifest.software}, {manifest.created[:19]}Z"
    facts = f"  format {manifest.format}, {manifest.feed}, {made_by}"
    console.print(Text.assemble((str(inspection.tape.path), "bold"), facts))
    made = terminal.table(
        console,
        [
            ("product\n", "left"),
            ("from\nUTC", "left"),
            ("to\nUTC", "left"),
            ("rows\n", "right"),
            ("connections\n", "right"),
            ("interruptions\n", "right"),
            ("segments\n", "right"),
            ("sealed\n", "right"),
            ("journal\n", "right"),
        ],
    )
    for product, found in sorted(inspection.products.items()):
        seen = found.overview
        made.add_row(
            product,
            "-" if seen.first_time is None else terminal.time_of_day(seen.first_time),
            "-" if seen.last_time is None else terminal.time_of_day(seen.last_time),
            terminal.count(seen.rows),
            terminal.count(found.connections),
            terminal.count(len(found.interruptions)),
            terminal.count(seen.segments),
            terminal.size(seen.sealed_bytes),
            terminal.size(seen.journal_bytes),
        )
    console.print(made)
    for product, found in sorted(inspection.products.items()):
        _print_interruptions(console, product, found.interruptions)
        if found.overview.torn_bytes:
            console.print(f"{product}: {found.overview.torn_bytes:,} torn bytes at the end of the journal")


def _print_interruptions(console: Console, product: str, found: tuple[Interruption, ...]) -> None:
    for each in found[:_MAX_INTERRUPTIONS]:
        code = "" if each.code is None else f"{each.code} "
        console.print(
            f"{product}: interrupted {terminal.time_of_day(each.start)} for "
            f"{(each.end - each.start) / 1e9:,.3f} s ({code}{each.reason or 'no reason given'})",
        )
    if len(found) > _MAX_INTERRUPTIONS:
        console.print(
            f"{product}: {len(found) - _MAX_INTERRUPTIONS:,} more interruptions; --json has them all"
        )


def print_verification(console: Console, found: Verification, *, strict: bool) -> None:
    """Print the verdict, and every finding."""
    console.print(terminal.heading(found.tallies, found.tape.path, found.tape.feed))
    rows = sum(tally.rows for tally in found.tallies.values())
    for line in found.damage:
        console.print(f"damage: {line}")
    for line in found.feed_faults:
        console.print(f"feed: {line}")
    verdict = "whole" if found.passes(strict=strict) else "NOT whole"
    console.print(
        f"The tape is {verdict}: {rows:,} rows checked; {found.checked_digests:,} digests of the recording "
        "recomputed and equal"
    )
    console.print(terminal.quality(found.tallies))
