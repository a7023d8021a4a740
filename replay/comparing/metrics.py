"""The metrics of `compare`: one entry for each column, in the order of the columns.

JSON, CSV, Parquet, the tables on a terminal and in a report, `--sort` and the table in docs/numbers.md
take their columns from here. A new metric is an entry here, and a field of `ThresholdStatistics` where it
is computed. `python -m replay.comparing.metrics` prints the table for docs/numbers.md.
"""

import sys
from collections.abc import Sequence
from functools import cache
from typing import Final, Literal

import pyarrow as pa

from orderbook import display
from orderbook.thresholds import format_threshold
from orderbook.times import NS
from replay.comparing.metric import Direction, Kind, Metric

By = Literal["hour", "day", "connection"]
"""What the numbers can be split by."""

_HORIZON_UNITS: Final = ((3600 * NS, "h"), (60 * NS, "m"), (NS, "s"), (10**6, "ms"), (10**3, "us"), (1, "ns"))


def horizon_label(horizon_ns: int, *, longest_ns: int = 3600 * NS) -> str:
    """Return a horizon in the largest unit that divides it, at most `longest_ns`.

    >>> horizon_label(100_000_000), horizon_label(60 * NS), horizon_label(60 * NS, longest_ns=NS)
    ('100ms', '1m', '60s')
    """
    known = ((size, unit) for size, unit in _HORIZON_UNITS if size <= longest_ns)
    size, unit = next((size, unit) for size, unit in known if horizon_ns % size == 0)
    return f"{horizon_ns // size}{unit}"


TEXT: Final = Kind(pa.string(), "-", "", str)
VERDICT: Final = Kind(pa.string(), "-", "", display.verdict)
FLAG: Final = Kind(pa.bool_(), "-", "", str)
COUNT: Final = Kind(pa.int64(), "-", "", display.count)
THRESHOLD: Final = Kind(pa.float64(), "fraction", "", format_threshold)
SPREAD: Final = Kind(pa.float64(), "fraction", "bps", display.bps)
CHANGE: Final = Kind(pa.float64(), "bps", "bps", display.signed)
BPS: Final = Kind(pa.float64(), "bps", "bps", display.significant)
SECONDS: Final = Kind(pa.float64(), "s", "s", display.seconds)
PER_HOUR: Final = Kind(pa.float64(), "1/h", "", display.significant)
SHARE: Final = Kind(pa.float64(), "-", "%", display.percent)
BASE: Final = Kind(pa.float64(), "base currency", "", display.significant)
QUOTE: Final = Kind(pa.float64(), "quote currency", "quote", display.significant)
QUOTE_CHANGE: Final = Kind(pa.float64(), "quote currency", "quote", display.signed)


PLACES: Final = (
    Metric("product", TEXT, "product", "product of the row"),
    Metric("tape", TEXT, "tape", "tape of the row, null for all together; only with several tapes"),
    Metric("hour", TEXT, "hour", "start of the UTC hour, null for the whole; only with `--by hour`"),
    Metric("day", TEXT, "day", "UTC date, null for the whole; only with `--by day`"),
    Metric("connection", COUNT, "connection", "its number, null for the whole; only with `--by connection`"),
)
"""The product, tape and part that a row is about."""

THRESHOLD_METRICS: Final = (
    Metric("threshold", THRESHOLD, "threshold", "the threshold: 0.001 is 0.1 % or 10 bps", sort="ascending"),
    Metric("signals", COUNT, "signals", "number of summaries that are above"),
    Metric("episodes", COUNT, "episodes", "number of episodes"),
    Metric("time_above_s", SECONDS, "above", "sum of the intervals that are above", drop=3),
    Metric("observed_s", SECONDS, "", "sum of all intervals", sort=None),
    Metric("share", SHARE, "share", "`time_above_s` over `observed_s`", has_bar=True),
    Metric(
        "duration_p50_s",
        SECONDS,
        "p50",
        "median duration of the episodes. An episode lasts as long as the intervals of its summaries, so one "
        "that begins with the last summary of a connection lasts 0 s. Percentiles are linear (numpy's)",
        drop=4,
    ),
    Metric("duration_p95_s", SECONDS, "p95", "95th percentile of the durations", drop=6),
    Metric("duration_max_s", SECONDS, "longest", "longest duration, always exact", drop=5),
    Metric("mean_relative_spread", SPREAD, "spread", "time-weighted mean spread over the time above", drop=7),
    Metric("max_relative_spread", SPREAD, "largest", "largest spread of the signals", drop=13),
    Metric("signals_per_hour", PER_HOUR, "signals/h", "`signals` per hour of observed time", drop=None),
    Metric("episodes_per_hour", PER_HOUR, "episodes/h", "`episodes` per hour of observed time", drop=9),
    Metric(
        "durations_exact",
        FLAG,
        "",
        "whether p50 and p95 are exact. They are up to 100,000 episodes of a product over all thresholds, "
        "usually far beyond; otherwise they come from a histogram, with errors under 1 %",
        sort=None,
    ),
    Metric("mean_bid_size", BASE, "bid size", "time-weighted mean size at the best bid, time above", drop=11),
    Metric("mean_ask_size", BASE, "ask size", "time-weighted mean size at the best ask, time above", drop=12),
    Metric(
        "mean_touch_value",
        QUOTE,
        "smaller",
        "time-weighted mean of `min(bid price * bid size, ask price * ask size)` over the time above: what "
        "could trade against both sides at the touch",
        drop=8,
    ),
    Metric(
        "mean_net_spread_bps",
        CHANGE,
        "net",
        "`mean_relative_spread` less two fees; only with `--fee`",
        drop=1,
        needs_fee=True,
    ),
    Metric(
        "net_positive_share",
        SHARE,
        "net > 0",
        "share of the observed time that is above the threshold *and* has a spread greater than two fees; "
        "only with `--fee`",
        drop=1,
        needs_fee=True,
    ),
)
"""What a threshold selects, in the order of `ThresholdStatistics`."""

