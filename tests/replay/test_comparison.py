"""What a comparison adds to the counts: parts, totals, mark-outs, quality, episodes, CSV."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from orderbook.threshold import sweep_thresholds
from replay import comparing
from replay.comparing import CompareError
from replay.comparison_tables import bar, print_comparison
from replay.inspection import inspect
from tests import oracle
from tests.replay import tapes
from tests.replay.sweep import naive
from tests.replay.tapes import MS, SECOND, Json, Recording

BTC, ETH = "BTC-USD", "ETH-USD"
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
        comparison = comparing.compare(tape, sorted(thresholds), products=(product,), fee=0.0001)
        for found in comparison.rows():
            wanted = naive.numbers(float(str(found["threshold"])), rows, HORIZONS, 0.0001)
            for name, value in wanted.items():
                assert found[name] == (value if value is None else pytest.approx(value, rel=1e-12, abs=0)), (
                    name
                )
            assert found.keys() - wanted.keys() == QUALITY
        document = comparison.whole(product).spread.document()
        assert document == naive.quantiles(rows)


def test_recording(recording: Recording, recorded_oracle: dict[str, oracle.OracleRun]) -> None:
    """Over a recording with interruptions every number is that of its definition."""
    assert_equals_naive(recording.tape, recorded_oracle, (0.0, 0.5, 0.9, 1.0))


@pytest.mark.parametrize("name", ["advanced-2026-08-btc-eth", "exchange-2021-04-ten-products"])
def test_capture(import_capture: Callable[[str], Path], name: str) -> None:
    """Over a real capture too."""
    tape = import_capture(name)
    assert_equals_naive(tape, tapes.oracle_runs(tape), (0.1, 0.5, 0.95))


def test_quality(recording: Recording) -> None:
    """Excluded time, interruptions and crossed books are the replay's, the verdict is that of inspect."""
    comparison = comparing.compare(recording.tape, [0.001])
    tallies = comparison.tapes[0].tallies
    for row in comparison.rows():
        tally = tallies[str(row["product"])]
        inspected = inspect(recording.tape).products[str(row["product"])]
        assert row["excluded_s"] == tally.excluded_ns / 1e9
        assert row["interruptions"] == tally.connections - 1 == len(inspected.interruptions) > 0
        assert row["crossed"] == tally.anomalies["crossed"]
        assert row["verdict"] == "unverifiable"
    assert comparison.whole(BTC).quality.connections["unverifiable"] == tallies[BTC].connections


def test_by_connection(recording: Recording) -> None:
    """There is a part for each connection, they add up, and none of them is interrupted."""
    rows = tapes.json_of("compare", recording.tape, "--threshold=5bps", "--by=connection", "-p", BTC)["rows"]
    *parts, whole = rows
    assert [row["connection"] for row in parts] == list(range(len(parts)))
    assert (whole["connection"], len(parts)) == (None, whole["interruptions"] + 1)
    for name in ("signals", "episodes", "markout_1s_episodes", "markout_1s_left_out", "crossed"):
        assert sum(row[name] for row in parts) == whole[name] >= 0
    assert sum(row["observed_s"] for row in parts) == pytest.approx(whole["observed_s"])
    assert all(row["interruptions"] == 0 and row["excluded_s"] < whole["excluded_s"] for row in parts)


def test_by_hour_and_day(tmp_path: Path) -> None:
    """Parts of the clock are named by their start, excluded time and interruptions lie where they were."""
    hour = 3600 * SECOND
    wide, narrow = tapes.snapshot(BTC), tapes.snapshot(BTC, bids=(("99.99", "1"),))
    tapes.import_frames(tmp_path, [(0, wide), (hour, narrow), (2 * hour, wide)])  # from 21:05:48 on
    tape = tapes.import_frames(tmp_path, [(4 * hour, narrow), (4 * hour + SECOND, wide), (5 * hour, narrow)])
    rows = tapes.json_of("compare", tape, "--threshold=0.5%", "--by=hour")["rows"]
    found = [(row["hour"], row["signals"], row["observed_s"], row["time_above_s"]) for row in rows]
    assert found == [
        ("2026-08-09T21:00Z", 1, 3252.0, 3252.0),
        ("2026-08-09T22:00Z", 0, 3600.0, 348.0),
        ("2026-08-09T23:00Z", 1, 348.0, 0.0),
        ("2026-08-10T01:00Z", 1, 3252.0, 3251.0),
        ("2026-08-10T02:00Z", 0, 348.0, 348.0),
        (None, 3, 10800.0, 7199.0),
    ]
    quality = [(row["excluded_s"], row["interruptions"]) for row in rows]
    assert quality == [(0.0, 0), (0.0, 0), (3252.0, 0), (348.0, 1), (0.0, 0), (7200.0, 1)]
    days = tapes.json_of("compare", tape, "--threshold=0.5%", "--by=day")["rows"]
    assert [(row["day"], row["signals"]) for row in days] == [("2026-08-09", 2), ("2026-08-10", 1), (None, 3)]


