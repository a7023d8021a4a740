"""What a comparison adds to the counts: parts, totals, mark-outs, quality, episodes, CSV."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import booktape as bt
from tests.support import naive_sweep as naive
from tests.support import oracle
from tests.support.commands import Json, invoke, json_of
from tests.support.constants import BTC, SECOND
from tests.support.tapes import Recording

HORIZONS = {"100ms": SECOND // 10, "1s": SECOND, "5s": 5 * SECOND, "30s": 30 * SECOND}
QUALITY = {"product", "excluded_s", "interruptions", "crossed", "verdict"}


def naive_rows(run: oracle.OracleRun) -> list[naive.Row]:
    """Return what the oracle saw, for the definitions read row by row."""
    return [
        naive.Row(
            each.connection, each.recv_time, each.bid_price, each.bid_size, each.ask_price, each.ask_size
        )
        for each in run.summaries
    ]


def assert_equals_naive(tape: Path, runs: dict[str, oracle.OracleRun], quantiles: tuple[float, ...]) -> None:
    """Compare thresholds among the spreads of each product, and insist on every number."""
    for product, run in runs.items():
        rows = naive_rows(run)
        spreads = sorted(row.spread for row in rows if row.spread is not None)
        if not spreads:
            continue
        thresholds = {max(0.0, spreads[int(quantile * (len(spreads) - 1))]) for quantile in quantiles}
        comparison = bt.compare(tape, sorted(thresholds), products=(product,), fee=0.0001)
        for found in comparison.rows():
            wanted = naive.numbers(float(str(found["threshold"])), rows, HORIZONS, 0.0001)
            for name, value in wanted.items():
                assert found[name] == (value if value is None else pytest.approx(value, rel=1e-12, abs=0)), (
                    name
                )
            assert found.keys() - wanted.keys() == QUALITY
        document = msgspec.structs.asdict(comparison.whole(product).spread)
        assert document == naive.quantiles(rows)


def test_recording(recording: Recording, recorded_oracle: dict[str, oracle.OracleRun]) -> None:
    """Over a recording with interruptions every number is that of its definition."""
    assert_equals_naive(recording.tape, recorded_oracle, (0.0, 0.5, 0.9, 1.0))


@pytest.mark.parametrize("name", ["advanced-2026-08-btc-eth", "exchange-2021-04-ten-products"])
def test_capture(
    import_capture: Callable[[str], Path],
    capture_oracle: Callable[[str], dict[str, oracle.OracleRun]],
    name: str,
) -> None:
    """Over a real capture too."""
    assert_equals_naive(import_capture(name), capture_oracle(name), (0.1, 0.5, 0.95))


def test_parts_of_a_threshold_stand_together(recording: Recording) -> None:
    """By threshold one sees whether it holds over time; by another column each part is sorted in itself."""
    options = ("compare", recording.tape, "-p", BTC, "--sweep", "1bps", "9bps", "4bps", "--by=connection")
    rows = json_of(*options)["rows"]
    parts = [*range(rows[-1]["interruptions"] + 1), None]
    assert [(row["threshold"], row["connection"]) for row in rows] == [
        (threshold, part) for threshold in (0.0001, 0.0005, 0.0009) for part in parts
    ]
    rows = json_of(*options, "--sort=share")["rows"]
    assert [row["connection"] for row in rows] == [part for part in parts for _ in range(3)]


def test_options(recording: Recording) -> None:
    """--markout sets horizons, --sweep-log ratios, --min-signals and --min-episodes leave rows out."""
    document = json_of(
        *("compare", recording.tape, "-p", BTC, "--sweep-log", "1bps", "100bps", "9", "--markout=1m,250ms")
    )
    rows = document["rows"]
    assert [row["threshold"] for row in rows][::4] == [0.0001, 0.001, 0.01]
    assert document["settings"]["markouts"] == ["250ms", "1m"]
    assert [name for name in rows[0] if name.endswith("_mean_bps")] == [
        "markout_250ms_mean_bps",
        "markout_1m_mean_bps",
    ]
    few = max(row["signals"] for row in rows[1:])
    kept = json_of(
        "compare", recording.tape, "-p", BTC, "--sweep-log", "1bps", "100bps", "9", f"--min-signals={few}"
    )
    assert [row["threshold"] for row in kept["rows"]] == [
        row["threshold"] for row in rows if row["signals"] >= few
    ]
    kept = json_of("compare", recording.tape, "--threshold=100%", "--min-episodes=1")
    assert kept["rows"] == []


def test_table_has_types(recording: Recording) -> None:
    """A column has its type where nothing is in it too: two tables of different thresholds fit together."""
    table = bt.compare(recording.tape, ["100%"], by="day").table()
    assert {name: str(kind) for name, kind in zip(table.column_names, table.schema.types, strict=True)} == {
        **dict.fromkeys(table.column_names, "double"),
        **dict.fromkeys(("product", "day", "verdict"), "string"),
        **dict.fromkeys(("signals", "episodes", "interruptions", "crossed"), "int64"),
        **{
            name: "int64"
            for name in table.column_names
            if re.fullmatch("markout_.*_(episodes|left_out)", name)
        },
        "durations_exact": "bool",
    }
    comparison = bt.compare(recording.tape, ["100%"], by="day")
    comparison.keep(min_signals=1)
    assert comparison.table().schema == table.schema


def test_csv(recording: Recording) -> None:
    """--csv prints the rows of --json, nothing where a number is null, and a heading also without a row."""
    options = ("compare", recording.tape, "--sweep", "1bps", "40bps", "13bps", "--by=connection")
    rows: list[Json] = json_of(*options)["rows"]
    done = invoke(*options, "--csv")
    assert (done.exit_code, done.stderr) == (0, "")
    assert list(csv.DictReader(io.StringIO(done.stdout))) == [
        {name: "" if value is None else str(value) for name, value in row.items()} for row in rows
    ]
    nothing = invoke("compare", recording.tape, "--threshold=100%", "--min-signals=1", "--csv")
    assert nothing.stdout == ",".join(name for name in rows[0] if name != "connection") + "\n"
