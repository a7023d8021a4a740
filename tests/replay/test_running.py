"""What a replay gives: tables, a RUN directory, a JSON document, and parts of a tape."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from recorder.tape.errors import TapeError, UnknownProductError
from replay import running
from replay.lateness import Lateness, Timing
from replay.replayed import ReplaySettings, RunResult
from replay.rundir import RunError, run_directory
from replay.tables import print_run
from replay.window import Window
from tests import oracle
from tests.replay import tapes
from tests.replay.tapes import MS, Json, Recording

BTC, ETH = "BTC-USD", "ETH-USD"
TIME = pa.timestamp("ns", tz="UTC")
SUMMARY_COLUMNS = [
    ("seq", pa.int64()),
    ("recv_time", TIME),
    ("exchange_time", TIME),
    ("bid_price", pa.float64()),
    ("bid_size", pa.float64()),
    ("ask_price", pa.float64()),
    ("ask_size", pa.float64()),
    ("spread", pa.float64()),
    ("relative_spread", pa.float64()),
]
ANOMALY_COLUMNS = [("seq", pa.int64()), ("recv_time", TIME), ("kind", pa.string()), ("detail", pa.string())]
PACING_KEYS = {
    *("late_ms_p50", "late_ms_p99", "late_ms_max", "behind_rows"),
    *("duration_s", "duration_error_ms", "idle_cut_s"),
}
DOCUMENT_KEYS = {"tape", "digest", "settings", "products", "elapsed_s", "frames_per_s", "pacing"}
PRODUCT_KEYS = {
    *("rows", "frames", "summaries", "signals", "connections", "anomalies", "absent_deletes", "noop_sets"),
    *("first_time", "last_time", "digest"),
}


def columns_of(schema: pa.Schema) -> list[tuple[str, pa.DataType]]:
    """Return the names and types of columns."""
    return [(field.name, field.type) for field in schema]


def read_run(run: Path, stream: str, product: str) -> pa.Table:
    """Return what a RUN directory holds of a stream and product."""
    paths = sorted((run / stream / f"product={product}").glob("*.parquet"))
    return pa.concat_tables([pq.ParquetFile(path).read() for path in paths])


def summaries_of(run: oracle.OracleRun) -> list[tuple[Any, ...]]:
    """Return the oracle's summaries without their connection."""
    return [summary[:9] for summary in run.summaries]