def test_parts_of_a_threshold_stand_together(recording: Recording) -> None:
    """By threshold one sees whether it holds over time; by another column each part is sorted in itself."""
    options = ("compare", recording.tape, "-p", BTC, "--sweep", "1bps", "9bps", "4bps", "--by=connection")
    rows = tapes.json_of(*options)["rows"]
    parts = [*range(rows[-1]["interruptions"] + 1), None]
    assert [(row["threshold"], row["connection"]) for row in rows] == [
        (threshold, part) for threshold in (0.0001, 0.0005, 0.0009) for part in parts
    ]
    rows = tapes.json_of(*options, "--sort=share")["rows"]
    assert [row["connection"] for row in rows] == [part for part in parts for _ in range(3)]


def test_several_tapes(recording: Recording, tmp_path: Path) -> None:
    """Each tape has its rows, equal to those alone, and the total adds them up."""
    other = tapes.import_frames(tmp_path, [(0, tapes.snapshot(BTC)), (SECOND, tapes.snapshot(BTC))])
    document = tapes.json_of("compare", recording.tape, other, "--threshold=0.1%", "--threshold=0.2%")
    alone = [
        tapes.json_of("compare", tape, "--threshold=0.1%", "--threshold=0.2%")
        for tape in (recording.tape, other)
    ]
    assert (document["tape"], document["digest"]) == (None, None)
    assert [each["digest"] for each in document["tapes"]] == [each["digest"] for each in alone]
    for tape, each in zip((recording.tape, other), alone, strict=True):
        rows = [row for row in document["rows"] if row["tape"] == str(tape)]
        assert [{name: row[name] for name in row if name != "tape"} for row in rows] == each["rows"]
    for total in (row for row in document["rows"] if row["tape"] is None):
        parts = [
            row
            for row in document["rows"]
            if row["tape"] and (row["product"], row["threshold"]) == (total["product"], total["threshold"])
        ]
        assert len(parts) == (2 if total["product"] == BTC else 1)
        for name in ("signals", "episodes", "interruptions", "markout_5s_left_out"):
            assert total[name] == sum(row[name] for row in parts)


