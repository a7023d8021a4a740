"""From the passes over tapes to groups: products of each tape, their parts, and the total of all tapes."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from orderbook.tally import Tally
from orderbook.times import NS
from recorder.tape.connections import Connection, outage_at_end
from recorder.tape.reader import Tape
from replay.checking.inspect import ProductInspection, inspect_product
from replay.checking.verdicts import ConnectionVerdict, Verdict, worst
from replay.comparing.metrics import By
from replay.comparing.results import Group, Quality
from replay.comparing.sweep.parts import PERIODS_NS, part_label
from replay.comparing.sweep.statistics import SweepResult
from replay.comparing.sweep.threshold_sweep import ThresholdSweep


@dataclass(frozen=True, slots=True)
class Pass:
    """The sweep and the counts of each product after one pass over a tape."""

    tape: Tape
    sweeps: dict[str, ThresholdSweep]
    tallies: dict[str, Tally]


def groups_of(passes: Sequence[Pass], by: By | None) -> list[Group]:
    """Return the groups, in the order of `Comparison.groups`. The sweeps cannot be used any more."""
    groups = []
    for product in sorted({product for each in passes for product in each.sweeps}):
        of_product = [each for each in passes if product in each.sweeps]
        found = [group for each in of_product for group in _groups_of_tape(each, product, by)]
        groups += found
        if len(passes) > 1:
            groups += _groups_of_all(of_product, product, by, found)
    return groups


def _groups_of_tape(found: Pass, product: str, by: By | None) -> Iterator[Group]:
    """Yield the parts of a product of one tape, and then the whole.

    Verdicts need all rows of a connection, but a pass sees those of its window: so they come from
    `inspect_product`. What the pass finds in rows that are not sealed yet is added.
    """
    tally = found.tallies[product]
    inspected = inspect_product(found.tape, product)
    for result in found.sweeps[product].finish():
        quality = _quality(result, tally, inspected, by)
        label = None if result.part is None else part_label(result.part, by)
        outage = outage_at_end(inspected.overview.connections, tally) if label is None else None
        yield Group(found.tape.path, product, label, result.statistics, result.spread, quality, outage)


def _groups_of_all(
    passes: Sequence[Pass], product: str, by: By | None, found: Sequence[Group]
) -> Iterator[Group]:
    """Yield the same over all tapes; not by connection, as those of two tapes have nothing in common."""
    total, *others = (each.sweeps[product] for each in passes)
    for other in others:
        total.merge(other, is_adjacent=False)
    for result in total.finish():
        label = None if result.part is None else part_label(result.part, by)
        if label is None or by != "connection":
            quality = _total([group.quality for group in found if group.part == label])
            yield Group(None, product, label, result.statistics, result.spread, quality)


def _quality(result: SweepResult, tally: Tally, inspected: ProductInspection, by: By | None) -> Quality:
    excluded_ns = tally.excluded_ns
    connections = result.connections
    number = max(tally.connections - 1, 0)
    if result.part is None:
        if tally.first_connection is not None and tally.last_connection is not None:
            connections = tally.first_connection, tally.last_connection
    else:
        start, end = _span(result.part, by, inspected.overview.connections)
        first, last = tally.first_time or 0, tally.last_time or 0
        start, end = max(start, first), last if end is None else min(end, last)
        excluded_ns = max(0, end - start) - result.observed_ns
        begun = (
            []
            if by == "connection"
            else [each.end for each in inspected.interruptions if each.connection is not None]
        )
        number = sum(start <= time < end and time > first for time in begun)
    verdicts: list[Verdict] = [
        "broken" if tally.facts.faults.get(each.connection) else each.verdict
        for each in _verdicts_of(inspected, connections)
    ]
    return Quality(
        excluded_s=excluded_ns / NS,
        interruptions=number,
        crossed=result.crossed,
        verdict=worst(verdicts),
        connections={each: verdicts.count(each) for each in get_args(Verdict)},
    )


def _verdicts_of(
    inspected: ProductInspection, connections: tuple[int, int] | None
) -> Sequence[ConnectionVerdict]:
    """Return the verdicts on the connections from one to another. O(log connections)."""
    if connections is None:
        return ()
    low = bisect_left(inspected.verdicts, connections[0], key=lambda each: each.connection)
    high = bisect_right(inspected.verdicts, connections[1], key=lambda each: each.connection)
    return inspected.verdicts[low:high]


def _span(part: int, by: By | None, connections: Sequence[Connection]) -> tuple[int, int | None]:
    """Return the start and the end of a part; None if it lasts to the end of the tape."""
    if by in PERIODS_NS:
        return part, part + PERIODS_NS[by]
    place = bisect_left(connections, part, key=lambda each: each.number)
    found = connections[place : place + 1]
    return (found[0].first_time, found[0].last_time) if found and found[0].number == part else (0, None)


def _total(qualities: Sequence[Quality]) -> Quality:
    return Quality(
        excluded_s=sum(each.excluded_s for each in qualities),
        interruptions=sum(each.interruptions for each in qualities),
        crossed=sum(each.crossed for each in qualities),
        verdict=worst([each.verdict for each in qualities if each.verdict is not None]),
        connections={name: sum(each.connections[name] for each in qualities) for name in get_args(Verdict)},
    )
