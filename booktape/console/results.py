"""Results of recordings, replays and checks on a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from shlex import quote
from typing import TYPE_CHECKING, cast

from rich.console import Console
from rich.text import Text

from booktape.console.columns import Column, fitted_table, left_out
from booktape.console.tallies import absences, heading, quality, tally_table
from orderbook import display
from orderbook.display import printable
from orderbook.thresholds import format_threshold
from recorder.installed import tape_name

if TYPE_CHECKING:  # imported by the caller anyway: `inspect` must not wait for bytewax
    from orderbook.tally import Tally
    from recorder.results import Recorded
    from replay.checking.inspect import Inspection, ProductInspection
    from replay.checking.interruptions import Interruption
    from replay.checking.ladder import Ladder
    from replay.checking.verdicts import ConnectionVerdict
    from replay.checking.verification import Verification
    from replay.merging.results import Merged
    from replay.running.results import RunResult
    from replay.simulation.results import Backtest

_MAX_INTERRUPTIONS = 20
_COUNTS = ("summaries", "signals")


def print_recorded(console: Console, recorded: "Recorded") -> None:
    """Print the counts of a recording or an import."""
    tallies = recorded.tallies
    console.print(heading(tallies, recorded.tape, recorded.feed))
    console.print(tally_table(console, tallies, next(iter(tallies.values())).threshold))
    console.print(quality(tallies))
    for line in recorded.notes():
        console.print(line)
    if recorded.strategy is not None:
        console.print(recorded.strategy.line())
        if recorded.strategy.execution is not None:
            from booktape.console.backtest import print_backtest

            print_backtest(console, cast("Backtest", recorded.strategy.execution))


def print_run(console: Console, result: "RunResult") -> None:
    """Print a replay's counts, speed and pacing."""
    tallies = result.tallies
    console.print(heading(tallies, result.tape, synthetic=result.synthetic))
    console.print(tally_table(console, tallies, result.settings.threshold))
    for line in absences(result.tape, tallies, result.settings.window):
        console.print(line)
    summaries, signals = (sum(getattr(each, name) for each in tallies.values()) for name in _COUNTS)
    if summaries and not signals:
        limit, name = format_threshold(result.settings.threshold), quote(tape_name(result.tape))
        console.print(f"Nothing is above {limit}: `booktape compare {name}` shows what would pass")
    console.print(f"Digest {result.digest}")
    took = f"{display.seconds(result.elapsed_s)} s ({result.frames_per_s:,.0f} frames/s)"
    console.print(f"{result.frames:,} frames in {took}, {result.engine} engine")
    if result.pacing is not None:
        late = result.pacing
        p50, p99, longest = (display.significant(late[f"late_ms_{name}"]) for name in ("p50", "p99", "max"))
        cut, duration = (display.seconds(late[name]) for name in ("idle_cut_s", "duration_s"))
        console.print(
            f"Handed over late by {p50} ms (p50), {p99} ms (p99), {longest} ms (max); {cut} s of silence cut"
        )
        error = f"{display.signed(late['duration_error_ms'])} ms"
        console.print(f"First to last row in {duration} s, {error} against the recording")
        if late["behind_rows"]:
            rows = int(late["behind_rows"])
            behind = f"{display.plural(rows, 'row')} {'was' if rows == 1 else 'were'}"
            console.print(f"Fell behind and caught up: {behind} more than 10 ms late, none was skipped")
    if result.strategy is not None:
        console.print(result.strategy.line())
    for line in _trade_lines(tallies):
        console.print(line)
    console.print(quality(tallies))


def _trade_lines(tallies: "Mapping[str, Tally]") -> Iterator[str]:
    """Yield a line about the trades of each product that has some, if they were read."""
    for product, tally in sorted(tallies.items()):
        if tally.trades is not None and (tally.trades.trades or tally.trades.malformed):
            yield f"{product}: {tally.trades.summary()}"


def print_merged(console: Console, merged: "Merged") -> None:
    """Print what a merge has made, and what each tape gave."""
    products = sorted(merged.products.items())
    console.print(heading({name: each.tally for name, each in products}, merged.tape, merged.feed))
    columns = [
        Column("product", side="left"),
        Column("rows"),
        Column("conn."),
        Column("seams"),
        Column("interr."),
        Column("unproven", drop=1),
        Column("left out", "conn.", drop=2),
    ]
    rows = [
        (
            product,
            *map(display.count, (each.tally.rows, each.connections, each.seams)),
            *map(display.count, (each.interruptions, each.unproven, each.left_out)),
        )
        for product, each in products
    ]
    console.print(fitted_table(console, columns, rows))
    for line in merged.notes():
        console.print(line)
    console.print(f"Digest {merged.digest}")


def print_inspection(console: Console, inspection: "Inspection") -> None:
    """Print a description of a tape, with its interruptions."""
    manifest = inspection.tape.manifest
    made_by = f"made by {manifest.software}, {manifest.created[:19]}Z"
    kind = f"{manifest.feed}, synthetic" if manifest.synthetic else manifest.feed
    facts = f"  format {manifest.format}, {kind}, {made_by}"
    console.print(Text.assemble((tape_name(inspection.tape.path), "bold"), facts))
    columns = [
        Column("product", side="left"),
        Column("from", "UTC", side="left", drop=2),
        Column("to", "UTC", side="left"),
        Column("rows"),
        Column("conn."),
        Column("interr."),
        Column("segments", drop=3),
        Column("sealed", drop=4),
        Column("journal", drop=1),
    ]
    products = sorted(inspection.products.items())
    rows = [
        (
            product,
            *(
                "-" if time is None else display.time_of_day(time)
                for time in (view.first_time, view.last_time)
            ),
            *map(display.count, (view.rows, found.connections, len(found.interruptions), view.segments)),
            *map(display.size, (view.sealed_bytes, view.journal_bytes)),
        )
        for product, found in products
        for view in (found.overview,)
    ]
    if "from" in left_out(console, columns, rows):  # the two times share a column, one below the other
        has_journal = any(found.overview.journal_bytes for _, found in products)
        columns[1:3] = [Column("from", "to (UTC)", side="left")]
        columns[-1] = Column("journal", drop=1 if has_journal else 9)
        rows = [(product, f"{first}\n{last}", *rest) for product, first, last, *rest in rows]
    for line in manifest.unfinished_lines():
        console.print(line)
    console.print(fitted_table(console, columns, rows))
    for product, found in products:
        _print_product(console, product, found)


