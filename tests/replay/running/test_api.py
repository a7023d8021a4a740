"""The results of a replay: tables, a RUN directory, a JSON document, and parts of a tape."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orderbook.engine import Step
from recorder.tape.errors import UnknownProductError
from replay.running import api as running
from replay.running.settings import ReplaySettings
from replay.running.window import Window
from tests.support import oracle, tapes
from tests.support.commands import Json, json_of
from tests.support.constants import BTC, ETH, MS
from tests.support.tapes import Recording

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
    ("connection", pa.int32()),
]
ANOMALY_COLUMNS = [
    ("seq", pa.int64()),
    ("recv_time", TIME),
    ("kind", pa.string()),
    ("detail", pa.string()),
    ("connection", pa.int32()),
]
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
    """Return the table of a stream and product in a RUN directory."""
    paths = sorted((run / stream / f"product={product}").glob("*.parquet"))
    return pa.concat_tables([pq.ParquetFile(path).read() for path in paths])


def summaries_of(run: oracle.OracleRun) -> list[tuple[Any, ...]]:
    """Return the oracle's summaries."""
    return [tuple(summary) for summary in run.summaries]


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
    """Return a RUN directory that the command wrote for the recording, and the printed document."""
    run = tmp_path_factory.mktemp("runs") / "run"
    return run, json_of("replay", recording.tape, "-o", run, "--threshold", "8bps")


# The document


def test_document(recording: Recording, recorded_oracle: dict[str, oracle.OracleRun]) -> None:
    """The JSON document has the keys of the contract, and its numbers are those of the tape."""
    document = json_of("replay", recording.tape)
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
    """The document of a paced replay has its settings and its lateness."""
    document = json_of("replay", faulty_tape, "--speed", "0.5", "--idle-limit", "2s", "--threshold", "10bps")
    assert document["pacing"].keys() >= PACING_KEYS
    assert document["settings"].items() >= {"speed": 0.5, "threshold": 0.001, "precise": False}.items()


def test_precise_replay(recording: Recording) -> None:
    """A replay that spins has the same results."""
    options = ("--speed", "100", "--idle-limit", "10ms")
    plain, precise = (json_of("replay", recording.tape, *options, *more) for more in ((), ("--precise",)))
    assert precise["settings"]["precise"]
    assert precise["pacing"].keys() == plain["pacing"].keys()
    assert tapes.digests_of(precise) == tapes.digests_of(plain)


def test_anomalies(faulty_tape: Path) -> None:
    """Every anomaly is a row with the seq where it was seen, and is counted."""
    result = running.run(faulty_tape)
    table = result.anomalies[BTC]
    assert columns_of(table.schema) == ANOMALY_COLUMNS
    expected = tapes.oracle_runs(faulty_tape)[BTC]
    found = list(zip(table["seq"].to_pylist(), table["kind"].to_pylist(), strict=True))
    assert found == expected.anomalies
    assert [kind for _, kind in found] == [
        *("early_update", "malformed", "malformed", "crossed", "unknown", "error")
    ]
    counts = result.tallies[BTC].document().anomalies
    assert counts == {"early_update": 1, "malformed": 2, "crossed": 1, "unknown": 1, "error": 1, "gap": 0}
    assert tapes.tuples_of(result.summaries[BTC]) == summaries_of(expected)


# Tables and the RUN directory


def test_kept_tables(recording: Recording, recorded_oracle: dict[str, oracle.OracleRun]) -> None:
    """The kept tables are the oracle's summaries and those above the threshold."""
    result = running.run(recording.tape, ReplaySettings(threshold=0.0008, batch_rows=1000))
    for product, run in recorded_oracle.items():
        assert columns_of(result.summaries[product].schema) == SUMMARY_COLUMNS
        assert columns_of(result.signals[product].schema) == SUMMARY_COLUMNS
        assert tapes.tuples_of(result.summaries[product]) == summaries_of(run)
        signals = [row for row in summaries_of(run) if row[8] is not None and row[8] > 0.0008]
        assert signals
        assert tapes.tuples_of(result.signals[product]) == signals
        assert columns_of(result.anomalies[product].schema) == ANOMALY_COLUMNS


def test_tables_are_not_kept(recording: Recording) -> None:
    """Without `keep` a result holds counts and no tables."""
    result = running.run(recording.tape, keep=False)
    assert [result.summaries, result.signals, result.anomalies] == [{}, {}, {}]
    assert result.tallies.keys() == {BTC, ETH}


def test_run_directory(
    run_of_recording: tuple[Path, Json], recorded_oracle: dict[str, oracle.OracleRun]
) -> None:
    """A RUN holds the contract's columns of every summary, and of those above the threshold."""
    run, _ = run_of_recording
    assert {path.name for path in run.iterdir()} == {"summaries", "signals", "run.json"}
    for product, expected in recorded_oracle.items():
        summaries, signals = (read_run(run, stream, product) for stream in ("summaries", "signals"))
        assert columns_of(summaries.schema) == SUMMARY_COLUMNS
        assert columns_of(signals.schema) == SUMMARY_COLUMNS
        assert tapes.tuples_of(summaries) == summaries_of(expected)
        above = [row for row in summaries_of(expected) if row[8] is not None and row[8] > 0.0008]
        assert tapes.tuples_of(signals) == above


