"""Tapes that several tests of this folder read."""

from pathlib import Path

import pytest

from recorder.settings import SealPolicy
from tests.support.constants import BTC
from tests.support.rows import frames, open_writer, to_batch, write_tape


@pytest.fixture
def half_sealed(tmp_path: Path) -> Path:
    """Return a tape of 100 rows: three sealed segments of 30 and a journal."""
    tape = write_tape(tmp_path / "tape", frames(90), policy=SealPolicy(rows=30))
    with open_writer(tape) as writer:
        writer.products[BTC].append(to_batch(frames(10, 90)))
    return tape