@pytest.fixture(scope="module")
def faulty_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tape with an anomaly of every kind that one Exchange connection can show."""
    frames = [
        (0, tapes.update(BTC, ("buy", "98", "1"))),
        (MS, tapes.snapshot(BTC)),
        (2 * MS, "no JSON"),
        (3 * MS, tapes.update(BTC, ("buy", "1e5", "1"))),
        (4 * MS, tapes.update(BTC, ("buy", "101", "1"))),
        (5 * MS, tapes.update(BTC, ("buy", "101", "0"), ("buy", "55", "0"), ("buy", "99", "1"))),
        (6 * MS, json.dumps({"type": "surprise", "product_id": BTC})),
        (7 * MS, json.dumps({"type": "error", "message": "Failed", "reason": "for a test"})),
        (8 * MS, tapes.update(BTC, ("sell", "100", "0"))),
    ]
    return tapes.import_frames(tmp_path_factory.mktemp("faulty"), frames)


@pytest.fixture(scope="module")
def run_of_recording(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Json]:
    """Return a RUN directory that the command made of the recording, and what it printed."""
    run = tmp_path_factory.mktemp("runs") / "run"
    return run, tapes.json_of("replay", recording.tape, "-o", run, "--threshold", "8bps")


# The document


def test_document(recording: Recording, recorded_oracle: dict[str, oracle.OracleRun]) -> None:
    """The JSON document has the keys of the contract, and its numbers are those of the tape."""
    document = tapes.json_of("replay", recording.tape)
    assert document.keys() >= DOCUMENT_KEYS
    assert document["tape"] == str(recording.tape)
    assert document["pacing"] is None
    assert document["frames_per_s"] > 0
    assert document["elapsed_s"] > 0
    for product, run in recorded_oracle.items():
        rows = tapes.tape_rows(recording.tape, product)
        found = document["products"][product]
        assert found.keys() >= PRODUCT_KEYS
        assert found["rows"] == len(rows)
        assert found["frames"] == sum(row.kind == "frame" for row in rows)
        assert found["summaries"] == len(run.summaries)
        assert found["signals"] == sum((s.relative_spread or 0) > 0.001 for s in run.summaries)
        assert found["connections"] == 2
        assert {kind: number for kind, number in found["anomalies"].items() if number} == {}
        assert (found["absent_deletes"], found["noop_sets"]) == (run.absent_deletes, run.noop_sets)
        assert np.datetime64(found["first_time"][:-1], "ns").astype(int) == rows[0].recv_time
        assert np.datetime64(found["last_time"][:-1], "ns").astype(int) == rows[-1].recv_time
        assert len(found["first_time"]) == len("2026-08-09T21:05:48.000000000Z")
        assert found["digest"] == oracle.product_digest(run.summaries)


def test_paced_document(faulty_tape: Path) -> None:
    """A paced replay tells its settings and how late it was."""
    document = tapes.json_of(
        "replay", faulty_tape, "--speed", "0.5", "--idle-limit", "2s", "--threshold", "10bps"
    )
    assert document["pacing"].keys() >= PACING_KEYS
    assert document["settings"].items() >= {"speed": 0.5, "threshold": 0.001, "precise": False}.items()


def test_precise_replay(recording: Recording) -> None:
    """A replay that spins is the same replay."""
    options = ("--speed", "100", "--idle-limit", "10ms")
    plain, precise = (
        tapes.json_of("replay", recording.tape, *options, *more) for more in ((), ("--precise",))
    )
    assert precise["settings"]["precise"]
    assert precise["pacing"].keys() == plain["pacing"].keys()
    assert tapes.digests_of(precise) == tapes.digests_of(plain)


def test_pacing_is_told(recording: Recording) -> None:
    """The table of a paced replay says how late it was, how long it took, and that it fell behind if so."""
    late, punctual = Lateness(), Lateness()
    late.add(np.repeat([250_000.0, 3_012_500_000.0], [5_000, 12]))
    punctual.add(np.array([250_000.0]))
    texts = []
    for timing in (
        Timing(late, 60_100_000_000, 59_999_875_000.0, 2_000_000_000),
        Timing(punctual, 60_100_000_000, 60_100_500_000.0),
    ):
        text = io.StringIO()
        result = RunResult(recording.tape, ReplaySettings(speed=1.0), "plain", timing=timing)
        print_run(Console(file=text, width=120), result)
        texts.append(text.getvalue())
    behind, kept_up = texts
    assert "ms (p99), 3012.500 ms at most; 2.000 s of silence cut" in behind
    assert "60.100 s, +100.125 ms" in behind
    assert "12 rows came over 10 ms late, none was skipped" in behind
    assert "-0.500 ms" in kept_up
    assert "behind" not in kept_up


def test_anomalies(faulty_tape: Path) -> None:
    """Every anomaly is a row at the row where it was seen, and a count."""
    result = running.run(faulty_tape)
    table = result.anomalies[BTC]
    assert columns_of(table.schema) == ANOMALY_COLUMNS
    expected = tapes.oracle_runs(faulty_tape)[BTC]
    found = list(zip(table["seq"].to_pylist(), table["kind"].to_pylist(), strict=True))
    assert found == expected.anomalies
    assert [kind for _, kind in found] == [
        *("early_update", "malformed", "malformed", "crossed", "unknown", "error")
    ]
    counts = result.tallies[BTC].document()["anomalies"]
    assert counts == {"early_update": 1, "malformed": 2, "crossed": 1, "unknown": 1, "error": 1, "gap": 0}
    assert tapes.summaries_of(result.summaries[BTC]) == summaries_of(expected)


# Tables and the RUN directory


def test_kept_tables(recording: Recording, recorded_oracle: dict[str, oracle.OracleRun]) -> None:
    """The tables that a replay keeps are the oracle's summaries and those above the threshold."""
    result = running.run(recording.tape, ReplaySettings(threshold=0.0008, batch_rows=1000))
    for product, run in recorded_oracle.items():
        assert columns_of(result.summaries[product].schema) == SUMMARY_COLUMNS
        assert columns_of(result.signals[product].schema) == SUMMARY_COLUMNS
        assert tapes.summaries_of(result.summaries[product]) == summaries_of(run)
        signals = [row for row in summaries_of(run) if row[8] is not None and row[8] > 0.0008]
        assert signals
        assert tapes.summaries_of(result.signals[product]) == signals
        assert columns_of(result.anomalies[product].schema) == ANOMALY_COLUMNS


def test_tables_are_not_kept_unasked(recording: Recording) -> None:
    """Without `keep` a result holds counts and no tables."""
    result = running.run(recording.tape, keep=False)
    assert [result.summaries, result.signals, result.anomalies] == [{}, {}, {}]
    assert result.tallies.keys() == {BTC, ETH}


