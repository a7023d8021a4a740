"""The content of the report of a comparison: the answer, an overview, and the details of each product."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from orderbook import display
from orderbook.thresholds import format_threshold
from recorder.installed import tape_name, tape_names
from replay.comparing.default_thresholds import lower_threshold
from replay.comparing.profits import Profit
from replay.comparing.results import Comparison
from replay.comparing.results import Group as ComparedGroup
from replay.comparing.sweep.spread_times import QUANTILES
from replay.comparing.sweep.statistics import ThresholdStatistics
from replay.report import tables
from replay.report.collect.evidence import Evidence, Limits, evenly_chosen
from replay.report.figures import books, by_threshold, depth, over_time, prices, profit
from replay.report.figures.chart import Chart, Subject
from replay.report.figures.marks import seen_marks
from replay.report.page import Finding, Group, Page, Section, over_tapes, software
from replay.report.sparkline import Sparkline, sparkline
from replay.report.tables import Table

CHARTS: Final[Sequence[Callable[[Subject], Chart | str | None]]] = (
    prices.spread_chart,
    profit.profit_chart,
    by_threshold.share_chart,
    by_threshold.duration_chart,
    by_threshold.markout_chart,
    over_time.hours_chart,
    by_threshold.histogram_chart,
    over_time.book_chart,
    depth.market_depth_chart,
    books.last_book_chart,
)
"""The charts of a product, in the order of the page; None leaves a chart out."""

_MOST_SENTENCES: Final = 5


def page_of(comparison: Comparison, evidence: Mapping[Path, Mapping[str, Evidence]], sort: str) -> Page:
    """Return the content of a report.

    Args:
        comparison: the numbers, sorted.
        evidence: what was collected during the pass, by tape and product.
        sort: the column by which the numbers are sorted.
    """
    tallies = [tally for found in comparison.tapes for tally in found.tallies.values()]
    first = min((tally.first_time for tally in tallies if tally.first_time is not None), default=None)
    last = max((tally.last_time for tally in tallies if tally.last_time is not None), default=None)
    subjects = subjects_of(comparison)
    details = {
        product: collected.episodes.threshold
        for of_tape in evidence.values()
        for product, collected in of_tape.items()
    }
    limit = Limits().shared(len(subjects)).thresholds
    made = [
        _product(
            f"p{place}",
            group,
            None if group.tape is None else evidence.get(group.tape, {}).get(group.product),
            comparison=comparison,
            detail=details.get(group.product),
            sort=sort,
            limit=limit,
        )
        for place, group in enumerate(subjects)
    ]
    found = {product: list(each) for product, each in groupby(made, key=lambda each: each.product)}
    heads = [each[0] for each in found.values()]
    synthetic = {each.tape for each in comparison.tapes if each.synthetic}
    tapes = [each.tape for each in comparison.tapes]
    summaries = f"{sum(each.summaries for each in tallies):,} summaries"
    return Page(
        title=f"{_what(comparison)} over {over_tapes(tapes, synthetic)}",
        span=f"{_span(first, last, len(tapes))}, {summaries}",
        is_synthetic=bool(synthetic),
        answer=[each.finding for each in heads[:_MOST_SENTENCES]]
        + ([Finding("", "The others", "in the table.")] if len(heads) > _MOST_SENTENCES else []),
        caveats=list(_caveats(comparison)),
        overview=_overview_table("Products", heads),
        groups=[
            Group(
                product,
                [each.section for each in of_product],
                _overview_table("By tape", of_product) if len(of_product) > 1 else None,
            )
            for product, of_product in found.items()
        ],
        quality=tables.quality_table(comparison),
        command=comparison.command,
        origin={f"digest of {tape_name(found.tape)}": found.digest for found in comparison.tapes}
        | {"software": software()},
    )


def _what(comparison: Comparison) -> str:
    """Return what was run: one threshold, as a replay has, or several."""
    thresholds = comparison.settings.thresholds
    return f"Spread above {format_threshold(thresholds[0])}" if len(thresholds) == 1 else "Thresholds"


def _span(first: int | None, last: int | None, tapes: int) -> str:
    """Return from when to when; how long that is says nothing of several tapes."""
    if tapes == 1 or first is None or last is None:
        return display.span(first, last)
    return f"{display.time_of_day(first)} to {display.time_of_day(last)} UTC"


def subjects_of(comparison: Comparison) -> list[ComparedGroup]:
    """Return what each section is about: by product, all tapes together first, then each of its tapes.

    A product of one of several tapes has no section of all together: it would say the same again.
    """
    whole = [group for group in comparison.groups if group.part is None]
    found = []
    for product in dict.fromkeys(group.product for group in whole):
        of_product = [group for group in whole if group.product == product]
        by_tape = [group for group in of_product if group.tape is not None]
        total = [group for group in of_product if group.tape is None and len(by_tape) > 1]
        found += [*total, *by_tape]
    return found


def _overview_table(caption: str, found: Sequence["_Product"]) -> Table:
    headings = [
        *("product", "median spread (bps)", "largest (bps)", "mid price", "spread"),
        *("threshold", "above (%)", "episodes", "longest (s)", "data"),
    ]
    rows = [each.overview for each in found]
    return tables.without_empty(Table(caption, headings, rows, links=[each.section.id for each in found]))


@dataclass(frozen=True, slots=True)
class _Product:
    """A product in the report: its sentence, its row of the overview, and its section."""

    product: str
    finding: Finding
    overview: Sequence[str | Sparkline]
    section: Section


def _product(
    id_: str,
    group: ComparedGroup,
    evidence: Evidence | None,
    *,
    comparison: Comparison,
    detail: float | None,
    sort: str,
    limit: int,
) -> _Product:
    title = _title(comparison, group)
    by_size = sorted(group.statistics, key=lambda row: row.threshold)
    rows = evenly_chosen(by_size, limit)
    longest = [] if evidence is None else evidence.episodes.finish()
    profits = _profits(comparison, group)
    currencies = display.quote_of(group.product), display.base_of(group.product)
    in_detail = (
        by_threshold.row_in_detail(by_size, detail) if detail in comparison.settings.thresholds else None
    )
    if in_detail is not None:
        detail = in_detail.threshold  # of several with the same signals one has a row
    option = "--threshold" if len(comparison.settings.thresholds) == 1 else "--detail"
    subject = Subject(id_, rows, evidence, longest, detail, profits, *currencies)
    told = in_detail or next(iter(by_size[len(by_size) // 2 :]), None)  # the middle one
    section = Section(
        id_,
        title,
        _facts(group),
        tables.threshold_table(group.statistics, detail, sort, limit, profits),
        [chart for make in CHARTS if (chart := make(subject)) is not None],
        [over_time.episode_data(episode, subject.unit) for episode in longest],
        shared=seen_marks(subject),
        note="" if detail is None or evidence is None or longest else _no_episode(detail, group, option),
    )
    text = _sentence(group, told, comparison.settings.fee)
    if profits:
        text += f" The strategy {profit.best_threshold(profits, subject.unit)}."
    finding = Finding(id_, title, text)
    return _Product(group.product, finding, _overview(title, group, evidence, told), section)


def _title(comparison: Comparison, group: ComparedGroup) -> str:
    """Return what a section is about: its product, and its tape among several."""
    if len(comparison.tapes) == 1:
        return group.product
    names = tape_names(each.tape for each in comparison.tapes)
    return f"{group.product}, {'all tapes' if group.tape is None else names[group.tape]}"


def _profits(comparison: Comparison, group: ComparedGroup) -> dict[float, Profit]:
    """Return what a strategy earns by threshold; empty without one."""
    if comparison.traded is None:
        return {}
    found = {entry.threshold: comparison.values(group, entry) for entry in group.statistics}
    return {
        threshold: Profit(*(values[name] for name in Profit._fields)) for threshold, values in found.items()
    }


def _sentence(group: ComparedGroup, told: ThresholdStatistics | None, fee: float | None) -> str:
    """Return what was found of a product, without its name."""
    spread = group.spread
    if not spread.known_s:
        return "no book with both sides was known, so nothing is said."
    text = (
        f"the spread was at most {display.bps(spread.p50)} bps half of the time, and"
        f" {display.bps(spread.largest)} bps at its largest."
    )
    if spread.p50 == spread.largest:
        text = f"the spread was {display.bps(spread.largest)} bps half of the time, and never more."
    if told is None or told.share is None:
        return text
    if told.share == 1 and format_threshold(told.threshold) == f"{display.bps(spread.p50)} bps":
        return text  # a threshold just below a spread that hardly moves
    if not told.signals:
        return f"{text} It was never above {format_threshold(told.threshold)}."
    episodes = display.plural(told.episodes, "episode")
    text += (
        f" It was above {format_threshold(told.threshold)} for {display.percent(told.share)} % of"
        f" {display.seconds(told.observed_s)} s, in {episodes}"
        + (f", the longest of {display.seconds(told.duration_max_s)} s." if told.episodes else ".")
    )
    if fee is not None and told.mean_net_spread_bps is not None:
        left = display.significant(told.mean_net_spread_bps)
        text += f" Less two fees of {display.bps(fee)} bps that leaves {left} bps on average."
    return text


def _overview(
    title: str, group: ComparedGroup, evidence: Evidence | None, told: ThresholdStatistics | None
) -> list[str | Sparkline]:
    lines: list[str | Sparkline] = ["-", "-"]
    if evidence is not None:
        times, bids, asks = evidence.quotes.points()
        lines = [
            sparkline(f"mid price of {title}", times, (bids + asks) / 2),
            sparkline(f"spread of {title}", *evidence.spreads.points()),
        ]
    numbers = ["-"] * 4
    if told is not None:
        numbers = [
            format_threshold(told.threshold),
            display.percent(told.share),
            display.count(told.episodes),
            display.seconds(told.duration_max_s),
        ]
    verdict = display.verdict(group.quality.verdict)
    return [title, *map(display.bps, (group.spread.p50, group.spread.largest)), *lines, *numbers, verdict]


def _caveats(comparison: Comparison) -> Iterator[str]:
    """Yield what limits the answer."""
    for product in comparison.products:
        quality = comparison.whole(product).quality
        if quality.verdict == "broken":
            yield f"{product}: a connection is broken, so its book may have been wrong (see Data quality)."
        if quality.interruptions:
            yield (
                f"{product}: {display.plural(quality.interruptions, 'interruption')},"
                f" {display.seconds(quality.excluded_s)} s without a book in all; nothing is said of them."
            )
    if comparison.traded is None:
        yield "A wide spread is no profit: no order was simulated; compare --strategy simulates them."
        return
    run = comparison.traded.backtest.settings
    yield (
        f"Profits are those of {run.name}, fees {run.fees_text}, latency {run.latency}; back and front are"
        " the bounds of what its orders fill. The best of many thresholds looks better than it is: part of it"
        " is luck."
    )


def _no_episode(detail: float, group: ComparedGroup, option: str) -> str:
    """Return why the section of a product has no episode, and the option that shows some."""
    text, spread = f"No episode was above {format_threshold(detail)}", group.spread
    if spread.largest is None:
        return f"{text}: no spread is above 0, as a side of the book is empty, locked or crossed."
    return (
        f"{text}: the largest spread was {display.bps(spread.largest)} bps;"
        f" those of a lower threshold are shown by {option} {lower_threshold(spread)}."
    )


def _facts(group: ComparedGroup) -> dict[str, str]:
    quality, spread = group.quality, group.spread
    facts: dict[str, str] = {}
    if group.statistics:
        facts["observed"] = f"{display.seconds(group.statistics[0].observed_s)} s"
    if spread.known_s:
        quantiles = zip(QUANTILES, spread.quantiles, strict=True)
        listed = ", ".join(f"p{quantile * 100:g} {display.bps(value)}" for quantile, value in quantiles)
        precision = "" if spread.quantiles_exact else " (within 1 %)"
        facts["relative spread, time-weighted"] = f"{listed} bps{precision}"
    facts["data quality"] = (
        f"{display.verdict(quality.verdict or 'no connection')}; "
        f"{display.plural(quality.interruptions, 'interruption')}, "
        f"{display.seconds(quality.excluded_s)} s excluded (no book), {quality.crossed:,} crossed"
    )
    return facts