def _print_product(console: Console, product: str, found: "ProductInspection") -> None:
    """Print what is to be said of a product, a line each."""
    removed = (each.line() for each in (found.overview.removed,) if each is not None)
    verdicts, cuts = _verdict_lines(found.verdicts), _interruption_lines(found.interruptions)
    for line in (*removed, *verdicts, *cuts, *found.origin_lines()):
        console.print(f"{product}: {line}")
    if found.trades is not None:
        console.print(f"{product}: {found.trades.summary()}")
    if found.without_trades:
        connections = f"{found.without_trades:,} of {display.plural(found.connections, 'connection')}"
        console.print(f"{product}: {connections} without trades: they were not subscribed to")
    for source, number in found.made_from.items():
        connections = f"{number:,} of {display.plural(found.connections, 'connection')}"
        console.print(f"{product}: {connections} with frames made from {printable(source)}, not received")
    for strategy in found.strategies:
        console.print(f"{product}: {printable(strategy)} traded on paper; `verify --strategy` compares it")
    for path in found.overview.damaged:
        console.print(f"{product}: {path}: a bad record with intact records after it")
    if found.overview.torn_bytes:
        console.print(f"{product}: {found.overview.torn_bytes:,} torn bytes at the end of the journal")


def _interruption_lines(found: "Sequence[Interruption]") -> Iterator[str]:
    for each in found[:_MAX_INTERRUPTIONS]:
        code = "" if each.code is None else f"{each.code} "
        seconds = f"{display.seconds((each.end - each.start) / 1e9)} s"
        reason = printable(each.reason) or "no reason given"
        stopped = ", until the recording was stopped" if each.connection is None else ""
        yield f"interrupted {display.time_of_day(each.start)} for {seconds}{stopped} ({code}{reason})"
    if len(found) > _MAX_INTERRUPTIONS:
        yield f"{len(found) - _MAX_INTERRUPTIONS:,} more interruptions; --json has them all"


def print_verification(console: Console, found: "Verification", *, strict: bool) -> None:
    """Print every finding, and the verdict."""
    console.print(
        heading(found.tallies, found.tape.path, found.tape.feed, synthetic=found.tape.manifest.synthetic)
    )
    rows = sum(tally.rows for tally in found.tallies.values())
    damage = (f"damage: {line}" for line in found.damage)
    faults = (f"feed: {line}" for line in found.feed_faults)
    empty = (f"{product}: no snapshot of its book is on the tape" for product in found.without_book)
    removed = (
        f"{product}: {each.line()}: `booktape verify {each.url}` checks them"
        for product, each in found.removed.items()
    )
    for line in (*damage, *faults, *empty, *removed):
        console.print(line)
    for product, verdicts in found.verdicts.items():
        for text in _verdict_lines(verdicts):
            console.print(f"{product}: {text}")
    outages = (outage.line(product) for product, outage in found.outages.items())
    executions = (each.line() for each in found.executions if each.verdict != "different")  # it is damage
    for line in (*_trade_lines(found.tallies), *outages, *executions):
        console.print(line)
    for product, audits in found.audits.items():
        for audit in audits[:_MAX_INTERRUPTIONS]:
            near = f"{audit.differ_10:,} within the best 10, {audit.differ_100:,} within 100"
            which = f"{product}: connection {audit.connection}"
            console.print(f"{which} began with {audit.differ_all:,} levels changed, {near}")
    for path in found.kept:
        console.print(f"{path}: copy of a journal with a bad record; the rows after it are not on the tape")
    if found.torn_bytes:
        console.print(f"{found.torn_bytes:,} torn bytes at the end of a journal: an incomplete record")
    if found.unindexed:
        segments = display.plural(found.unindexed, "segment")
        console.print(f"{segments} without a saved book: make it with `booktape index`")
    verdict = found.verdict(is_good=found.passes(strict=strict))
    digests = display.plural(found.checked_digests, "digest")
    console.print(
        f"The tape {verdict}: {display.plural(rows, 'row')} checked, {digests} equal to the recording's"
    )
    console.print(quality(found.tallies))


def print_ladder(console: Console, ladder: "Ladder") -> None:
    """Print a book, the asks above the bids."""
    console.print(
        Text.assemble(
            (f"{ladder.product} at {display.time_of_day(ladder.at)} UTC", "bold"),
            f"  after row {ladder.seq:,} of {tape_name(ladder.tape)}",
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
    """Yield a line for each group of consecutive connections with the same verdict."""
    for (verdict, *reasons), run in groupby(
        verdicts, key=lambda each: (each.verdict, each.reason, *each.notes)
    ):
        numbers = [each.connection for each in run]
        which = (
            f"connection {numbers[0]}" if len(numbers) == 1 else f"connections {numbers[0]} to {numbers[-1]}"
        )
        words = "" if verdict == "unverifiable" else f" {verdict}"  # then the reason says what is known
        yield f"{which}{words}: {printable('; '.join(reasons))}"
