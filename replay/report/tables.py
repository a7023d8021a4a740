"""The numbers of a report as tables."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Final

from orderbook.threshold import format_threshold
from orderbook.times import NS
from recorder import terminal
from replay.report.episodes import Episode
from replay.report.gaps import Gap
from replay.report.gathering import spread_out
from replay.report.hours import HOURS, HourShares
from replay.report.markup import Markup, table
from replay.report.reduction import MinMaxReduction
from replay.sweep.results import ThresholdStatistics

_SLICES: Final = 24


_Show = Callable[[Any], str]


def _decimal(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4f}"


def _tenths(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


_NUMBERS: Final[tuple[tuple[str, str, _Show], ...]] = (
    ("signals", "signals", terminal.count),
    ("signals_per_hour", "an hour", _tenths),
    ("episodes", "episodes", terminal.count),
    ("episodes_per_hour", "an hour", _tenths),
    ("time_above_s", "above (s)", terminal.seconds),
    ("share", "share (%)", terminal.percent),
    ("duration_p50_s", "episode p50 (s)", terminal.seconds),
    ("duration_p95_s", "p95 (s)", terminal.seconds),
    ("duration_max_s", "longest (s)", terminal.seconds),
    ("mean_relative_spread", "mean spread (bps)", terminal.bps),
    ("max_relative_spread", "largest (bps)", terminal.bps),
    ("mean_bid_size", "bid size", _decimal),
    ("mean_ask_size", "ask size", _decimal),
    ("mean_touch_value", "value at the touch", _tenths),
    ("mean_net_spread_bps", "net of fees (bps)", _decimal),
    ("net_positive_share", "share net above 0 (%)", terminal.percent),
)


def threshold_table(rows: Sequence[ThresholdStatistics], detail: float | None, sort: str, most: int) -> str:
    """Return the table of thresholds in the order of the rows, the one in detail marked."""
    shown = _some(rows, detail, sort, most)
    # Without a fee there is nothing net of it.
    numbers = [each for each in _NUMBERS if any(getattr(row, each[0]) is not None for row in shown)]
    headings = ["threshold", *(heading + (" ▾" if key == sort else "") for key, heading, _ in numbers)]
    lines = [
        [_named(row.threshold, detail), *(show(getattr(row, key)) for key, _, show in numbers)]
        for row in shown
    ]
    order = "ascending" if sort == "threshold" else f"by {sort}, the largest first"
    caption = (
        f"Thresholds, {order}{_left_out(shown, rows)}{'' if detail is None else '; ● is shown in detail'}"
    )
    return table(caption, headings, lines)


def markout_table(rows: Sequence[ThresholdStatistics], detail: float | None, most: int) -> str:
    """Return the mark-outs of each threshold: mean ± standard error, mean absolute change, how many."""
    shown = spread_out(rows, most)
    horizons = [markout.horizon for markout in shown[0].markouts] if shown else []
    lines = [
        [
            _named(row.threshold, detail),
            *(
                cell
                for each in row.markouts
                for cell in (
                    f"{_change(each.mean_bps)} ± {_change(each.standard_error_bps)}",
                    _change(each.mean_abs_bps),
                    f"{each.episodes:,} ({each.left_out:,})",
                )
            ),
        ]
        for row in shown
    ]
    headings = [
        "threshold",
        *(
            heading
            for name in horizons
            for heading in (f"{name}: mean ± error (bps)", f"{name}: absolute", f"{name}: of (left out)")
        ),
    ]
    return table(f"Mark-outs{_left_out(shown, rows)}", headings, lines)


def _named(threshold: float, detail: float | None) -> str:
    return format_threshold(threshold) + (" ●" if threshold == detail else "")


def _some(
    rows: Sequence[ThresholdStatistics], detail: float | None, sort: str, most: int
) -> Sequence[ThresholdStatistics]:
    """Return those that are shown where there are too many: evenly chosen, or the first of an order."""
    chosen = spread_out(rows, most) if sort == "threshold" else rows[:most]
    thresholds = {detail, *(row.threshold for row in chosen)}
    return [row for row in rows if row.threshold in thresholds]


def _left_out(shown: Sequence[object], rows: Sequence[object]) -> str:
    return "" if len(shown) == len(rows) else f", {len(shown):,} of {len(rows):,}"


def _change(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def slices_table(spreads: MinMaxReduction) -> str:
    """Return the smallest and largest spread in even slices of time: the figure in words."""
    times, values = spreads.points()
    if not len(times):
        return "<p>There is no spread.</p>"
    first, last = int(times[0]), int(times[-1])
    width = max(-(-(last - first + 1) // _SLICES), 1)
    rows = []
    for number in range(_SLICES):
        start = first + number * width
        inside = values[(times >= start) & (times < start + width)]
        if start > last:
            break
        extremes = (inside.min(), inside.max()) if len(inside) else (None, None)
        rows.append((terminal.time_of_day(start), *map(terminal.bps, extremes)))
    return table(
        f"Relative spread in slices of {width / NS:,.3f} s",
        ("from (UTC)", "smallest (bps)", "largest (bps)"),
        rows,
    )


def hours_table(hours: HourShares, columns: Sequence[int]) -> str:
    """Return the share above by hour of the day for some of the thresholds, by their place."""
    shares = hours.shares()
    rows = [
        [f"{hour:02d}", f"{observed:,.1f}", *(terminal.percent(shares[place][hour]) for place in columns)]
        for hour, observed in zip(range(HOURS), hours.observed_s(), strict=True)
        if observed
    ]
    headings = [
        "hour (UTC)",
        "observed (s)",
        *(format_threshold(hours.thresholds[place]) for place in columns),
    ]
    return table("Share above by hour of the day, %", headings, rows)


def episodes_table(episodes: Sequence[Episode], threshold: float, total: int, figure: str) -> str:
    """Return the list of episodes; each leads to the figure of the quotes around it."""
    rows = [
        (
            Markup(
                f'<a href="#{escape(figure)}" data-figure="{escape(figure)}" data-episode="{place}">'
                f"{escape(terminal.time_of_day(episode.start))}</a>"
            ),
            terminal.seconds(episode.duration_ns / NS),
            terminal.bps(episode.max_spread),
            str(episode.connection),
            "cut" if episode.is_cut else "ended",
        )
        for place, episode in enumerate(episodes)
    ]
    which = "all" if len(episodes) == total else f"the longest {len(episodes):,} of"
    caption = f"Episodes above {format_threshold(threshold)}: {which} {total:,}"
    headings = ("start (UTC)", "lasted (s)", "largest spread (bps)", "connection", "end")
    return table(caption, headings, rows)


def gaps_table(gaps: Sequence[Gap]) -> str:
    """Return the list of what was not observed between connections."""
    rows = [
        (
            terminal.time_of_day(gap.start),
            terminal.time_of_day(gap.end),
            terminal.seconds(gap.excluded_ns / NS),
            terminal.count(gap.interruptions),
        )
        for gap in gaps
    ]
    return table(
        "Time without a book", ("from (UTC)", "to (UTC)", "excluded (s)", "interruptions"), rows, left=2
    )
