"""A comparison of thresholds against the oracle's, over whole tapes."""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import booktape as bt
import replay
from orderbook.errors import OptionError, ThresholdError
from orderbook.thresholds import sweep_thresholds
from orderbook.times import format_time
from replay.comparing.settings import CompareSettings
from replay.run_dir.writer import RunError
from replay.running import api as running
from replay.running.settings import ReplaySettings
from tests.support import oracle, tapes
from tests.support.commands import Json, invoke, json_of
from tests.support.constants import BTC, ETH, MS, SECOND
from tests.support.tapes import Recording, digests_of

COLUMNS = [
    *("product", "threshold", "signals", "episodes", "time_above_s", "observed_s", "share", "duration_p50_s"),
    *("duration_p95_s", "duration_max_s", "mean_relative_spread", "max_relative_spread"),
    *("signals_per_hour", "episodes_per_hour", "durations_exact", "mean_bid_size", "mean_ask_size"),
    *("mean_touch_value", "mean_net_spread_bps", "net_positive_share"),
    *(
        f"markout_{horizon}_{number}"
        for horizon in ("100ms", "1s", "5s", "30s")
        for number in ("episodes", "left_out", "mean_bps", "standard_error_bps", "mean_abs_bps")
    ),
    *("excluded_s", "interruptions", "crossed", "verdict"),
]


def compare_json(*arguments: object) -> Json:
    """Return what `compare --json` prints."""
    return json_of("compare", *arguments)