def test_run_directory(
    run_of_recording: tuple[Path, Json], recorded_oracle: dict[str, oracle.OracleRun]
) -> None:
    """A RUN holds the contract's nine columns of every summary, and of those above the threshold."""
    run, _ = run_of_recording
    assert {path.name for path in run.iterdir()} == {"summaries", "signals", "run.json"}
    for product, expected in recorded_oracle.items():
        summaries, signals = (read_run(run, stream, product) for stream in ("summaries", "signals"))
        assert columns_of(summaries.schema) == SUMMARY_COLUMNS
        assert columns_of(signals.schema) == SUMMARY_COLUMNS
        assert tapes.summaries_of(summaries) == summaries_of(expected)
        above = [row for row in summaries_of(expected) if row[8] is not None and row[8] > 0.0008]
        assert tapes.summaries_of(signals) == above


def test_run_document(run_of_recording: tuple[Path, Json]) -> None:
    """RUN/run.json is the document that --json prints."""
    run, printed = run_of_recording
    assert json.loads((run / "run.json").read_bytes()) == printed
    assert printed.keys() >= DOCUMENT_KEYS


def test_run_directory_reads_as_a_data_set(
    run_of_recording: tuple[Path, Json], recorded_oracle: dict[str, oracle.OracleRun]
) -> None:
    """Arrow reads RUN/summaries as it is, the product as a column."""
    run, _ = run_of_recording
    table = pq.read_table(run / "summaries")
    assert table.num_rows == sum(len(each.summaries) for each in recorded_oracle.values())
    assert set(table["product"].to_pylist()) == {BTC, ETH}


def test_run_directory_of_anomalies(faulty_tape: Path, tmp_path: Path) -> None:
    """A RUN holds the anomalies of a tape that has some."""
    running.run(faulty_tape, output=tmp_path / "run", keep=False)
    table = read_run(tmp_path / "run", "anomalies", BTC)
    assert columns_of(table.schema) == ANOMALY_COLUMNS
    expected = tapes.oracle_runs(faulty_tape)[BTC].anomalies
    assert list(zip(table["seq"].to_pylist(), table["kind"].to_pylist(), strict=True)) == expected


def test_row_groups_of_small_batches(recording: Recording, tmp_path: Path) -> None:
    """A RUN of a row a step, as a paced replay has them, is that of large steps, in as few row groups."""
    for name, batch_rows in (("large", 8192), ("single", 1)):
        running.run(recording.tape, ReplaySettings(batch_rows=batch_rows), output=tmp_path / name, keep=False)
    files = sorted(path.relative_to(tmp_path / "large") for path in (tmp_path / "large").rglob("*.parquet"))
    assert files
    for file in files:
        single = pq.ParquetFile(tmp_path / "single" / file)
        assert single.read() == pq.ParquetFile(tmp_path / "large" / file).read()
        assert single.num_row_groups == 1
        assert single.metadata.num_rows > 256 or file.parts[0] != "summaries"


def test_row_groups_end(tmp_path: Path) -> None:
    """A long stream is written as it comes, in row groups of a fair size, every row once and in order."""
    with run_directory(tmp_path / "run") as writer:
        for first in range(0, 100_000, 40):
            writer.write("numbers", BTC, pa.record_batch({"seq": list(range(first, first + 40))}))
    (path,) = (tmp_path / "run").rglob("*.parquet")
    file = pq.ParquetFile(path)
    assert file.read()["seq"].to_pylist() == list(range(100_000))
    sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert all(10_000 < size < 30_000 for size in sizes[:-1])
    assert len(sizes) > 3