MARKOUT_METRICS: Final = (
    Metric(
        "markout_<horizon>_episodes",
        COUNT,
        "<horizon> known",
        "number of episodes whose mark-out is known",
        drop=None,
        sort=None,
    ),
    Metric(
        "markout_<horizon>_left_out",
        COUNT,
        "<horizon> left out",
        "number of episodes whose mark-out is not known: the horizon reaches into an interruption or beyond "
        "the end of the tape, or a side of the book is empty then",
        drop=None,
        sort=None,
    ),
    Metric(
        "markout_<horizon>_mean_bps",
        CHANGE,
        "after <horizon>",
        "the **mark-out**: relative change of the mid price from the first summary of an episode to a "
        "horizon later, mean over the episodes. The mid at the horizon is that of the last summary at or "
        "before it",
        drop=10,
        error="markout_<horizon>_standard_error_bps",
    ),
    Metric(
        "markout_<horizon>_standard_error_bps",
        BPS,
        "",
        "standard error of that mean: the standard deviation of the sample over the root of the number; "
        "null below two episodes",
        sort=None,
    ),
    Metric(
        "markout_<horizon>_mean_abs_bps",
        BPS,
        "<horizon> absolute",
        "mean of the change without its sign",
        drop=None,
        sort=None,
    ),
)
"""How the mid price changes after an episode begins, for each horizon, in the order of `MarkOut`."""

PROFIT_METRICS: Final = (
    Metric(
        "profit",
        QUOTE_CHANGE,
        "profit",
        "`net` of a backtest of `--strategy` with this threshold, under the queue model `share`; only with "
        "`--strategy`, null if no book was known",
    ),
    Metric("profit_back", QUOTE_CHANGE, "back", "the same under `back`, where fewer orders fill", drop=2),
    Metric("profit_front", QUOTE_CHANGE, "front", "the same under `front`, where more orders fill", drop=2),
    Metric("fills", COUNT, "fills", "number of its fills, under `share`", drop=3),
)
"""What a strategy earns with a threshold, in the order of `Profit`; only of comparisons that trade."""

QUALITY_METRICS: Final = (
    Metric(
        "excluded_s",
        SECONDS,
        "excluded",
        "time between the first and the last row that is in no interval: no book was known",
        sort=None,
    ),
    Metric("interruptions", COUNT, "interr.", "number of connections that follow another one", sort=None),
    Metric(
        "crossed",
        COUNT,
        "crossed",
        "number of summaries whose bid is over the ask: a fault of the feed. Their time is observed and "
        "never above",
        sort=None,
    ),
    Metric(
        "verdict",
        VERDICT,
        "verdict",
        "worst verdict of the connections: `broken`, `unverifiable` (shown as *no gaps seen*) or `verified`",
        drop=1,
        sort=None,
    ),
)
"""How far the other numbers of a row can be trusted, in the order of `Quality`."""

ALL_METRICS: Final = (*PLACES, *THRESHOLD_METRICS, *MARKOUT_METRICS, *PROFIT_METRICS, *QUALITY_METRICS)
"""Every column that a comparison can have."""


@cache
def threshold_metrics(horizons_ns: tuple[int, ...], *, trades: bool = False) -> tuple[Metric, ...]:
    """Return the metrics of a threshold, with those of each horizon, and of profit if a strategy trades."""
    return (
        *THRESHOLD_METRICS,
        *(each.at(horizon_label(horizon)) for horizon in horizons_ns for each in MARKOUT_METRICS),
        *(PROFIT_METRICS if trades else ()),
    )


def sort_columns(horizons_ns: tuple[int, ...], *, trades: bool = False) -> dict[str, Direction]:
    """Return the columns that rows can be sorted by, each with its direction."""
    return {each.name: each.sort for each in threshold_metrics(horizons_ns, trades=trades) if each.sort}


def row_schema(
    horizons_ns: tuple[int, ...], by: By | None, *, has_tapes: bool, trades: bool = False
) -> pa.Schema:
    """Return the columns of a comparison's rows.

    Args:
        horizons_ns: of the mark-outs.
        by: what the rows are split by.
        has_tapes: whether they are of several tapes.
        trades: whether a strategy trades at each threshold.
    """
    wanted = {"product", by, "tape" if has_tapes else None}
    places = (metric for metric in PLACES if metric.name in wanted)
    columns = (*places, *threshold_metrics(horizons_ns, trades=trades), *QUALITY_METRICS)
    return pa.schema([(metric.name, metric.kind.dtype) for metric in columns])


def markdown_table(metrics: Sequence[Metric] = ALL_METRICS) -> str:
    """Return metrics as a table in Markdown: column, unit, heading in tables for people, definition."""
    lines = ["| column | unit | heading | definition |", "|---|---|---|---|"]
    for metric in metrics:
        heading = metric.heading if metric.title else "-"
        lines.append(f"| `{metric.name}` | {metric.kind.unit} | {heading} | {metric.definition} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown_table())