def telling_thresholds(run: oracle.OracleRun, number: int = 12) -> list[float]:
    """Return thresholds around the spreads of a run: spreads themselves, halfway between, below and above."""
    spreads = sorted({s.relative_spread for s in run.summaries if s.relative_spread is not None})
    held = [spread for spread in spreads[:: max(1, len(spreads) // number)] if spread >= 0]
    between = [(low + high) / 2 for low, high in pairwise(held)]
    return sorted({0.0, 1e-12, 0.001, 0.5, 1e300, *held, *between, *spreads[-1:]})


def assert_rows_equal(rows: Sequence[Json], expected: Sequence[Json]) -> None:
    """Insist on equal counts and on floats that are equal to 1e-12 of their size."""
    assert len(rows) == len(expected)
    for row, wanted in zip(rows, expected, strict=True):
        for column, value in wanted.items():
            if isinstance(value, float):
                assert row[column] == pytest.approx(value, rel=1e-12, abs=0), (column, wanted["threshold"])
            else:
                assert row[column] == value, (column, wanted["threshold"])


def assert_equals_oracle(tape: Path, runs: dict[str, oracle.OracleRun], thresholds: Sequence[float]) -> None:
    """Compare thresholds over a tape and insist on the oracle's rows for every product."""
    rows = replay.compare([tape], CompareSettings(tuple(sorted(set(thresholds))))).rows()
    for product, run in runs.items():
        found = [row for row in rows if row["product"] == product]
        assert_rows_equal(found, oracle.compare(run.summaries, sorted(set(thresholds))))


def test_recording(recording: Recording, recorded_oracle: dict[str, oracle.OracleRun]) -> None:
    """Over a recording with interruptions every number of every threshold is the oracle's."""
    thresholds = [value for run in recorded_oracle.values() for value in telling_thresholds(run)]
    assert_equals_oracle(recording.tape, recorded_oracle, thresholds)
    swept = sweep_thresholds("1bps", "20bps", "1bps")
    assert_equals_oracle(recording.tape, recorded_oracle, swept)


@pytest.mark.parametrize("name", ["advanced-2026-08-btc-eth", "exchange-2021-04-ten-products"])
def test_capture(
    import_capture: Callable[[str], Path],
    capture_oracle: Callable[[str], dict[str, oracle.OracleRun]],
    name: str,
) -> None:
    """Over a real capture every number of every threshold is the oracle's."""
    runs = capture_oracle(name)
    thresholds = {value for run in runs.values() for value in telling_thresholds(run, 4)}
    assert len(thresholds) > 10
    assert_equals_oracle(import_capture(name), runs, sorted(thresholds))


def test_odd_books(tmp_path: Path) -> None:
    """Crossed, locked, one-sided and empty books and disconnects count as the oracle counts them."""
    first = [
        (0, tapes.snapshot(BTC)),
        (1 * SECOND, tapes.update(BTC, ("sell", "100", "0"), ("sell", "99.5", "1"))),
        (2 * SECOND, tapes.update(BTC, ("buy", "99.5", "1"))),
        (2 * SECOND, tapes.update(BTC, ("buy", "99.75", "1"))),
        (4 * SECOND, tapes.update(BTC, ("buy", "99.75", "0"), ("buy", "99.5", "0"), ("buy", "99", "0"))),
        (5 * SECOND, tapes.update(BTC, ("buy", "98", "1"))),
        (7 * SECOND, tapes.snapshot(BTC, bids=(), asks=())),
        (8 * SECOND, tapes.snapshot(BTC)),
        (8 * SECOND, tapes.snapshot(BTC, bids=(("50", "1"),))),
    ]
    second = [(20 * SECOND, tapes.snapshot(BTC, bids=(("50", "1"),))), (21 * SECOND, tapes.snapshot(BTC))]
    tape = tapes.import_frames(tmp_path, first)
    tape = tapes.import_frames(tmp_path, second)
    runs = tapes.oracle_runs(tape)
    assert len({summary.connection for summary in runs[BTC].summaries}) == 2
    assert_equals_oracle(tape, runs, [0.0, 0.001, 0.005, 0.01, 0.02, 0.3, 0.5, 0.9])


def test_equal_is_not_above(tmp_path: Path) -> None:
    """A relative spread equal to a threshold is not above it, though the text of either has many forms."""
    frames = [(n * MS, tapes.snapshot(BTC, [["999", "1"]], [["1000", "1"]])) for n in range(5)]
    tape = tapes.import_frames(tmp_path, frames)
    below = "0.000999999999"
    document = compare_json(
        tape, *(f"--threshold={text}" for text in ("0.1%", "10bps", "0.001", below, "0.001001"))
    )
    signals = {row["threshold"]: row["signals"] for row in document["rows"]}
    assert signals == {0.000999999999: 5, 0.001: 0, 0.001001: 0}
    replayed = running.run(tape, ReplaySettings(threshold=0.001))
    assert replayed.signals[BTC].num_rows == 0


def test_spellings_are_one_threshold(recording: Recording) -> None:
    """0.1%, 10bps and 0.001 give one row, however often they are named."""
    wanted = [f"--threshold={text}" for text in ("0.1%", "10bps", "0.001", "0.10%", "10.0bps", "0.1%")]
    rows = compare_json(recording.tape, "-p", BTC, *wanted)["rows"]
    assert [row["threshold"] for row in rows] == [0.001]


def test_document(recording: Recording) -> None:
    """The document has a row a product and threshold, the contract's columns, thresholds as numbers."""
    document = compare_json(recording.tape, "--threshold", "0.05%", "--threshold", "20bps")
    assert document.keys() >= {"tape", "digest", "rows"}
    assert document["tape"] == str(recording.tape)
    assert digests_of(document) == digests_of(recording.document)
    assert [(row["product"], row["threshold"]) for row in document["rows"]] == [
        *((BTC, 0.0005), (BTC, 0.002)),
        *((ETH, 0.0005), (ETH, 0.002)),
    ]
    for row in document["rows"]:
        assert list(row) == COLUMNS
        assert isinstance(row["threshold"], float)


def test_sweep_includes_max(recording: Recording) -> None:
    """--sweep gives MIN, every STEP and MAX, as the floats nearest to the exact decimals."""
    rows = compare_json(recording.tape, "-p", BTC, "--sweep", "0.1%", "0.5%", "0.1%")["rows"]
    assert [row["threshold"] for row in rows] == [0.001, 0.002, 0.003, 0.004, 0.005]
    rows = compare_json(recording.tape, "-p", BTC, "--sweep", "1bps", "5bps", "3bps", "--threshold", "4bps")[
        "rows"
    ]
    assert [row["threshold"] for row in rows] == [0.0001, 0.0004, 0.0005]


def test_default_thresholds(recording: Recording) -> None:
    """Without any threshold they come from the spread, and the document says so."""
    document = compare_json(recording.tape, "-p", BTC)
    assert document["settings"]["thresholds_from"] == "spread"
    assert len(document["rows"]) > 3
    assert compare_json(recording.tape, "--threshold=1bps")["settings"]["thresholds_from"] == "named"


@pytest.mark.parametrize("key", ["signals", "episodes", "time_above_s", "share", "mean_relative_spread"])
def test_sort(recording: Recording, key: str) -> None:
    """--sort orders the rows within a product, largest first and what has no number last."""
    rows = compare_json(recording.tape, "--sort", key, "--sweep", "1bps", "40bps", "3bps")["rows"]
    assert [row["product"] for row in rows] == [BTC] * 14 + [ETH] * 14
    for product in (BTC, ETH):
        values: list[float] = [row[key] or 0.0 for row in rows if row["product"] == product]
        assert values == sorted(values, reverse=True)
        assert len(set(values)) > 1


def test_window_and_product(recording: Recording, recorded_oracle: dict[str, oracle.OracleRun]) -> None:
    """A comparison of a part of the tape is that of the summaries of this part."""
    summaries = recorded_oracle[ETH].summaries
    start, end = summaries[400].recv_time, summaries[1200].recv_time
    comparison = bt.compare(recording.tape, [0.0002, 0.001], products=(ETH,), start=start, end=end)
    inside = [summary for summary in summaries if start <= summary.recv_time < end]
    assert_rows_equal(comparison.rows(), oracle.compare(inside, [0.0002, 0.001]))
    assert comparison.tapes[0].tallies[ETH].digest.hexdigest() == oracle.product_digest(inside)


def test_empty_window(recording: Recording) -> None:
    """A window without a row is refused with the reason, in place of a table of zeros."""
    done = invoke("compare", recording.tape, "--threshold", "0.1%", "--to", "1990-01-01T00:00:00Z")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no row is in this window" in done.stderr


def test_run_directory(recording: Recording, tmp_path: Path) -> None:
    """-o writes the same rows as a table, and the document; an existing RUN is refused."""
    run = tmp_path / "run"
    document = compare_json(recording.tape, "--sweep", "1bps", "20bps", "1bps", "-o", run)
    assert pq.ParquetFile(run / "thresholds.parquet").read().to_pylist() == document["rows"]
    assert json.loads((run / "run.json").read_bytes()) == document
    with pytest.raises(RunError, match="exists already"):
        bt.compare(recording.tape, [0.001], output=run)


def test_table_is_the_rows(recording: Recording) -> None:
    """For notebooks a comparison is an Arrow table of the same rows."""
    comparison = bt.compare(recording.tape, [0.001, 0.0005])
    table = comparison.table()
    assert table.column_names == COLUMNS
    assert table.to_pylist() == comparison.rows()


@pytest.mark.parametrize("bad", [-0.001, float("nan"), float("inf")])
def test_bad_threshold(recording: Recording, bad: float) -> None:
    """From Python a threshold that is negative or no number is refused."""
    with pytest.raises(ThresholdError):
        bt.compare(recording.tape, [0.001, bad])


def test_thresholds_do_not_touch_one_another(recording: Recording) -> None:
    """A row is the same whether its threshold is compared alone or among a thousand."""
    many = sweep_thresholds("0.02bps", "20bps", "0.02bps")
    among: dict[Any, Json] = {
        (row["product"], row["threshold"]): row for row in bt.compare(recording.tape, many).rows()
    }
    assert len(among) == 2000
    for threshold in many[::250]:
        for row in bt.compare(recording.tape, [threshold]).rows():
            assert row == among[row["product"], threshold]


@pytest.mark.parametrize("horizon", [0.0, -1.0, 1e6, float("nan")])
def test_bad_horizon(recording: Recording, horizon: float) -> None:
    """From Python a horizon is above 0 and a day at most."""
    with pytest.raises(OptionError, match=r"horizon|duration"):
        bt.compare(recording.tape, [0.001], markouts=[1.0, horizon])


def test_a_tape_counts_once(recording: Recording) -> None:
    """A total of a tape and itself would be wrong."""
    for tapes_named in ([recording.tape, recording.tape / ".." / recording.tape.name], []):
        with pytest.raises(OptionError, match="each once"):
            bt.compare(tapes_named, [0.001])


def test_equal_times_of_a_horizon(tmp_path: Path) -> None:
    """Of several summaries at the very time of a horizon the last one counts."""
    frames = [
        (0, tapes.snapshot(BTC)),
        (1000 * MS, tapes.update(BTC, ("buy", "99.9", "1"))),
        (1000 * MS, tapes.update(BTC, ("buy", "99.99", "1"))),
        (1001 * MS, tapes.update(BTC, ("buy", "99.999", "1"))),
    ]
    tape = tapes.import_frames(tmp_path, frames)
    [row] = json_of("compare", tape, "--threshold=0.5%", "--markout=1s")["rows"]
    assert row["markout_1s_mean_bps"] == pytest.approx((99.995 - 99.5) / 99.5 * 1e4, abs=1e-6)


def test_every_spelling(recording: Recording) -> None:
    """Thresholds, times, horizons and the fee can be spelled as on the command line, or be numbers."""
    start = running.run(recording.tape, keep=False).tallies[BTC].first_time
    assert start is not None
    plain = bt.compare(
        recording.tape,
        [0.0005, 0.001, 0.0015],
        products=(BTC,),
        start=start + 2 * SECOND,
        end=start + 6 * SECOND,
        markouts=(0.1, 60.0),
        fee=0.0001,
    )
    assert sum(row["signals"] for row in plain.rows()) > 0
    spelled = bt.compare(
        [recording.tape],
        "5bps:15bps:5bps",
        products=BTC,
        start="+2s",
        end=format_time(start + 6 * SECOND),
        markouts="1m,100ms",
        fee="1bps",
    )
    assert spelled.settings == plain.settings
    assert spelled.rows() == plain.rows()


def test_bad_arguments(recording: Recording) -> None:
    """An argument that cannot have its value is named in the error."""
    for option, arguments in (
        ("start", {"start": "noon"}),
        ("start", {"start": 20, "end": 10}),
        ("markouts", {"markouts": "2d"}),
    ):
        with pytest.raises(OptionError) as caught:
            bt.compare(recording.tape, **arguments)
        assert caught.value.option == option
    with pytest.raises(OptionError, match="not of several"):
        bt.compare([recording.tape, recording.tape.parent], start="+1s")