def test_options(recording: Recording) -> None:
    """--markout sets horizons, --sweep-log ratios, --min-signals and --min-episodes leave rows out."""
    document = tapes.json_of(
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
    kept = tapes.json_of(
        "compare", recording.tape, "-p", BTC, "--sweep-log", "1bps", "100bps", "9", f"--min-signals={few}"
    )
    assert [row["threshold"] for row in kept["rows"]] == [
        row["threshold"] for row in rows if row["signals"] >= few
    ]
    kept = tapes.json_of("compare", recording.tape, "--threshold=1", "--min-episodes=1")
    assert kept["rows"] == []


def test_table_has_types(recording: Recording) -> None:
    """A column has its type where nothing is in it too: two tables of different thresholds fit together."""
    table = comparing.compare(recording.tape, [1.0], by="day").table()
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
    comparison = comparing.compare(recording.tape, [1.0], by="day")
    comparison.keep(min_signals=1)
    assert comparison.table().schema == table.schema


def test_csv(recording: Recording) -> None:
    """--csv prints the rows of --json, nothing where a number is null, and a heading also without a row."""
    options = ("compare", recording.tape, "--sweep", "1bps", "40bps", "13bps", "--by=connection")
    rows: list[Json] = tapes.json_of(*options)["rows"]
    done = tapes.command(*options, "--csv")
    assert (done.exit_code, done.stderr) == (0, "")
    assert list(csv.DictReader(io.StringIO(done.stdout))) == [
        {name: "" if value is None else str(value) for name, value in row.items()} for row in rows
    ]
    nothing = tapes.command("compare", recording.tape, "--threshold=1", "--min-signals=1", "--csv")
    assert nothing.stdout == ",".join(name for name in rows[0] if name != "connection") + "\n"


def test_episodes_of_a_run(recording: Recording, tmp_path: Path) -> None:
    """RUN/episodes has a row for each episode that is counted, with the mark-outs whose mean is told."""
    run = tmp_path / "run"
    rows = tapes.json_of("compare", recording.tape, "--threshold=5bps", "--threshold=10bps", "-o", run)[
        "rows"
    ]
    assert json.loads((run / "run.json").read_bytes())["episodes_of"] == [0.0005, 0.001]
    for row in rows:
        table = pq.read_table(run / "episodes" / f"product={row['product']}")
        table = table.filter(pa.compute.equal(table["threshold"], row["threshold"]))
        assert table.num_rows == row["episodes"] > 0
        assert sum(table["signals"].to_pylist()) == row["signals"]
        assert sum(table["duration_s"].to_pylist()) == pytest.approx(row["time_above_s"])
        assert max(table["max_relative_spread"].to_pylist()) == row["max_relative_spread"]
        known = [value for value in table["markout_1s_bps"].to_pylist() if value is not None]
        assert len(known) == row["markout_1s_episodes"]
        assert sum(known) / len(known) == pytest.approx(row["markout_1s_mean_bps"])


def test_run_of_many_thresholds(recording: Recording, tmp_path: Path) -> None:
    """Of more than 50 thresholds the episodes are those of the named ones; of a sweep alone none."""
    many = ("--sweep", "1bps", "100bps", "1bps")
    tapes.json_of("compare", recording.tape, *many, "-o", tmp_path / "none")
    assert sorted(path.name for path in (tmp_path / "none").iterdir()) == ["run.json", "thresholds.parquet"]
    tapes.json_of("compare", recording.tape, *many, "--threshold=7bps", "-o", tmp_path / "one")
    table = pq.read_table(tmp_path / "one" / "episodes" / f"product={BTC}")
    assert set(table["threshold"].to_pylist()) == {0.0007}
    document = json.loads((tmp_path / "one" / "run.json").read_bytes())
    assert document["versions"].keys() == {"booktape", "python", "numpy", "pyarrow"}
    assert document["command"].startswith("booktape")


def test_terminal(recording: Recording) -> None:
    """On 100 columns no line is longer, nothing wraps, the sorted column is marked and stays."""
    comparison = comparing.compare(
        recording.tape, sweep_thresholds("1bps", "20bps", "1bps"), fee=0.0001, by="hour"
    )
    comparison.sort("max_relative_spread")
    output = io.StringIO()
    console = Console(
        width=100, file=output, force_terminal=True, color_system=None, markup=False, highlight=False
    )
    print_comparison(console, comparison, "max_relative_spread")
    text = output.getvalue()
    table = text[text.index("product") : text.index("Data quality")]
    assert max(len(line) for line in table.splitlines()) <= 100
    assert "largest ▾" in table
    lines = [line for line in table.splitlines() if line.startswith((BTC, ETH))]
    parts = len(comparison.groups)
    assert len(lines) == parts * 20 + parts
    assert all(re.search(r"\d bps", line) for line in lines[: parts * 20])


def test_bar() -> None:
    """A bar is as long as its share, to an eighth of a block; a little is not nothing."""
    assert [len(bar(share, in_blocks=False)) for share in (None, 0.0, 0.5, 1.0)] == [0, 0, 4, 8]
    assert [bar(share, in_blocks=True) for share in (0.0, 1e-9, 0.125, 1.0)] == ["", "▏", "█", "████████"]


@pytest.mark.parametrize("horizon", [0.0, -1.0, 1e6, float("nan")])
def test_bad_horizon(recording: Recording, horizon: float) -> None:
    """From Python a horizon is above 0 and a day at most."""
    with pytest.raises(CompareError, match="is no horizon"):
        comparing.compare(recording.tape, [0.001], markouts=[1.0, horizon])


def test_a_tape_counts_once(recording: Recording) -> None:
    """A total of a tape and itself would be wrong."""
    for tapes_named in ([recording.tape, recording.tape / ".." / recording.tape.name], []):
        with pytest.raises(CompareError, match="each once"):
            comparing.compare(tapes_named, [0.001])


def test_equal_times_of_a_horizon(tmp_path: Path) -> None:
    """Of several summaries at the very time of a horizon the last one counts."""
    frames = [
        (0, tapes.snapshot(BTC)),
        (1000 * MS, tapes.update(BTC, ("buy", "99.9", "1"))),
        (1000 * MS, tapes.update(BTC, ("buy", "99.99", "1"))),
        (1001 * MS, tapes.update(BTC, ("buy", "99.999", "1"))),
    ]
    tape = tapes.import_frames(tmp_path, frames)
    [row] = tapes.json_of("compare", tape, "--threshold=0.5%", "--markout=1s")["rows"]
    assert row["markout_1s_mean_bps"] == pytest.approx((99.995 - 99.5) / 99.5 * 1e4, abs=1e-6)