@pytest.mark.parametrize("made", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")])
def test_existing_run_is_refused(faulty_tape: Path, tmp_path: Path, made: Any) -> None:
    """What is there already, be it only a dangling link, is never overwritten."""
    run = tmp_path / "run"
    made(run)
    with pytest.raises(RunError, match="exists already"):
        running.run(faulty_tape, output=run)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert not (run.is_dir() and list(run.iterdir()))


def test_run_without_a_parent_is_refused(faulty_tape: Path, tmp_path: Path) -> None:
    """A RUN is made in a directory that is there."""
    with pytest.raises(RunError, match="nowhere"):
        running.run(faulty_tape, output=tmp_path / "nowhere" / "run")
    assert not list(tmp_path.iterdir())


def test_run_is_published_whole(recording: Recording, tmp_path: Path) -> None:
    """While it is written a RUN has another name, which data sets skip; then it has its own at once."""
    run = tmp_path / "run"
    seen: set[bool] = set()

    def progress(_product: str, _step: object) -> None:
        seen.add(run.exists())
        assert all(path.name.startswith("_") for path in tmp_path.iterdir())

    running.run(recording.tape, ReplaySettings(batch_rows=1000), output=run, keep=False, progress=progress)
    assert seen == {False}
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("line", [0, -1])
def test_damaged_tape_leaves_no_run(recording: Recording, tmp_path: Path, line: int) -> None:
    """Where the tape turns out damaged the failure names the file and nothing of a RUN stays."""
    damaged = tapes.copy_of(recording.tape, tmp_path)
    path = tapes.segment_paths(damaged, BTC)[line]
    tapes.flip_byte(path, path.stat().st_size // 2)
    with pytest.raises(TapeError, match=path.name):
        running.run(damaged, output=tmp_path / "run")
    assert [each.name for each in tmp_path.iterdir()] == ["copied"]


def test_full_disk_leaves_no_run(recording: Recording, tmp_path: Path) -> None:
    """Where a RUN cannot be written one line says so, the exit code is 1, and nothing of it stays."""
    command = [sys.executable, "-m", "booktape", "replay", str(recording.tape), "-o", str(tmp_path / "run")]
    limited = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh", *command]
    done = subprocess.run(
        limited, env=tapes.clean_environment(), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())
    assert [line[:7] for line in done.stderr.splitlines()] == ["Error: "]
    assert "unexpected" not in done.stderr
    assert str(tmp_path / "run") in done.stderr


# Parts of a tape


@pytest.mark.parametrize(
    ("first", "end"), [(0.0, 1.0), (0.3, 0.7), (0.5, 2.0), (-1.0, 0.4), (0.4, 0.4001), (2.0, 3.0)]
)
@pytest.mark.parametrize("batch_rows", [100, 8192])
def test_window(
    recording: Recording,
    recorded_oracle: dict[str, oracle.OracleRun],
    first: float,
    end: float,
    batch_rows: int,
) -> None:
    """A window reports from <= recv_time < to, and its summaries are the full replay's of that time."""
    times = [row.recv_time for product in (BTC, ETH) for row in tapes.tape_rows(recording.tape, product)]
    low, high = min(times), max(times)
    window = Window(low + round(first * (high - low)), low + round(end * (high - low)))
    assert window.start is not None
    assert window.end is not None
    result = running.run(recording.tape, ReplaySettings(window=window, batch_rows=batch_rows))
    for product, run in recorded_oracle.items():
        inside = [s for s in run.summaries if window.start <= s.recv_time < window.end]
        assert tapes.summaries_of(result.summaries[product]) == [summary[:9] for summary in inside]
        tally = result.tallies[product]
        rows = tapes.tape_rows(recording.tape, product)
        assert tally.rows == sum(window.start <= row.recv_time < window.end for row in rows)
        assert tally.digest.hexdigest() == oracle.product_digest(inside)
        observed = oracle.compare(inside, [0.0])[0]["observed_s"]
        assert tally.observed_ns / 1e9 == pytest.approx(observed, rel=1e-12)


def test_window_edges(tmp_path: Path) -> None:
    """A row at --from is reported and a row at --to is not, also where several rows share the time."""
    frames = [(0, tapes.snapshot(BTC))]
    frames += [(time * MS, tapes.update(BTC)) for time in (1, 2, 2, 2, 3, 3, 4)]
    tape = tapes.import_frames(tmp_path, frames)
    document = tapes.json_of(
        "replay", tape, "--from", "2026-08-09T21:05:48.002Z", "--to", "2026-08-09T21:05:48.003000000Z"
    )
    assert document["products"][BTC]["summaries"] == 3
    assert document["products"][BTC]["first_time"] == document["products"][BTC]["last_time"]


def test_products(recording: Recording) -> None:
    """-p replays the products named, each once, and the run's digest is theirs."""
    document = tapes.json_of("replay", recording.tape, "-p", ETH, "-p", ETH)
    assert document["products"].keys() == {ETH}
    digest = recording.document["products"][ETH]["digest"]
    assert document["products"][ETH]["digest"] == digest
    assert document["digest"] == oracle.run_digest({ETH: digest})


def test_unknown_product(recording: Recording) -> None:
    """A product that is not on the tape is named, and so are those that are."""
    with pytest.raises(UnknownProductError, match=r"DOGE-USD.*BTC-USD, ETH-USD"):
        running.run(recording.tape, ReplaySettings(products=("DOGE-USD",)))


def test_tape_is_only_read(recording: Recording, tmp_path: Path) -> None:
    """A replay changes no file of its tape and leaves none there."""
    tape = tapes.copy_of(recording.tape, tmp_path)

    def state() -> list[tuple[str, int, int]]:
        return sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in tape.rglob("*"))

    before = state()
    running.run(tape, keep=False)
    tapes.json_of("inspect", tape)
    tapes.json_of("verify", tape)
    tapes.json_of("compare", tape)
    assert state() == before
    shutil.rmtree(tape)