def test_run_document(run_of_recording: tuple[Path, Json]) -> None:
    """RUN/run.json is the document that --json prints."""
    run, printed = run_of_recording
    assert json.loads((run / "run.json").read_bytes()) == printed
    assert printed.keys() >= DOCUMENT_KEYS


def test_run_directory_reads_as_a_data_set(
    run_of_recording: tuple[Path, Json], recorded_oracle: dict[str, oracle.OracleRun]
) -> None:
    """Arrow reads RUN/summaries as a data set, with the product as a column."""
    run, _ = run_of_recording
    table = pq.read_table(run / "summaries")
    assert table.num_rows == sum(len(each.summaries) for each in recorded_oracle.values())
    assert set(table["product"].to_pylist()) == {BTC, ETH}


def test_run_directory_of_anomalies(faulty_tape: Path, tmp_path: Path) -> None:
    """A RUN has the anomalies of the tape."""
    running.run(faulty_tape, output=tmp_path / "run", keep=False)
    table = read_run(tmp_path / "run", "anomalies", BTC)
    assert columns_of(table.schema) == ANOMALY_COLUMNS
    expected = tapes.oracle_runs(faulty_tape)[BTC].anomalies
    assert list(zip(table["seq"].to_pylist(), table["kind"].to_pylist(), strict=True)) == expected


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
    """A window reports start <= recv_time < end, with the summaries that the full replay has then."""
    times = [row.recv_time for product in (BTC, ETH) for row in tapes.tape_rows(recording.tape, product)]
    low, high = min(times), max(times)
    start, stop = (low + round(share * (high - low)) for share in (first, end))
    result = running.run(recording.tape, ReplaySettings(batch_rows=batch_rows, window=Window(start, stop)))
    for product, run in recorded_oracle.items():
        inside = [s for s in run.summaries if start <= s.recv_time < stop]
        assert tapes.tuples_of(result.summaries[product]) == [tuple(summary) for summary in inside]
        tally = result.tallies[product]
        rows = tapes.tape_rows(recording.tape, product)
        assert tally.rows == sum(start <= row.recv_time < stop for row in rows)
        assert tally.digest.hexdigest() == oracle.product_digest(inside)
        observed = oracle.compare(inside, [0.0])[0]["observed_s"]
        assert tally.observed_ns / 1e9 == pytest.approx(observed, rel=1e-12)


def test_window_edges(tmp_path: Path) -> None:
    """A row at --from is reported and a row at --to is not, even if several rows share the time."""
    frames = [(0, tapes.snapshot(BTC))]
    frames += [(time * MS, tapes.update(BTC)) for time in (1, 2, 2, 2, 3, 3, 4)]
    tape = tapes.import_frames(tmp_path, frames)
    document = json_of(
        "replay", tape, "--from", "2026-08-09T21:05:48.002Z", "--to", "2026-08-09T21:05:48.003000000Z"
    )
    assert document["products"][BTC]["summaries"] == 3
    assert document["products"][BTC]["first_time"] == document["products"][BTC]["last_time"]


def test_products(recording: Recording) -> None:
    """-p replays the named products, each once, and the digest of the run is theirs."""
    document = json_of("replay", recording.tape, "-p", ETH, "-p", ETH)
    assert document["products"].keys() == {ETH}
    digest = recording.document["products"][ETH]["digest"]
    assert document["products"][ETH]["digest"] == digest
    assert document["digest"] == oracle.run_digest({ETH: digest})


def test_unknown_product(recording: Recording) -> None:
    """The error for an unknown product names it and the products of the tape."""
    with pytest.raises(UnknownProductError, match=r"DOGE-USD.*BTC-USD, ETH-USD"):
        running.run(recording.tape, ReplaySettings(products=("DOGE-USD",)))


def test_a_panel_sees_trades_that_the_result_does_not_have(recording: Recording) -> None:
    """The steps hold them if they are asked for; the document is the same."""
    seen: list[int] = []

    def watch(_product: str, step: Step) -> None:
        seen.append(0 if step.trades is None else step.trades.trades.num_rows)

    silent = running.run(recording.tape, progress=watch)
    assert not sum(seen)
    shown = running.run(recording.tape, progress=watch, progress_trades=True)
    counted = running.run(recording.tape, ReplaySettings(trades=True))
    assert sum(seen) == sum(tally.trades.trades for tally in counted.tallies.values() if tally.trades) > 0
    documents = [each.document() for each in (silent, shown)]
    assert documents[0]["products"] == documents[1]["products"]


def test_tape_is_only_read(recording: Recording, tmp_path: Path) -> None:
    """A replay changes no file of its tape and adds none."""
    tape = tapes.copy_of(recording.tape, tmp_path)

    def state() -> list[tuple[str, int, int]]:
        return sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in tape.rglob("*"))

    before = state()
    running.run(tape, keep=False)
    json_of("inspect", tape)
    json_of("verify", tape)
    json_of("compare", tape)
    assert state() == before
    shutil.rmtree(tape)
