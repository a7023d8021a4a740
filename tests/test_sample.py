"""The sample tape in data/: small, intact, and reproduced by its own command."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa

from recorder.tape.reader import Tape
from replay.checking.verify import verify
from replay.running.api import run
from tests.support.constants import ROOT, SAMPLE


def test_sample_is_small_and_intact() -> None:
    """The sample is under 500 KB, verifies, and has one interruption of each product."""
    size = sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file())
    found = verify(SAMPLE)

    assert size < 500_000
    assert found.passes(strict=True), found.damage + found.feed_faults
    assert [tally.connections for tally in found.tallies.values()] == [2, 2]


def test_sample_can_be_reproduced(tmp_path: Path) -> None:
    """The documented command reproduces every row and the digest."""
    command = [sys.executable, str(ROOT / "data" / "make_sample.py"), str(tmp_path / "again")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})

    sample, again = Tape.open(SAMPLE), Tape.open(tmp_path / "again")
    assert sample.manifest.synthetic
    assert again.manifest.synthetic  # its server said so
    for product in sample.select(()):
        new = pa.Table.from_batches(again.product(product).batches())
        kept = pa.Table.from_batches(sample.product(product).batches())
        assert [name for name in kept.column_names if new[name] != kept[name]] == []
    assert run(tmp_path / "again").digest == run(SAMPLE).digest
