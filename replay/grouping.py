"""From the passes over tapes to groups: products of tapes, their parts, and the total of several tapes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, get_args

from orderbook.tally import Tally
from orderbook.times import format_time
from recorder.tape.overview import Mark
from recorder.tape.reader import Tape
from replay.compared import Group, Quality
from replay.inspection import ProductInspection, inspect_product, interruptions
from replay.sweep.parts import PERIODS_NS, By
from replay.sweep.results import SweepResult
from replay.sweep.sweeping import ThresholdSweep
from replay.verdicts import Verdict

_WORST_FIRST: Final[tuple[Verdict, ...]] = ("broken", "unverifiable", "verified")


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over a tape gathered, by product."""

    tape: Tape
    sweeps: dict[str, ThresholdSweep]
    tallies: dict[str, Tally]


def groups_of(passes: Sequence[Pass], by: By | None) -> list[Group]:
    """Return the groups, in the order that `Comparison.groups` promises. The sweeps are used up."""
    groups = []
    for product in sorted({product for each in passes for product in each.sweeps}):
        having = [each for each in passes if product in each.sweeps]
        found = [group for each in having for group in _groups(each, product, by)]
        groups += found
        if len(passes) > 1:
            groups += _total(having, product, by, found)
    return groups


def _groups(found: Pass, product: str, by: By | None) -> Iterator[Group]:
    """Yield the parts of a product of one tape, and then the whole."""
    tally = found.tallies[product]
    inspected = inspect_product(found.tape, product)
    for result in found.sweeps[product].finish():
        quality = _quality(result, tally, inspected, by)
        yield Group(
            found.tape.path, product, _label(result.part, by), result.statistics, result.spread, quality
        )


def _total(passes: Sequence[Pass], product: str, by: By | None, found: Sequence[Group]) -> Iterator[Group]:
    """Yield the same of all tapes together; connections of several tapes have nothing in common."""
    total, *others = (each.sweeps[product] for each in passes)
    for other in others:
        total.merge(other, is_adjacent=False)
    for result in total.finish():
        label = _label(result.part, by)
        if label is None or by != "connection":
            quality = _sum([group.quality for group in found if group.part == label])
            yield Group(None, product, label, result.statistics, result.spread, quality)


def _label(part: int | None, by: By | None) -> str | int | None:
    """Return what a part is called.

    >>> _label(3600 * 10**9, "hour"), _label(0, "day"), _label(3, "connection")
    ('1970-01-01T01:00Z', '1970-01-01', 3)
    """
    if part is None or by == "connection":
        return part
    text = format_time(part)
    return text[:10] if by == "day" else f"{text[:16]}Z"


def _quality(result: SweepResult, tally: Tally, inspected: ProductInspection, by: By | None) -> Quality:
    marks = inspected.overview.marks
    begun = [each.end for each in interruptions(marks)]
    excluded_ns = tally.excluded_ns
    connections = result.connections
    number = max(tally.connections - 1, 0)
    if result.part is None:
        if tally.first_connection is not None and tally.last_connection is not None:
            connections = tally.first_connection, tally.last_connection
    else:
        start, end = _span(result.part, by, marks)
        first, last = tally.first_time or 0, tally.last_time or 0
        start, end = max(start, first), last if end is None else min(end, last)
        excluded_ns = max(0, end - start) - result.observed_ns
        number = 0 if by == "connection" else sum(start <= time < end and time > first for time in begun)
    verdicts = [
        each.verdict
        for each in inspected.verdicts
        if connections is not None and connections[0] <= each.connection <= connections[1]
    ]
    return _judged(excluded_ns / 1e9, number, result.crossed, verdicts)


def _span(part: int, by: By | None, marks: Sequence[Mark]) -> tuple[int, int | None]:
    """Return from when to when a part lasts; None where it lasts to the end."""
    if by in PERIODS_NS:
        return part, part + PERIODS_NS[by]
    opened = [mark for mark in marks if mark.kind == "connected"]
    start = next((mark.recv_time for mark in opened if mark.connection == part), 0)
    return start, next((mark.time_before for mark in opened if mark.connection == part + 1), None)


def _judged(excluded_s: float, number: int, crossed: int, verdicts: Sequence[Verdict]) -> Quality:
    return Quality(
        excluded_s=excluded_s,
        interruptions=number,
        crossed=crossed,
        verdict=next((each for each in _WORST_FIRST if each in verdicts), None),
        connections={each: verdicts.count(each) for each in get_args(Verdict)},
    )


def _sum(found: Sequence[Quality]) -> Quality:
    verdicts = [
        verdict for each in found for verdict, number in each.connections.items() for _ in range(number)
    ]
    return _judged(
        sum(each.excluded_s for each in found),
        sum(each.interruptions for each in found),
        sum(each.crossed for each in found),
        verdicts,
    )
