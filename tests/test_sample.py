"""The sample tape in data/: small, whole, and made again by its own command."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa

from recorder.tape.reader import Tape
from replay.running import run
from replay.verifying import verify

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "data" / "sample"


def test_sample_is_small_and_whole() -> None:
    """The sample stays under 500 KB, verifies, and holds one interruption a product."""
    size = sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file())
    found = verify(SAMPLE)

    assert size < 500_000
    assert found.passes(strict=True), found.damage + found.feed_faults
    assert [tally.connections for tally in found.tallies.values()] == [2, 2]


def test_sample_is_made_again_with_the_same_rows_and_digest(tmp_path: Path) -> None:
    """The documented command gives every row and the digest again."""
    command = [sys.executable, str(ROOT / "data" / "make_sample.py"), str(tmp_path / "again")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})

    sample, again = Tape.open(SAMPLE), Tape.open(tmp_path / "again")
    for product in sample.select(()):
        made = pa.Table.from_batches(again.product(product).batches())
        kept = pa.Table.from_batches(sample.product(product).batches())
        assert [name for name in kept.column_names if made[name] != kept[name]] == []
    assert run(tmp_path / "again").digest == run(SAMPLE).digest
