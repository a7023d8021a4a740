"""How results of the replay side look on a terminal."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from recorder import terminal
from recorder.columns import Column, fitted_table
from recorder.printable import printable

if TYPE_CHECKING:  # what is shown is imported by who made it: `inspect` must not wait for bytewax
    from replay.inspection import Inspection, Interruption
    from replay.ladder import Ladder
    from replay.replayed import RunResult
    from replay.verdicts import ConnectionVerdict
    from replay.verification import Verification

_MAX_INTERRUPTIONS = 20


def print_run(console: Console, result: "RunResult") -> None:
    """Print a replay's counts, speed and pacing."""
    tallies = result.tallies
    console.print(terminal.heading(tallies, result.tape))
    console.print(terminal.tally_table(console, tallies, result.settings.threshold))
    frames = sum(tally.frames for tally in tallies.values())
    rate = frames / result.elapsed_s if result.elapsed_s else 0.0
    console.print(f"Digest {result.digest}")
    took = f"{result.elapsed_s:,.3f} s ({rate:,.0f} frames/s)"
    console.print(f"{frames:,} frames in {took}, {result.engine} engine")
    if result.pacing is not None:
        late = result.pacing
        console.print(
            f"Handed over late by {late['late_ms_p50']:.3f} ms (p50), {late['late_ms_p99']:.3f} ms (p99), "
            f"{late['late_ms_max']:.3f} ms at most; {late['idle_cut_s']:,.3f} s of silence cut"
        )
        error = f"{late['duration_error_ms']:+.3f} ms"
        console.print(f"First to last row in {late['duration_s']:,.3f} s, {error} against the recording")
        if late["behind_rows"]:
            behind = terminal.plural(int(late["behind_rows"]), "row")
            console.print(f"Fell behind and caught up: {behind} came over 10 ms late, none was skipped")
    if result.strategy is not None:
        console.print(result.strategy.line())
    console.print(terminal.quality(tallies))


def print_inspection(console: Console, inspection: "Inspection") -> None:
    """Print what a tape holds, and its interruptions."""
    manifest = inspection.tape.manifest
    made_by = f"made by {manifest.software}, {manifest.created[:19]}Z"
    facts = f"  format {manifest.format}, {manifest.feed}, {made_by}"
    console.print(Text.assemble((str(inspection.tape.path), "bold"), facts))
    columns = [
        Column("product", side="left"),
        Column("from", "UTC", side="left", spare=2),
        Column("to", "UTC", side="left"),
        Column("rows"),
        Column("conn."),
        Column("interr."),
        Column("segments", spare=3),
        Column("sealed", spare=4),
        Column("journal", spare=1),
    ]
    rows = []
    for product, found in sorted(inspection.products.items()):
        seen = found.overview
        rows.append(
            (
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
        )
    console.print(fitted_table(console, columns, rows))
    for product, found in sorted(inspection.products.items()):
        for text in _verdict_lines(found.verdicts):
            console.print(f"{product}: {text}")
        _print_interruptions(console, product, found.interruptions)
        for path in found.overview.damaged:
            console.print(f"{product}: {path}: a bad record, with whole ones behind it")
        if found.overview.torn_bytes:
            console.print(f"{product}: {found.overview.torn_bytes:,} torn bytes at the end of the journal")


def _print_interruptions(console: Console, product: str, found: "tuple[Interruption, ...]") -> None:
    for each in found[:_MAX_INTERRUPTIONS]:
        code = "" if each.code is None else f"{each.code} "
        console.print(
            f"{product}: interrupted {terminal.time_of_day(each.start)} for "
            f"{(each.end - each.start) / 1e9:,.3f} s ({code}{printable(each.reason) or 'no reason given'})",
        )
    if len(found) > _MAX_INTERRUPTIONS:
        console.print(
            f"{product}: {len(found) - _MAX_INTERRUPTIONS:,} more interruptions; --json has them all"
        )


def print_verification(console: Console, found: "Verification", *, strict: bool) -> None:
    """Print the verdict, and every finding."""
    console.print(terminal.heading(found.tallies, found.tape.path, found.tape.feed))
    rows = sum(tally.rows for tally in found.tallies.values())
    for line in found.damage:
        console.print(f"damage: {line}")
    for line in found.feed_faults:
        console.print(f"feed: {line}")
    for product, verdicts in found.verdicts.items():
        for text in _verdict_lines(verdicts):
            console.print(f"{product}: {text}")
    for product, audits in found.audits.items():
        for audit in audits[:_MAX_INTERRUPTIONS]:
            near = f"{audit.differ_10:,} within the best 10, {audit.differ_100:,} within 100"
            which = f"{product}: connection {audit.connection}"
            console.print(f"{which} began with {audit.differ_all:,} levels changed, {near}")
    for path in found.kept:
        console.print(f"{path}: kept of a journal with a bad record; rows behind it are not on the tape")
    if found.torn_bytes:
        console.print(
            f"{found.torn_bytes:,} torn bytes at the end of a journal: a record that was never whole"
        )
    if found.unindexed:
        segments = terminal.plural(found.unindexed, "segment")
        console.print(f"{segments} without a book to begin from: `booktape index` makes it")
    verdict = "whole" if found.passes(strict=strict) else "NOT whole"
    digests = terminal.plural(found.checked_digests, "digest")
    console.print(
        f"The tape is {verdict}: {terminal.plural(rows, 'row')} checked, {digests} equal to the recording's"
    )
    console.print(terminal.quality(found.tallies))


def print_ladder(console: Console, ladder: "Ladder") -> None:
    """Print a book, asks above bids, the touch in the middle."""
    console.print(
        Text.assemble(
            (f"{ladder.product} at {terminal.time_of_day(ladder.at)} UTC", "bold"),
            f"  after row {ladder.seq:,} of {ladder.tape}",
        )
    )
    columns = [Column("side", side="left"), Column("price"), Column("size"), Column("cumulative", "size")]
    decimals = max((-int(each.price.as_tuple().exponent) for each in ladder.asks + ladder.bids), default=0)
    asks, bids = (
        [
            (name, f"{each.price:,.{max(decimals, 0)}f}", f"{each.size:f}", f"{each.cumulative:f}")
            for each in side
        ]
        for name, side in (("ask", ladder.asks), ("bid", ladder.bids))
    )
    console.print(fitted_table(console, columns, [*asks[::-1], *bids], [len(asks) - 1]))


def _verdict_lines(verdicts: "Sequence[ConnectionVerdict]") -> Iterator[str]:
    """Yield a line for each run of connections with the same verdict."""
    for (verdict, reason), run in groupby(verdicts, key=lambda each: (each.verdict, each.reason)):
        numbers = [each.connection for each in run]
        which = (
            f"connection {numbers[0]}" if len(numbers) == 1 else f"connections {numbers[0]} to {numbers[-1]}"
        )
        yield f"{which} {verdict}: {printable(reason)}"
