"""The episodes that a comparison writes."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.commands import json_of
from tests.support.constants import BTC
from tests.support.tapes import Recording


def test_episodes_of_a_run(recording: Recording, tmp_path: Path) -> None:
    """RUN/episodes has a row for each episode that is counted, with the mark-outs whose mean is told."""
    run = tmp_path / "run"
    options = ("--threshold=5bps", "--threshold=10bps", "--markout=50ms", "-o", run)
    rows = json_of("compare", recording.tape, *options)["rows"]
    assert json.loads((run / "run.json").read_bytes())["episodes_of"] == [0.0005, 0.001]
    for row in rows:
        table = pq.read_table(run / "episodes" / f"product={row['product']}")
        table = table.filter(pa.compute.equal(table["threshold"], row["threshold"]))
        assert table.num_rows == row["episodes"] > 0
        assert sum(table["signals"].to_pylist()) == row["signals"]
        assert sum(table["duration_s"].to_pylist()) == pytest.approx(row["time_above_s"])
        assert max(table["max_relative_spread"].to_pylist()) == row["max_relative_spread"]
        known = [value for value in table["markout_50ms_bps"].to_pylist() if value is not None]
        assert len(known) == row["markout_50ms_episodes"]
        assert sum(known) / len(known) == pytest.approx(row["markout_50ms_mean_bps"])


def test_run_of_many_thresholds(recording: Recording, tmp_path: Path) -> None:
    """Of more than 50 thresholds the episodes are those of the named ones; of a sweep alone none."""
    many = ("--sweep", "1bps", "100bps", "1bps")
    json_of("compare", recording.tape, *many, "-o", tmp_path / "none")
    assert sorted(path.name for path in (tmp_path / "none").iterdir()) == ["run.json", "thresholds.parquet"]
    json_of("compare", recording.tape, *many, "--threshold=7bps", "-o", tmp_path / "one")
    table = pq.read_table(tmp_path / "one" / "episodes" / f"product={BTC}")
    assert set(table["threshold"].to_pylist()) == {0.0007}
    document = json.loads((tmp_path / "one" / "run.json").read_bytes())
    assert document["versions"].keys() == {"booktape", "python", "numpy", "pyarrow"}
    assert document["command"].startswith("booktape")
